//! Nothing lies and nothing hangs: failures of the checks' own code, and of the callbacks that listen.

use std::error::Error;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::StreamExt;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckResult, Health, Probe};
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

async fn message(health: &Health, check: &str) -> Option<String> {
    health.check(check).await.unwrap().message
}

/// Where an error breaks.
#[derive(Clone, Copy, Debug)]
enum Breaks {
    Display,
    Source,
    Drop,
}

#[derive(Debug)]
struct Broken(Breaks);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        assert!(!matches!(self.0, Breaks::Display), "no text for this");
        f.write_str("broken")
    }
}

impl Error for Broken {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        assert!(!matches!(self.0, Breaks::Source), "no source of this");
        None
    }
}

impl Drop for Broken {
    fn drop(&mut self) {
        assert!(!matches!(self.0, Breaks::Drop) || std::thread::panicking(), "no end of this");
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_that_panics_is_a_failed_result_with_the_text_of_the_panic() {
    for (breaks, text) in [
        (Breaks::Display, "no text for this"),
        (Breaks::Source, "no source of this"),
        (Breaks::Drop, "no end of this"),
    ] {
        let fails = Arc::new(AtomicBool::new(false));
        let failing = Arc::clone(&fails);
        let check = Check::new("broken", move || {
            let fails = failing.load(Ordering::SeqCst);
            async move { if fails { Err(Broken(breaks)) } else { Ok(()) } }
        });
        let health = only(check.cache(Duration::ZERO).on_error(Degraded));
        assert_eq!(health.report().await.status, Healthy);
        fails.store(true, Ordering::SeqCst);
        for _ in 0..2 {
            let report = health.check("broken").await.unwrap();
            assert_eq!((report.state, report.message.as_deref()), (Degraded, Some(text)));
        }
        fails.store(false, Ordering::SeqCst);
        assert_eq!(health.report().await.status, Healthy, "it heals: {breaks:?}");
    }
}

#[derive(Debug)]
struct SlowText;

impl fmt::Display for SlowText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        std::thread::sleep(ms(300));
        f.write_str("said late")
    }
}

impl Error for SlowText {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_text_of_an_error_is_made_under_the_timeout_of_the_run() {
    let check = Check::new("slow", || async { Err::<(), _>(SlowText) }).timeout(ms(50));
    let health = only(check);
    let begin = std::time::Instant::now();
    assert_eq!(message(&health, "slow").await.as_deref(), Some("timed out after 50ms"));
    assert!(begin.elapsed() < ms(250), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_scrub_with_that_panics_is_a_failed_result() {
    let check = Check::new("check", || async { CheckResult::degraded("customer 7") });
    let builder = health::builder().check(check).scrub_with(|_| panic!("a rule that panics"));
    let report = builder.build().unwrap().check("check").await.unwrap();
    assert_eq!(report.state, Unhealthy);
    assert!(!report.message.unwrap().contains("customer"));
}

#[tokio::test(start_paused = true)]
async fn a_rule_of_ones_own_comes_before_those_of_the_crate() {
    let check = Check::new("check", || async {
        CheckResult::degraded("customer-4711 of postgres://app:hunter2@db/app")
            .with_detail("who", "customer-4711")
    });
    let builder =
        health::builder().check(check).scrub_with(|text| text.replace("4711", "***").into());
    let report = builder.build().unwrap().check("check").await.unwrap();
    assert_eq!(report.message.as_deref(), Some("customer-*** of postgres://***@db/app"));
    assert_eq!(report.details["who"], "customer-***");
}

#[tokio::test(start_paused = true)]
async fn startup_does_not_pass_on_an_answer_that_is_no_result() {
    let check = Check::new("migrations", || sleep(secs(3)))
        .timeout(secs(5))
        .on_error(Degraded)
        .probe(Probe::Startup);
    let health = only(check);
    let first = health.probe(Probe::Startup).await;
    let text = first.checks["migrations"].message.as_deref();
    assert_eq!((first.status, text), (Degraded, Some("no result within the deadline")));
    let second = health.probe(Probe::Startup).await;
    assert!(second.checks.contains_key("migrations"), "it has not passed: {second:?}");
    sleep(secs(3)).await;
    assert_eq!(health.probe(Probe::Startup).await.status, Healthy);
    assert!(health.probe(Probe::Startup).await.checks.is_empty(), "it has passed");
}

#[tokio::test(start_paused = true)]
async fn startup_does_not_pass_on_an_answer_in_place_of_a_result_that_is_unhealthy() {
    let runs = AtomicUsize::new(0);
    let check = Check::new("migrations", move || {
        let takes = if runs.fetch_add(1, Ordering::SeqCst) == 0 { 0 } else { 600 };
        async move {
            sleep(secs(takes)).await;
            CheckResult::unhealthy("2 of 5 are applied")
        }
    });
    let check = check.timeout(secs(900)).on_error(Degraded).probe(Probe::Startup);
    let health = only(check);
    assert_eq!(health.probe(Probe::Startup).await.status, Unhealthy);
    sleep(secs(40)).await;
    let late = health.probe(Probe::Startup).await;
    let text = late.checks["migrations"].message.as_deref();
    assert_eq!(late.status, Degraded);
    assert_eq!(text, Some("no result within the deadline, and the last one is older than 30s"));
    let later = health.probe(Probe::Startup).await;
    assert!(later.checks.contains_key("migrations"), "it has not passed: {later:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_callback_that_hangs_takes_no_transition_from_another() {
    let (release, hangs) = mpsc::channel::<()>();
    let hangs = Mutex::new(hangs);
    let heard = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&heard);
    let state = Arc::new(Mutex::new(Healthy));
    let told = Arc::clone(&state);
    let check = Check::new("dial", move || {
        let state = *told.lock().unwrap();
        async move { state }
    });
    let health = health::builder()
        .check(check.cache(Duration::ZERO))
        .on_transition(move |_| {
            let _ = hangs.lock().unwrap().recv();
        })
        .on_transition(move |transition| {
            assert_eq!(transition.missed, 0);
            counted.fetch_add(1, Ordering::SeqCst);
        })
        .build()
        .unwrap();
    for count in 1..=60 {
        *state.lock().unwrap() = if count % 2 == 0 { Healthy } else { Unhealthy };
        health.report().await;
    }
    let begin = std::time::Instant::now();
    while heard.load(Ordering::SeqCst) < 60 && begin.elapsed() < secs(10) {
        tokio::task::yield_now().await;
    }
    assert_eq!(heard.load(Ordering::SeqCst), 60);
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_prompt_listener_gets_the_transitions_of_many_checks_that_fail_at_once() {
    let fails = Arc::new(AtomicBool::new(false));
    let builder = (0..1_000).fold(health::builder(), |builder, number| {
        let fails = Arc::clone(&fails);
        builder.check(
            Check::new(format!("check-{number}"), move || {
                let fails = fails.load(Ordering::SeqCst);
                async move { if fails { Unhealthy } else { Healthy } }
            })
            .cache(Duration::ZERO),
        )
    });
    let health = builder.watch_interval(secs(3600)).build().unwrap();
    let transitions = health.subscribe();
    health.report().await;
    fails.store(true, Ordering::SeqCst);
    health.report().await;
    let heard = timeout(secs(60), transitions.take(1_000).collect::<Vec<_>>()).await.unwrap();
    assert!(heard.iter().all(|it| it.missed == 0 && it.to == Unhealthy));
}

#[tokio::test(start_paused = true)]
async fn draining_is_a_transition_and_in_the_history() {
    let health = health::builder().build().unwrap();
    let mut transitions = health.subscribe();
    health.drain();
    let drain = timeout(secs(1), transitions.next()).await.unwrap().unwrap();
    assert_eq!((drain.check.as_str(), drain.from, drain.to), ("$drain", None, Unhealthy));
    assert_eq!(drain.message.as_deref(), Some("draining"));
}

#[tokio::test(start_paused = true)]
async fn a_deadline_answer_is_shared_and_the_run_goes_on() {
    let check = Check::new("slow", || sleep(secs(2))).timeout(secs(5));
    let health = only(check);
    let begin = Instant::now();
    let answers = futures_util::future::join_all((0..100).map(|_| health.report())).await;
    assert!(begin.elapsed() <= ms(902), "{:?}", begin.elapsed());
    assert!(answers.iter().all(|answer| answer.status == Unhealthy));
    sleep(ms(1_200)).await;
    assert_eq!(health.report().await.status, Healthy);
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_are_under_way_than_are_allowed() {
    let (live, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let builder = (0..10).fold(health::builder(), |builder, number| {
        let (live, most) = (Arc::clone(&live), Arc::clone(&most));
        builder.check(Check::new(format!("check-{number}"), move || {
            let (live, most) = (Arc::clone(&live), Arc::clone(&most));
            async move {
                most.fetch_max(live.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(ms(100)).await;
                live.fetch_sub(1, Ordering::SeqCst);
            }
        }))
    });
    let health = builder.max_concurrent(2).timeout(ms(200)).deadline(secs(2)).build().unwrap();
    let begin = Instant::now();
    assert_eq!(health.report().await.status, Healthy, "waiting is not part of the timeout");
    assert_eq!(most.load(Ordering::SeqCst), 2);
    assert!(begin.elapsed() >= ms(500), "{:?}", begin.elapsed());
    assert!(health::builder().max_concurrent(0).build().is_err());
}

#[tokio::test(start_paused = true)]
async fn what_has_been_degraded_for_too_long_is_reported_unhealthy_without_a_new_result() {
    let check = Check::new("replica", || async { CheckResult::degraded("lost") })
        .interval(secs(3600))
        .unhealthy_after(secs(300));
    let health = only(check);
    let mut transitions = health.subscribe();
    assert_eq!(health.report().await.status, Degraded);
    let first = timeout(secs(1), transitions.next()).await.unwrap().unwrap();
    assert_eq!((first.from, first.to), (None, Degraded));
    advance(secs(299)).await;
    assert_eq!(health.report().await.status, Degraded);
    advance(secs(1)).await;
    let report = health.check("replica").await.unwrap();
    assert_eq!((report.state, report.raw_state), (Unhealthy, Some(Degraded)));
    assert_eq!(report.message.as_deref(), Some("degraded for 300s: lost"));
    let second = timeout(secs(6), transitions.next()).await.unwrap().unwrap();
    assert_eq!((second.from, second.to), (Some(Degraded), Unhealthy));
    assert_eq!(second.lasted, Some(secs(300)));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_for_too_long_is_reported_unhealthy_as_its_transition_says() {
    let (release, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let check = Check::blocking("hung", move || {
        let _ = hold.lock().unwrap().recv();
    });
    let check = check.timeout(ms(400)).on_error(Degraded).unhealthy_after(secs(300));
    let health = only(check);
    let mut transitions = health.subscribe();
    assert_eq!(health.check("hung").await.unwrap().state, Degraded);
    assert_eq!(transitions.next().await.unwrap().to, Degraded);
    assert_eq!(transitions.next().await.unwrap().to, Unhealthy);
    let hung = health.check("hung").await.unwrap();
    assert_eq!(hung.message.as_deref(), Some("still running after its timeout of 400ms"));
    assert_eq!(hung.state, Unhealthy);
    drop(release);
}

#[tokio::test(start_paused = true)]
async fn a_shared_failure_degrades_readiness_and_nothing_more() {
    let down = || async { Err::<(), _>("refused") };
    let health = health::builder()
        .check(Check::new("database", down).shared())
        .check(Check::new("local", || async {}))
        .build()
        .unwrap();
    let readiness = health.probe(Probe::Readiness).await;
    assert_eq!(readiness.status, Degraded);
    let database = &readiness.checks["database"];
    assert_eq!((database.state, database.raw_state), (Degraded, Some(Unhealthy)));
    assert_eq!(database.message.as_deref(), Some("refused"));
    assert_eq!(health.report().await.status, Unhealthy, "the whole truth");
    assert_eq!(health.check("database").await.unwrap().state, Unhealthy);
}

#[tokio::test(start_paused = true)]
async fn a_raw_state_is_another_one_than_the_state() {
    let lost = async || CheckResult::degraded("lost");
    let check = Check::new("replica", lost).shared().unhealthy_after(secs(60));
    let health = only(check);
    health.report().await;
    advance(secs(60)).await;
    let replica = health.check("replica").await.unwrap();
    assert_eq!((replica.state, replica.raw_state), (Unhealthy, Some(Degraded)));
    let replica = &health.probe(Probe::Readiness).await.checks["replica"];
    assert_eq!((replica.state, replica.raw_state), (Degraded, None));
}

#[tokio::test(start_paused = true)]
async fn a_check_of_no_probe_is_seen_and_gates_nothing() {
    let down = Check::new("database", || async { Unhealthy }).probe(health::Probes::NONE);
    let health = only(down);
    assert_eq!(health.report().await.status, Unhealthy);
    for probe in Probe::ALL {
        assert_eq!(health.probe(*probe).await.status, Healthy, "{probe}");
    }
}

/// The thread is blocked over the timeout, so the run and its timer become ready in one moment, and
/// the run is asked first: its own clock says that it was too late.
#[tokio::test]
async fn a_run_that_ended_after_its_timeout_timed_out_also_where_its_timer_was_late() {
    let check = Check::new("late", || sleep(ms(50))).timeout(ms(100));
    let health = only(check);
    let block = async {
        sleep(ms(10)).await;
        std::thread::sleep(ms(300));
    };
    let (report, ()) = tokio::join!(health.check("late"), block);
    assert_eq!(report.unwrap().message.as_deref(), Some("timed out after 100ms"));
}

/// What a program may do with each of the types it holds.
#[test]
fn handles_and_data_move_between_threads_and_can_be_cloned() {
    fn is<T: Send + Sync + Clone + 'static>() {}
    is::<Health>();
    is::<Check>();
    is::<CheckResult>();
    is::<health::Report>();
    is::<health::CheckReport>();
    is::<health::Transition>();
    is::<health::DrainLayer>();
    is::<health::BuildError>();
    is::<health::CheckDescriptor>();
    is::<health::Probes>();
}

#[cfg(feature = "test-util")]
#[tokio::test(start_paused = true)]
async fn a_forced_result_does_not_wait_for_a_run_that_hangs() {
    let health = only(Check::new("hung", std::future::pending::<()>).timeout(secs(600)));
    let begin = Instant::now();
    assert_eq!(health.report().await.status, Unhealthy);
    health.force("hung", Healthy).await;
    assert!(begin.elapsed() < secs(2), "{:?}", begin.elapsed());
    assert_eq!(health.report().await.status, Healthy);
}
