//! How checks run: all at once, shared, bounded, and never disturbed by who asks.

use std::error::Error;
use std::fmt;
use std::future::pending;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{FutureExt, StreamExt};
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckReport, CheckResult, Health};
use tokio::time::{Instant, advance, sleep, timeout};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn only(check: Check) -> Health {
    health::builder().check(check).build().unwrap()
}

async fn ask(health: &Health, name: &str) -> CheckReport {
    health.check(name).await.expect("a check of this name")
}

/// Timers have a resolution of a millisecond.
#[track_caller]
fn assert_about(elapsed: Duration, expected: Duration) {
    let most = expected + ms(2);
    assert!((expected..=most).contains(&elapsed), "{elapsed:?} instead of {expected:?}");
}

/// Counts the runs of a check.
#[derive(Clone, Default)]
struct Runs(Arc<AtomicUsize>);

impl Runs {
    /// A run begins; gives back how many there were before it.
    fn begin(&self) -> usize {
        self.0.fetch_add(1, Ordering::SeqCst)
    }

    fn count(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }

    /// A check of which every run takes this long.
    fn check_of(&self, name: &str, takes: Duration) -> Check {
        let runs = self.clone();
        Check::new(name, move || {
            runs.begin();
            sleep(takes)
        })
    }

    /// A check that answers once at once, and takes this long ever after.
    fn slowing_check(&self, name: &str, takes: Duration) -> Check {
        let runs = self.clone();
        Check::new(name, move || {
            let run = runs.begin();
            async move {
                if run == 0 {
                    return CheckResult::healthy().with_message("fast");
                }
                sleep(takes).await;
                CheckResult::degraded("slow")
            }
        })
    }
}

#[tokio::test(start_paused = true)]
async fn all_checks_run_at_once() {
    let builder = (0..50).fold(health::builder(), |builder, number| {
        builder.check(Check::new(format!("check-{number}"), || sleep(ms(100))))
    });
    let health = builder.build().unwrap();
    let started = Instant::now();
    let report = health.report().await;
    assert_about(started.elapsed(), ms(100));
    assert_eq!(report.checks.len(), 50);
    assert_eq!(report.status, Healthy);
}

#[tokio::test(start_paused = true)]
async fn concurrent_readers_share_one_run() {
    let runs = Runs::default();
    let health = only(runs.check_of("shared", ms(100)));
    let clone = health.clone();
    let readers = (0..20).map(|number| {
        let health = if number % 2 == 0 { &health } else { &clone };
        async move {
            sleep(ms(number)).await;
            health.report().await
        }
    });
    let started = Instant::now();
    let reports = join_all(readers).await;
    assert_about(started.elapsed(), ms(100));
    assert!(reports.iter().all(|report| report.status == Healthy));
    assert_eq!(runs.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_goes_away_cancels_nothing_and_is_no_result() {
    let runs = Runs::default();
    let health = only(runs.check_of("patient", ms(300)));
    assert!(timeout(ms(50), health.report()).await.is_err());
    let reader = tokio::spawn({
        let health = health.clone();
        async move { health.report().await }
    });
    sleep(ms(50)).await;
    reader.abort();
    assert!(reader.await.unwrap_err().is_cancelled());

    let started = Instant::now();
    let report = ask(&health, "patient").await;
    assert_about(started.elapsed(), ms(200));
    assert_eq!(report.state, Healthy);
    assert_eq!(report.message, None);
    assert_eq!(report.consecutive_failures, 0);
    assert_eq!(runs.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_result_without_any_reader_left_serves_the_next() {
    let runs = Runs::default();
    let health = only(runs.check_of("left-alone", ms(300)));
    assert!(timeout(ms(50), health.report()).await.is_err());
    sleep(ms(300)).await;
    let started = Instant::now();
    assert_eq!(ask(&health, "left-alone").await.state, Healthy);
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(runs.count(), 1);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "thousands of requests")]
async fn a_check_runs_at_most_once_per_cache_whatever_the_traffic() {
    let runs = Runs::default();
    let health = only(runs.check_of("cached", ms(0)).cache(ms(200)));
    for _ in 0..1000 {
        join_all((0..3).map(|_| health.report())).await;
        sleep(ms(1)).await;
    }
    assert!((4..=6).contains(&runs.count()), "{} runs", runs.count());
}

#[tokio::test(start_paused = true)]
async fn the_cache_counts_from_the_end_of_the_run() {
    let runs = Runs::default();
    let health = only(runs.check_of("cached", ms(100)).cache(ms(200)));
    health.report().await;
    sleep(ms(195)).await;
    health.report().await;
    assert_eq!(runs.count(), 1);
    sleep(ms(10)).await;
    health.report().await;
    assert_eq!(runs.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn without_a_cache_readers_still_join_a_live_run() {
    let runs = Runs::default();
    let health = only(runs.check_of("uncached", ms(100)).cache(Duration::ZERO));
    let late = async {
        sleep(ms(60)).await;
        health.report().await
    };
    tokio::join!(health.report(), health.report(), late);
    assert_eq!(runs.count(), 1);
    health.report().await;
    assert_eq!(runs.count(), 2);
}

#[derive(Debug)]
struct Lost(std::num::ParseIntError);

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("session lost")
    }
}

impl Error for Lost {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_takes_on_error_and_tells_its_whole_chain() {
    let failing = || async { "many".parse::<u32>().map(|_| ()).map_err(Lost) };
    let health = health::builder()
        .check(Check::new("default", failing))
        .check(Check::new("mild", failing).on_error(Degraded))
        .build()
        .unwrap();
    let report = health.report().await;
    let message = Some("session lost: invalid digit found in string");
    assert_eq!(report.checks["default"].state, Unhealthy);
    assert_eq!(report.checks["default"].message.as_deref(), message);
    assert_eq!(report.checks["mild"].state, Degraded);
    assert_eq!(report.checks["mild"].message.as_deref(), message);
    assert_eq!(report.status, Unhealthy);
}

fn lose(shard: Option<u32>) {
    match shard {
        Some(number) => panic!("shard {number} is lost"),
        None => panic!("every shard is lost"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failed_result_with_its_text() {
    let health = health::builder()
        .check(Check::new("literal", || async { lose(None) }))
        .check(Check::new("formatted", || async { lose(Some(3)) }).on_error(Degraded))
        .check(Check::new("while-called", || {
            lose(None);
            async {}
        }))
        .check(Check::blocking("blocking", || lose(Some(4))))
        .check(Check::new("beside", || async {}))
        .build()
        .unwrap();
    let report = health.report().await;
    let told = |name: &str| {
        let check = &report.checks[name];
        (check.state, check.message.as_deref())
    };
    assert_eq!(told("literal"), (Unhealthy, Some("every shard is lost")));
    assert_eq!(told("formatted"), (Degraded, Some("shard 3 is lost")));
    assert_eq!(told("while-called"), (Unhealthy, Some("every shard is lost")));
    assert_eq!(told("blocking"), (Unhealthy, Some("shard 4 is lost")));
    assert_eq!(told("beside"), (Healthy, None));
}

#[tokio::test(start_paused = true)]
async fn a_run_that_takes_too_long_is_dropped_and_says_so() {
    struct Guard(Arc<AtomicBool>);
    impl Drop for Guard {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let check = Check::new("hangs", move || {
        let guard = Guard(Arc::clone(&flag));
        async move {
            let _guard = guard;
            pending::<()>().await;
        }
    });
    let health = only(check.timeout(ms(400)).on_error(Degraded));
    let started = Instant::now();
    let report = ask(&health, "hangs").await;
    assert_about(started.elapsed(), ms(400));
    assert_eq!(report.state, Degraded);
    assert_eq!(report.message.as_deref(), Some("timed out after 400ms"));
    assert!(!report.stale);
    assert_eq!(report.consecutive_failures, 1);
    sleep(ms(1)).await;
    assert!(dropped.load(Ordering::SeqCst));
}

/// A blocking check whose first run hangs until it is told to end, and has come to its timeout of
/// 100 ms. No clock moves by itself while it is live: it is moved by hand.
struct Stuck {
    health: Health,
    runs: Runs,
    release: mpsc::Sender<()>,
}

impl Stuck {
    async fn begin(cache: u64) -> Self {
        let runs = Runs::default();
        let (release, hung) = mpsc::channel();
        let hung = Mutex::new(hung);
        let (begin, begun) = mpsc::channel();
        let counted = runs.clone();
        let check = Check::blocking("stuck", move || {
            if counted.begin() == 0 {
                begin.send(()).unwrap();
                // Ends with the test, also with one that fails.
                let _ = hung.lock().unwrap().recv();
            }
        });
        let health = only(check.timeout(ms(100)).cache(ms(cache)));
        let first = tokio::spawn({
            let health = health.clone();
            async move { ask(&health, "stuck").await }
        });
        tokio::task::yield_now().await;
        begun.recv_timeout(secs(10)).expect("a run");
        advance(ms(100)).await;
        for _ in 0..10 {
            tokio::task::yield_now().await;
        }
        let first = first.now_or_never().expect("an answer at the timeout").unwrap();
        assert_eq!(first.message.as_deref(), Some("timed out after 100ms"));
        Self { health, runs, release }
    }

    fn told(&self) -> CheckReport {
        ask(&self.health, "stuck").now_or_never().expect("an answer at once")
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocking_check_that_hangs_keeps_its_slot_and_heals_when_it_ends() {
    let stuck = Stuck::begin(200).await;
    advance(ms(200)).await;
    assert_eq!(stuck.told().message.as_deref(), Some("still running after its timeout of 100ms"));
    let mut transitions = stuck.health.subscribe();
    assert!(transitions.next().now_or_never().is_none());
    stuck.release.send(()).unwrap();
    let waited = std::time::Instant::now();
    while ask(&stuck.health, "stuck").await.state != Healthy {
        assert!(waited.elapsed() < secs(10), "the slot is free again");
        tokio::task::yield_now().await;
    }
    let transition = transitions.next().now_or_never().unwrap().unwrap();
    assert_eq!((transition.from, transition.to), (Some(Unhealthy), Healthy));
    assert_eq!((transition.lasted, transition.failures), (Some(ms(200)), 1));
    assert!(transitions.next().now_or_never().is_none());
}

#[tokio::test(start_paused = true)]
async fn still_running_is_told_at_once_and_without_waiting_for_anything() {
    let stuck = Stuck::begin(200).await;
    for (passes, message) in [
        (199, "timed out after 100ms"),
        (1, "still running after its timeout of 100ms"),
        (700, "still running after its timeout of 100ms"),
        (11_300, "still running after its timeout of 100ms"),
    ] {
        advance(ms(passes)).await;
        let told = stuck.told();
        assert_eq!((told.state, told.message.as_deref()), (Unhealthy, Some(message)));
        assert_eq!(told.consecutive_failures, 1);
        let report = stuck.health.report().now_or_never().expect("an answer at once");
        assert_eq!(report.checks["stuck"].message.as_deref(), Some(message));
    }
    assert_eq!(stuck.runs.count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_check_is_answered_with_its_last_result_and_lands_in_the_next_answer() {
    let runs = Runs::default();
    let check = runs.slowing_check("slowing", secs(3));
    let health = only(check.timeout(secs(5)).on_error(Degraded));
    health.report().await;
    sleep(secs(1)).await;

    let started = Instant::now();
    let late = ask(&health, "slowing").await;
    assert_about(started.elapsed(), ms(900));
    assert_eq!(late.state, Healthy);
    assert_eq!(late.message.as_deref(), Some("fast"));
    assert!(late.stale);
    assert_eq!(late.consecutive_failures, 0);

    sleep(ms(2_200)).await;
    let started = Instant::now();
    let next = ask(&health, "slowing").await;
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(next.message.as_deref(), Some("slow"));
    assert!(!next.stale);
    assert_eq!(runs.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_check_without_a_recent_result_takes_on_error() {
    let runs = Runs::default();
    let health = health::builder()
        .check(runs.slowing_check("old", secs(3)).timeout(secs(5)))
        .build()
        .unwrap();
    health.report().await;
    sleep(secs(31)).await;
    let report = ask(&health, "old").await;
    assert_eq!(report.state, Unhealthy);
    let message = report.message.unwrap();
    assert_eq!(message, "no result within the deadline, and the last one is older than 30s");

    let new = Check::new("new", || sleep(secs(3)));
    let health = only(new.timeout(secs(5)).on_error(Degraded));
    let started = Instant::now();
    let report = ask(&health, "new").await;
    assert_about(started.elapsed(), ms(900));
    assert_eq!(report.state, Degraded);
    let message = report.message.as_deref();
    assert_eq!(message, Some("no result within the deadline"));
    assert_eq!(report.consecutive_failures, 0);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_comes_later_in_a_long_run_is_not_given_the_answer_of_an_earlier_one() {
    let runs = Runs::default();
    let health = only(runs.slowing_check("old", secs(600)).timeout(secs(900)));
    ask(&health, "old").await;
    let begin = Instant::now();
    sleep(secs(1)).await;
    // Every reader finds the same run under way, and nothing else that changes.
    while begin.elapsed() < secs(60) {
        let report = health.report().await;
        let old = &report.checks["old"];
        let expected = if begin.elapsed() < secs(30) { Healthy } else { Unhealthy };
        assert_eq!(old.state, expected, "{:?} after {:?}", old.message, begin.elapsed());
        assert_eq!(old.stale, expected == Healthy);
        sleep(secs(4)).await;
    }
    assert_eq!(runs.count(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_late_check_does_not_make_those_in_time_stale() {
    let quick = |name: &str| Check::new(name, || sleep(ms(100)));
    let health = health::builder()
        .check(quick("before"))
        .check(Check::new("late", || sleep(secs(3))).timeout(secs(5)))
        .check(quick("with"))
        .build()
        .unwrap();
    let report = health.report().await;
    assert_eq!(report.checks["late"].state, Unhealthy);
    for name in ["before", "with"] {
        assert_eq!(report.checks[name].state, Healthy, "{name}");
        assert!(!report.checks[name].stale, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_joins_others_gets_no_result_that_has_expired_since_they_came() {
    let (short, slow) = (Runs::default(), Runs::default());
    let health = health::builder()
        .check(short.check_of("short", Duration::ZERO).cache(ms(5)))
        .check(slow.check_of("slow", ms(100)))
        .build()
        .unwrap();
    ask(&health, "short").await;
    let second = async {
        sleep(ms(8)).await;
        health.report().await
    };
    // The first finds a result that serves it, and waits for the other check only.
    let (first, second) = tokio::join!(health.report(), second);
    assert_eq!((first.status, second.status), (Healthy, Healthy));
    assert_eq!((short.count(), slow.count()), (2, 1));
}
