//! The endpoint, and the requests that it counts.

use std::future::pending;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use servicekit_health::{self as health, Check, CheckResult, HealthState, Probe};
use tokio::time::advance;

use crate::common::{fixed, get, send};
use crate::samples::{OPENMETRICS, Samples, build, counted, scrape};

#[tokio::test(start_paused = true)]
async fn no_request_makes_a_series_of_its_own() {
    let (_health, router) =
        build(health::builder().check(fixed("db", HealthState::Healthy.into())));
    let before = scrape(&router).await;
    for n in 0..50 {
        for path in [
            format!("/health/guess-{n}"),
            format!("/health/$guess-{n}"),
            format!("/health/%ff{n}"),
            format!("/health?check=guess-{n}"),
            format!("/health?tag=%22%7D%0Aevil_{n}%201"),
            format!("/readyz?exclude=x{n}"),
            format!("/health/$stream?poll_interval={n}x"),
            format!("/metrics?format=guess-{n}"),
        ] {
            for method in ["GET", "HEAD", "OPTIONS", "POST", &format!("GUESS{n}")] {
                send(&router, method, &path, Some(&format!("text/guess-{n}"))).await;
            }
        }
    }
    let after = scrape(&router).await;
    assert!(before.0.keys().eq(after.0.keys()));
    after.assert("requests_total{endpoint=\"check\",code=\"404\"}", 50.0 * 3.0 * 3.0);
    after.assert("requests_total{endpoint=\"check\",code=\"405\"}", 50.0 * 3.0 * 2.0);
    after.assert("requests_total{endpoint=\"health\",code=\"400\"}", 50.0 * 2.0 * 3.0);
    after.assert("requests_total{endpoint=\"stream\",code=\"400\"}", 50.0 * 3.0);
    after.assert("requests_total{endpoint=\"metrics\",code=\"405\"}", 50.0 * 2.0);
    after.assert("requests_total{endpoint=\"metrics\",code=\"200\"}", 1.0 + 50.0 * 3.0);
}

#[tokio::test(start_paused = true)]
async fn requests_are_counted_by_endpoint_and_status_wherever_they_are_mounted() {
    let (_health, router) = build(
        health::builder()
            .check(fixed("db", CheckResult::unhealthy("down")))
            .probe_path(Probe::Readiness, "/ready"),
    );
    let app = Router::new().nest("/ops", router);
    for path in ["/ops/health", "/ops/health/", "/ops/ready", "/ops/livez", "/ops/health/db"] {
        get(&app, path).await;
    }
    get(&app, "/ops/health/$history").await;
    get(&app, "/ops/health/%24history").await;
    let samples = Samples::parse(&get(&app, "/ops/metrics/").await.body);
    samples.assert("requests_total{endpoint=\"health\",code=\"503\"}", 2.0);
    samples.assert("requests_total{endpoint=\"readiness\",code=\"503\"}", 1.0);
    samples.assert("requests_total{endpoint=\"liveness\",code=\"200\"}", 1.0);
    samples.assert("requests_total{endpoint=\"check\",code=\"503\"}", 1.0);
    samples.assert("requests_total{endpoint=\"history\",code=\"200\"}", 2.0);
}

#[tokio::test(start_paused = true)]
async fn scraping_runs_no_check_more_often_than_its_cache() {
    let (quick, quick_runs) = counted("quick");
    let (slow, slow_runs) = counted("slow");
    let (background, background_runs) = counted("background");
    let (_health, router) = build(
        health::builder()
            .check(quick.cache(Duration::from_secs(1)).probe(Probe::Liveness))
            .check(slow.cache(Duration::from_secs(10)).probe(Probe::Startup))
            .check(background.interval(Duration::from_secs(20))),
    );
    for _ in 0..200 {
        let (one, other) = tokio::join!(scrape(&router), scrape(&router));
        assert!(one.0.keys().eq(other.0.keys()));
        advance(Duration::from_millis(100)).await;
    }
    let runs = [quick_runs, slow_runs, background_runs].map(|runs| runs.load(Ordering::Relaxed));
    assert!((18..=20).contains(&runs[0]), "{runs:?}");
    assert_eq!(runs[1], 2, "{runs:?}");
    assert!((1..=2).contains(&runs[2]), "{runs:?}");
}

#[tokio::test(start_paused = true)]
async fn a_scrape_waits_no_longer_than_the_deadline() {
    let hang = Check::new("hang", pending::<()>).timeout(Duration::from_secs(30));
    let (_health, router) =
        build(health::builder().check(hang).deadline(Duration::from_millis(300)));
    let begin = tokio::time::Instant::now();
    let samples = scrape(&router).await;
    assert!(begin.elapsed() < Duration::from_millis(310), "{:?}", begin.elapsed());
    assert_eq!(samples.state("check_status", "check=\"hang\""), HealthState::Unhealthy);
    samples.assert("check_duration_seconds_count{check=\"hang\"}", 0.0);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_answer_as_every_other_endpoint_does() {
    let (_health, router) = build(health::builder());
    for path in ["/metrics", "/metrics/", "/metrics?x=y"] {
        for method in ["HEAD", "OPTIONS"] {
            let answer = send(&router, method, path, None).await;
            assert_eq!((answer.status, &*answer.body), (StatusCode::OK, ""), "{method} {path}");
            assert_eq!(answer.header("content-type"), OPENMETRICS);
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
        }
        let answer = send(&router, "POST", path, None).await;
        assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    }
    assert_eq!(get(&health::builder().router(), "/metrics").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test(start_paused = true)]
async fn the_older_text_format_is_for_those_who_prefer_it() {
    let (_health, router) =
        build(health::builder().check(fixed("db", HealthState::Healthy.into())));
    let prometheus = "application/openmetrics-text;version=1.0.0,\
                      application/openmetrics-text;version=0.0.1;q=0.75,\
                      text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    for accept in [prometheus, "*/*", "application/json", "text/*;q=0.1, application/*"] {
        let answer = send(&router, "GET", "/metrics", Some(accept)).await;
        assert_eq!(answer.header("content-type"), OPENMETRICS, "{accept}");
    }
    for accept in ["text/plain", "text/plain;version=0.0.4;q=1,*/*;q=0.1"] {
        let answer = send(&router, "GET", "/metrics", Some(accept)).await;
        let content_type = answer.header("content-type");
        assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8", "{accept}");
        assert!(answer.body.contains("# TYPE servicekit_health_check_runs_total counter\n"));
        assert!(!answer.body.contains("# EOF"));
    }
}

#[test]
fn the_path_of_the_metrics_is_a_plain_one_that_is_free() {
    for (path, problem) in [
        ("metrics", "is not a plain path"),
        ("/", "is not a plain path"),
        ("/metrics/", "is not a plain path"),
        ("/{name}", "is not a plain path"),
        ("/health", "is reserved for the checks"),
        ("/health/$metrics", "is reserved for the checks"),
        ("/readyz", "is the path of another endpoint too"),
    ] {
        let error = health::builder().metrics_path(path).build().unwrap_err().to_string();
        let expected = format!("the path of the metrics, `{path}`, {problem}");
        assert!(error.contains(&expected), "{error}");
    }
}
