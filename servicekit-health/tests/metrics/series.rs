//! Which series there are, and their values.

use std::future::pending;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use servicekit_health::{self as health, Check, CheckResult, HealthState, Probe};
use tokio::time::{advance, sleep};
use tower::ServiceExt;

use crate::common::fixed;
use crate::samples::{build, scrape};

#[tokio::test(start_paused = true)]
async fn every_series_is_there_from_the_start() {
    let (_health, router) =
        build(health::builder().check(fixed("db", HealthState::Healthy.into())));
    let samples = scrape(&router).await;
    for scope in ["health", "liveness", "readiness", "startup"] {
        let state = samples.state("status", &format!("scope=\"{scope}\""));
        assert_eq!(state, HealthState::Healthy, "{scope}");
    }
    assert_eq!(samples.state("check_status", "check=\"db\""), HealthState::Healthy);
    samples.assert("check_runs_total{check=\"db\",outcome=\"healthy\"}", 1.0);
    for outcome in ["degraded", "unhealthy", "error", "timeout", "panic"] {
        samples.assert(&format!("check_runs_total{{check=\"db\",outcome=\"{outcome}\"}}"), 0.0);
    }
    samples.assert("check_duration_seconds_count{check=\"db\"}", 1.0);
    for bound in ["0.001", "0.1", "1.0", "10.0", "+Inf"] {
        samples
            .assert(&format!("check_duration_seconds_bucket{{le=\"{bound}\",check=\"db\"}}"), 1.0);
    }
    for to in HealthState::ALL {
        samples.assert(&format!("transitions_total{{check=\"db\",to=\"{to}\"}}"), 0.0);
    }
    samples.assert("transitions_total{check=\"$drain\",to=\"unhealthy\"}", 0.0);
    for (endpoint, codes) in [
        ("health", &[200, 503, 400, 405][..]),
        ("liveness", &[200, 503, 400, 405]),
        ("readiness", &[200, 503, 400, 405]),
        ("startup", &[200, 503, 400, 405]),
        ("check", &[200, 503, 400, 404, 405]),
        ("stream", &[200, 503, 400, 405]),
        ("history", &[200, 400, 405]),
        ("metrics", &[200, 405]),
    ] {
        for code in codes {
            let series = format!("requests_total{{endpoint=\"{endpoint}\",code=\"{code}\"}}");
            samples.assert(&series, 0.0);
        }
    }
    samples.assert("draining", 0.0);
    samples.assert("streams", 0.0);
}

#[tokio::test(start_paused = true)]
async fn runs_are_counted_by_their_outcome() {
    let error = Check::new("error", async || Err::<(), _>("refused".to_owned()));
    let panic = Check::new("panic", async || -> HealthState { panic!("index out of bounds") });
    let hang = Check::new("timeout", pending::<()>).timeout(Duration::from_millis(40));
    let slow = Check::new("slow", || sleep(Duration::from_millis(300)));
    let (_health, router) = build(
        health::builder()
            .check(fixed("healthy", HealthState::Healthy.into()))
            .check(fixed("degraded", CheckResult::degraded("slow")))
            .check(fixed("unhealthy", CheckResult::unhealthy("down")))
            .check(error.on_error(HealthState::Degraded))
            .check(panic)
            .check(hang)
            .check(slow),
    );
    scrape(&router).await;
    advance(Duration::from_secs(1)).await;
    let samples = scrape(&router).await;
    for outcome in ["healthy", "degraded", "unhealthy", "error", "timeout", "panic"] {
        let of = |other| {
            samples.of(&format!("check_runs_total{{check=\"{outcome}\",outcome=\"{other}\"}}"))
        };
        assert!((of(outcome) - 2.0).abs() < 1e-9, "{outcome} ran {} times", of(outcome));
        let others = ["healthy", "degraded", "unhealthy", "error", "timeout", "panic"];
        let sum = others.into_iter().map(of).sum::<f64>();
        assert!((sum - 2.0).abs() < 1e-9, "{outcome} is no other outcome");
    }
    samples.assert("check_duration_seconds_sum{check=\"slow\"}", 0.6);
    samples.assert("check_duration_seconds_bucket{le=\"0.25\",check=\"slow\"}", 0.0);
    samples.assert("check_duration_seconds_bucket{le=\"0.5\",check=\"slow\"}", 2.0);
    samples.assert("check_duration_seconds_sum{check=\"timeout\"}", 0.08);
    assert_eq!(samples.state("check_status", "check=\"error\""), HealthState::Degraded);
    assert_eq!(samples.state("check_status", "check=\"panic\""), HealthState::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn each_scope_has_the_state_of_its_checks() {
    let (_health, router) = build(
        health::builder()
            .check(fixed("a", CheckResult::degraded("slow")).probe(Probe::Liveness))
            .check(fixed("b", CheckResult::unhealthy("down")).probe(Probe::Readiness).shared()),
    );
    let samples = scrape(&router).await;
    let scope = |scope: &str| samples.state("status", &format!("scope=\"{scope}\""));
    assert_eq!(scope("health"), HealthState::Unhealthy);
    assert_eq!(scope("liveness"), HealthState::Degraded);
    assert_eq!(scope("readiness"), HealthState::Degraded, "a shared check spares the replica");
    assert_eq!(scope("startup"), HealthState::Healthy);
    assert_eq!(samples.state("check_status", "check=\"b\""), HealthState::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn transitions_are_counted_though_nothing_listens_and_no_history_is_kept() {
    let runs = AtomicU64::new(0);
    let flapping = Check::new("flap", move || {
        let fails = runs.fetch_add(1, Ordering::Relaxed) % 2 == 1;
        async move { if fails { HealthState::Degraded } else { HealthState::Healthy } }
    });
    let (_health, router) = build(health::builder().check(flapping).history(0));
    for _ in 0..7 {
        scrape(&router).await;
        advance(Duration::from_secs(1)).await;
    }
    let samples = scrape(&router).await;
    samples.assert("transitions_total{check=\"flap\",to=\"degraded\"}", 4.0);
    samples.assert("transitions_total{check=\"flap\",to=\"healthy\"}", 3.0);
    samples.assert("transitions_total{check=\"flap\",to=\"unhealthy\"}", 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_is_degraded_for_too_long_counts_as_one_more_transition() {
    let long = fixed("lag", CheckResult::degraded("behind"));
    let long = long.unhealthy_after(Duration::from_secs(60));
    let (_health, router) = build(health::builder().check(long));
    scrape(&router).await;
    advance(Duration::from_secs(61)).await;
    let samples = scrape(&router).await;
    samples.assert("transitions_total{check=\"lag\",to=\"degraded\"}", 1.0);
    samples.assert("transitions_total{check=\"lag\",to=\"unhealthy\"}", 1.0);
    assert_eq!(samples.state("check_status", "check=\"lag\""), HealthState::Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn draining_is_seen_and_does_not_fail_the_scrape() {
    let (health, router) = build(health::builder().check(fixed("db", HealthState::Healthy.into())));
    scrape(&router).await;
    health.drain();
    health.drain();
    let samples = scrape(&router).await;
    samples.assert("draining", 1.0);
    samples.assert("transitions_total{check=\"$drain\",to=\"unhealthy\"}", 1.0);
    let scope = |scope: &str| samples.state("status", &format!("scope=\"{scope}\""));
    assert_eq!(scope("health"), HealthState::Unhealthy);
    assert_eq!(scope("readiness"), HealthState::Unhealthy);
    assert_eq!(scope("liveness"), HealthState::Healthy);
    assert_eq!(samples.state("check_status", "check=\"db\""), HealthState::Healthy);
}

#[tokio::test(start_paused = true)]
async fn open_streams_are_seen() {
    let (_health, router) = build(health::builder());
    let open = || {
        let request = Request::get("/health/$stream").body(Body::empty()).unwrap();
        router.clone().oneshot(request)
    };
    let (one, other) = (open().await.unwrap(), open().await.unwrap());
    scrape(&router).await.assert("streams", 2.0);
    drop(one);
    scrape(&router).await.assert("streams", 1.0);
    drop(other);
    let samples = scrape(&router).await;
    samples.assert("streams", 0.0);
    samples.assert("requests_total{endpoint=\"stream\",code=\"200\"}", 2.0);
}
