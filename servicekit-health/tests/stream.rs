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
