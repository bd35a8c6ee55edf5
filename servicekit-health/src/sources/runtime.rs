//! Whether the tokio runtime gets round to its work: how late its timers fire.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::declare::check::Check;
use crate::model::{CheckResult, HealthState};

/// An odd number, so that one of them is the median.
const SAMPLES: usize = 5;

/// Long against a timer's granularity of 1 ms, short against a request.
const PAUSE: Duration = Duration::from_millis(20);

/// The median lateness of a few timers, one after the other.
///
/// A machine that slept, or a process that was stopped, makes one timer very late and leaves the
/// median alone; a runtime whose workers are kept busy makes all of them late.
async fn timer_lateness() -> Duration {
    let mut lateness = [Duration::ZERO; SAMPLES];
    for late in &mut lateness {
        let due = Instant::now() + PAUSE;
        sleep_until(due).await;
        *late = due.elapsed();
    }
    lateness.sort();
    lateness[SAMPLES / 2]
}

impl Check {
    /// A check named `runtime` of the tokio runtime that serves the checks: degraded while its
    /// timers fire more than `threshold` late, that is, while tasks keep its threads busy without
    /// awaiting. 100 ms is a threshold that a healthy service does not reach.
    ///
    /// Measures the application's runtime, wherever it is asked from: its runs live there. Runs every
    /// second in the background; each run takes the median of five timers, and after the first one
    /// it takes two in a row to report a stall, so a machine that slept is no stall. A runtime that
    /// is wedged brings no result at all, which degrades the check after 3 s for whoever can still
    /// ask, such as the readers of a listener of its own. Every setting can be changed.
    ///
    /// ```
    /// use std::time::Duration;
    /// use servicekit_health::{self as health, Check};
    ///
    /// # fn main() -> std::io::Result<()> {
    /// let health = health::builder()
    ///     .check(Check::runtime_stall(Duration::from_millis(100)))
    ///     .build()?;
    /// # Ok(()) }
    /// ```
    #[track_caller]
    pub fn runtime_stall(threshold: Duration) -> Self {
        Self::new("runtime", move || check(threshold))
            .on_error(HealthState::Degraded)
            .interval(Duration::from_secs(1))
            .timeout(Duration::from_secs(2))
            .failure_threshold(2)
    }
}

/// What one run of [`Check::runtime_stall`] finds.
async fn check(threshold: Duration) -> Result<CheckResult, RuntimeStalled> {
    let late = timer_lateness().await;
    if late > threshold {
        return Err(RuntimeStalled { threshold });
    }
    let late = u64::try_from(late.as_millis()).unwrap_or(u64::MAX);
    Ok(CheckResult::healthy().with_detail("late_ms", late))
}

#[derive(Debug)]
struct RuntimeStalled {
    threshold: Duration,
}

impl fmt::Display for RuntimeStalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not how late: a message that is another one each time would be sent at every tick to who
        // waits for a change.
        write!(f, "timers fire more than {:?} late: ", self.threshold)?;
        f.write_str("something keeps the runtime's threads busy without awaiting")
    }
}

impl Error for RuntimeStalled {}

#[cfg(test)]
mod tests {
    use tokio::time::advance;

    use super::*;

    const THRESHOLD: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn timers_on_time_are_healthy() {
        let result = check(THRESHOLD).await.unwrap();
        assert_eq!(result, CheckResult::healthy().with_detail("late_ms", 0));
    }

    /// Jumps over the time in which a timer is due, as a runtime does that was kept from it.
    async fn stall(times: usize) {
        for _ in 0..times {
            advance(Duration::from_millis(360)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_runtime_that_is_late_time_and_again_is_stalled() {
        let (result, ()) = tokio::join!(check(THRESHOLD), stall(SAMPLES));
        let error = result.unwrap_err().to_string();
        assert!(error.starts_with("timers fire more than 100ms late: "), "{error}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_machine_that_slept_is_late_once() {
        let (result, ()) = tokio::join!(check(THRESHOLD), advance(Duration::from_secs(8 * 3600)));
        assert_eq!(result.unwrap().state(), HealthState::Healthy);
    }
}
