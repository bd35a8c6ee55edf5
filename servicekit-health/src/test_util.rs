//! What a test of a service wants to do with its checks. Feature `test-util`.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::time::timeout;

use crate::declare::validate::listed;
use crate::evaluate::model::{CheckReport, CheckResult, HealthState};
use crate::evaluate::slot::Slot;
use crate::handle::Health;

/// How long [`Health::wait_for`] waits, on tokio's clock.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long it waits for a transition before it asks again.
const PAUSE: Duration = Duration::from_millis(10);

/// For the tests of a service, with the feature `test-util`; not for production, where a
/// [drill](crate::HealthBuilder::drill) says on every answer that it is one.
///
/// All of them panic where there is no check of that name, and say which there are.
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
    /// Makes the check come to this result, without calling its function, until
    /// [`release`](Self::release). Every reader sees it once this returns: the check is run as
    /// often as its thresholds want. Transitions and the log tell of it as of any other result.
    pub async fn force(&self, check: &str, result: impl Into<CheckResult>) {
        let slot = self.slot(check);
        let result = result.into();
        let state = result.state();
        slot.force(Some(result));
        for _ in 0..slot.longest_threshold() {
            slot.run_now().await;
            if self.known(check).state == state {
                break;
            }
        }
    }

    /// Gives the check back to its function, and runs it once.
    pub async fn release(&self, check: &str) {
        self.slot(check).force(None);
        self.run_check(check).await;
    }

    /// Runs the check once, now, whatever is cached; after the live run, if there is one. Gives
    /// what is reported then.
    pub async fn run_check(&self, check: &str) -> CheckReport {
        self.slot(check).run_now().await;
        self.known(check)
    }

    /// Waits until the check is reported in this state, running it as any reader would. No test
    /// has to sleep: this returns with the transition.
    ///
    /// # Panics
    /// After a minute of tokio's clock, which takes no time where it is paused.
    pub async fn wait_for(&self, check: &str, state: HealthState) -> CheckReport {
        let mut changes = pin!(self.subscribe());
        let reached = async {
            loop {
                self.slot(check);
                let report = self.check(check).await.unwrap_or_default();
                if report.state == state {
                    return report;
                }
                let _ = timeout(PAUSE, changes.next()).await;
            }
        };
        let Ok(report) = timeout(PATIENCE, reached).await else {
            let CheckReport { state: is, message, .. } = self.known(check);
            panic!(
                "check `{check}` did not become {state} within {PATIENCE:?}: it is {is}, {message:?}"
            );
        };
        report
    }

    /// Asks these checks and compares their reported states.
    ///
    /// # Panics
    /// Where any is in another state, naming all that are, with their messages.
    pub async fn assert_states<'a>(
        &self,
        expected: impl IntoIterator<Item = (&'a str, HealthState)>,
    ) {
        let report = self.report().await;
        let mut wrong = Vec::new();
        for (check, state) in expected {
            self.slot(check);
            let CheckReport { state: is, message, .. } = &report.checks[check];
            if *is != state {
                wrong.push(format!("`{check}` is {is}, not {state} (message: {message:?})"));
            }
        }
        assert!(wrong.is_empty(), "checks in another state than expected: {}", wrong.join("; "));
    }

    /// The check's report, as far as it is known.
    fn known(&self, check: &str) -> CheckReport {
        let index = self.engine.find(check);
        let mut report = self.engine.known(index.as_slice(), false);
        report.checks.remove(check).unwrap_or_default()
    }

    fn slot(&self, check: &str) -> &Arc<Slot> {
        let slots = self.engine.slots();
        let Some(index) = self.engine.find(check) else {
            let known = listed(slots.iter().map(|slot| slot.name.as_str()));
            panic!("there is no check `{check}`; {known}");
        };
        &slots[index]
    }
}
