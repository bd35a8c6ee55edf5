//! What the log tells an operator: each change once, and nothing where nothing changed.

mod common;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::Duration;

use common::{fixed, get};
use futures_util::{FutureExt, StreamExt};
use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
use servicekit_health::{self as health, Check, CheckResult, Health};
use tokio::runtime::Handle;
use tokio::task::yield_now;
use tokio::time::{advance, sleep, timeout};
use tracing::subscriber::DefaultGuard;

/// The lines of this thread's log, as a program would print them.
///
/// Every test here runs on one thread and installs it before it logs anything: a callsite that is
/// first reached without a subscriber can stay silent.
struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn start() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::TRACE)
            .with_ansi(false)
            .with_target(false)
            .without_time()
            .with_writer(move || writer.clone())
            .finish();
        Self { lines, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// What was written since the last call.
    fn take(&self) -> Vec<String> {
        let bytes = std::mem::take(&mut *self.lines.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        text.lines().map(|line| line.trim_start().to_owned()).collect()
    }
}

/// A check that comes to what it is told to, and runs for every request.
fn told(name: &str, result: &Arc<Mutex<CheckResult>>) -> Check {
    let result = Arc::clone(result);
    let check = Check::new(name, move || {
        let result = result.lock().unwrap().clone();
        async move { result }
    });
    check.cache(Duration::ZERO)
}

#[test]
fn building_says_what_there_is_and_which_checks_no_request_waits_for() {
    let log = Log::start();
    let check = |name: &str, timeout: u64| {
        fixed(name, CheckResult::healthy()).timeout(Duration::from_millis(timeout))
    };
    let build = |checks: Vec<Check>| {
        let builder = health::builder().deadline(Duration::from_millis(900));
        checks.into_iter().fold(builder, health::HealthBuilder::check).build().unwrap()
    };

    build(vec![check("in-time", 900), check("first", 100)]);
    let lines = log.take();
    assert_eq!(lines.len(), 2, "{lines:?}");
    assert_eq!(lines[1], "INFO gated by health checks probe=readiness checks=\"first, in-time\"");
    assert!(lines[0].starts_with("INFO health checks count=2 checks="), "{lines:?}");
    assert!(lines[0].find("first (") < lines[0].find("in-time ("), "{lines:?}");
    assert!(lines[0].contains("(servicekit-health/tests/common/mod.rs:"), "{lines:?}");

    let in_background = check("background", 5_000).interval(Duration::from_secs(10));
    build(vec![check("late", 901), check("in-time", 900), in_background]);
    let lines = log.take();
    assert_eq!(lines.len(), 3, "{lines:?}");
    let late = &lines[2];
    assert!(late.starts_with("WARN health checks with a timeout above"), "{lines:?}");
    assert!(late.contains("late (") && late.contains("deadline_ms=900"), "{lines:?}");
    assert!(!late.contains("in-time") && !late.contains("background"), "{lines:?}");

    build(Vec::new());
    let [line] = &*log.take() else { panic!("a line for no checks at all") };
    assert!(line.starts_with("WARN no health checks are registered"), "{line}");
    assert!(line.contains("use my_checks as _;"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn every_change_is_one_line_with_the_level_of_the_new_state() {
    let log = Log::start();
    let result = Arc::new(Mutex::new(CheckResult::healthy()));
    let health = health::builder().check(told("redis", &result)).build().unwrap();
    health.report().await;
    log.take();

    let steps = [
        (
            CheckResult::degraded("slow"),
            "WARN",
            "from=healthy to=degraded lasted_ms=1000 failures=1",
        ),
        (
            CheckResult::unhealthy("lost"),
            "ERROR",
            "from=degraded to=unhealthy lasted_ms=1000 failures=4",
        ),
        (
            CheckResult::degraded("late"),
            "WARN",
            "from=unhealthy to=degraded lasted_ms=1000 failures=7",
        ),
        (CheckResult::healthy(), "INFO", "from=degraded to=healthy lasted_ms=1000 failures=9"),
    ];
    for (found, level, change) in steps {
        let reason = found.message().map(|text| format!(" reason={text:?}")).unwrap_or_default();
        *result.lock().unwrap() = found;
        sleep(Duration::from_secs(1)).await;
        for _ in 0..3 {
            health.report().await;
        }
        let lines = log.take();
        let [line] = &*lines else { panic!("one line instead of {lines:#?}") };
        let start = format!("{level} health check changed check=\"redis\" {change}");
        assert!(line.starts_with(&start), "{line}");
        assert!(line.ends_with(&reason) && line.contains("reason=") != reason.is_empty(), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_logged_once_however_many_listen_and_ask() {
    let log = Log::start();
    let result = Arc::new(Mutex::new(CheckResult::healthy()));
    let health = health::builder()
        .check(told("redis", &result))
        .on_transition(|_| {})
        .on_transition(|_| {})
        .build()
        .unwrap();
    let subscribers = [health.subscribe(), health.subscribe()];
    let router = health.router();
    health.report().await;
    log.take();
    *result.lock().unwrap() = CheckResult::unhealthy("refused");
    for path in ["/health", "/health/redis", "/readyz", "/health?verbose"] {
        get(&router, path).await;
    }
    for mut subscriber in subscribers {
        let transition = timeout(Duration::from_secs(60), subscriber.next()).await;
        assert_eq!(transition.expect("a transition").unwrap().to, Unhealthy);
    }
    let lines = log.take();
    assert_eq!(lines.len(), 1, "{lines:#?}");
}

#[tokio::test(start_paused = true)]
async fn probes_that_change_nothing_are_not_logged() {
    let log = Log::start();
    let router = health::builder()
        .check(fixed("database", Healthy.into()).cache(Duration::ZERO))
        .check(fixed("redis", CheckResult::degraded("slow")).cache(Duration::ZERO))
        .check(fixed("queue", CheckResult::unhealthy("down")).interval(Duration::from_secs(1)))
        .router();
    get(&router, "/health").await;
    let lines = log.take();
    let starts_out =
        |line: &&String| line.starts_with("WARN health check starts out failing check=\"redis\"");
    assert_eq!(lines.iter().filter(starts_out).count(), 1, "{lines:#?}");
    let starts_out =
        |line: &&String| line.starts_with("ERROR health check starts out failing check=\"queue\"");
    assert_eq!(lines.iter().filter(starts_out).count(), 1, "{lines:#?}");

    let stream = tokio::spawn({
        let router = router.clone();
        async move { get(&router, "/health/$stream?poll_interval=0.1").await }
    });
    for _ in 0..100 {
        for path in ["/health", "/livez", "/readyz", "/startupz", "/health/redis", "/health/no"] {
            get(&router, path).await;
        }
        sleep(Duration::from_millis(100)).await;
    }
    stream.abort();
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn a_result_that_a_threshold_holds_back_is_not_logged() {
    let log = Log::start();
    let result = Arc::new(Mutex::new(CheckResult::healthy()));
    let check = told("redis", &result).failure_threshold(3);
    let health = health::builder().check(check).build().unwrap();
    health.report().await;
    log.take();
    *result.lock().unwrap() = CheckResult::degraded("slow");
    health.report().await;
    health.report().await;
    assert_eq!(log.take(), [""; 0]);
    health.report().await;
    assert_eq!(log.take().len(), 1);
}

/// Asks for the report, on a thread of its own, before it takes a line.
#[derive(Clone, Default)]
struct Asks {
    health: Arc<OnceLock<Health>>,
    lines: Lines,
}

impl Write for Asks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(health) = self.health.get().cloned() {
            let (runtime, (asked, answer)) = (Handle::current(), mpsc::channel());
            std::thread::spawn(move || {
                let _entered = runtime.enter();
                let _ = health.report().now_or_never();
                asked.send(()).unwrap();
            });
            answer.recv_timeout(Duration::from_secs(10)).expect("a lock is held");
        }
        self.lines.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_asks_how_the_service_is_waits_for_no_lock() {
    let asks = Asks::default();
    let writer = asks.clone();
    let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let replica = fixed("replica", CheckResult::degraded("lost"));
    let replica = replica.cache(Duration::from_secs(60)).unhealthy_after(Duration::from_secs(1));
    let slow = Check::new("slow", || sleep(Duration::from_millis(300))).cache(Duration::ZERO);
    let health = health::builder().check(replica).check(slow).build().unwrap();
    health.report().await;
    advance(Duration::from_millis(500)).await;
    asks.health.set(health.clone()).unwrap();
    // Comes to be unhealthy while the reader waits for the other check.
    assert_eq!(health.report().await.status, Unhealthy);
    let lines = String::from_utf8(asks.lines.0.lock().unwrap().clone()).unwrap();
    assert!(lines.contains("unhealthy"), "{lines}");
}

#[tokio::test(start_paused = true)]
async fn a_stuck_check_is_one_warning_an_episode_while_it_still_runs() {
    let log = Log::start();
    let (release, hung) = mpsc::channel::<()>();
    let hung = Mutex::new(hung);
    let (started, starts) = mpsc::channel();
    let check = Check::blocking("stuck", move || {
        started.send(()).unwrap();
        // Ends with the test, also with one that fails.
        let _ = hung.lock().unwrap().recv();
    });
    let check = check.timeout(Duration::from_millis(400)).on_error(Degraded);
    let health = health::builder().check(check).build().unwrap();
    log.take();

    for episode in 0..2 {
        // No clock moves by itself while a blocking run is live.
        let reader = tokio::spawn({
            let health = health.clone();
            async move { health.report().await }
        });
        yield_now().await;
        starts.recv_timeout(Duration::from_secs(10)).expect("a run");
        advance(Duration::from_millis(400)).await;
        for _ in 0..10 {
            yield_now().await;
        }
        reader.now_or_never().expect("an answer at the timeout").unwrap();
        let lines = log.take();
        assert_eq!(lines.len(), usize::from(episode == 0), "only the first result: {lines:#?}");

        advance(Duration::from_millis(999)).await;
        health.report().now_or_never().expect("an answer at once");
        assert_eq!(log.take(), [""; 0]);
        advance(Duration::from_millis(1)).await;
        yield_now().await;
        assert_eq!(
            log.take(),
            ["WARN health check is stuck: it did not stop after its timeout \
                 check=\"stuck\" running_ms=1400"]
        );
        for _ in 0..20 {
            advance(Duration::from_secs(1)).await;
            health.report().now_or_never().expect("an answer at once");
        }
        assert_eq!(log.take(), [""; 0]);

        release.send(()).unwrap();
        // The thread of the run needs real time to end.
        let started = std::time::Instant::now();
        let mut lines = log.take();
        while lines.is_empty() && started.elapsed() < Duration::from_secs(10) {
            yield_now().await;
            lines = log.take();
        }
        assert_eq!(lines, ["INFO stuck health check has ended check=\"stuck\" ran_ms=21400"]);
    }
}

#[tokio::test(start_paused = true)]
async fn draining_is_logged_once_however_often_it_is_asked_for() {
    let log = Log::start();
    let health = health::builder().drain_delay(Duration::from_secs(5)).build().unwrap();
    let signal = tokio::spawn(health.shutdown_signal());
    log.take();
    health.drain();
    assert_eq!(log.take(), ["INFO draining: readiness now reports unhealthy"]);
    health.drain();
    health.clone().drain();
    signal.await.unwrap();
    health.drain();
    assert_eq!(log.take(), [""; 0]);
}

#[tokio::test(start_paused = true)]
async fn the_log_holds_no_credentials() {
    let log = Log::start();
    let result = Arc::new(Mutex::new(CheckResult::healthy()));
    let fails = || async { Err::<(), _>("cannot reach postgres://app:hunter2@db:5432/app") };
    let health = health::builder()
        .check(told("redis", &result))
        .check(Check::new("database", fails))
        .check(Check::new("queue", || async { lose() }))
        .build()
        .unwrap();
    health.report().await;
    *result.lock().unwrap() = CheckResult::degraded("redis://:hunter2@cache refused");
    health.report().await;
    let lines = log.take().concat();
    for clean in ["postgres://***@db:5432/app", "redis://***@cache", "amqp://***@mq"] {
        assert!(lines.contains(clean), "{clean} in {lines}");
    }
    assert!(!lines.contains("hunter2"), "{lines}");
}

fn lose() {
    panic!("lost amqp://app:hunter2@mq");
}
