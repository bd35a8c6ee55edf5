//! Runs live on the application's runtime: what becomes of them where that ends, is not driven, or is
//! busy while a reader asks from another one.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckResult, Health};
use tokio::runtime::{Builder, Runtime};
use tokio::time::sleep;

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn only(check: Check) -> Health {
    health::builder().check(check).build().unwrap()
}

async fn message(health: &Health, check: &str) -> Option<String> {
    health.check(check).await.unwrap().message
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// A runtime that is shut down before the supervisor of a run was ever polled.
#[test]
fn a_check_is_not_stuck_where_its_runtime_ended_at_once() {
    for _ in 0..50 {
        let health = only(Check::new("check", || async {}));
        let first = runtime();
        first.block_on(async {
            let _ = health.report().now_or_never();
        });
        drop(first);
        let begin = std::time::Instant::now();
        let report = runtime().block_on(health.report());
        assert_eq!(report.status, Healthy, "{report:?}");
        assert!(begin.elapsed() < ms(800), "{:?}", begin.elapsed());
    }
}

#[test]
fn an_old_result_is_no_fresh_one_where_the_runtime_of_the_run_has_ended() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let check = Check::new("check", move || {
        let run = counted.fetch_add(1, Ordering::SeqCst);
        async move {
            if run == 1 {
                std::future::pending::<()>().await;
            }
            if run == 0 { Healthy } else { Degraded }
        }
    });
    let health = only(check.cache(Duration::ZERO));
    let (first, second) = (runtime(), runtime());
    assert_eq!(first.block_on(health.report()).status, Healthy);
    first.block_on(async {
        let _ = health.report().now_or_never();
        while runs.load(Ordering::SeqCst) < 2 {
            tokio::task::yield_now().await;
        }
    });
    let joins = {
        let health = health.clone();
        std::thread::spawn(move || second.block_on(async move { health.check("check").await }))
    };
    std::thread::sleep(ms(50));
    drop(first);
    let report = joins.join().unwrap().unwrap();
    assert_eq!((report.state, report.stale), (Degraded, false), "{report:?}");
}

/// The first runtime is there, but nothing drives it.
#[test]
fn a_runtime_that_is_not_driven_does_not_hold_a_check_for_ever() {
    let live = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let counts = (Arc::clone(&live), Arc::clone(&most));
    let check = Check::new("check", move || {
        let (live, most) = counts.clone();
        async move {
            let now = live.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            live.fetch_sub(1, Ordering::SeqCst);
        }
    });
    let health = only(check.timeout(ms(100)).cache(Duration::ZERO));
    let idle = runtime();
    idle.block_on(async {
        let _ = health.report().now_or_never();
    });
    let begin = std::time::Instant::now();
    let driven = runtime();
    while driven.block_on(health.report()).status != Healthy {
        assert!(begin.elapsed() < secs(10), "the check is held");
        std::thread::sleep(ms(20));
    }
    drop(idle);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

/// The workers of the first runtime are blocked for as long as another would be given up.
#[test]
fn a_runtime_whose_workers_were_blocked_stays_the_application_s() {
    let mut application = Builder::new_multi_thread();
    let application = application.worker_threads(1).thread_name("application");
    let (first, second) = (application.enable_all().build().unwrap(), runtime());
    let place = Check::new("place", || async {
        CheckResult::healthy().with_message(std::thread::current().name().unwrap_or_default())
    });
    let place = place.timeout(ms(20)).cache(Duration::ZERO);
    let health = health::builder().check(place).deadline(ms(50)).build().unwrap();
    let read = || {
        let health = health.clone();
        second.block_on(async move { message(&health, "place").await })
    };
    first.block_on(health.report());
    assert_eq!(read().as_deref(), Some("application"));

    let ((begun, begins), (release, hold)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
    first.spawn(async move {
        let _ = begun.send(());
        let _ = hold.recv();
    });
    begins.recv().unwrap();
    let begin = std::time::Instant::now();
    let here = std::thread::current().name().map(str::to_owned);
    while begin.elapsed() < ms(1_300) {
        assert_ne!(read(), here);
        std::thread::sleep(ms(50));
    }
    drop(release);
    while read().is_some_and(|message| message.ends_with("timeout of 20ms")) {
        assert!(begin.elapsed() < secs(10), "the check is held");
    }
    assert_eq!(read().as_deref(), Some("application"));
}

/// Its runtime is so busy that a reader elsewhere has timed it out before it began.
#[test]
fn a_run_that_was_timed_out_before_it_began_does_not_begin() {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&runs);
    let check = Check::new("check", move || {
        counted.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    let health = only(check.timeout(ms(50)).cache(secs(60)));
    let busy = runtime();
    busy.block_on(async {
        let _ = health.report().now_or_never();
    });
    std::thread::sleep(ms(100));
    let seen = runtime().block_on(message(&health, "check"));
    assert_eq!(seen.as_deref(), Some("timed out after 50ms"));
    busy.block_on(async { sleep(ms(50)).await });
    assert_eq!(runs.load(Ordering::SeqCst), 0, "the next run may follow at once, within the cache");
}

#[test]
fn a_blocking_check_has_one_live_run_however_often_its_runtime_changes() {
    let (live, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (release, hangs) = mpsc::channel::<()>();
    let counts = (Arc::clone(&live), Arc::clone(&most));
    let hangs = Mutex::new(hangs);
    let check = Check::blocking("blocks", move || {
        let now = counts.0.fetch_add(1, Ordering::SeqCst) + 1;
        counts.1.fetch_max(now, Ordering::SeqCst);
        let _ = hangs.lock().unwrap().recv();
        counts.0.fetch_sub(1, Ordering::SeqCst);
    });
    let health = only(check.timeout(ms(20)).cache(Duration::ZERO));
    for _ in 0..4 {
        let runtime = runtime();
        assert_eq!(runtime.block_on(health.report()).status, Unhealthy);
        std::thread::sleep(ms(30));
        // Not held up by the thread that hangs.
        let begin = std::time::Instant::now();
        drop(runtime);
        assert!(begin.elapsed() < secs(1));
    }
    assert_eq!(most.load(Ordering::SeqCst), 1);
    drop(release);
}
