//! The settings that several checks have in common.

use std::time::Duration;

use futures_util::future::BoxFuture;

use crate::model::{CheckResult, HealthState};

/// What awaiting a check's builder runs.
pub(super) type Running = BoxFuture<'static, CheckResult>;

/// How long a check waits unless told otherwise: under the builder's default timeout of 800 ms, so
/// that the message names the cause. TCP sends a lost SYN again after 1 s (RFC 6298, 2.1), so
/// between here and there waiting longer would find nothing more.
pub(super) const TIMEOUT: Duration = Duration::from_millis(700);

/// `timeout` and `on_error`, for a builder with fields of these names and this default.
macro_rules! timeout_and_on_error {
    ($default:literal) => {
        /// How long the check waits before it fails; 700 ms unless set, so that it reports its cause
        /// before the engine's default timeout of 800 ms ends it. Set the annotation's `timeout`
        /// above this one.
        pub const fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.timeout = limit;
            self
        }

        #[doc = concat!("The state of a failure; ", $default, " unless set. The annotation's")]
        /// `on_error` is for checks that return `Err`; this one reports its state itself.
        pub const fn on_error(mut self, state: crate::model::HealthState) -> Self {
            self.on_error = state;
            self
        }
    };
}
pub(super) use timeout_and_on_error;

pub(super) fn failed(state: HealthState, message: impl Into<String>) -> CheckResult {
    CheckResult::new(state).with_message(message)
}

/// Milliseconds with one decimal, for a detail.
pub(super) fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 10_000.0).round() / 10.0
}

/// A share as a percentage for a message: `10%`, `0.5%`.
pub(super) fn percent(share: f64) -> String {
    format!("{}%", (share * 1000.0).round() / 10.0)
}

/// A share with four decimals, for a detail.
pub(super) fn rounded(share: f64) -> f64 {
    (share * 10_000.0).round() / 10_000.0
}

/// `part / whole`, 0 where the whole is 0.
#[expect(clippy::cast_precision_loss, reason = "shares are compared to thresholds, not counted")]
pub(super) fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}
