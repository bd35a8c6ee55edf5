//! `GET /health/$stream`: the report as server-sent events.
//!
//! A stream asks the engine at each tick, like any other reader, so any number of them costs no
//! more runs than one. A reader that is slow skips to the newest state: nothing is queued.

use std::convert::Infallible;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures_util::Stream;
use tokio::sync::{OwnedSemaphorePermit, watch};
use tokio::time::{Instant, Sleep, sleep_until};

use super::report::encoded;
use crate::evaluate::group::{HEALTH, Member};
use crate::evaluate::view::{Snapshot, View};
use crate::expose::formats::Form;
use crate::expose::http::HttpState;
use crate::expose::problem::Problem;
use crate::expose::queries::Asked;
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
    let Asked { view, verbose } = state.asked(&HEALTH, request)?;
    let permit = Arc::clone(&state.streams).try_acquire_owned().map_err(|_| full(state))?;
    let body = if request.method() == Method::GET {
        let source = Source {
            state: Arc::clone(state),
            selection: (!view.is_whole).then(|| Arc::clone(&view.members)),
            form: request.json_form(verbose),
        };
        Body::from_stream(EventStream::new(source, period, on_change, limit, permit))
    } else {
        Body::empty()
    };
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // NGINX would hold back even the head until its buffer is full.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

fn full(state: &HttpState) -> Problem {
    let detail = format!("too many open streams (limit {})", state.config.max_streams);
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        .with_header(header::RETRY_AFTER, RETRY_AFTER)
}

/// What a stream shows.
struct Source {
    state: Arc<HttpState>,
    /// `None` is every check. Not the view: each stream would keep a report of its own, and so a
    /// query decide how much is held.
    selection: Option<Arc<[Member]>>,
    form: Form,
}

impl Source {
    fn view(&self) -> Arc<View> {
        let engine = &self.state.engine;
        match &self.selection {
            Some(members) => engine.selected(&HEALTH, members),
            None => engine.group(&HEALTH),
        }
    }

    /// The report of now.
    fn ask(&self) -> Boxed<Arc<Snapshot>> {
        let (state, view) = (Arc::clone(&self.state), self.view());
        Box::pin(async move { state.engine.snapshot(&view).await })
    }

    /// The event of what is known without asking.
    fn known(&self) -> Bytes {
        let report = self.state.engine.known(&self.view());
        self.form.encode(&report, self.state.config.service.as_ref()).after(|| Duration::ZERO)
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

    /// The next tick is the first one after `now`.
    fn advance(&mut self, now: Instant) {
        if now < self.next {
            return;
        }
        let passed = now.saturating_duration_since(self.begin).as_nanos();
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
    /// Ends when a reported state or message differs.
    difference: Boxed<watch::Receiver<()>>,
}

impl Changes {
    fn new(differences: watch::Receiver<()>) -> Self {
        let difference = Self::next(differences);
        Self { hasher: RandomState::new(), last_sent: None, difference }
    }

    fn next(mut differences: watch::Receiver<()>) -> Boxed<watch::Receiver<()>> {
        Box::pin(async move {
            if differences.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            differences
        })
    }

    /// Whether something differs from when that was last asked.
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        self.difference.as_mut().poll(context).map(|differences| {
            self.difference = Self::next(differences);
        })
    }

    fn is_news(&mut self, plain: &[u8]) -> bool {
        let now = Some(self.hasher.hash_one(plain));
        std::mem::replace(&mut self.last_sent, now) != now
    }
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Phase {
    Waiting,
    /// The report is on its way: a comment in between does not begin the wait anew. Boxed, because
    /// an open stream should not hold room for an evaluation.
    Due(Boxed<Arc<Snapshot>>),
    Ended,
}

/// One open stream.
///
/// Written as a `poll` with one timer: a thousand streams pay for each timer that is set, for each
/// future that is made, and for each task that wakes.
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
    /// Set for the next moment at which something is due.
    timer: Pin<Box<Sleep>>,
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
        let changes = on_change.then(|| Changes::new(engine.differences()));
        let max_age = source.state.config.max_stream_age;
        let phase = Phase::Due(source.ask());
        let ticks = Ticks::new(period);
        Self {
            source,
            changes,
            remaining: limit,
            ends_at: max_age.and_then(|age| ticks.begin.checked_add(age)),
            silent_since: ticks.begin,
            draining,
            timer: Box::pin(sleep_until(ticks.next)),
            ticks,
            phase,
            permit: Some(permit),
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Bytes>> {
        loop {
            match &mut self.phase {
                Phase::Ended => return Poll::Ready(None),
                Phase::Waiting => {}
                Phase::Due(report) => {
                    if let Poll::Ready(report) = report.as_mut().poll(context) {
                        if let Some(event) = self.event(&report, Instant::now()) {
                            return Poll::Ready(Some(event));
                        }
                        continue;
                    }
                }
            }
            let told_from = self.told_from();
            if told_from.is_none() && self.differs(context) {
                self.phase = Phase::Due(self.source.ask());
                continue;
            }
            let next = self.next_moment(told_from);
            if self.timer.deadline() != next {
                self.timer.as_mut().reset(next);
            }
            if self.timer.as_mut().poll(context).is_ready() {
                if let Some(event) = self.after_timer(Instant::now()) {
                    return Poll::Ready(Some(event));
                }
                continue;
            }
            // Only before it waits: an event at a tick tells of the drain as well.
            return self.draining.as_mut().poll(context).map(|()| Some(self.last_event()));
        }
    }

    /// From when on differences are told, where that is not yet: no sooner after the last event than
    /// the shortest interval, so that a check that flaps makes no flood.
    fn told_from(&self) -> Option<Instant> {
        let from = self.changes.as_ref().map(|_| self.silent_since + MIN_POLL_INTERVAL);
        from.filter(|from| Instant::now() < *from)
    }

    /// Whether there is a difference to tell.
    fn differs(&mut self, context: &mut Context<'_>) -> bool {
        let Some(changes) = &mut self.changes else { return false };
        matches!(self.phase, Phase::Waiting) && changes.poll(context).is_ready()
    }

    /// When to look again unless something happens.
    fn next_moment(&self, told_from: Option<Instant>) -> Instant {
        let next = self.ticks.next.min(self.silent_since + COMMENT_AFTER);
        [told_from, self.ends_at].into_iter().flatten().fold(next, Instant::min)
    }

    /// What is due at `now`, when the timer has ended.
    fn after_timer(&mut self, now: Instant) -> Option<Bytes> {
        let is_waiting = matches!(self.phase, Phase::Waiting);
        if now >= self.ticks.next {
            // One that comes before the last report is there is left out.
            self.ticks.advance(now);
            if is_waiting {
                // Where another reader has just asked, nothing needs to be boxed and awaited.
                let Some(report) = self.source.state.engine.current(&self.source.view(), now)
                else {
                    self.phase = Phase::Due(self.source.ask());
                    return None;
                };
                return self.event(&report, now);
            }
        }
        if self.ends_at.is_some_and(|end| now >= end) {
            self.phase = Phase::Ended;
        } else if now >= self.silent_since + COMMENT_AFTER {
            self.silent_since = now;
            return Some(COMMENT);
        }
        None
    }

    /// What is sent of a report, if anything is.
    fn event(&mut self, report: &Snapshot, now: Instant) -> Option<Bytes> {
        self.ticks.advance(now);
        // Asking elsewhere whether the program is draining could be too late, and then nothing
        // would have told the reader.
        let is_last = report.report.draining;
        self.phase = if is_last { Phase::Ended } else { Phase::Waiting };
        let Source { state, form, .. } = &self.source;
        if let Some(changes) = &mut self.changes {
            // The plain form tells whether this is news.
            let plain = encoded(state, report, Form { verbose: false, ..*form });
            if !changes.is_news(&plain) && !is_last {
                return None;
            }
        }
        let event = encoded(state, report, *form);
        self.silent_since = now;
        if let Some(remaining) = &mut self.remaining {
            *remaining -= 1;
            if *remaining == 0 {
                self.phase = Phase::Ended;
            }
        }
        Some(event)
    }

    /// What is known when draining begins: nothing that hangs may hold up the end.
    fn last_event(&mut self) -> Bytes {
        self.phase = Phase::Ended;
        self.source.known()
    }
}

impl Stream for EventStream {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll(context).map(|event| event.map(Ok))
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
