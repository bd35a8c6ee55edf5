//! Threads that are really blocked, in real time.

use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

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
    assert!(message.contains("more than 100ms late"), "{message}");

    hog.abort();
    let change = futures_util::StreamExt::next(&mut changes).await.unwrap();
    assert_eq!(change.to, HealthState::Healthy);
}

/// A timer that wakes the check is handled by a worker that then runs the check itself, and tokio
/// has no other look after timers and connections meanwhile.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_check_that_blocks_its_thread_after_it_waited_is_timed_out_meanwhile() {
    let long = Duration::from_secs(30);
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = std::sync::Arc::new(Mutex::new(blocked));
    let check = Check::new("blocks", move || {
        let blocked = std::sync::Arc::clone(&blocked);
        async move {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let _ = blocked.lock().unwrap().recv_timeout(long);
        }
    });
    let check = check.timeout(Duration::from_millis(100));
    let health = health::builder().deadline(long).check(check).build().unwrap();
    let started = Instant::now();
    let report = tokio::spawn(async move { health.check("blocks").await.unwrap() }).await.unwrap();
    assert_eq!(report.message.as_deref(), Some("timed out after 100ms"));
    assert!(started.elapsed() < long, "it waited for the check");
    drop(release);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_that_blocks_its_thread_is_timed_out_meanwhile() {
    let long = Duration::from_secs(30);
    let (release, blocked) = mpsc::channel::<()>();
    let blocked = Mutex::new(blocked);
    let check = Check::new("blocks", move || {
        let _ = blocked.lock().unwrap().recv_timeout(long);
        std::future::ready(())
    });
    let check = check.timeout(Duration::from_millis(100));
    let health = health::builder().deadline(long).check(check).build().unwrap();
    let started = Instant::now();
    // A reader on a worker, as a request is.
    let report = tokio::spawn(async move { health.check("blocks").await.unwrap() }).await.unwrap();
    assert_eq!(report.message.as_deref(), Some("timed out after 100ms"));
    assert!(started.elapsed() < long, "it waited for the check");
    drop(release);
}
