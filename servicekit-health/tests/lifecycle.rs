//! From the first request to the last handle: startup, the background, transitions, draining.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt;
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, Health, HealthState, Probe, Report, Transition};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn names(report: &Report) -> Vec<&str> {
    let drain = report.draining.then_some("$drain");
    drain.into_iter().chain(report.checks.keys().map(String::as_str)).collect()
}

#[track_caller]
fn assert_about(elapsed: Duration, expected: Duration) {
    let most = expected + ms(2);
    assert!((expected..=most).contains(&elapsed), "{elapsed:?} instead of {expected:?}");
}

/// A check that finds the state it is set to, and counts its runs.
#[derive(Clone, Default)]
struct Dial {
    state: Arc<Mutex<HealthState>>,
    runs: Arc<AtomicUsize>,
}

impl Dial {
    fn set(&self, state: HealthState) {
        *self.state.lock().unwrap() = state;
    }

    fn runs(&self) -> usize {
        self.runs.load(Ordering::SeqCst)
    }

    /// Every report is a run.
    fn check(&self, name: &str) -> Check {
        let dial = self.clone();
        let check = Check::new(name, move || {
            dial.runs.fetch_add(1, Ordering::SeqCst);
            let state = *dial.state.lock().unwrap();
            async move { state }
        });
        check.cache(Duration::ZERO)
    }
}

/// Turns the dial through these states, one run each.
async fn turn(health: &Health, dial: &Dial, states: &[HealthState]) {
    for state in states {
        dial.set(*state);
        assert_eq!(health.report().await.status, *state);
    }
}

fn steps(transitions: &[Transition]) -> Vec<(Option<HealthState>, HealthState)> {
    transitions.iter().map(|it| (it.from, it.to)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_background_check_runs_by_itself_after_the_first_request() {
    let (tell, mut begins) = mpsc::unbounded_channel();
    let check = Check::new("background", move || {
        tell.send(Instant::now()).unwrap();
        sleep(ms(100))
    });
    let builder = health::builder().check(check.interval(secs(10)));
    let health = builder.build().unwrap();
    sleep(secs(60)).await;
    assert!(begins.try_recv().is_err(), "before the first request");

    let started = Instant::now();
    assert_eq!(health.report().await.status, Healthy);
    assert_about(started.elapsed(), ms(100));
    let mut previous = begins.try_recv().unwrap();
    let mut gaps = Vec::new();
    for _ in 0..20 {
        let begin = timeout(secs(60), begins.recv()).await.expect("a run").unwrap();
        gaps.push(begin - previous);
        previous = begin;
    }
    assert!(gaps[0] <= ms(10_001), "the second run is on the grid: {gaps:?}");
    let allowed = ms(9_998)..=ms(10_002);
    assert!(gaps[1..].iter().all(|gap| allowed.contains(gap)), "{gaps:?}");
}

#[tokio::test(start_paused = true)]
async fn requests_do_not_run_a_background_check() {
    let dial = Dial::default();
    let counted = dial.clone();
    let check = Check::new("background", move || {
        counted.runs.fetch_add(1, Ordering::SeqCst);
        async {}
    });
    let builder = health::builder().check(check.interval(secs(10)));
    let health = builder.build().unwrap();
    for _ in 0..80 {
        health.report().await;
        health.check("background").await;
        sleep(ms(100)).await;
    }
    assert!(dial.runs() <= 2, "the first, and perhaps that of the grid");
}

#[tokio::test(start_paused = true)]
async fn a_background_check_that_takes_longer_than_three_intervals_does_not_flap() {
    let slow = Check::new("slow", || sleep(secs(4))).interval(secs(1)).timeout(secs(10));
    let builder = health::builder().check(slow).deadline(secs(5));
    let health = builder.build().unwrap();
    for _ in 0..600 {
        let report = health.check("slow").await.unwrap();
        assert_eq!(report.state, Healthy, "{report:?}");
        sleep(ms(100)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_probe_selects_its_checks() {
    let (alive, ready) = (Dial::default(), Dial::default());
    let health = health::builder()
        .check(alive.check("alive").probe(Probe::Liveness))
        .check(ready.check("ready"))
        .check(Check::new("both", || async {}).probe([Probe::Liveness, Probe::Readiness]))
        .build()
        .unwrap();
    ready.set(Unhealthy);
    let liveness = health.probe(Probe::Liveness).await;
    assert_eq!(names(&liveness), ["alive", "both"]);
    assert_eq!(liveness.status, Healthy);
    assert_eq!((alive.runs(), ready.runs()), (1, 0));
    let readiness = health.probe(Probe::Readiness).await;
    assert_eq!(names(&readiness), ["both", "ready"]);
    assert_eq!(readiness.status, Unhealthy);
    assert!(health.probe(Probe::Startup).await.checks.is_empty());
    assert_eq!(names(&health.report().await), ["alive", "both", "ready"]);
    assert!(health.check("nobody").await.is_none());
}

#[tokio::test(start_paused = true)]
async fn readiness_includes_the_startup_checks_until_startup_has_passed() {
    let migrations = Dial::default();
    let health = health::builder()
        .check(migrations.check("migrations").probe(Probe::Startup))
        .check(Check::new("ready", || async {}))
        .build()
        .unwrap();
    migrations.set(Unhealthy);
    for _ in 0..2 {
        let readiness = health.probe(Probe::Readiness).await;
        assert_eq!(names(&readiness), ["migrations", "ready"]);
        assert_eq!(readiness.status, Unhealthy);
        assert_eq!(health.probe(Probe::Startup).await.status, Unhealthy);
    }

    migrations.set(Degraded);
    let startup = health.probe(Probe::Startup).await;
    assert_eq!(names(&startup), ["migrations"]);
    assert_eq!(startup.status, Degraded);

    migrations.set(Unhealthy);
    let runs = migrations.runs();
    assert_eq!(names(&health.probe(Probe::Readiness).await), ["ready"]);
    let startup = health.probe(Probe::Startup).await;
    assert!(startup.checks.is_empty());
    assert_eq!(startup.status, Healthy);
    assert_eq!(migrations.runs(), runs);
}

#[tokio::test(start_paused = true)]
async fn draining_shows_in_the_report_and_in_readiness_but_not_in_liveness() {
    let alive = Check::new("alive", || async {}).probe(Probe::Liveness);
    let health = health::builder().check(alive).build().unwrap();
    assert_eq!(health.probe(Probe::Readiness).await.status, Healthy);
    health.drain();
    health.drain();
    let readiness = health.probe(Probe::Readiness).await;
    assert_eq!(names(&readiness), ["$drain"]);
    for report in [readiness, health.report().await] {
        assert_eq!(report.status, Unhealthy);
        assert!(report.draining);
        let json = serde_json::to_value(&report).unwrap();
        let drain = serde_json::json!({ "state": "unhealthy", "message": "draining" });
        assert_eq!(json["checks"]["$drain"], drain);
    }
    let liveness = health.probe(Probe::Liveness).await;
    assert_eq!(names(&liveness), ["alive"]);
    assert_eq!(liveness.status, Healthy);
}

#[tokio::test(start_paused = true)]
async fn everybody_gets_every_transition_in_order_exactly_once() {
    let dial = Dial::default();
    let (told, mut heard) = mpsc::unbounded_channel();
    let panics = Arc::new(AtomicUsize::new(0));
    let panicked = Arc::clone(&panics);
    let health = health::builder()
        .check(dial.check("dial"))
        .on_transition(move |_| {
            panicked.fetch_add(1, Ordering::SeqCst);
            panic!("a callback that panics");
        })
        .on_transition(move |transition: &Transition| told.send(transition.clone()).unwrap())
        .build()
        .unwrap();
    let subscribers = [health.subscribe(), health.subscribe()];

    let states = [Unhealthy, Unhealthy, Healthy, Degraded, Unhealthy, Healthy];
    turn(&health, &dial, &states).await;
    let expected = [
        (None, Unhealthy),
        (Some(Unhealthy), Healthy),
        (Some(Healthy), Degraded),
        (Some(Degraded), Unhealthy),
        (Some(Unhealthy), Healthy),
    ];
    for subscriber in subscribers {
        let all = timeout(secs(60), subscriber.take(5).collect::<Vec<_>>()).await;
        let all = all.expect("five transitions");
        assert_eq!(steps(&all), expected);
        assert!(all.iter().all(|it| it.check == "dial" && it.missed == 0));
        let failures: Vec<_> = all.iter().map(|it| it.failures).collect();
        assert_eq!(failures, [1, 2, 1, 2, 2]);
    }
    let mut all = Vec::new();
    for _ in 0..5 {
        let transition = timeout(secs(60), heard.recv()).await;
        all.push(transition.expect("five transitions").unwrap());
    }
    assert_eq!(steps(&all), expected);
    // The other callback has a thread of its own, which needs real time.
    let waited = std::time::Instant::now();
    while panics.load(Ordering::SeqCst) < 5 && waited.elapsed() < secs(10) {
        tokio::task::yield_now().await;
    }
    assert_eq!(panics.load(Ordering::SeqCst), 5);
    assert!(timeout(secs(60), heard.recv()).await.is_err());

    // A callback listens too: no request is needed.
    dial.set(Degraded);
    let unasked = timeout(secs(6), heard.recv()).await.unwrap();
    assert_eq!(unasked.unwrap().to, Degraded);
}

#[tokio::test(start_paused = true)]
async fn a_first_result_that_is_not_healthy_is_a_transition_from_nothing() {
    let dial = Dial::default();
    dial.set(Unhealthy);
    let health = health::builder().check(dial.check("dial")).build().unwrap();
    let mut transitions = health.subscribe();
    let first = timeout(secs(60), transitions.next()).await.unwrap().unwrap();
    assert_eq!((first.from, first.to, first.lasted), (None, Unhealthy, None));
    assert!(timeout(secs(60), transitions.next()).await.is_err());
    assert!(dial.runs() > 1);
    dial.set(Healthy);
    let transition = timeout(secs(60), transitions.next()).await.unwrap().unwrap();
    assert_eq!((transition.from, transition.to), (Some(Unhealthy), Healthy));
    assert!(transition.lasted >= Some(secs(60)), "{:?}", transition.lasted);
}

#[tokio::test(start_paused = true)]
async fn on_demand_checks_are_evaluated_regularly_while_somebody_listens() {
    let dial = Dial::default();
    let builder = health::builder().check(dial.check("dial"));
    let health = builder.watch_interval(secs(10)).build().unwrap();
    let mut transitions = health.subscribe();
    assert!(timeout(secs(95), transitions.next()).await.is_err());
    assert!((10..=11).contains(&dial.runs()), "{} runs", dial.runs());

    dial.set(Degraded);
    let transition = timeout(secs(10), transitions.next()).await.unwrap();
    assert_eq!(transition.unwrap().to, Degraded);

    drop(transitions);
    sleep(secs(20)).await;
    let runs = dial.runs();
    sleep(secs(100)).await;
    assert_eq!(dial.runs(), runs);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "hundreds of requests")]
async fn a_slow_subscriber_is_told_how_many_it_missed() {
    let dial = Dial::default();
    let builder = health::builder().check(dial.check("dial"));
    let health = builder.watch_interval(secs(3600)).build().unwrap();
    let mut transitions = health.subscribe();
    health.report().await;
    sleep(ms(1)).await;
    turn(&health, &dial, &[Unhealthy, Healthy].repeat(100)).await;

    let first = timeout(secs(60), transitions.next()).await.unwrap().unwrap();
    assert!(first.missed > 0);
    let mut received = 1;
    while let Ok(next) = timeout(ms(1), transitions.next()).await {
        assert_eq!(next.unwrap().missed, 0);
        received += 1;
    }
    assert_eq!(first.missed + received, 200);
}

/// Something of every kind is going on.
async fn busy() -> Health {
    let health = health::builder()
        .check(Check::new("background", || async {}).interval(secs(1)))
        .check(Check::new("slow", || sleep(secs(60))).timeout(secs(120)))
        .on_transition(|_| {})
        .build()
        .unwrap();
    health.report().await;
    health
}

fn tasks() -> usize {
    Handle::current().metrics().num_alive_tasks()
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "Miri has no signals")]
async fn every_task_ends_with_the_last_handle() {
    let health = busy().await;
    let mut transitions = health.subscribe();
    assert!(timeout(ms(10), transitions.next()).await.is_err());
    let mut signal = Box::pin(health.shutdown_signal());
    assert!(timeout(ms(10), &mut signal).await.is_err());
    let clone = health.clone();
    drop(health);
    drop(signal);
    sleep(ms(1)).await;
    assert!(tasks() > 0, "there is a handle left");

    drop(clone);
    let end = timeout(secs(60), transitions.next()).await;
    assert_eq!(end.expect("the last handle is gone"), None);
    sleep(ms(1)).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_router_keeps_the_tasks_as_a_handle_does() {
    let health = busy().await;
    let router = health.router::<()>();
    drop(health);
    sleep(ms(1)).await;
    assert!(tasks() > 0);
    drop(router);
    sleep(ms(1)).await;
    assert_eq!(tasks(), 0);
}

#[tokio::test(start_paused = true)]
async fn two_healths_do_not_disturb_each_other() {
    let (one, other) = (Dial::default(), Dial::default());
    let build = |dial: &Dial| health::builder().check(dial.check("dial")).build().unwrap();
    let (first, second) = (build(&one), build(&other));
    other.set(Degraded);
    assert_eq!(first.report().await.status, Healthy);
    assert_eq!((one.runs(), other.runs()), (1, 0));
    assert_eq!(second.report().await.status, Degraded);
    first.drain();
    assert_eq!(names(&first.report().await), ["$drain", "dial"]);
    assert_eq!(names(&second.report().await), ["dial"]);
    drop(first);
    assert_eq!(second.report().await.status, Degraded);
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "Miri has no signals")]
async fn after_drain_the_shutdown_signal_waits_for_the_drain_delay() {
    let with = |delay: Duration| health::builder().drain_delay(delay).build().unwrap();
    let healths = [
        (health::builder().build().unwrap(), secs(5)),
        (with(secs(12)), secs(12)),
        (with(Duration::ZERO), Duration::ZERO),
    ];
    for (health, delay) in healths {
        let signals = [(); 2].map(|()| tokio::spawn(health.shutdown_signal()));
        sleep(secs(60)).await;
        assert!(signals.iter().all(|signal| !signal.is_finished()));
        let started = Instant::now();
        health.drain();
        for signal in signals {
            signal.await.unwrap();
        }
        assert_about(started.elapsed(), delay);
    }
}

#[tokio::test(start_paused = true)]
#[cfg_attr(miri, ignore = "Miri has no signals")]
async fn a_shutdown_signal_asked_for_while_draining_ends_too() {
    let health = health::builder().build().unwrap();
    health.drain();
    let started = Instant::now();
    health.shutdown_signal().await;
    assert_about(started.elapsed(), secs(5));
}
