//! `GET /health/$stream`.

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, BodyDataStream};
use axum::http::{Request, Response, StatusCode};
use common::{get, service};
use futures_util::StreamExt;
use servicekit_health::{self as health, Check};
use tokio::time::{Instant, timeout};
use tower::ServiceExt;

async fn open(router: &Router, query: &str) -> Response<Body> {
    let request = Request::get(format!("/health/%24stream{query}")).body(Body::empty());
    router.clone().oneshot(request.unwrap()).await.unwrap()
}

async fn next(events: &mut BodyDataStream) -> String {
    String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap()
}

/// A check that counts its runs and says so.
fn counting(runs: &Arc<AtomicU64>) -> Check {
    let runs = Arc::clone(runs);
    Check::new("count", move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move { health::CheckResult::degraded(format!("run {run}")) }
    })
}

#[tokio::test(start_paused = true)]
async fn every_event_is_the_json_of_health_on_a_steady_tick() {
    let router = service().router();
    let json = get(&router, "/health").await.body;
    let response = open(&router, "?poll_interval=0.5").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    assert_eq!(response.headers()["x-accel-buffering"], "no");
    let mut events = response.into_body().into_data_stream();
    let start = Instant::now();
    for tick in 0..5 {
        assert_eq!(next(&mut events).await, format!("data: {json}\n\n"));
        assert_eq!(start.elapsed().as_millis() / 10, tick * 50);
    }
}

#[tokio::test(start_paused = true)]
async fn with_the_defaults_every_tick_carries_a_fresh_result() {
    let runs = Arc::default();
    let router = health::builder().check(counting(&runs)).router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    for run in 0..5 {
        assert!(next(&mut events).await.contains(&format!("run {run}")));
    }
}

#[tokio::test(start_paused = true)]
async fn two_hundred_streams_cost_no_more_runs_than_the_cache_allows() {
    let runs = Arc::default();
    let router = health::builder().max_streams(200).check(counting(&runs)).router();
    let mut readers = Vec::new();
    for _ in 0..200 {
        let mut events = open(&router, "?poll_interval=0.1").await.into_body().into_data_stream();
        readers.push(tokio::spawn(async move { while events.next().await.is_some() {} }));
    }
    tokio::time::sleep(Duration::from_secs(10)).await;
    readers.iter().for_each(tokio::task::JoinHandle::abort);
    let runs = runs.load(Ordering::Relaxed);
    assert!((15..=21).contains(&runs), "{runs} runs");
}

#[tokio::test(start_paused = true)]
async fn on_change_is_silent_but_for_comments_until_something_differs() {
    let router = service().router();
    let mut events = open(&router, "?on=change").await.into_body().into_data_stream();
    let start = Instant::now();
    assert!(next(&mut events).await.starts_with("data: "));
    for comment in 1..4 {
        assert!(next(&mut events).await.starts_with(':'));
        assert_eq!(start.elapsed().as_secs(), comment * 4);
    }

    let runs = Arc::default();
    let router = health::builder().check(counting(&runs)).router();
    let mut events = open(&router, "?on=change&verbose").await.into_body().into_data_stream();
    for run in 0..3 {
        assert!(next(&mut events).await.contains(&format!("run {run}")));
    }
}

#[tokio::test(start_paused = true)]
async fn a_difference_is_told_at_once_but_no_sooner_than_the_shortest_interval_after_another() {
    let number: Arc<AtomicU64> = Arc::default();
    let told = Arc::clone(&number);
    let check = Check::new("number", move || {
        let number = told.load(Ordering::Relaxed);
        async move { health::CheckResult::degraded(format!("number {number}")) }
    });
    let health = health::builder().check(check.cache(Duration::ZERO)).build().unwrap();
    let events = open(&health.router(), "?on=change&poll_interval=60").await;
    let mut events = events.into_body().into_data_stream();
    assert!(next(&mut events).await.contains("number 0"));
    let start = Instant::now();
    tokio::spawn(async move {
        for at in [1000, 1010] {
            tokio::time::sleep_until(start + Duration::from_millis(at)).await;
            number.fetch_add(1, Ordering::Relaxed);
            health.report().await;
        }
        std::future::pending::<()>().await;
    });
    for (event, tens_of_millis) in [("number 1", 100), ("number 2", 110)] {
        assert!(next(&mut events).await.contains(event));
        assert_eq!(start.elapsed().as_millis() / 10, tens_of_millis);
    }
}

#[tokio::test]
async fn an_impossible_poll_interval_is_a_400_with_the_bounds() {
    let router = service().router();
    for text in ["0", "-1", "1e-9", "NaN", "inf", "3601", "abc", ""] {
        let answer = get(&router, &format!("/health/$stream?poll_interval={text}")).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{text}");
        assert!(answer.body.contains("`poll_interval`"), "{}", answer.body);
        assert!(answer.body.contains("0.1 to 3600"), "{}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn more_streams_than_allowed_are_told_to_come_again() {
    let router = service().max_streams(1).router();
    let first = open(&router, "").await;
    let second = open(&router, "").await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(second.headers().contains_key("retry-after"));
    drop(first);
    assert_eq!(open(&router, "").await.status(), StatusCode::OK);
}

#[tokio::test(start_paused = true)]
async fn draining_sends_a_last_event_and_ends_the_stream() {
    let health = service().build().unwrap();
    let router = health.router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    next(&mut events).await;
    health.drain();
    let last = timeout(Duration::from_millis(1), next(&mut events)).await.unwrap();
    assert!(last.contains(r#""$drain":{"state":"unhealthy","message":"draining"}"#), "{last}");
    assert!(last.contains(r#""database":{"state":"healthy"}"#), "{last}");
    assert!(events.next().await.is_none());

    let late: Vec<_> = open(&router, "").await.into_body().into_data_stream().collect().await;
    assert_eq!(late.len(), 1, "a new stream gets one event and ends");
}

#[tokio::test(start_paused = true)]
async fn a_selection_holds_for_the_stream() {
    let router = service().router();
    let json = get(&router, "/health?check=database").await.body;
    let mut events = open(&router, "?check=database").await.into_body().into_data_stream();
    assert_eq!(next(&mut events).await, format!("data: {json}\n\n"));
}

/// A check whose every run takes this long and says its number.
fn slow(millis: u64) -> Check {
    let runs = AtomicU64::new(0);
    Check::new("slow", move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move {
            tokio::time::sleep(Duration::from_millis(millis)).await;
            health::CheckResult::degraded(format!("run {run};"))
        }
    })
}

#[tokio::test(start_paused = true)]
async fn a_slow_check_does_not_stretch_the_tick() {
    let router = health::builder().check(slow(300)).router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    let mut arrivals = Vec::new();
    for run in 0..6 {
        assert!(next(&mut events).await.contains(&format!("run {run};")));
        arrivals.push(Instant::now());
    }
    for pair in arrivals[1..].windows(2) {
        let millis = (pair[1] - pair[0]).as_millis();
        assert!((997..=1003).contains(&millis), "{millis} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_waits_for_its_first_result_is_not_silent() {
    let patient = Duration::from_secs(30);
    let builder = health::builder().deadline(patient).timeout(patient);
    let router = builder.check(slow(6000)).router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    let start = Instant::now();
    assert!(next(&mut events).await.starts_with(':'));
    assert_eq!(start.elapsed().as_secs(), 4);
    assert!(next(&mut events).await.contains("run 0;"));
    assert_eq!(start.elapsed().as_secs(), 6);
}

#[tokio::test(start_paused = true)]
async fn a_comment_does_not_move_the_deadline_of_an_event() {
    let builder = health::builder().deadline(Duration::from_secs(5));
    let router = builder.timeout(Duration::from_secs(30)).check(slow(20_000)).router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    let start = Instant::now();
    assert!(next(&mut events).await.starts_with(':'));
    assert_eq!(start.elapsed().as_secs(), 4);
    let event = next(&mut events).await;
    assert!(event.contains("no result within the deadline"), "{event}");
    assert_eq!(start.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn draining_does_not_wait_for_a_check_that_hangs() {
    let patient = Duration::from_secs(30);
    for query in ["", "?on=change", "?verbose&on=change", "?check=slow"] {
        let builder = health::builder().deadline(patient).timeout(patient);
        let health = builder.check(slow(20_000)).build().unwrap();
        let mut events = open(&health.router(), query).await.into_body().into_data_stream();
        assert!(next(&mut events).await.starts_with(':'));
        health.drain();
        let last = timeout(Duration::from_millis(1), next(&mut events)).await.unwrap();
        assert!(last.contains(r#""$drain""#), "{query}: {last}");
        assert!(last.contains(r#""message":"no result yet""#), "{query}: {last}");
        assert!(events.next().await.is_none(), "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_opened_while_draining_still_asks_the_checks() {
    let health = service().build().unwrap();
    health.drain();
    let json = get(&health.router(), "/health").await.body;
    assert!(json.contains(r#""database":{"state":"healthy"}"#), "{json}");
    let fresh = service().build().unwrap();
    fresh.drain();
    let events = open(&fresh.router(), "").await.into_body().into_data_stream();
    let events: Vec<_> = events.map(Result::unwrap).collect().await;
    assert_eq!(events, [format!("data: {json}\n\n")]);
}

/// Draining begins while the event of a tick is being made, at any point of that.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_stream_ends_without_having_been_told() {
    for round in 0..2_000_u32 {
        let health = service().cache(Duration::from_secs(60)).build().unwrap();
        health.report().await;
        let events = open(&health.router(), "").await.into_body().into_data_stream();
        let reader = tokio::spawn(events.map(Result::unwrap).collect::<Vec<_>>());
        for _ in 0..round % 64 {
            std::hint::spin_loop();
        }
        health.drain();
        let events = reader.await.unwrap();
        let last = String::from_utf8_lossy(events.last().unwrap());
        assert!(last.contains(r#""$drain""#), "round {round}: {last}");
    }
}

#[tokio::test(start_paused = true)]
async fn between_rare_events_there_are_comments() {
    let router = service().router();
    let mut events = open(&router, "?poll_interval=10").await.into_body().into_data_stream();
    let start = Instant::now();
    for (second, prefix) in [(0, "data: "), (4, ":"), (8, ":"), (10, "data: "), (14, ":")] {
        assert!(next(&mut events).await.starts_with(prefix), "second {second}");
        assert_eq!(start.elapsed().as_secs(), second);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_of_details_alone_is_no_change() {
    let runs = AtomicU64::new(0);
    let check = Check::new("db", move || {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        async move { health::CheckResult::healthy().with_detail("run", run) }
    });
    let router = health::builder().check(check).router();
    let mut events = open(&router, "?on=change&verbose").await.into_body().into_data_stream();
    assert!(next(&mut events).await.starts_with("data: "));
    for _ in 0..3 {
        assert!(next(&mut events).await.starts_with(':'));
    }
}

#[tokio::test(start_paused = true)]
async fn the_query_of_a_stream_means_what_it_means_on_health() {
    let router = service().cache(Duration::from_secs(60)).router();
    for query in ["verbose", "tag=storage&exclude=redis", "check=redis&verbose=1", "other=1"] {
        let json = get(&router, &format!("/health?{query}")).await.body;
        let mut events = open(&router, &format!("?{query}")).await.into_body().into_data_stream();
        assert_eq!(next(&mut events).await, format!("data: {json}\n\n"), "{query}");
    }
    let states = service().details(health::Details::States).router();
    let json = get(&states, "/health").await.body;
    let mut events = open(&states, "").await.into_body().into_data_stream();
    assert_eq!(next(&mut events).await, format!("data: {json}\n\n"));
}

#[tokio::test(start_paused = true)]
async fn draining_ends_streams_that_wait_for_a_change_or_select() {
    let health = service().build().unwrap();
    let router = health.router();
    let mut streams = Vec::new();
    for query in ["?on=change", "?check=database", "?verbose", "?poll_interval=3600"] {
        let mut events = open(&router, query).await.into_body().into_data_stream();
        next(&mut events).await;
        streams.push((query, events));
    }
    health.drain();
    for (query, mut events) in streams {
        let last = timeout(Duration::from_millis(1), next(&mut events)).await.unwrap();
        assert!(last.contains(r#""$drain""#), "{query}: {last}");
        assert!(events.next().await.is_none(), "{query}");
        let late: Vec<_> =
            open(&router, query).await.into_body().into_data_stream().collect().await;
        assert_eq!(late.len(), 1, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_read_of_the_head_holds_no_stream() {
    let router = service().max_streams(1).router();
    for method in ["HEAD", "OPTIONS", "HEAD", "POST"] {
        common::send(&router, method, "/health/$stream", None).await;
    }
    let only = open(&router, "").await;
    assert_eq!(only.status(), StatusCode::OK);
    let head = common::send(&router, "HEAD", "/health/%24stream", None).await;
    assert_eq!((head.status, head.header("retry-after")), (StatusCode::SERVICE_UNAVAILABLE, "5"));
}

#[tokio::test(start_paused = true)]
async fn the_grid_begins_with_the_request_not_with_its_first_answer() {
    let slow = Check::new("slow", || tokio::time::sleep(Duration::from_millis(300)));
    let router = health::builder().check(slow).router();
    let mut events = open(&router, "").await.into_body().into_data_stream();
    let start = Instant::now();
    for second in 0..3 {
        next(&mut events).await;
        assert_eq!(start.elapsed().as_millis() / 10, second * 100 + 30);
    }
}

#[tokio::test]
async fn keys_of_the_stream_are_ignored_elsewhere_even_twice() {
    let router = service().router();
    for query in ["poll_interval=0", "poll_interval=1&poll_interval=2", "on=a&on=b"] {
        assert_eq!(get(&router, &format!("/health?{query}")).await.status, StatusCode::OK);
        let stream = get(&router, &format!("/health/$stream?{query}")).await.status;
        assert_eq!(stream, StatusCode::BAD_REQUEST, "{query}");
    }
}
