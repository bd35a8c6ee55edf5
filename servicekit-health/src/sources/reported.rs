//! What another part of the program says about itself.

use std::fmt;

use crate::model::CheckResult;
use crate::sync::{Mutex, lock};

/// A result that the program sets itself, and a check that returns it: for a part that knows how it
/// is better than any check could find out.
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, Reported, health_check};
///
/// static CACHE: Reported = Reported::starting("warming up");
///
/// #[health_check(probe = "startup")]
/// async fn cache() -> CheckResult {
///     CACHE.check()
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> std::io::Result<()> {
/// # let health = servicekit_health::builder().build()?;
/// # use servicekit_health::HealthState::{Degraded, Unhealthy};
/// assert_eq!(health.report().await.status, Unhealthy);
/// // Where the cache is filled:
/// CACHE.set(CheckResult::degraded("half of it is missing"));
/// # tokio::time::sleep(std::time::Duration::from_millis(600)).await;
/// # assert_eq!(health.report().await.status, Degraded);
/// # Ok(()) }
/// ```
pub struct Reported {
    /// What is said until a result is set; `None` is healthy.
    starting: Option<&'static str>,
    result: Mutex<Option<CheckResult>>,
}

impl Reported {
    /// Healthy until a result is set.
    pub const fn new() -> Self {
        Self { starting: None, result: Mutex::new(None) }
    }

    /// Unhealthy with this message until a result is set.
    pub const fn starting(message: &'static str) -> Self {
        Self { starting: Some(message), result: Mutex::new(None) }
    }

    /// Sets the result that the check returns from now on.
    pub fn set(&self, result: impl Into<CheckResult>) {
        let before = lock(&self.result).replace(result.into());
        // Not under the lock.
        drop(before);
    }

    /// The check: the result that was set last.
    pub fn check(&self) -> CheckResult {
        let set = lock(&self.result).clone();
        set.unwrap_or_else(|| match self.starting {
            Some(message) => CheckResult::unhealthy(message),
            None => CheckResult::healthy(),
        })
    }
}

impl Default for Reported {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Reported {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Reported").field(&self.check().state()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HealthState;

    #[test]
    fn the_last_result_counts_and_before_it_how_the_report_began() {
        let starting = Reported::starting("warming up");
        assert_eq!(starting.check(), CheckResult::unhealthy("warming up"));
        starting.set(HealthState::Healthy);
        assert_eq!(starting.check(), CheckResult::healthy());
        assert_eq!(Reported::new().check(), CheckResult::healthy());
    }
}
