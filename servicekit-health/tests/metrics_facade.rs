//! The metrics in the recorder that an application has installed.
#![cfg(feature = "metrics")]

mod common;

use std::collections::BTreeMap;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use common::{fixed, get, send};
use metrics::{
    Counter, Gauge, Histogram, HistogramFn, Key, KeyName, LocalRecorderGuard, Metadata, Recorder,
    SharedString, Unit,
};
use servicekit_health::{self as health, Check, CheckResult, HealthBuilder, HealthState};
use tokio::time::{advance, sleep};
use tower::ServiceExt;

/// What a recorder was told, by series.
#[derive(Debug, Default)]
struct Told {
    counters: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    gauges: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    histograms: Mutex<BTreeMap<String, Arc<Recorded>>>,
    described: Mutex<BTreeMap<String, Option<Unit>>>,
}

#[derive(Debug, Default)]
struct Recorded(Mutex<Vec<f64>>);

impl HistogramFn for Recorded {
    fn record(&self, value: f64) {
        self.0.lock().unwrap().push(value);
    }
}

fn entry<T: Default>(of: &Mutex<BTreeMap<String, Arc<T>>>, key: &Key) -> Arc<T> {
    let labels = key.labels().map(|label| format!("{}=\"{}\"", label.key(), label.value()));
    let labels = labels.collect::<Vec<_>>().join(",");
    let labels = if labels.is_empty() { labels } else { format!("{{{labels}}}") };
    let name = key.name().strip_prefix("servicekit_health_").unwrap();
    Arc::clone(of.lock().unwrap().entry(format!("{name}{labels}")).or_default())
}

#[derive(Debug, Default)]
struct Recording(Arc<Told>);

impl Recorder for Recording {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, _: SharedString) {
        self.0.described.lock().unwrap().insert(key.as_str().to_owned(), unit);
    }

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(entry(&self.0.counters, key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(entry(&self.0.gauges, key))
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::from_arc(entry(&self.0.histograms, key))
    }
}

impl Told {
    #[track_caller]
    fn counter(&self, series: &str) -> u64 {
        self.counters.lock().unwrap()[series].load(Ordering::Relaxed)
    }

    #[track_caller]
    fn gauge(&self, series: &str) -> f64 {
        f64::from_bits(self.gauges.lock().unwrap()[series].load(Ordering::Relaxed))
    }

    /// Whether the gauge has this whole number.
    #[track_caller]
    fn is(&self, series: &str, value: u32) -> bool {
        (self.gauge(series) - f64::from(value)).abs() < 1e-9
    }

    #[track_caller]
    fn durations(&self, check: &str) -> Vec<f64> {
        let series = format!("check_duration_seconds{{check=\"{check}\"}}");
        self.histograms.lock().unwrap()[&series].0.lock().unwrap().clone()
    }

    /// Of the three series that differ in the state, the one that is 1; `None` if none is.
    #[track_caller]
    fn state(&self, name: &str, label: &str) -> Option<HealthState> {
        let is_one =
            |state: &HealthState| self.is(&format!("{name}{{{label},state=\"{state}\"}}"), 1);
        let present: Vec<_> = HealthState::ALL.into_iter().filter(is_one).collect();
        assert!(present.len() <= 1, "{label} is {present:?}");
        present.first().copied()
    }

    #[track_caller]
    fn check(&self, name: &str) -> Option<HealthState> {
        self.state("check_status", &format!("check=\"{name}\""))
    }

    #[track_caller]
    fn scope(&self, name: &str) -> Option<HealthState> {
        self.state("status", &format!("scope=\"{name}\""))
    }

    fn series(&self) -> Vec<String> {
        let counters = self.counters.lock().unwrap();
        let gauges = self.gauges.lock().unwrap();
        let histograms = self.histograms.lock().unwrap();
        counters.keys().chain(gauges.keys()).chain(histograms.keys()).cloned().collect()
    }
}

/// A service, and what a recorder is told of it by this thread.
fn build(
    builder: HealthBuilder,
) -> (Router, health::Health, Arc<Told>, LocalRecorderGuard<'static>) {
    let told = Arc::<Told>::default();
    let recorder: &'static Recording = Box::leak(Box::new(Recording(Arc::clone(&told))));
    let guard = metrics::set_default_local_recorder(recorder);
    let health = builder.build().unwrap();
    (health.router(), health, told, guard)
}

#[tokio::test(start_paused = true)]
async fn every_series_is_there_before_anything_has_run() {
    let db = fixed("db", HealthState::Healthy.into());
    let (router, _health, told, _guard) = build(health::builder().check(db));
    let series = told.series();
    assert_eq!(told.check("db"), None);
    for scope in ["health", "liveness", "readiness", "startup"] {
        assert_eq!(told.scope(scope), None);
    }
    for outcome in ["healthy", "degraded", "unhealthy", "error", "timeout", "panic"] {
        let runs = format!("check_runs_total{{check=\"db\",outcome=\"{outcome}\"}}");
        assert_eq!(told.counter(&runs), 0);
    }
    for to in HealthState::ALL {
        assert_eq!(told.counter(&format!("transitions_total{{check=\"db\",to=\"{to}\"}}")), 0);
    }
    assert!(told.durations("db").is_empty());
    assert!(told.is("check_last_run_timestamp_seconds{check=\"db\"}", 0));
    assert!(told.is("check_last_success_timestamp_seconds{check=\"db\"}", 0));
    assert!(told.is("draining", 0) && told.is("streams", 0));
    assert_eq!(told.counter("requests_total{endpoint=\"readiness\",code=\"503\"}"), 0);
    let described = told.described.lock().unwrap().clone();
    assert_eq!(described.len(), 10);
    assert_eq!(described["servicekit_health_check_duration_seconds"], Some(Unit::Seconds));

    for path in ["/health", "/livez", "/readyz", "/startupz", "/health/db", "/health/nope"] {
        get(&router, path).await;
        send(&router, "POST", path, None).await;
    }
    assert_eq!(told.series(), series);
}

#[tokio::test(start_paused = true)]
async fn runs_are_told_by_their_outcome_with_their_duration_and_the_new_state() {
    let error = Check::new("error", async || Err::<(), _>("refused".to_owned()));
    let hang = Check::new("timeout", pending::<()>).timeout(Duration::from_millis(40));
    let panic = Check::new("panic", async || -> HealthState { panic!("index out of bounds") });
    let builder = health::builder()
        .check(fixed("healthy", HealthState::Healthy.into()))
        .check(fixed("degraded", CheckResult::degraded("slow")))
        .check(error.on_error(HealthState::Degraded))
        .check(hang)
        .check(panic);
    let (router, _health, told, _guard) = build(builder);
    get(&router, "/readyz").await;
    for outcome in ["healthy", "degraded", "error", "timeout", "panic"] {
        let runs = format!("check_runs_total{{check=\"{outcome}\",outcome=\"{outcome}\"}}");
        assert_eq!(told.counter(&runs), 1, "{outcome}");
        assert_eq!(told.durations(outcome).len(), 1, "{outcome}");
    }
    assert!((told.durations("timeout")[0] - 0.04).abs() < 0.01);
    assert_eq!(told.check("healthy"), Some(HealthState::Healthy));
    assert_eq!(told.check("error"), Some(HealthState::Degraded));
    assert_eq!(told.check("timeout"), Some(HealthState::Unhealthy));
    assert_eq!(told.scope("readiness"), Some(HealthState::Unhealthy));
    assert_eq!(told.scope("health"), Some(HealthState::Unhealthy));
    assert!(told.gauge("check_last_run_timestamp_seconds{check=\"panic\"}") > 1.7e9);
    assert!(told.is("check_last_success_timestamp_seconds{check=\"panic\"}", 0));
    assert_eq!(told.counter("transitions_total{check=\"panic\",to=\"unhealthy\"}"), 1);
    assert_eq!(told.counter("requests_total{endpoint=\"readiness\",code=\"503\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_heals_is_told_at_once() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let check = Check::new("db", move || {
        let fails = failing.load(Ordering::Relaxed);
        async move { if fails { HealthState::Unhealthy } else { HealthState::Healthy } }
    });
    let (router, _health, told, _guard) = build(health::builder().check(check));
    get(&router, "/health").await;
    assert_eq!(told.scope("health"), Some(HealthState::Unhealthy));
    fails.store(false, Ordering::Relaxed);
    advance(Duration::from_millis(600)).await;
    get(&router, "/health").await;
    assert_eq!(told.check("db"), Some(HealthState::Healthy));
    assert_eq!(told.scope("health"), Some(HealthState::Healthy));
    assert_eq!(told.counter("transitions_total{check=\"db\",to=\"healthy\"}"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_request_finds_what_has_changed_without_a_result() {
    let hangs = AtomicBool::new(false);
    let check = Check::new("db", move || {
        let hangs = hangs.swap(true, Ordering::Relaxed);
        async move {
            if hangs {
                pending::<()>().await;
            }
        }
    });
    let check = check.timeout(Duration::from_secs(60));
    let (router, _health, told, _guard) = build(health::builder().check(check));
    get(&router, "/health").await;
    assert_eq!(told.check("db"), Some(HealthState::Healthy));
    sleep(Duration::from_secs(40)).await;
    get(&router, "/health").await;
    assert_eq!(told.durations("db").len(), 1, "the second run goes on");
    assert_eq!(told.check("db"), Some(HealthState::Unhealthy));
    assert_eq!(told.scope("readiness"), Some(HealthState::Unhealthy));
}

#[tokio::test(start_paused = true)]
async fn draining_and_streams_are_told_when_they_change() {
    let db = fixed("db", HealthState::Healthy.into());
    let (router, health, told, _guard) = build(health::builder().check(db));
    get(&router, "/health").await;
    let request = Request::get("/health/$stream").body(Body::empty()).unwrap();
    let stream = router.clone().oneshot(request).await.unwrap();
    assert!(told.is("streams", 1));
    drop(stream);
    assert!(told.is("streams", 0));

    health.drain();
    assert!(told.is("draining", 1));
    assert_eq!(told.counter("transitions_total{check=\"$drain\",to=\"unhealthy\"}"), 1);
    assert_eq!(told.scope("health"), Some(HealthState::Unhealthy));
    assert_eq!(told.scope("readiness"), Some(HealthState::Unhealthy));
    assert_eq!(told.scope("liveness"), Some(HealthState::Healthy));
    assert_eq!(told.check("db"), Some(HealthState::Healthy));
}

#[tokio::test(start_paused = true)]
async fn a_check_that_was_never_asked_is_in_no_state() {
    let db = fixed("db", CheckResult::unhealthy("down"));
    let (router, _health, told, _guard) = build(health::builder().check(db));
    get(&router, "/livez").await;
    assert_eq!(told.scope("liveness"), Some(HealthState::Healthy));
    assert_eq!(told.check("db"), None);
    assert_eq!(told.scope("readiness"), None);
}
