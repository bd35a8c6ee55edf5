//! The wire's newer corners: slashes, limits, origins, the history, and what a request cannot break.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderValue, Request, Response, StatusCode, header};
use axum::routing;
use common::{fixed, get, send, service};
use futures_util::StreamExt;
use servicekit_health::HealthState::{Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckResult, Details, Probe};
use tokio::time::{Instant, advance, sleep, timeout};
use tower::ServiceExt;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

async fn ask(router: &Router, path: &str, headers: &[(&str, &str)]) -> Response<Body> {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap()
}

/// The events of a stream and when each came, until it ends or an hour has passed.
async fn events(router: &Router, path: &str, most: usize) -> Vec<(Duration, String)> {
    let begin = Instant::now();
    let mut body = ask(router, path, &[]).await.into_body().into_data_stream();
    let mut events = Vec::new();
    while events.len() < most {
        let Ok(Some(chunk)) = timeout(Duration::from_secs(3600), body.next()).await else { break };
        let text = String::from_utf8(chunk.unwrap().to_vec()).unwrap();
        if let Some(data) = text.strip_prefix("data: ") {
            events.push((begin.elapsed(), data.trim_end().to_owned()));
        }
    }
    events
}

#[tokio::test(start_paused = true)]
async fn every_path_answers_with_a_slash_at_its_end_and_with_an_encoded_dollar() {
    let router: Router = service().router();
    for path in ["/health", "/health/redis", "/livez", "/readyz", "/startupz", "/health/$history"] {
        let plain = get(&router, path).await;
        assert_eq!(plain.status, StatusCode::OK, "{path}");
        for other in [format!("{path}/"), path.replace('$', "%24")] {
            let answer = get(&router, &other).await;
            assert_eq!((answer.status, answer.body), (plain.status, plain.body.clone()), "{other}");
        }
    }
    for path in
        ["/health/$stream/?limit=1", "/health/%24stream?limit=1", "/health/%24stream/?limit=1"]
    {
        assert_eq!(events(&router, path, 9).await.len(), 1, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_as_many_events_as_were_asked_for() {
    let router: Router = service().router();
    let three = events(&router, "/health/$stream?limit=3&poll_interval=2", 9).await;
    let times: Vec<_> = three.iter().map(|(at, _)| at.as_secs()).collect();
    assert_eq!(times, [0, 2, 4]);
    for bad in ["limit=0", "limit=x", "limit=1&limit=2"] {
        let answer = get(&router, &format!("/health/$stream?{bad}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.contains("`limit`"), "{}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_lasts_no_longer_than_its_age_allows() {
    let router: Router = service().max_stream_age(ms(3_500)).router();
    let times = events(&router, "/health/$stream", 99).await;
    assert_eq!(times.len(), 4, "{times:?}");
    let router: Router = service().max_stream_age(Duration::MAX).router();
    assert_eq!(events(&router, "/health/$stream", 5).await.len(), 5, "there is no longest age");
}

/// A tick that an evaluation outlasts is left out: no two events at the same moment.
#[tokio::test(start_paused = true)]
async fn an_evaluation_that_outlasts_the_interval_leaves_ticks_out() {
    let slow = Check::new("slow", || sleep(ms(450))).cache(Duration::ZERO);
    let router: Router = health::builder().check(slow).router();
    let events = events(&router, "/health/$stream?poll_interval=0.2", 6).await;
    let times: Vec<_> = events.iter().map(|(at, _)| at.as_millis()).collect();
    for pair in times.windows(2) {
        assert!(pair[1] - pair[0] >= 450, "{times:?}");
    }
}

#[tokio::test]
async fn a_stream_of_changes_is_quiet_while_a_check_is_stuck() {
    let (release, hangs) = std::sync::mpsc::channel::<()>();
    let hangs = std::sync::Mutex::new(hangs);
    let check = Check::blocking("stuck", move || {
        let _ = hangs.lock().unwrap().recv();
    });
    let check = check.timeout(ms(50)).cache(ms(50));
    let router: Router = health::builder().check(check).router();
    let begin = std::time::Instant::now();
    let mut body = ask(&router, "/health/$stream?on=change&poll_interval=0.1", &[]).await;
    let mut body = std::mem::take(body.body_mut()).into_data_stream();
    let mut texts = Vec::new();
    while begin.elapsed() < ms(900) {
        let Ok(Some(chunk)) = timeout(ms(300), body.next()).await else { continue };
        texts.push(String::from_utf8(chunk.unwrap().to_vec()).unwrap());
    }
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(texts[0].contains("timed out after 50ms"), "{texts:?}");
    assert!(texts[1].contains("still running after its timeout of 50ms"), "{texts:?}");
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_changes_tells_at_once_what_another_reader_found() {
    let fails = Arc::new(AtomicBool::new(false));
    let failing = Arc::clone(&fails);
    let check = Check::new("dial", move || {
        let fails = failing.load(Ordering::SeqCst);
        async move { if fails { Unhealthy } else { Healthy } }
    });
    let health = health::builder().check(check.cache(Duration::ZERO)).build().unwrap();
    let router: Router = health.router();
    let stream = tokio::spawn(async move {
        events(&router, "/health/$stream?on=change&poll_interval=60", 2).await
    });
    sleep(ms(10_500)).await;
    fails.store(true, Ordering::SeqCst);
    health.report().await;
    let events = stream.await.unwrap();
    assert!(events[1].0 < ms(10_700), "{events:?}");
    assert!(events[1].1.contains("unhealthy"));
}

#[tokio::test(start_paused = true)]
async fn the_history_has_the_last_transitions_newest_first() {
    let fails = Arc::new(AtomicBool::new(true));
    let failing = Arc::clone(&fails);
    let check = Check::new("redis", move || {
        let fails = failing.load(Ordering::SeqCst);
        async move { if fails { CheckResult::degraded("slow") } else { CheckResult::healthy() } }
    });
    let health = health::builder()
        .check(check.cache(Duration::ZERO))
        .check(fixed("database", CheckResult::unhealthy("gone")))
        .details_for(|request| match request.headers.get("details").map(HeaderValue::as_bytes) {
            Some(b"states") => Details::States,
            Some(b"status") => Details::Status,
            _ => Details::Full,
        })
        .build()
        .unwrap();
    let router: Router = health.router();
    assert_eq!(get(&router, "/health/$history").await.body, r#"{"transitions":[]}"#);
    get(&router, "/health").await;
    sleep(ms(1_500)).await;
    fails.store(false, Ordering::SeqCst);
    get(&router, "/health").await;
    health.drain();

    let json = get(&router, "/health/$history").await.json();
    let told = |entry: &serde_json::Value| {
        let text = |key: &str| entry[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} {}", text("check"), text("from"), text("to"), text("message"))
    };
    let all: Vec<_> = json["transitions"].as_array().unwrap().iter().map(told).collect();
    assert_eq!(all[0], "$drain - unhealthy draining");
    assert_eq!(all[1], "redis degraded healthy -");
    let mut first = all[2..].to_vec();
    first.sort();
    assert_eq!(first, ["database - unhealthy gone", "redis - degraded slow"]);
    let recovery = &json["transitions"][1];
    assert_eq!((&recovery["failures"], &recovery["lasted_ms"]), (&1.into(), &1500.0.into()));
    assert!(recovery["at"].as_str().unwrap().ends_with('Z'));
    assert!(json["transitions"][0].get("lasted_ms").is_none());

    let redis = get(&router, "/health/$history?check=redis").await.json();
    assert_eq!(redis["transitions"].as_array().unwrap().len(), 2);
    assert_eq!(get(&router, "/health/$history?check=nope").await.status, StatusCode::BAD_REQUEST);
    let body = async |details| {
        let response = ask(&router, "/health/$history", &[("details", details)]).await;
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    };
    let states = body("states").await;
    assert!(states.contains("redis") && !states.contains("slow"), "{states}");
    assert_eq!(body("status").await, r#"{"transitions":[]}"#);
}

#[tokio::test(start_paused = true)]
async fn the_history_is_bounded() {
    let health = service().history(0).build().unwrap();
    health.report().await;
    health.drain();
    let router: Router = health.router();
    assert_eq!(get(&router, "/health/$history").await.body, r#"{"transitions":[]}"#);
}

#[tokio::test(start_paused = true)]
async fn pages_of_an_allowed_origin_may_read_and_no_others_and_never_the_probes() {
    const ALLOWED: &str = "access-control-allow-origin";
    let ops = [("origin", "https://ops.example")];
    let other = [("origin", "https://other.example")];
    let router: Router = service().allow_origin("https://ops.example").router();
    for path in ["/health", "/health/$history", "/health/$stream?limit=1"] {
        let response = ask(&router, path, &ops).await;
        assert_eq!(response.headers()[ALLOWED], "https://ops.example", "{path}");
        let vary: Vec<_> = response.headers().get_all(header::VARY).iter().collect();
        assert!(vary.iter().any(|value| *value == "origin"), "{path} {vary:?}");
        assert!(!ask(&router, path, &other).await.headers().contains_key(ALLOWED), "{path}");
        assert!(!ask(&router, path, &[]).await.headers().contains_key(ALLOWED), "{path}");
    }
    for path in ["/livez", "/readyz", "/startupz"] {
        assert!(!ask(&router, path, &ops).await.headers().contains_key(ALLOWED), "{path}");
    }
    // A page that asks for what is not there is told so.
    for path in ["/health?check=nope", "/health/$stream?limit=0", "/health/$history?check=nope"] {
        let response = ask(&router, path, &ops).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(response.headers()[ALLOWED], "https://ops.example", "{path}");
    }
    let options = send(&router, "OPTIONS", "/health", None).await;
    assert_eq!(options.header("x-health-status"), "degraded");
    assert!(options.headers.get(ALLOWED).is_none());

    let any: Router = service().allow_origin("*").router();
    assert_eq!(ask(&any, "/health", &other).await.headers()[ALLOWED], "*");
    let error = service().allow_origin("ops.example").build().unwrap_err().to_string();
    assert!(error.contains("`ops.example`") && error.contains("https://"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_name_that_cannot_be_decoded_is_quoted_as_it_came() {
    let router: Router = service().router();
    let answer = get(&router, "/health/%FF").await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert!(answer.body.contains("unknown check `%FF`"), "{}", answer.body);
}

#[tokio::test(start_paused = true)]
async fn a_selection_of_readiness_answers_alike_before_and_after_startup() {
    let migrations = fixed("migrations", CheckResult::healthy()).probe(Probe::Startup);
    let router: Router =
        health::builder().check(migrations).check(fixed("redis", CheckResult::healthy())).router();
    let before = get(&router, "/readyz?check=migrations").await;
    assert_eq!(before.status, StatusCode::OK);
    get(&router, "/startupz").await;
    let after = get(&router, "/readyz?check=migrations").await;
    assert_eq!((after.status, after.body.as_str()), (StatusCode::OK, r#"{"status":"healthy"}"#));
    assert_eq!(get(&router, "/startupz?check=migrations").await.status, StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn a_details_for_that_panics_gives_the_least_detail() {
    let router: Router = service().details_for(|_| panic!("who is that")).router();
    let answer = get(&router, "/health").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::OK, r#"{"status":"degraded"}"#));
}

#[tokio::test(start_paused = true)]
async fn health_json_has_component_types_and_an_output_only_where_something_is_wrong() {
    let health = health::builder()
        .check(fixed("a", CheckResult::healthy().with_message("fine")))
        .check(fixed("b", CheckResult::degraded("slow")))
        .build()
        .unwrap();
    health.drain();
    let router: Router = health.router();
    let draft = Some("application/health+json");
    let json = send(&router, "GET", "/health", draft).await.json();
    let check = |key: &str| json["checks"][key][0].clone();
    assert_eq!(check("a:responseTime")["componentType"], "component");
    assert!(check("a:responseTime").get("output").is_none(), "{json}");
    assert_eq!(check("b:responseTime")["output"], "slow");
    let drain = check("$drain:requestsInFlight");
    assert_eq!((&drain["observedValue"], &drain["observedUnit"]), (&0.into(), &"requests".into()));
    assert_eq!((&drain["status"], &drain["output"]), (&"fail".into(), &"draining".into()));
}

#[tokio::test(start_paused = true)]
async fn the_drain_layer_closes_connections_while_draining_and_counts_requests() {
    let health = service().build().unwrap();
    let app: Router = Router::new()
        .route("/", routing::get(async || "hello"))
        .route("/slow", routing::get(async || sleep(Duration::from_secs(5)).await))
        .layer(health.drain_layer())
        .merge(health.router());
    let closes = async || ask(&app, "/", &[]).await.headers().get(header::CONNECTION).cloned();
    assert_eq!(closes().await, None);
    let slow = tokio::spawn({
        let app = app.clone();
        async move { ask(&app, "/slow", &[]).await }
    });
    sleep(ms(10)).await;
    health.drain();
    assert_eq!(closes().await.unwrap(), "close");
    let verbose = get(&app, "/health?verbose").await.json();
    assert_eq!(verbose["checks"]["$drain"]["details"]["requests_in_flight"], 1);
    drop(slow.await.unwrap());
    let verbose = get(&app, "/health?verbose").await.json();
    assert_eq!(verbose["checks"]["$drain"]["details"]["requests_in_flight"], 0);
}

#[tokio::test]
async fn a_connection_is_upgraded_also_while_draining() {
    let health = health::builder().build().unwrap();
    let upgrade = [(header::CONNECTION, "upgrade"), (header::UPGRADE, "websocket")];
    let app: Router = Router::new()
        .route("/", routing::get(async move || (StatusCode::SWITCHING_PROTOCOLS, upgrade)))
        .layer(health.drain_layer());
    health.drain();
    assert_eq!(ask(&app, "/", &[]).await.headers()[header::CONNECTION], "upgrade");
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "Miri has no signals")]
async fn the_shutdown_signal_waits_for_requests_in_flight_where_it_was_asked_to() {
    for (max, expected) in [(60, 30), (10, 10)] {
        let builder = service().drain_delay(Duration::from_secs(5));
        let health = builder.drain_until_idle(Duration::from_secs(max)).build().unwrap();
        let app: Router = Router::new()
            .route("/slow", routing::get(async || sleep(Duration::from_secs(30)).await))
            .layer(health.drain_layer());
        let slow = tokio::spawn(async move { drop(ask(&app, "/slow", &[]).await) });
        tokio::task::yield_now().await;
        let begin = Instant::now();
        health.drain();
        health.shutdown_signal().await;
        assert_eq!(begin.elapsed().as_secs(), expected);
        slow.abort();
    }
}

#[tokio::test(start_paused = true)]
async fn a_check_says_what_it_says_also_while_the_program_drains() {
    let health = service().build().unwrap();
    health.drain();
    let router: Router = health.router();
    let answer = get(&router, "/health/database").await;
    assert_eq!((answer.status, answer.header("x-health-status")), (StatusCode::OK, "healthy"));
    assert!(!answer.body.contains("$drain"));
}

#[tokio::test(start_paused = true)]
async fn the_termination_log_is_written_when_draining_begins() {
    let path = std::env::temp_dir().join(format!("termination-log-{}", std::process::id()));
    let health = service().termination_log(&path).build().unwrap();
    health.report().await;
    health.drain();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(text.starts_with("health: unhealthy\nredis degraded: Redis unavailable"), "{text}");
    assert!(text.contains("$drain unhealthy: draining"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn ages_in_the_verbose_form_are_those_of_the_moment() {
    let router: Router = service().cache(Duration::from_secs(10)).router();
    let age =
        async || get(&router, "/health?verbose").await.json()["checks"]["redis"]["age_ms"].clone();
    assert_eq!(age().await, 0.0);
    advance(ms(7)).await;
    assert_eq!(age().await, 7.0);
}

#[tokio::test(start_paused = true)]
async fn one_encoding_is_shared_by_all_readers_of_a_form_until_something_changes() {
    let router: Router = service().cache(Duration::from_secs(10)).router();
    for (path, accept) in [
        ("/health", "application/json"),
        ("/readyz", "application/json"),
        ("/health", "text/plain"),
        ("/health", "application/health+json"),
        ("/health?check=redis", "application/json"),
        ("/health?tag=storage", "application/json"),
    ] {
        let body = async || {
            let response = ask(&router, path, &[("accept", accept)]).await;
            axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap()
        };
        let (one, other) = (body().await, body().await);
        assert!(std::ptr::eq(one.as_ptr(), other.as_ptr()), "{path} {accept}");
        sleep(Duration::from_secs(11)).await;
        let later = body().await;
        assert!(!std::ptr::eq(one.as_ptr(), later.as_ptr()), "{path} {accept}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_answer_says_that_it_is_what_it_says_and_is_not_to_be_kept() {
    let router: Router = service().router();
    for path in ["/health", "/health/nope", "/health/$stream", "/health?verbose=x", "/livez"] {
        let response = ask(&router, path, &[]).await;
        assert_eq!(response.headers()[header::X_CONTENT_TYPE_OPTIONS], "nosniff", "{path}");
        assert_eq!(response.headers()[header::CACHE_CONTROL], "no-store", "{path}");
    }
}
