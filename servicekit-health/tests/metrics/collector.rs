//! The collector in a registry of the application's.

use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use servicekit_health::{self as health, Check, CheckResult, HealthState};
use tokio::time::sleep;

use crate::common::fixed;
use crate::samples::{Samples, build, counted};

#[tokio::test(start_paused = true)]
async fn times_are_zero_before_the_first_result_and_the_first_success() {
    let (health, _router) = build(
        health::builder()
            .check(fixed("up", HealthState::Healthy.into()))
            .check(fixed("down", CheckResult::unhealthy("refused"))),
    );
    let mut registry = Registry::default();
    registry.register_collector(Box::new(health.collector()));
    let samples = || {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        Samples::parse(&text)
    };
    let unknown = samples();
    for check in ["up", "down"] {
        for what in ["run", "success"] {
            let series = format!("check_last_{what}_timestamp_seconds{{check=\"{check}\"}}");
            unknown.assert(&series, 0.0);
        }
    }

    health.report().await;
    let known = samples();
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    for series in [
        "check_last_run_timestamp_seconds{check=\"up\"}",
        "check_last_success_timestamp_seconds{check=\"up\"}",
        "check_last_run_timestamp_seconds{check=\"down\"}",
    ] {
        let age = since_1970.as_secs_f64() - known.of(series);
        assert!((0.0..60.0).contains(&age), "{series} is {age} s ago");
    }
    known.assert("check_last_success_timestamp_seconds{check=\"down\"}", 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_collector_reads_what_is_known_and_renews_it_for_the_next_scrape() {
    let (check, runs) = counted("db");
    let (health, _router) = build(health::builder().check(check));
    let mut registry = Registry::with_prefix("shop");
    registry.register_collector(Box::new(health.collector()));
    let samples = || {
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        Samples::parse(&text.replace("shop_servicekit", "servicekit"))
    };
    assert_eq!(samples().state("check_status", "check=\"db\""), HealthState::Unhealthy);
    sleep(Duration::from_millis(1)).await;
    let known = samples();
    assert_eq!(known.state("check_status", "check=\"db\""), HealthState::Healthy);
    known.assert("check_runs_total{check=\"db\",outcome=\"healthy\"}", 1.0);
    for _ in 0..10 {
        samples();
        sleep(Duration::from_millis(100)).await;
    }
    assert!(runs.load(Ordering::Relaxed) <= 3, "{runs:?}");
}

#[test]
fn the_collector_works_outside_a_runtime() {
    let (health, _router) = build(health::builder().check(Check::new("db", async || {})));
    let mut registry = Registry::default();
    registry.register_collector(Box::new(health.collector()));
    let mut text = String::new();
    encode(&mut text, &registry).unwrap();
    Samples::parse(&text).assert("check_duration_seconds_count{check=\"db\"}", 0.0);
}
