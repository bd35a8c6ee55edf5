//! A number that should stay low.

use std::fmt;
use std::future::{Ready, ready};
use std::time::Duration;

use serde_json::Value;

use super::setting::millis;
use crate::model::CheckResult;

/// Whether `value` is at most as high as it should be: a queue's depth, a lag. See [`AtMost`].
///
/// ```standalone_crate
/// use std::time::Duration;
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// # async fn queue_depth() -> u64 { 0 }
/// #[health_check(name = "queue", probe = "none")]
/// async fn queue() -> CheckResult {
///     checks::at_most(queue_depth().await, 1_000, 100_000).unit("messages").await
/// }
///
/// # async fn lag() -> Duration { Duration::ZERO }
/// #[health_check(name = "replica", probe = "none")]
/// async fn replica() -> CheckResult {
///     checks::at_most(lag().await, Duration::from_secs(5), Duration::from_secs(60)).await
/// }
/// ```
///
/// # Panics
/// Where `degraded` is above `unhealthy`, or one of the two is not a number: awaiting it fails the
/// check with that message.
pub const fn at_most<V: Measure>(value: V, degraded: V, unhealthy: V) -> AtMost<V> {
    AtMost { value, degraded, unhealthy, unit: "" }
}

/// A number that should stay low: healthy up to and including `degraded`, then degraded up to and
/// including `unhealthy`, then unhealthy. A value that is not a number is unhealthy.
///
/// There are no defaults: what is too much depends on what is counted. Take `degraded` from the
/// highest value of an ordinary week, and `unhealthy` from what the consumers cannot catch up with
/// in the time that the users wait. An unhealthy backlog on the readiness probe takes the consumers
/// away that would work it off, so such a check is best of `probe = "none"`.
///
/// The message names the limit, the detail `value` the number (of a duration `value_ms`).
#[derive(Clone, Copy, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct AtMost<V> {
    value: V,
    degraded: V,
    unhealthy: V,
    unit: &'static str,
}

impl<V: Measure> AtMost<V> {
    /// What is counted, for the message: `more than 1000 messages`.
    pub const fn unit(mut self, unit: &'static str) -> Self {
        self.unit = unit;
        self
    }

    fn check(&self) -> CheckResult {
        let Self { value, degraded, unhealthy, unit } = *self;
        assert!(
            degraded <= unhealthy,
            "invalid limits: degraded above {degraded:?} must not exceed unhealthy above {unhealthy:?}"
        );
        let above = |limit: V| format!("more than {limit:?} {unit}").trim_end().to_owned();
        let result = if value <= degraded {
            CheckResult::healthy()
        } else if value <= unhealthy {
            CheckResult::degraded(above(degraded))
        } else if value > unhealthy {
            CheckResult::unhealthy(above(unhealthy))
        } else {
            CheckResult::unhealthy("the value is not a number")
        };
        let (key, value) = value.detail();
        result.with_detail(key, value)
    }
}

impl<V: Measure> IntoFuture for AtMost<V> {
    type Output = CheckResult;
    type IntoFuture = Ready<CheckResult>;

    fn into_future(self) -> Self::IntoFuture {
        ready(self.check())
    }
}

/// What [`at_most`] compares: an integer, a float or a [`Duration`].
pub trait Measure: PartialOrd + Copy + fmt::Debug + Send + private::Sealed {
    /// The detail's key and value.
    #[doc(hidden)]
    fn detail(self) -> (&'static str, Value);
}

mod private {
    pub trait Sealed {}
}

macro_rules! numbers {
    ($($number:ty)+) => { $(
        impl private::Sealed for $number {}
        impl Measure for $number {
            fn detail(self) -> (&'static str, Value) {
                ("value", self.into())
            }
        }
    )+ };
}
numbers!(u8 u16 u32 u64 usize i8 i16 i32 i64 isize f32 f64);

impl private::Sealed for Duration {}
impl Measure for Duration {
    fn detail(self) -> (&'static str, Value) {
        ("value_ms", millis(self).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::HealthState;

    #[tokio::test]
    async fn a_limit_itself_is_still_allowed() {
        let queue = |depth: u64| at_most(depth, 10, 100).unit("messages");
        assert_eq!(queue(10).await, CheckResult::healthy().with_detail("value", 10));
        let result = queue(11).await;
        assert_eq!(result.state(), HealthState::Degraded);
        assert_eq!(result.message(), Some("more than 10 messages"));
        assert_eq!(queue(100).await.state(), HealthState::Degraded);
        let result = queue(101).await;
        assert_eq!(result.state(), HealthState::Unhealthy);
        assert_eq!(result.message(), Some("more than 100 messages"));
    }

    #[tokio::test]
    async fn durations_and_floats_are_measures_too() {
        let second = Duration::from_secs(1);
        let result = at_most(second * 2, second, second * 60).await;
        assert_eq!(result.message(), Some("more than 1s"));
        assert_eq!(result.details()["value_ms"], 2000.0);
        assert_eq!(at_most(0.5, 0.4, 0.9).await.message(), Some("more than 0.4"));
        assert_eq!(at_most(f64::NAN, 0.4, 0.9).await.state(), HealthState::Unhealthy);
    }

    #[tokio::test]
    #[should_panic(expected = "degraded above 9 must not exceed unhealthy above 5")]
    async fn limits_in_the_wrong_order_are_refused() {
        at_most(1, 9, 5).await;
    }
}
