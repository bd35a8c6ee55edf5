//! A runtime that is really starved, in real time.

use std::thread;
use std::time::Duration;

use servicekit_health::{self as health, Check, HealthState};
use tokio::task::yield_now;

#[tokio::test]
async fn a_runtime_kept_busy_is_seen_from_inside() {
    let stall =
        Check::runtime_stall(Duration::from_millis(100)).interval(Duration::from_millis(50));
    // As late as everything here, and a slow machine is no failure of this test.
    let health = health::builder().check(stall).deadline(Duration::from_secs(30)).build().unwrap();
    let runtime = health.check("runtime").await.unwrap();
    assert_eq!(runtime.state, HealthState::Healthy, "{:?}", runtime.message);

    let hog = tokio::spawn(async {
        loop {
            thread::sleep(Duration::from_millis(150));
            yield_now().await;
        }
    });
    let mut changes = std::pin::pin!(health.subscribe());
    let change = futures_util::StreamExt::next(&mut changes).await.unwrap();
    assert_eq!(change.to, HealthState::Degraded);
    let message = change.message.unwrap();
    assert!(message.contains("at most 100ms allowed"), "{message}");

    hog.abort();
    let change = futures_util::StreamExt::next(&mut changes).await.unwrap();
    assert_eq!(change.to, HealthState::Healthy);
}
