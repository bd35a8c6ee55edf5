//! `GET /health/$stream`: the report as server-sent events.
//!
//! A stream asks the engine at each tick, like any other reader, so any number of them costs no
//! more runs than one. A reader that is slow skips to the newest state: nothing is queued.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, sleep_until};

use super::refused;
use super::report::encoded;
use crate::evaluate::group::HEALTH;
use crate::evaluate::view::View;
use crate::expose::formats::Form;
use crate::expose::http::HttpState;
use crate::expose::origin::allow_origin;
use crate::expose::problem::Problem;
use crate::expose::query::MIN_POLL_INTERVAL;
use crate::expose::request::HealthRequest;

/// After this much silence a comment tells proxies and clients that the stream is alive; many give
/// up after five seconds.
const COMMENT_AFTER: Duration = Duration::from_secs(4);
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// When a client that found no free stream may try again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

pub(crate) fn open(state: &Arc<HttpState>, request: &HealthRequest) -> Result<Response, Problem> {
    let query = request.query()?;
    let (period, on_change, limit) = (query.poll_interval()?, query.on_change()?, query.limit()?);
    let selection = state.engine.select(&HEALTH, &query.criteria);
    let selection = selection.map_err(|error| refused(state, error, request.details))?;
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| full(state))?;
    let body = if request.method == Method::GET {
        let source = Source {
            state: Arc::clone(state),
            selection: Some(selection).filter(|view| !view.is_whole),
            form: request.json_form(query.verbose),
        };
        let events = EventStream::new(source, period, on_change, limit, permit);
        Body::from_stream(stream::unfold(events, async |mut events| {
            let event = events.next().await?;
            Some((Ok::<_, Infallible>(event), events))
        }))
    } else {
        Body::empty()
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // NGINX would hold back even the head until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    allow_origin(&state.config, request, &mut response);
    Ok(response)
}

fn full(state: &HttpState) -> Problem {
    let detail = format!("too many open streams (limit {})", state.config.max_streams);
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        .with_header(header::RETRY_AFTER, RETRY_AFTER)
}

/// What a stream shows.
#[derive(Clone)]
struct Source {
    state: Arc<HttpState>,
    /// `None` is every check.
    selection: Option<Arc<View>>,
    form: Form,
}

/// An event, and what decides whether it is sent.
struct Event {
    bytes: Bytes,
    /// The plain form, which tells whether this is news.
    plain: Bytes,
    /// Whether it says itself that the program is draining: asking elsewhere could be too late,
    /// and then nothing would have told the reader.
    is_last: bool,
}

impl Source {
    fn view(&self) -> Arc<View> {
        self.selection.clone().unwrap_or_else(|| self.state.engine.group(&HEALTH))
    }

    /// The event of now.
    async fn event(self) -> Event {
        let snapshot = self.state.engine.snapshot(&self.view(), self.form.ages()).await;
        let bytes = encoded(&self.state, &snapshot, self.form);
        let plain = encoded(&self.state, &snapshot, Form { verbose: false, ..self.form });
        Event { bytes, plain, is_last: snapshot.report.draining }
    }

    /// The event of what is known without asking.
    fn known(&self) -> Bytes {
        let report = self.state.engine.known(&self.view());
        self.form.encode(&report, self.state.config.service.as_ref())
    }
}

/// Steady ticks from the opening of the stream. One that an evaluation outlasts is left out.
struct Ticks {
    begin: Instant,
    period: Duration,
    next: Instant,
}

impl Ticks {
    fn new(period: Duration) -> Self {
        let begin = Instant::now();
        Self { begin, period, next: begin + period }
    }

    /// The next tick is the first one after now.
    fn advance(&mut self) {
        let passed = self.begin.elapsed().as_nanos();
        let ticks = passed / self.period.as_nanos().max(1) + 1;
        let next = ticks.saturating_mul(self.period.as_nanos());
        self.next = self.begin + Duration::from_nanos(u64::try_from(next).unwrap_or(u64::MAX));
    }
}

/// What a stream that sends changes needs to tell them.
struct Changes {
    hasher: RandomState,
    /// A fingerprint of what was sent: keeping the bytes would let a query decide how much is held.
    last_sent: Option<u64>,
    /// Wakes when a reported state or message differs.
    differences: watch::Receiver<()>,
}

impl Changes {
    fn is_news(&mut self, plain: &[u8]) -> bool {
        let now = Some(self.hasher.hash_one(plain));
        std::mem::replace(&mut self.last_sent, now) != now
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Phase {
    Waiting,
    /// The event is on its way: a comment in between does not begin the wait anew. Boxed, because
    /// an open stream should not hold room for an evaluation.
    Due(Boxed<Event>),
    Ended,
}

/// One open stream.
struct EventStream {
    source: Source,
    ticks: Ticks,
    changes: Option<Changes>,
    /// How many events may still be sent.
    remaining: Option<u64>,
    ends_at: Option<Instant>,
    silent_since: Instant,
    /// Ends when draining begins; never, if it had begun before the stream.
    draining: Boxed<()>,
    phase: Phase,
    permit: Option<OwnedSemaphorePermit>,
}

impl EventStream {
    fn new(
        source: Source,
        period: Duration,
        on_change: bool,
        limit: Option<u64>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let engine = &source.state.engine;
        let draining: Boxed<()> = if engine.lifecycle.is_draining() {
            Box::pin(std::future::pending())
        } else {
            Box::pin(engine.lifecycle.draining())
        };
        let changes = on_change.then(|| Changes {
            hasher: RandomState::new(),
            last_sent: None,
            differences: engine.differences(),
        });
        let max_age = source.state.config.max_stream_age;
        let phase = Phase::Due(Box::pin(source.clone().event()));
        Self {
            source,
            ticks: Ticks::new(period),
            changes,
            remaining: limit,
            ends_at: max_age.map(|age| Instant::now() + age),
            silent_since: Instant::now(),
            draining,
            phase,
            permit: Some(permit),
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let comment = sleep_until(self.silent_since + COMMENT_AFTER);
            match &mut self.phase {
                Phase::Ended => return None,
                Phase::Waiting => tokio::select! {
                    biased;
                    () = &mut self.draining => return Some(self.last_event()),
                    () = sleep_until(self.ticks.next) => self.phase = self.due(),
                    () = difference(self.changes.as_mut(), self.silent_since) => self.phase = self.due(),
                    () = end(self.ends_at) => self.phase = Phase::Ended,
                    () = comment => return Some(self.comment()),
                },
                Phase::Due(event) => tokio::select! {
                    biased;
                    event = event => {
                        self.ticks.advance();
                        self.phase = if event.is_last { Phase::Ended } else { Phase::Waiting };
                        if self.is_news(&event) {
                            return Some(self.send(event.bytes));
                        }
                    }
                    () = &mut self.draining => return Some(self.last_event()),
                    () = end(self.ends_at) => self.phase = Phase::Ended,
                    () = comment => return Some(self.comment()),
                },
            }
        }
    }

    fn due(&self) -> Phase {
        Phase::Due(Box::pin(self.source.clone().event()))
    }

    fn is_news(&mut self, event: &Event) -> bool {
        self.changes.as_mut().is_none_or(|changes| changes.is_news(&event.plain)) || event.is_last
    }

    fn send(&mut self, event: Bytes) -> Bytes {
        self.silent_since = Instant::now();
        if let Some(remaining) = &mut self.remaining {
            *remaining -= 1;
            if *remaining == 0 {
                self.phase = Phase::Ended;
            }
        }
        event
    }

    /// What is known when draining begins: nothing that hangs may hold up the end.
    fn last_event(&mut self) -> Bytes {
        self.phase = Phase::Ended;
        self.source.known()
    }

    fn comment(&mut self) -> Bytes {
        self.silent_since = Instant::now();
        COMMENT
    }
}

impl Drop for EventStream {
    /// Another stream may be opened, and whoever counts them is told.
    fn drop(&mut self) {
        self.permit = None;
        #[cfg(feature = "metrics")]
        crate::expose::metrics::tell_streams(&self.source.state);
    }
}

/// Ends when something differs, but no sooner after the last event than the shortest interval: a
/// check that flaps makes no flood.
async fn difference(changes: Option<&mut Changes>, silent_since: Instant) {
    let Some(changes) = changes else { return std::future::pending().await };
    sleep_until(silent_since + MIN_POLL_INTERVAL).await;
    if changes.differences.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn end(at: Option<Instant>) {
    match at {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}
