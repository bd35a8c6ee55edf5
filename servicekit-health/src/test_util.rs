//! What a test of a service wants to do with its checks. Feature `test-util`.

use std::panic::Location;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};

use crate::declare::check::Runner;
use crate::declare::suggest::known;
use crate::evaluate::runner::CheckRunner;
use crate::handle::Health;
use crate::model::{CheckReport, CheckResult, HealthState};

/// How long [`Health::wait_for`] waits, on tokio's clock.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it waits for a change before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

/// For the tests of a service, with the feature `test-util`; not for production, where a
/// [drill](crate::HealthBuilder::drill) says on every answer that it is one.
///
/// All of them panic at the caller for an unknown check, with a suggestion.
///
/// ```standalone_crate
/// use servicekit_health::{self as health, CheckResult, HealthState, health_check};
///
/// #[health_check]
/// async fn redis() {}
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// let health = health::builder().build()?;
/// health.assert_states([("redis", HealthState::Healthy)]).await;
///
/// health.force("redis", CheckResult::unhealthy("Connection refused")).await;
/// health.assert_states([("redis", HealthState::Unhealthy)]).await;
/// // Here the service under test should do without redis.
///
/// health.release("redis").await;
/// health.wait_for("redis", HealthState::Healthy).await;
/// # Ok(()) }
/// ```
impl Health {
    /// Makes the check return this result, without calling its function, until
    /// [`release`](Self::release). Every reader sees it once this returns: the check is run as often
    /// as its thresholds want, and a run that hangs is given up. Transitions and the log report it
    /// like any other result.
    #[track_caller]
    pub fn force(
        &self,
        check: &str,
        result: impl Into<CheckResult>,
    ) -> impl Future<Output = ()> + Send {
        let runner = self.runner(check);
        let result = result.into();
        async move {
            let state = result.state();
            runner.run_as(Runner::always(result));
            runner.give_up_live_run();
            for _ in 0..runner.longest_threshold() {
                runner.run_now().await;
                if runner.known(Instant::now()).state == state {
                    break;
                }
            }
        }
    }

    /// Gives the check back to its function, and runs it once.
    #[track_caller]
    pub fn release(&self, check: &str) -> impl Future<Output = ()> + Send {
        let runner = self.runner(check);
        async move {
            runner.run_as_declared();
            runner.run_now().await;
        }
    }

    /// Runs the check once, now, whatever is cached; after the live run, if there is one. Returns
    /// what is reported then.
    #[track_caller]
    pub fn run_check(&self, check: &str) -> impl Future<Output = CheckReport> + Send {
        let runner = self.runner(check);
        async move {
            runner.run_now().await;
            runner.known(Instant::now())
        }
    }

    /// Waits until the check is reported in this state, running it as any reader would. No test
    /// has to sleep: this returns with the change.
    ///
    /// # Panics
    /// After a minute of tokio's clock, which takes no time where it is paused.
    #[track_caller]
    pub fn wait_for(
        &self,
        check: &str,
        state: HealthState,
    ) -> impl Future<Output = CheckReport> + Send {
        let (runner, caller) = (self.runner(check), Location::caller());
        async move {
            let mut differences = self.engine.differences();
            let reached = async {
                loop {
                    let report = self.check(check).await.unwrap_or_default();
                    if report.state == state {
                        return report;
                    }
                    let _ = timeout(PAUSE, differences.changed()).await;
                }
            };
            let Ok(report) = timeout(PATIENCE, reached).await else {
                let CheckReport { state: is, message, .. } = runner.known(Instant::now());
                panic!(
                    "check `{check}` did not become {state} within {PATIENCE:?}: it is {is}, \
                     {message:?} (waited for at {caller})"
                );
            };
            report
        }
    }

    /// Asks these checks and compares their reported states.
    ///
    /// # Panics
    /// Where any is in another state, naming all that are, with their messages.
    #[track_caller]
    pub fn assert_states<'a>(
        &self,
        expected: impl IntoIterator<Item = (&'a str, HealthState)>,
    ) -> impl Future<Output = ()> + Send {
        let expected: Vec<_> = expected.into_iter().collect();
        for (check, _) in &expected {
            self.runner(check);
        }
        let caller = Location::caller();
        async move {
            let report = self.report().await;
            let differs = |(check, state): &(&str, HealthState)| {
                let CheckReport { state: is, message, .. } = &report.checks[*check];
                let differs = is != state;
                differs.then(|| format!("`{check}` is {is}, not {state} (message: {message:?})"))
            };
            let wrong: Vec<_> = expected.iter().filter_map(differs).collect();
            assert!(
                wrong.is_empty(),
                "checks in another state than expected: {} (asserted at {caller})",
                wrong.join("; ")
            );
        }
    }

    #[track_caller]
    fn runner(&self, check: &str) -> &Arc<CheckRunner> {
        let runners = self.engine.runners();
        let Some(index) = self.engine.find(check) else {
            let names: Vec<_> = runners.iter().map(|runner| runner.info.name.as_str()).collect();
            panic!("unknown check `{check}`; {}", known(check, &names));
        };
        &runners[index]
    }
}
