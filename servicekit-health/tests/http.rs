//! The bytes, codes and headers on the wire.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, StatusCode};
use common::{fixed, get, send, service};
use servicekit_health::{
    self as health, Check, CheckResult, Details, HealthEndpoint, HealthState, Probe,
};
use tokio::time::advance;
use tower::ServiceExt;

const BODY: &str = r#"{"status":"degraded","checks":{"database":{"state":"healthy"},"redis":{"state":"degraded","message":"Redis unavailable: Connection refused"}}}"#;

#[tokio::test]
async fn health_is_the_bare_json_with_its_headers() {
    let router = service().router();
    for path in ["/health", "/health/", "/readyz"] {
        let answer = get(&router, path).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, BODY), "{path}");
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-health-status"), "degraded");
        assert_eq!(answer.header("vary"), "accept");
    }
}

#[tokio::test]
async fn without_checks_there_is_only_a_status() {
    let answer = get(&health::router(), "/health").await;
    assert_eq!(answer.body, r#"{"status":"healthy"}"#);
    assert_eq!(get(&service().router(), "/livez").await.body, r#"{"status":"healthy"}"#);
}

#[tokio::test]
async fn unhealthy_is_503_and_each_code_can_be_set() {
    let down = || health::builder().check(fixed("db", CheckResult::unhealthy("gone")));
    let answer = get(&down().router(), "/health").await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("x-health-status"), "unhealthy");
    let builder = down().status_code(HealthState::Unhealthy, StatusCode::IM_A_TEAPOT);
    assert_eq!(get(&builder.router(), "/health").await.status, StatusCode::IM_A_TEAPOT);
    let builder = service().status_code(HealthState::Degraded, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(get(&builder.router(), "/health").await.status, StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test]
async fn one_check_has_the_same_shape_and_an_unknown_one_is_a_404() {
    let router = service().router();
    let answer = get(&router, "/health/database").await;
    assert_eq!(answer.body, r#"{"status":"healthy","checks":{"database":{"state":"healthy"}}}"#);
    for path in ["/health/nope", "/health/%FF", "/health/$drain"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert!(answer.body.contains("database, redis"), "{}", answer.body);
    }
}

#[tokio::test]
async fn head_and_options_answer_like_get_without_a_body() {
    let router = health::builder().check(fixed("db", CheckResult::unhealthy("gone"))).router();
    let paths = ["/health", "/health/db", "/health/nope", "/readyz", "/health/$stream"];
    let bad = ["/health/$stream?poll_interval=0", "/health?check=nope"];
    for path in paths.into_iter().chain(bad) {
        let expected = match path {
            "/health/$stream" => StatusCode::OK,
            path => get(&router, path).await.status,
        };
        for method in ["HEAD", "OPTIONS"] {
            let answer = send(&router, method, path, None).await;
            assert_eq!((answer.status, answer.body.as_str()), (expected, ""), "{method} {path}");
            assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
        }
    }
    let answer = send(&router, "POST", "/health", None).await;
    assert_eq!(answer.status, StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS");
    assert_eq!(answer.header("content-type"), "application/problem+json");
}

#[tokio::test]
async fn values_of_one_key_unite_and_different_keys_intersect() {
    let router = service().check(fixed("queue", CheckResult::healthy())).router();
    let selected = async |query: &str| {
        let json = get(&router, &format!("/health?{query}")).await.json();
        json["checks"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(selected("check=redis&check=queue").await, ["queue", "redis"]);
    assert_eq!(selected("tag=storage").await, ["database", "redis"]);
    assert_eq!(selected("tag=storage&exclude=redis").await, ["database"]);
    assert_eq!(selected("tag=cache&check=redis&check=queue").await, ["redis"]);
    assert_eq!(selected("check=queue&unknown=key").await, ["queue"]);
}

#[tokio::test]
async fn an_impossible_selection_is_a_400_that_says_what_is_possible() {
    let router = service().router();
    let many = "check=redis&".repeat(65);
    for (query, text) in [
        ("check=nope", "database, redis"),
        ("exclude=nope", "database, redis"),
        ("tag=nope", "cache, storage"),
        ("check=database&tag=cache", "no check matches the selection"),
        ("check=%FF", "database, redis"),
        (&many, "at most 64"),
        ("verbose=maybe", "`verbose`"),
    ] {
        for path in ["/health", "/readyz", "/health/redis", "/health/$stream"] {
            let answer = get(&router, &format!("{path}?{query}")).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path} {query}");
            assert!(answer.body.contains(text), "{}", answer.body);
        }
    }
    let huge = format!("/health?{}", "x".repeat(60_000));
    assert_eq!(get(&router, &huge).await.status, StatusCode::OK);
}

#[tokio::test]
async fn startup_latches_and_readiness_includes_it_until_then() {
    let ready = Arc::new(AtomicBool::new(false));
    let migrated = Arc::clone(&ready);
    let migrations = Check::new("migrations", move || {
        let migrated = migrated.load(Ordering::Relaxed);
        async move { if migrated { Ok(()) } else { Err("pending") } }
    });
    let builder = health::builder().cache(Duration::ZERO);
    let router: Router = builder.check(migrations.probe(Probe::Startup)).router();
    for path in ["/startupz", "/readyz"] {
        assert_eq!(get(&router, path).await.status, StatusCode::SERVICE_UNAVAILABLE, "{path}");
    }
    ready.store(true, Ordering::Relaxed);
    let selected = get(&router, "/startupz?check=migrations").await;
    assert_eq!(selected.status, StatusCode::OK);
    ready.store(false, Ordering::Relaxed);
    let still = get(&router, "/startupz").await.status;
    assert_eq!(still, StatusCode::SERVICE_UNAVAILABLE, "a selected request does not latch");
    ready.store(true, Ordering::Relaxed);
    assert!(get(&router, "/startupz").await.body.contains("migrations"));
    ready.store(false, Ordering::Relaxed);
    for path in ["/startupz", "/readyz", "/startupz?check=migrations"] {
        assert_eq!(get(&router, path).await.body, r#"{"status":"healthy"}"#, "{path}");
    }
}

#[tokio::test]
async fn draining_is_one_more_entry_but_not_for_liveness() {
    let health = health::builder().build().unwrap();
    let router = health.router();
    health.drain();
    let body =
        r#"{"status":"unhealthy","checks":{"$drain":{"state":"unhealthy","message":"draining"}}}"#;
    for path in ["/health", "/readyz"] {
        assert_eq!(get(&router, path).await.body, body, "{path}");
    }
    assert_eq!(get(&router, "/livez").await.body, r#"{"status":"healthy"}"#);
}

#[tokio::test]
async fn verbose_adds_provenance() {
    let check = fixed("db", CheckResult::degraded("slow").with_detail("lag", 3));
    let router = health::builder().check(check.description("The database.").tags(["t"])).router();
    let json = get(&router, "/health?verbose").await.json();
    let db = &json["checks"]["db"];
    assert_eq!(db["details"]["lag"], 3);
    assert_eq!((&db["description"], &db["tags"][0]), (&"The database.".into(), &"t".into()));
    assert_eq!((&db["consecutive_failures"], &db["stale"]), (&1.into(), &false.into()));
    assert!(db["duration_ms"].is_number() && db["age_ms"].is_number());
    for key in ["checked_at", "since"] {
        assert!(db[key].as_str().unwrap().ends_with('Z'), "{key}");
    }
}

#[tokio::test]
async fn accept_chooses_the_format() {
    let down = fixed("queue", CheckResult::unhealthy("line\nbreak \u{1b}[31m"));
    let router = service().check(down).service("shop", "1.2.3").router();
    let text = send(&router, "GET", "/health", Some("text/plain")).await;
    assert_eq!(text.header("content-type"), "text/plain; charset=utf-8");
    let expected = "[+]database ok\n[-]queue failed: line\\nbreak \\u{1b}[31m\n\
                    [!]redis degraded: Redis unavailable: Connection refused\nhealth check failed\n";
    assert_eq!(text.body, expected);
    let draft = send(&router, "GET", "/health", Some("application/health+json")).await;
    assert_eq!(draft.header("content-type"), "application/health+json");
    let json = draft.json();
    assert_eq!((&json["status"], &json["version"]), (&"fail".into(), &"1.2.3".into()));
    assert_eq!(json["checks"]["redis:responseTime"][0]["status"], "warn");
    let other = send(&router, "GET", "/health", Some("image/png")).await;
    assert_eq!(other.header("content-type"), "application/json");
}

#[tokio::test]
async fn details_never_change_the_status_code_nor_leak_names() {
    let down = || health::builder().check(fixed("db", CheckResult::unhealthy("secret")));
    let states = get(&down().details(Details::States).router(), "/health").await;
    assert_eq!(states.body, r#"{"status":"unhealthy","checks":{"db":{"state":"unhealthy"}}}"#);
    assert_eq!(states.status, StatusCode::SERVICE_UNAVAILABLE);
    let router = down().details_for(|_| Details::Status).router();
    for path in ["/health", "/health?verbose", "/health/db"] {
        let answer = get(&router, path).await;
        assert_eq!(answer.body, r#"{"status":"unhealthy"}"#, "{path}");
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    for path in ["/health/nope", "/health?check=nope"] {
        assert!(!get(&router, path).await.body.contains("db"), "{path}");
    }
}

#[tokio::test]
async fn a_secret_does_not_reach_the_wire() {
    let check =
        Check::new("db", || async { Err::<(), _>("no postgres://app:hunter2@db:5432/app") });
    let answer = get(&health::builder().check(check).router(), "/health").await;
    assert!(answer.body.contains("no postgres://***@db:5432/app"), "{}", answer.body);
}

#[tokio::test]
async fn the_router_fits_anywhere_and_probes_move() {
    let builder =
        service().probe_path(Probe::Liveness, "/healthz").probe_path(Probe::Startup, None);
    let health = builder.build().unwrap();
    let app: Router = Router::new()
        .merge(health.router())
        .nest("/ops", health.router())
        .with_state(7_u8)
        .merge(Router::new());
    for path in ["/health", "/ops/health", "/healthz", "/ops/readyz"] {
        assert_eq!(get(&app, path).await.status, StatusCode::OK, "{path}");
    }
    for path in ["/livez", "/startupz"] {
        assert_eq!(get(&app, path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_plain_report_is_encoded_once_for_all_who_read_it() {
    let router = service().router();
    let read = async || {
        let request = Request::builder().uri("/health").body(Body::empty()).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        to_bytes(response.into_body(), 1 << 20).await.unwrap()
    };
    let [first, second] = [read().await, read().await];
    assert_eq!(first.as_ptr(), second.as_ptr());
    advance(Duration::from_secs(1)).await;
    let of_the_next_run = read().await;
    assert_ne!(first.as_ptr(), of_the_next_run.as_ptr());
    assert_eq!(first, of_the_next_run);
}

#[tokio::test(start_paused = true)]
async fn every_response_says_which_endpoint_it_is_of() {
    let router = health::builder().check(fixed("db", HealthState::Healthy.into())).router();
    let app = Router::new().nest("/ops", router).fallback(async || "an application");
    let endpoint = async |method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let response = app.clone().oneshot(request).await.unwrap();
        response.extensions().get::<HealthEndpoint>().map(|endpoint| endpoint.name())
    };
    for method in ["GET", "HEAD", "OPTIONS", "POST"] {
        for (path, name) in [
            ("/ops/health", "health"),
            ("/ops/health/?check=nope", "health"),
            ("/ops/livez", "liveness"),
            ("/ops/readyz", "readiness"),
            ("/ops/startupz", "startup"),
            ("/ops/health/db", "check"),
            ("/ops/health/nope", "check"),
            ("/ops/health/$nope", "check"),
            ("/ops/health/$stream", "stream"),
            ("/ops/health/%24history", "history"),
        ] {
            assert_eq!(endpoint(method, path).await, Some(name), "{method} {path}");
        }
        assert_eq!(endpoint(method, "/orders").await, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_response_carries_nothing_else_of_its_request() {
    #[derive(Clone)]
    struct OfTheRequest;

    let check = Check::new("db", async || ()).cache(Duration::ZERO);
    let app: Router = health::builder().check(check).router();
    for path in ["/health", "/health/$history", "/health?check=nope"] {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        request.extensions_mut().insert(OfTheRequest);
        let response = app.clone().oneshot(request).await.unwrap();
        assert!(response.extensions().get::<HealthEndpoint>().is_some(), "{path}");
        assert_eq!(response.extensions().len(), 1, "{path}");
    }
}
