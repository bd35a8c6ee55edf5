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
        /// before the engine's default timeout of 800 ms ends it. At most an hour, like every
        /// timeout. Set the annotation's `timeout` above this one.
        pub const fn timeout(mut self, limit: std::time::Duration) -> Self {
            self.timeout = super::setting::bounded(limit);
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

/// At most an hour: a time near the highest cannot be added to the clock.
pub(super) const fn bounded(limit: Duration) -> Duration {
    const MAX: Duration = Duration::from_secs(3600);
    if limit.as_secs() < MAX.as_secs() { limit } else { MAX }
}

/// What is wrong with the first of these settings that is no share.
pub(super) fn invalid_share(settings: &[(&str, f64)]) -> Option<String> {
    let (name, _) = settings.iter().find(|(_, share)| !(0.0..=1.0).contains(share))?;
    Some(format!("invalid `{name}`: expected a share from 0 to 1, such as 0.1"))
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_number_from_0_to_1() {
        for good in [0.0, 0.1, 1.0] {
            assert_eq!(invalid_share(&[("below", good)]), None, "{good}");
        }
        for bad in [-0.1, 1.1, 90.0, f64::NAN, f64::INFINITY] {
            let why = invalid_share(&[("above", 0.5), ("below", bad)]).unwrap();
            assert_eq!(why, "invalid `below`: expected a share from 0 to 1, such as 0.1", "{bad}");
        }
    }

    #[test]
    fn a_timeout_is_at_most_an_hour() {
        let hour = Duration::from_secs(3600);
        assert_eq!(bounded(Duration::MAX), hour);
        assert_eq!(bounded(hour + Duration::from_nanos(1)), hour);
        assert_eq!(bounded(TIMEOUT), TIMEOUT);
    }
}
