//! The forms of a report: verbose, the formats of `Accept`, and what `Details` leaves out.

mod common;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use common::{fixed, get, send, service};
use servicekit_health::{self as health, Check, CheckResult, Details, HealthBuilder};
use tower::ServiceExt;

const DRAFT: &str = "application/health+json";

fn three_states() -> HealthBuilder {
    service().check(fixed("queue", CheckResult::unhealthy("no workers")))
}

#[tokio::test(start_paused = true)]
async fn age_grows_while_the_result_is_served_again() {
    let check = fixed("db", CheckResult::healthy()).cache(Duration::from_secs(60));
    let router = health::builder().check(check).router();
    let fresh = get(&router, "/health?verbose").await.json();
    assert_eq!(fresh["checks"]["db"]["age_ms"], 0.0);
    tokio::time::advance(Duration::from_secs(7)).await;
    let later = get(&router, "/health?verbose").await.json();
    assert_eq!(later["checks"]["db"]["age_ms"], 7000.0);
    for key in ["checked_at", "since", "last_success", "duration_ms"] {
        assert_eq!(later["checks"]["db"][key], fresh["checks"]["db"][key], "{key}");
    }
}

#[tokio::test(start_paused = true)]
async fn duration_is_what_the_run_took() {
    let check = Check::new("slow", || tokio::time::sleep(Duration::from_millis(250)));
    let router = health::builder().check(check).router();
    let json = get(&router, "/health/slow?verbose").await.json();
    let duration = json["checks"]["slow"]["duration_ms"].as_f64().unwrap();
    assert!((250.0..=252.0).contains(&duration), "{duration}");
}

#[tokio::test]
async fn times_are_utc_in_rfc_3339() {
    let json = get(&service().router(), "/health?verbose").await.json();
    for key in ["checked_at", "since", "last_success"] {
        let time = json["checks"]["database"][key].as_str().unwrap();
        let shape: String =
            time.chars().map(|char| if char.is_ascii_digit() { '0' } else { char }).collect();
        assert_eq!(shape, "0000-00-00T00:00:00.000Z", "{key}");
    }
    let redis = &json["checks"]["redis"];
    assert!(redis.get("last_success").is_none(), "it never succeeded: {redis}");
}

#[tokio::test]
async fn what_a_check_does_not_have_is_absent_from_the_verbose_form() {
    let router = health::builder().check(fixed("db", CheckResult::healthy())).router();
    let json = get(&router, "/health?verbose").await.json();
    for key in ["message", "description", "tags", "details", "raw_state", "raw_message"] {
        assert!(json["checks"]["db"].get(key).is_none(), "{key} in {json}");
    }
}

#[tokio::test]
async fn the_raw_state_is_there_where_a_threshold_holds_it_back() {
    let runs = AtomicUsize::new(0);
    let check = Check::new("db", move || {
        let first = runs.fetch_add(1, Ordering::Relaxed) == 0;
        async move { if first { CheckResult::healthy() } else { CheckResult::unhealthy("gone") } }
    });
    let check = check.failure_threshold(3).cache(Duration::ZERO);
    let router = health::builder().check(check).router();
    for (raw, state, code) in [
        (None, "healthy", StatusCode::OK),
        (Some("unhealthy"), "healthy", StatusCode::OK),
        (Some("unhealthy"), "healthy", StatusCode::OK),
        (None, "unhealthy", StatusCode::SERVICE_UNAVAILABLE),
    ] {
        let answer = get(&router, "/health?verbose").await;
        let json = answer.json();
        let db = &json["checks"]["db"];
        assert_eq!(db.get("raw_state").and_then(|raw| raw.as_str()), raw, "{db}");
        assert_eq!((&db["state"], answer.status), (&state.into(), code), "{db}");
    }
}

#[tokio::test]
async fn verbose_can_be_said_in_several_ways_and_unsaid() {
    let router = service().router();
    for query in ["verbose", "verbose=", "verbose=1", "verbose=true", "check=redis&verbose"] {
        let json = get(&router, &format!("/health?{query}")).await.json();
        assert!(json["checks"]["redis"].get("stale").is_some(), "{query}");
    }
    let plain = get(&router, "/health").await.body;
    for query in ["verbose=0", "verbose=false", "verbosely"] {
        assert_eq!(get(&router, &format!("/health?{query}")).await.body, plain, "{query}");
    }
}

#[tokio::test]
async fn the_draft_format_says_pass_warn_and_fail() {
    let router = three_states().service("shop", "1.2.3").router();
    let answer = send(&router, "GET", "/health", Some(DRAFT)).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(answer.header("x-health-status"), "unhealthy");
    let json = answer.json();
    assert_eq!(json["status"], "fail");
    assert_eq!((&json["serviceId"], &json["releaseId"]), (&"shop".into(), &"1.2.3".into()));
    for (name, status) in [("database", "pass"), ("redis", "warn"), ("queue", "fail")] {
        let measurements = json["checks"][format!("{name}:responseTime")].as_array().unwrap();
        assert_eq!(measurements.len(), 1, "{name}");
        let measurement = &measurements[0];
        assert_eq!(
            (&measurement["status"], &measurement["observedUnit"]),
            (&status.into(), &"ms".into())
        );
        assert!(measurement["observedValue"].is_number(), "{measurement}");
        assert!(measurement["time"].as_str().unwrap().ends_with('Z'), "{measurement}");
    }
    assert_eq!(json["checks"]["queue:responseTime"][0]["output"], "no workers");
    assert!(json["checks"]["database:responseTime"][0].get("output").is_none());
}

#[tokio::test]
async fn without_a_service_the_draft_format_names_none() {
    let answer = send(&health::router(), "GET", "/health", Some(DRAFT)).await;
    assert_eq!(answer.body, r#"{"status":"pass"}"#);
}

#[tokio::test]
async fn the_last_line_of_the_text_is_the_verdict() {
    let router = three_states().router();
    let text = async |path: &str| send(&router, "GET", path, Some("text/plain")).await.body;
    assert!(text("/health").await.ends_with("\nhealth check failed\n"));
    assert_eq!(text("/livez").await, "health check passed\n");
    let redis = text("/health/redis").await;
    let expected =
        "[!]redis degraded: Redis unavailable: Connection refused\nhealth check passed\n";
    assert_eq!(redis, expected);
}

#[tokio::test]
async fn an_accept_that_cannot_be_met_gets_json() {
    let router = service().router();
    let plain = get(&router, "/health").await.body;
    let long = "text/html,".repeat(5000);
    for accept in ["", "*/*", "image/png", ";;;", "text/plain;q=0", "application/json;q=0", &long] {
        let answer = send(&router, "GET", "/health", Some(accept)).await;
        assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, plain.as_str()));
        assert_eq!(answer.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn no_format_tells_more_than_the_details_allow() {
    for accept in ["application/json", DRAFT, "text/plain"] {
        let ask = async |details, path: &str| {
            let router = three_states().service("shop", "9").details(details).router();
            send(&router, "GET", path, Some(accept)).await
        };
        for path in ["/health", "/health?verbose", "/readyz", "/health/queue"] {
            let states = ask(Details::States, path).await;
            assert_eq!(states.status, StatusCode::SERVICE_UNAVAILABLE, "{accept} {path}");
            assert!(states.body.contains("queue"), "{accept} {path}: {}", states.body);
            assert!(!states.body.contains("no workers"), "{accept} {path}: {}", states.body);
            let bare = ask(Details::Status, path).await;
            assert_eq!(bare.status, StatusCode::SERVICE_UNAVAILABLE, "{accept} {path}");
            let expected = match accept {
                DRAFT => r#"{"status":"fail"}"#,
                "text/plain" => "health check failed\n",
                _ => r#"{"status":"unhealthy"}"#,
            };
            assert_eq!(bare.body, expected, "{accept} {path}");
        }
    }
}

#[tokio::test]
async fn states_leaves_out_the_details_of_a_check_too() {
    let check = fixed("db", CheckResult::degraded("slow").with_detail("host", "db-7"));
    let router = health::builder().check(check).details(Details::States).router();
    let body = get(&router, "/health?verbose").await.body;
    assert!(!body.contains("db-7") && !body.contains("slow"), "{body}");
}

#[tokio::test]
async fn details_can_be_decided_for_each_request() {
    let builder = three_states().details_for(|request| match request.headers.get("x-operator") {
        Some(_) => Details::Full,
        None => Details::Status,
    });
    let router: Router = builder.router();
    let request = Request::get("/health").header("x-operator", "yes").body(Body::empty()).unwrap();
    let response = router.clone().oneshot(request).await.unwrap();
    let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
    assert!(String::from_utf8_lossy(&body).contains("no workers"));
    for _ in 0..2 {
        assert_eq!(get(&router, "/health").await.body, r#"{"status":"unhealthy"}"#);
    }
}

#[tokio::test]
async fn a_secret_reaches_no_format() {
    let failed = || CheckResult::unhealthy("no postgres://app:hunter2@db:5432/app");
    let router = health::builder().check(fixed("db", failed())).router();
    for accept in ["application/json", DRAFT, "text/plain"] {
        for path in ["/health", "/health/db?verbose"] {
            let body = send(&router, "GET", path, Some(accept)).await.body;
            assert!(body.contains("postgres://***@db:5432/app"), "{accept}: {body}");
            assert!(!body.contains("hunter2"), "{accept}: {body}");
        }
    }
}

#[tokio::test]
async fn every_character_of_a_message_survives_json() {
    let message = "quote \" backslash \\ line\nbreak nul \0 ü 🦀 </script> \u{2028}";
    let router = health::builder().check(fixed("db", CheckResult::degraded(message))).router();
    let answer = get(&router, "/health").await;
    assert_eq!(answer.json()["checks"]["db"]["message"], message);
    assert!(!answer.body.contains('\n'), "a line break would end an event: {}", answer.body);
}

/// The kubelet reads 10 KB of a body.
#[tokio::test(start_paused = true)]
async fn fifty_healthy_checks_with_the_longest_names_are_a_small_body() {
    let name = |n: usize| format!("{n:02}{}", "x".repeat(62));
    let builder = (0..50).fold(health::builder(), |builder, n| {
        builder.check(fixed(&name(n), CheckResult::healthy()))
    });
    let router: Router = builder.router();
    for accept in ["application/json", "text/plain", DRAFT] {
        let answer = send(&router, "GET", "/health", Some(accept)).await;
        assert_eq!(answer.header("content-type").split(';').next(), Some(accept));
        let size = answer.body.len();
        assert!(size < 10 * 1024, "{accept}: {size} bytes");
    }
}
