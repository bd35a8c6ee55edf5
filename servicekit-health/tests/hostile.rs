//! Requests that nobody sends by accident, and probes, seen from outside.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use common::{fixed, get, send, service};
use servicekit_health::{self as health, Check, CheckResult, Details, Probe};

/// A check that counts its runs.
fn counted(runs: &Arc<AtomicUsize>) -> Check {
    let runs = Arc::clone(runs);
    Check::new("count", move || {
        runs.fetch_add(1, Ordering::Relaxed);
        async {}
    })
    .cache(Duration::ZERO)
}

#[tokio::test]
async fn thousands_of_repeated_keys_are_refused_or_ignored() {
    let router = service().router();
    for key in ["check=redis&", "exclude=redis&", "tag=cache&", "check=&"] {
        let answer = get(&router, &format!("/health?{}", key.repeat(4000))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{key}");
        assert!(answer.body.len() < 1024, "an answer is no echo: {} bytes", answer.body.len());
    }
    for key in ["x=1&", "&", "=&", "verbose&"] {
        let answer = get(&router, &format!("/health?{}", key.repeat(7000))).await;
        assert_eq!(answer.status, StatusCode::OK, "{key}");
    }
}

#[tokio::test]
async fn sixty_four_keys_are_allowed_and_one_more_of_any_kind_is_not() {
    let router = service().router();
    let most = "check=redis&".repeat(62) + "tag=cache&exclude=database";
    assert_eq!(get(&router, &format!("/health?{most}")).await.status, StatusCode::OK);
    let answer = get(&router, &format!("/health?{most}&tag=storage")).await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST);
    assert!(answer.body.contains("64"), "{}", answer.body);
}

#[tokio::test]
async fn a_long_name_is_not_echoed_in_full() {
    let router = service().router();
    let long = "n".repeat(60_000);
    for path in [format!("/health?check={long}"), format!("/health/{long}")] {
        let answer = get(&router, &path).await;
        assert!(answer.status.is_client_error(), "{}", answer.status);
        assert!(answer.body.len() < 1024, "{} bytes", answer.body.len());
    }
}

#[tokio::test]
async fn broken_percent_sequences_are_the_name_of_nothing() {
    let router = service().router();
    for broken in ["%FF", "%C3%28", "%", "%2", "%zz", "%00", "%E2%82", "%0d%0aset-cookie:%20a"] {
        let answer = get(&router, &format!("/health?check={broken}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{broken}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["status"], 400);
        let answer = get(&router, &format!("/health/{broken}")).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{broken}");
        assert_eq!(answer.json()["status"], 404);
        assert!(answer.header("set-cookie").is_empty());
    }
    for ignored in ["%FF=%FF", "x=%", "%", "&&&==&"] {
        assert_eq!(get(&router, &format!("/health?{ignored}")).await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn an_encoded_name_is_the_name() {
    let router = service().router();
    let plain = get(&router, "/health/redis").await.body;
    assert_eq!(get(&router, "/health/%72edis").await.body, plain);
    assert_eq!(get(&router, "/health?check=%72edis").await.body, plain);
}

#[tokio::test]
async fn a_problem_has_the_members_of_its_rfc_and_is_not_stored() {
    let answer = get(&service().router(), "/health/nope").await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let json = answer.json();
    assert_eq!((&json["title"], &json["status"]), (&"Not Found".into(), &404.into()));
    let detail = json["detail"].as_str().unwrap();
    assert!(detail.contains("`nope`") && detail.contains("database, redis"), "{detail}");
}

#[tokio::test]
async fn every_other_method_is_a_405_on_every_path() {
    let router = service().router();
    for path in ["/health", "/health/", "/health/redis", "/health/$stream", "/livez"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let answer = send(&router, method, path, None).await;
            assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED, "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS", "{method} {path}");
            assert_eq!(answer.json()["status"], 405, "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_status_tells_no_tag_and_no_name_in_any_problem() {
    let router = service().details(Details::Status).router();
    for path in ["/health/x", "/health?check=x", "/health?exclude=x", "/health?tag=x"] {
        let body = get(&router, path).await.body;
        for name in ["database", "redis", "storage", "cache"] {
            assert!(!body.contains(name), "{path}: {body}");
        }
    }
}

#[tokio::test]
async fn a_probe_tells_only_of_its_own_checks() {
    let of = |name: &str, probe| fixed(name, CheckResult::healthy()).probe(probe);
    let both = fixed("both", CheckResult::healthy()).probe([Probe::Liveness, Probe::Readiness]);
    let builder = health::builder().check(both).check(of("live", Probe::Liveness));
    let router = builder.check(of("ready", Probe::Readiness)).router();
    let names = async |path: &str| {
        let json = get(&router, path).await.json();
        json["checks"].as_object().map(|checks| checks.keys().cloned().collect::<Vec<_>>())
    };
    assert_eq!(names("/livez").await.unwrap(), ["both", "live"]);
    assert_eq!(names("/readyz").await.unwrap(), ["both", "ready"]);
    assert_eq!(names("/startupz").await, None);
    assert_eq!(get(&router, "/livez?check=ready").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn after_the_latch_startup_runs_nothing() {
    let runs = Arc::default();
    let router = health::builder().check(counted(&runs).probe(Probe::Startup)).router();
    assert!(get(&router, "/startupz").await.body.contains("count"));
    let latched = runs.load(Ordering::Relaxed);
    for path in ["/startupz", "/startupz?check=count", "/startupz?verbose", "/readyz"] {
        assert_eq!(get(&router, path).await.body, r#"{"status":"healthy"}"#, "{path}");
    }
    let text = send(&router, "GET", "/startupz", Some("text/plain")).await.body;
    assert_eq!((text.as_str(), runs.load(Ordering::Relaxed)), ("health check passed\n", latched));
    assert!(get(&router, "/health").await.body.contains("count"), "it is still a check");
}

#[tokio::test]
async fn a_degraded_startup_check_is_enough_to_have_started() {
    let check = fixed("warm-up", CheckResult::degraded("cold")).probe(Probe::Startup);
    let router = health::builder().check(check).router();
    assert_eq!(get(&router, "/startupz").await.header("x-health-status"), "degraded");
    assert_eq!(get(&router, "/startupz").await.body, r#"{"status":"healthy"}"#);
}

#[tokio::test]
async fn draining_shows_in_every_form_of_readiness() {
    let health = service().build().unwrap();
    let router = health.router();
    let before = get(&router, "/readyz").await;
    assert_eq!(before.status, StatusCode::OK);
    health.drain();
    for path in ["/readyz", "/readyz?check=database", "/health?verbose", "/health?tag=cache"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
        let drain = &answer.json()["checks"]["$drain"];
        assert_eq!(drain.to_string(), r#"{"message":"draining","state":"unhealthy"}"#, "{path}");
    }
    let text = send(&router, "GET", "/readyz", Some("text/plain")).await.body;
    assert!(text.starts_with("[-]$drain failed: draining\n"), "{text}");
    for path in ["/livez", "/startupz", "/health/database"] {
        assert_eq!(get(&router, path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_nested_router_has_every_path() {
    let app: Router = Router::new().nest("/internal/ops", service().router()).with_state(());
    for path in ["health", "health/", "health/redis", "livez", "readyz", "startupz"] {
        let answer = get(&app, &format!("/internal/ops/{path}")).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
    }
    for path in ["$stream", "%24stream"] {
        let answer = send(&app, "HEAD", &format!("/internal/ops/health/{path}"), None).await;
        assert_eq!(answer.header("content-type"), "text/event-stream", "{path}");
    }
    assert_eq!(get(&app, "/health").await.status, StatusCode::NOT_FOUND);
}
