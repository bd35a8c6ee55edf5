//! `GET /health/$stream`: the report as server-sent events.
//!
//! A stream asks the engine at each tick, like any other reader, so any number of them costs no
//! more runs than one. A reader that is slow skips to the newest state: nothing is queued.

use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, Response, StatusCode, header};
use futures_util::stream;
use tokio::sync::{OwnedSemaphorePermit, TryAcquireError};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, sleep_until};

use super::Surface;
use super::encode::Frame;
use super::problem::Problem;
use super::query::Query;
use super::select::select;
use super::settings::Details;
use crate::evaluate::engine::Scope;

/// After this much silence a comment tells proxies and clients that the stream is alive; many give
/// up after five seconds.
const SILENCE: Duration = Duration::from_secs(4);
const COMMENT: Bytes = Bytes::from_static(b":\n\n");

/// When a client that found no free stream may try again, in seconds.
const RETRY_AFTER: HeaderValue = HeaderValue::from_static("5");

pub(crate) fn open(surface: &Arc<Surface>, request: &Parts) -> Result<Response<Body>, Problem> {
    let details = surface.settings.details_of(request);
    let query = Query::parse(request.uri.query().unwrap_or_default())?;
    let (period, on_change) = (query.poll_interval()?, query.on_change()?);
    let engine = &surface.engine;
    let selected = if query.criteria.is_empty() {
        None
    } else {
        Some(select(engine, engine.members(Scope::All), &query.criteria, details)?)
    };
    let permit = Arc::clone(&surface.streams).try_acquire_owned().map_err(full)?;
    let body = if request.method == Method::GET {
        let surface = Arc::clone(surface);
        let view = View { surface, selected, details, verbose: query.verbose };
        let events = Events::begin(Arc::new(view), ticks(period), on_change, permit);
        Body::from_stream(stream::unfold(events, async |mut events| {
            let event = events.next().await?;
            Some((Ok::<_, std::convert::Infallible>(event), events))
        }))
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

fn full(_: TryAcquireError) -> Problem {
    let detail = "as many streams as this service allows are open";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
        .with_header(header::RETRY_AFTER, RETRY_AFTER)
}

/// A steady grid from now on, whatever an answer takes. The first event does not wait for it.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval_at(Instant::now() + period, period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    ticks
}

/// One open stream.
struct Events {
    view: Arc<View>,
    ticks: Interval,
    /// What was sent last, where only changes are sent.
    told: Option<Told>,
    quiet_since: Instant,
    /// Ends when draining begins; never, if it had begun before the stream.
    draining: Boxed<()>,
    phase: Phase,
    _permit: OwnedSemaphorePermit,
}

/// What a stream shows.
struct View {
    surface: Arc<Surface>,
    /// `None` is every check.
    selected: Option<Vec<usize>>,
    details: Details,
    verbose: bool,
}

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

enum Phase {
    Open,
    /// A tick has come, its event has not: a comment in between does not begin the wait anew.
    /// Boxed, because an open stream should not hold room for an evaluation.
    Due(Boxed<Event>),
    Ended,
}

/// An event, and what decides whether it is sent.
struct Event {
    bytes: Bytes,
    /// The plain JSON, which tells whether this is news, if that is wanted.
    plain: Bytes,
    /// Whether it says itself that the program is draining: asking elsewhere could be too late,
    /// and then nothing would have told the reader.
    is_last: bool,
}

/// A fingerprint of what was sent: keeping the bytes would let a query decide how much is held.
#[derive(Default)]
struct Told {
    hasher: RandomState,
    last: Option<u64>,
}

impl Told {
    fn is_news(&mut self, json: &[u8]) -> bool {
        let now = Some(self.hasher.hash_one(json));
        std::mem::replace(&mut self.last, now) != now
    }
}

impl Events {
    fn begin(
        view: Arc<View>,
        ticks: Interval,
        on_change: bool,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let lifecycle = &view.surface.engine.lifecycle;
        let draining: Boxed<()> = if lifecycle.is_draining() {
            Box::pin(std::future::pending())
        } else {
            Box::pin(lifecycle.draining())
        };
        let mut events = Self {
            view,
            ticks,
            told: on_change.then(Told::default),
            quiet_since: Instant::now(),
            draining,
            phase: Phase::Open,
            _permit: permit,
        };
        events.phase = events.due();
        events
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let silence = sleep_until(self.quiet_since + SILENCE);
            match &mut self.phase {
                Phase::Ended => return None,
                Phase::Open => tokio::select! {
                    biased;
                    () = &mut self.draining => return Some(self.end()),
                    _ = self.ticks.tick() => self.phase = self.due(),
                    () = silence => return Some(self.comment()),
                },
                Phase::Due(event) => tokio::select! {
                    biased;
                    event = event => {
                        self.phase = if event.is_last { Phase::Ended } else { Phase::Open };
                        if self.is_news(&event) {
                            self.quiet_since = Instant::now();
                            return Some(event.bytes);
                        }
                    }
                    () = &mut self.draining => return Some(self.end()),
                    () = silence => return Some(self.comment()),
                },
            }
        }
    }

    fn due(&self) -> Phase {
        Phase::Due(Box::pin(Arc::clone(&self.view).event(self.told.is_some())))
    }

    fn is_news(&mut self, event: &Event) -> bool {
        self.told.as_mut().is_none_or(|told| told.is_news(&event.plain)) || event.is_last
    }

    /// What is known when draining begins: nothing that hangs may hold up the end.
    fn end(&mut self) -> Bytes {
        self.phase = Phase::Ended;
        self.view.known()
    }

    fn comment(&mut self) -> Bytes {
        self.quiet_since = Instant::now();
        COMMENT
    }
}

impl View {
    /// The event of now.
    async fn event(self: Arc<Self>, compared: bool) -> Event {
        let engine = &self.surface.engine;
        if self.selected.is_none() && !self.verbose {
            let shared = engine.shared(Scope::All).await;
            let frame = self.surface.frame(Scope::All, &shared, self.details);
            let is_last = shared.report.is_draining();
            return Event { plain: frame.json(), bytes: frame.into_event(), is_last };
        }
        let report = match &self.selected {
            Some(selected) => engine.report_of(selected, true).await,
            None => engine.report(Scope::All).await,
        };
        let frame = Frame::of(&report, self.details, self.verbose);
        let plain = match (compared, self.verbose) {
            (false, _) => Bytes::new(),
            (true, false) => frame.json(),
            (true, true) => Frame::of(&report, self.details, false).json(),
        };
        Event { plain, bytes: frame.into_event(), is_last: report.is_draining() }
    }

    /// The event of what is known without asking.
    fn known(&self) -> Bytes {
        let engine = &self.surface.engine;
        let report = match &self.selected {
            Some(selected) => engine.known(selected, true),
            None => engine.known(&engine.members(Scope::All), true),
        };
        Frame::of(&report, self.details, self.verbose).into_event()
    }
}
