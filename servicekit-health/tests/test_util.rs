//! The kit for the tests of a service, and drills.
#![cfg(feature = "test-util")]

mod common;

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use futures_util::StreamExt;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckResult};
use tokio::time::Instant;

use common::{get, service};

#[tokio::test(start_paused = true)]
async fn a_forced_result_is_what_every_reader_sees_until_it_is_released() {
    let calls = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&calls);
    let redis = Check::new("redis", move || {
        counted.fetch_add(1, Ordering::Relaxed);
        async {}
    });
    let health = health::builder().check(redis.cache(Duration::from_secs(60))).build().unwrap();
    let router: Router = health.router();
    let mut changes = health.subscribe();
    assert_eq!(get(&router, "/health").await.status, 200);

    health.force("redis", CheckResult::unhealthy("gone: redis://app:secret@cache")).await;
    let answer = get(&router, "/health").await;
    assert_eq!(answer.status, 503);
    assert_eq!(answer.json()["checks"]["redis"]["message"], "gone: redis://***@cache");
    let change = changes.next().await.unwrap();
    assert_eq!((change.from, change.to), (Some(Healthy), Unhealthy));
    assert_eq!(calls.load(Ordering::Relaxed), 1, "its function is not called meanwhile");

    health.release("redis").await;
    health.assert_states([("redis", Healthy)]).await;
    assert_eq!(calls.load(Ordering::Relaxed), 2);
}

#[tokio::test(start_paused = true)]
async fn a_forced_result_gets_past_thresholds_by_as_many_runs() {
    let check = common::fixed("queue", Healthy.into());
    let check = check.failure_threshold(3).success_threshold(2);
    let health = health::builder().check(check).build().unwrap();
    health.assert_states([("queue", Healthy)]).await;
    health.force("queue", Degraded).await;
    let queue = health.check("queue").await.unwrap();
    assert_eq!((queue.state, queue.consecutive_failures), (Degraded, 3));

    health.release("queue").await;
    let queue = health.check("queue").await.unwrap();
    assert_eq!((queue.state, queue.raw_state), (Degraded, Some(Healthy)), "one of two");
    assert_eq!(health.run_check("queue").await.state, Healthy);
}

#[tokio::test(start_paused = true)]
async fn a_live_run_does_not_undo_what_is_forced() {
    let check = Check::new("slow", pending::<()>).on_error(Degraded);
    let health = health::builder().check(check).build().unwrap();
    let reader = health.clone();
    let reader = tokio::spawn(async move { reader.report().await });
    tokio::task::yield_now().await;
    health.force("slow", Healthy).await;
    assert_eq!(reader.await.unwrap().status, Healthy);
    health.assert_states([("slow", Healthy)]).await;
}

#[tokio::test(start_paused = true)]
async fn a_background_check_is_forced_between_its_intervals() {
    let check = common::fixed("backup", Healthy.into()).interval(Duration::from_secs(3600));
    let health = health::builder().check(check).build().unwrap();
    health.assert_states([("backup", Healthy)]).await;
    let begin = Instant::now();
    health.force("backup", Unhealthy).await;
    health.assert_states([("backup", Unhealthy)]).await;
    assert_eq!(begin.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn waiting_for_a_state_ends_with_the_transition() {
    let begin = Instant::now();
    let check = Check::new("redis", move || async move {
        if begin.elapsed() < Duration::from_secs(5) { Unhealthy } else { Healthy }
    });
    let health = health::builder().check(check).build().unwrap();
    health.wait_for("redis", Healthy).await;
    let took = begin.elapsed();
    assert!((5000..5600).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "check `redis` did not become unhealthy within 60s: it is degraded")]
async fn waiting_for_what_does_not_come_fails_with_what_is() {
    service().build().unwrap().wait_for("redis", Unhealthy).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(
    expected = "`database` is healthy, not unhealthy (message: None); `redis` is degraded"
)]
async fn wrong_states_are_all_named() {
    let health = service().build().unwrap();
    health.assert_states([("database", Unhealthy), ("redis", Healthy)]).await;
}

#[tokio::test(start_paused = true)]
#[should_panic(expected = "unknown check `reddis`; did you mean `redis`?")]
async fn a_wrong_name_is_no_silent_success() {
    service().build().unwrap().force("reddis", Healthy).await;
}
