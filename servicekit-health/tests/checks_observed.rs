//! `Observed`: a check that is fed by real traffic.

use std::cell::Cell;
use std::error;
use std::fmt;
use std::future::pending;
use std::io::{Error, ErrorKind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use servicekit_health::{self as health, CheckResult, HealthState, Observed, health_check};
use tokio::time::{advance, timeout};

const SECOND: Duration = Duration::from_secs(1);

fn calls(observed: &Observed) -> (u64, u64) {
    let result = observed.check();
    let detail = |key| result.details()[key].as_u64().unwrap();
    (detail("calls"), detail("failures"))
}

fn fail(observed: &Observed, times: usize) {
    (0..times).for_each(|_| observed.failure("refused"));
}

fn succeed(observed: &Observed, times: usize) {
    (0..times).for_each(|_| observed.success());
}

#[tokio::test(start_paused = true)]
async fn a_rate_of_failures_above_the_threshold_is_degraded() {
    static DB: Observed = Observed::new();
    assert_eq!(DB.check().state(), HealthState::Healthy, "without calls nothing is known");
    succeed(&DB, 90);
    fail(&DB, 10);
    assert_eq!(DB.check().state(), HealthState::Healthy, "10% is not above 10%");
    fail(&DB, 1);
    let result = DB.check();
    assert_eq!(result.state(), HealthState::Degraded);
    let expected = "more than 10% of the calls within 60s failed: refused";
    assert_eq!(result.message(), Some(expected));
    assert_eq!(result.details()["calls"], 101);
    assert_eq!(result.details()["failures"], 11);
    assert_eq!(result.details()["last_success_age_ms"], 0);
}

#[tokio::test(start_paused = true)]
async fn a_few_calls_are_no_rate() {
    let observed = Observed::new().min_calls(5).degraded_above(0.5);
    fail(&observed, 4);
    assert_eq!(observed.check().state(), HealthState::Healthy);
    fail(&observed, 1);
    assert_eq!(observed.check().state(), HealthState::Degraded);
}

#[tokio::test(start_paused = true)]
async fn failures_are_forgotten_with_the_window() {
    let observed = Observed::new().window(10 * SECOND);
    fail(&observed, 50);
    advance(9 * SECOND).await;
    assert_eq!(observed.check().state(), HealthState::Degraded);
    advance(SECOND).await;
    assert_eq!(observed.check().state(), HealthState::Healthy);
    assert_eq!(calls(&observed), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn failures_that_are_forgotten_do_not_come_back() {
    // The parts of the window have numbers of 20 bits.
    for early in [20, 5, 0] {
        let observed = Observed::new().window(SECOND);
        fail(&observed, 50);
        advance(SECOND / 10 * ((1 << 20) - early)).await;
        assert_eq!(calls(&observed), (0, 0), "{early} parts before");
    }
}

#[tokio::test(start_paused = true)]
async fn a_watched_call_keeps_its_outcome_and_is_counted() {
    let observed = Observed::new();
    assert_eq!(observed.watch(async { Ok::<_, Error>(7) }).await.unwrap(), 7);
    let error = observed.watch(async { Err::<(), _>(Error::other("boom")) }).await.unwrap_err();
    assert_eq!(error.to_string(), "boom");
    assert_eq!(calls(&observed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_an_answer_is_a_success() {
    let observed = Observed::new();
    let call = |kind: ErrorKind| async move { Err::<(), _>(Error::from(kind)) };
    let is_failure = |error: &Error| error.kind() != ErrorKind::NotFound;
    observed.watch_if(call(ErrorKind::NotFound), is_failure).await.unwrap_err();
    assert_eq!(calls(&observed), (1, 0));
    observed.watch_if(call(ErrorKind::TimedOut), is_failure).await.unwrap_err();
    assert_eq!(calls(&observed), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_counts_as_neither() {
    let observed = Observed::new();
    timeout(SECOND, observed.watch(pending::<Result<(), Error>>())).await.unwrap_err();
    assert_eq!(calls(&observed), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn one_real_success_a_second_leaves_nothing_to_be_asked() {
    let observed = Observed::new();
    let asked = Cell::new(0);
    for _ in 0..300 {
        observed.success();
        advance(SECOND).await;
        let synthetic = async || asked.set(asked.get() + 1);
        let result = observed.check_or_else(synthetic).await.unwrap();
        assert_eq!(result.details()["synthetic"], false);
    }
    assert_eq!(asked.get(), 0);
}

#[tokio::test(start_paused = true)]
async fn without_a_fresh_success_the_dependency_is_asked() {
    let observed = Observed::new().fresh_for(5 * SECOND);
    let ping = async || Err::<(), _>(Error::other("refused"));
    let error = observed.check_or_else(ping).await.unwrap_err();
    assert_eq!(error.to_string(), "refused", "before the first call");
    observed.success();
    advance(5 * SECOND).await;
    assert_eq!(observed.check_or_else(ping).await.unwrap().state(), HealthState::Healthy);
    advance(Duration::from_millis(1)).await;
    observed.check_or_else(ping).await.unwrap_err();
    observed.failure("refused");
    observed.check_or_else(ping).await.unwrap_err();
}

#[tokio::test(start_paused = true)]
async fn the_worse_of_what_was_asked_and_observed_is_the_result() {
    let observed = Observed::new();
    fail(&observed, 20);
    let fine = observed.check_or_else(async || CheckResult::healthy().with_detail("a", 1));
    let result = fine.await.unwrap();
    assert_eq!(result.state(), HealthState::Degraded, "the ping works and the calls fail");
    assert_eq!(result.details()["a"], 1);
    assert_eq!(result.details()["failures"], 20);
    assert_eq!(result.details()["synthetic"], true);
    let broken = observed.check_or_else(async || CheckResult::unhealthy("read-only"));
    assert_eq!(broken.await.unwrap().message(), Some("read-only"));
}

/// Counts how often it is formatted.
struct Reason<'a>(&'a AtomicUsize);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fetch_add(1, Ordering::Relaxed);
        f.write_str(&"é".repeat(10_000))
    }
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_failures_formats_few_texts_and_keeps_one() {
    let observed = Observed::new();
    let formatted = AtomicUsize::new(0);
    (0..10_000).for_each(|_| observed.failure(Reason(&formatted)));
    assert_eq!(formatted.load(Ordering::Relaxed), 1);
    let message = observed.check().message().unwrap().to_owned();
    assert!(message.len() < 5500, "{}", message.len());
    advance(6 * SECOND).await;
    observed.failure("another reason");
    assert!(observed.check().message().unwrap().ends_with("another reason"));
}

#[test]
fn no_call_of_any_thread_is_lost() {
    const CALLS: usize = 50_000;
    // A part of the window is longer than the test.
    let observed = Observed::new().window(Duration::from_secs(86_400));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| succeed(&observed, CALLS));
            scope.spawn(|| fail(&observed, CALLS));
        }
    });
    let all = 4 * CALLS as u64;
    assert_eq!(calls(&observed), (all, all / 2));
    assert!(observed.last_success().is_some());
}

type AnyError = Box<dyn error::Error + Send + Sync>;

#[derive(Clone)]
struct Db(&'static str);

impl Db {
    async fn ping(&self) -> Result<(), Error> {
        tokio::task::yield_now().await;
        Err(Error::other(self.0))
    }
}

static UNUSED: Observed = Observed::new();

#[health_check(on_error = "degraded")]
async fn with_a_closure(db: &Db) -> Result<CheckResult, AnyError> {
    UNUSED.check_or_else(|| db.ping()).await
}

#[health_check(on_error = "degraded")]
async fn with_an_async_closure(db: &Db) -> Result<CheckResult, AnyError> {
    UNUSED.check_or_else(async || db.ping().await).await
}

#[tokio::test]
async fn an_annotated_function_lends_its_dependencies_to_the_ping() {
    let health = health::builder().provide(Db("connection refused")).build().unwrap();
    let report = health.report().await;
    assert_eq!(report.checks.len(), 2);
    for check in report.checks.values() {
        assert_eq!(check.state, HealthState::Degraded);
        assert_eq!(check.message.as_deref(), Some("connection refused"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_call_that_fails_after_the_newest_success_has_the_dependency_asked_at_once() {
    let observed = Observed::new();
    observed.success();
    advance(Duration::from_millis(5)).await;
    observed.failure("connection refused");
    let result = observed.check_or_else(async || CheckResult::unhealthy("refused")).await.unwrap();
    assert_eq!(result.message(), Some("refused"));
    advance(Duration::from_millis(5)).await;
    observed.success();
    let result = observed.check_or_else(async || CheckResult::unhealthy("refused")).await.unwrap();
    assert_eq!(result.details()["synthetic"], false);
}

#[tokio::test(start_paused = true)]
async fn a_credential_that_a_message_cuts_is_masked_first() {
    static DB: Observed = Observed::new().min_calls(1);
    DB.failure(format!("{} postgres://app:{}@db/app", "x".repeat(940), "hunter2".repeat(40)));
    let check = health::Check::new("cut", || async { DB.check() });
    let health = health::builder().provide(Db("up")).check(check).build().unwrap();
    let message = health.check("cut").await.unwrap().message.unwrap();
    assert!(!message.contains("hunter2"), "{message}");
    assert!(message.contains("postgres://***"), "{message}");
}
