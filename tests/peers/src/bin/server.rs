//! One server in Rust, of the kind that its argument names. What all servers of this comparison
//! have in common stands in the README.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::env;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::{Json, Router};
use axum_health::prelude::{
    Health as AxumHealth, HealthBuilder as AxumHealthBuilder, HealthDetail, HealthIndicator,
    health_check,
};
use futures_util::future::join_all;
use futures_util::{StreamExt, stream};
use serde::Serialize;
use servicekit_health::{self as health, Check};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tokio::time::{interval, sleep};

/// How long the cached handler by hand keeps a report: the default of servicekit-health.
const CACHE: Duration = Duration::from_millis(500);

/// How often whatever runs in the background does.
const BACKGROUND: Duration = Duration::from_secs(1);

/// What every server is told by its environment.
#[derive(Clone, Copy)]
struct Setup {
    checks: usize,
    /// How long each check takes.
    takes: Duration,
    is_cached: bool,
}

impl Setup {
    fn read() -> io::Result<Self> {
        let number = |name: &str| -> io::Result<u64> {
            let value = env::var(name).ok().and_then(|value| value.parse().ok());
            value.ok_or_else(|| io::Error::other(format!("expected a whole number in {name}")))
        };
        Ok(Self {
            checks: usize::try_from(number("CHECKS")?).map_err(io::Error::other)?,
            takes: Duration::from_millis(number("CHECK_MS")?),
            is_cached: env::var("CACHE").is_ok_and(|cache| cache == "on"),
        })
    }

    /// A check is a sleep, or nothing.
    async fn check(self) -> Result<(), io::Error> {
        if !self.takes.is_zero() {
            sleep(self.takes).await;
        }
        Ok(())
    }

    fn health(self, in_background: bool) -> health::Health {
        let check = |index| {
            let check = Check::new(format!("check-{index}"), move || self.check());
            match (in_background, self.is_cached) {
                (true, _) => check.interval(BACKGROUND),
                (false, true) => check,
                (false, false) => check.cache(Duration::ZERO),
            }
        };
        let builder =
            (0..self.checks).map(check).fold(health::builder(), health::HealthBuilder::check);
        builder.max_streams(10_000).build().expect("the checks are valid")
    }

    /// All checks at once, as one writes it by hand.
    async fn by_hand(self) -> Report {
        let results =
            join_all((0..self.checks).map(async |index| (index, self.check().await))).await;
        let state = |is_well| if is_well { "healthy" } else { "unhealthy" };
        Report {
            status: state(results.iter().all(|(_, result)| result.is_ok())),
            checks: results
                .into_iter()
                .map(|(index, result)| {
                    let message = result.as_ref().err().map(ToString::to_string);
                    (format!("check-{index}"), Entry { state: state(result.is_ok()), message })
                })
                .collect(),
        }
    }
}

#[derive(Serialize)]
struct Report {
    status: &'static str,
    checks: BTreeMap<String, Entry>,
}

#[derive(Serialize)]
struct Entry {
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

struct Indicator(String, Setup);

#[async_trait::async_trait]
impl HealthIndicator for Indicator {
    fn name(&self) -> String {
        self.0.clone()
    }

    async fn details(&self) -> HealthDetail {
        self.1.check().await.map_or_else(|_| HealthDetail::down(), |()| HealthDetail::up())
    }
}

fn encoded(report: &Report) -> Bytes {
    serde_json::to_vec(report).expect("a report is JSON").into()
}

/// The least that a route can cost: its bytes and headers are there before the request.
async fn fixed(setup: Setup) -> Router {
    let body = encoded(&setup.by_hand().await);
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::VARY, HeaderValue::from_static("accept")),
        (HeaderName::from_static("x-health-status"), HeaderValue::from_static("healthy")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Router::new().route("/health", get(async move || (headers, body)))
}

fn join_all_by_hand(setup: Setup) -> Router {
    Router::new().route("/health", get(async move || Json(setup.by_hand().await)))
}

/// A report by hand that is made anew when it is too old, and its events.
fn cached_by_hand(setup: Setup) -> Router {
    let cache: Arc<Mutex<Option<(Instant, Bytes)>>> = Arc::default();
    let report = async move || {
        let mut cache = cache.lock().await;
        match &*cache {
            Some((made, report)) if made.elapsed() < CACHE => report.clone(),
            _ => {
                let report = encoded(&setup.by_hand().await);
                *cache = Some((Instant::now(), report.clone()));
                report
            }
        }
    };
    let events = {
        let report = report.clone();
        async move || {
            let events = stream::unfold(interval(Duration::from_secs(1)), async |mut ticks| {
                ticks.tick().await;
                Some(((), ticks))
            });
            let events = events.then(move |()| {
                let report = report.clone();
                async move {
                    let json = report().await;
                    let json = str::from_utf8(&json).expect("JSON is UTF-8");
                    Ok::<_, Infallible>(Event::default().data(json))
                }
            });
            Sse::new(events).keep_alive(KeepAlive::default())
        }
    };
    let answer = async move || {
        let headers = [(header::CONTENT_TYPE, "application/json")];
        (headers, report().await).into_response()
    };
    Router::new().route("/health", get(answer)).route("/events", get(events))
}

/// A task by hand for each check, which a request only reads.
fn loops_by_hand(setup: Setup) -> Router {
    let states: Arc<Mutex<BTreeMap<String, bool>>> = Arc::default();
    for index in 0..setup.checks {
        let states = Arc::clone(&states);
        tokio::spawn(async move {
            let mut ticks = interval(BACKGROUND);
            loop {
                ticks.tick().await;
                let is_well = setup.check().await.is_ok();
                states.lock().await.insert(format!("check-{index}"), is_well);
            }
        });
    }
    Router::new().route("/health", get(async move || Json(states.lock().await.clone())))
}

fn axum_health(setup: Setup) -> Router {
    let indicator = |index| Indicator(format!("check-{index}"), setup);
    let builder = (0..setup.checks)
        .map(indicator)
        .fold(AxumHealth::builder(), AxumHealthBuilder::with_indicator);
    Router::new().route("/health", get(health_check)).layer(builder.build())
}

#[tokio::main]
async fn main() -> io::Result<()> {
    let kind = env::args().nth(1).unwrap_or_default();
    let setup = Setup::read()?;
    let app = match &*kind {
        "static" => fixed(setup).await,
        "ours" => setup.health(false).router(),
        "ours-background" => setup.health(true).router(),
        "join-all" => join_all_by_hand(setup),
        "cached" => cached_by_hand(setup),
        "loops" => loops_by_hand(setup),
        "axum-health" => axum_health(setup),
        _ => {
            let kinds = "static, ours, ours-background, join-all, cached, loops, axum-health";
            return Err(io::Error::other(format!(
                "unknown server `{kind}`; expected one of {kinds}"
            )));
        }
    };
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{}", listener.local_addr()?);
    axum::serve(listener, app.into_make_service()).await
}
