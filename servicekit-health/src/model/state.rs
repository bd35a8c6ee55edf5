//! The states, in order of severity.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The state of a check, or of a service: the worst state of its checks.
///
/// The order is the order of severity, so `max` aggregates:
///
/// ```
/// use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
///
/// assert_eq!([Healthy, Unhealthy, Degraded].into_iter().max(), Some(Unhealthy));
/// assert_eq!(Degraded.to_string(), "degraded");
/// assert_eq!("healthy".parse(), Ok(Healthy));
/// ```
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// Works as intended.
    #[default]
    Healthy,
    /// Works with reduced function or capacity. Still takes traffic.
    Degraded,
    /// Does not work. Must get no traffic.
    Unhealthy,
}

/// The state of a check, or of a service: the worst state of its checks.
// The schema of `HealthState`, whose public interface is without the crate that makes schemas.
#[cfg(feature = "openapi")]
#[derive(utoipa::ToSchema)]
#[schema(as = State, rename_all = "lowercase")]
#[expect(dead_code, reason = "only its schema is used")]
pub(crate) enum StateSchema {
    Healthy,
    Degraded,
    Unhealthy,
}

impl HealthState {
    /// Every state, from best to worst.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Unhealthy];

    /// The state as it is on the wire: `healthy`, `degraded` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for HealthState {
    type Err = ParseHealthStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let state = Self::ALL.into_iter().find(|state| state.as_str() == text);
        state.ok_or(ParseHealthStateError(()))
    }
}

/// The text is none of `healthy`, `degraded` and `unhealthy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHealthStateError(());

impl fmt::Display for ParseHealthStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `healthy`, `degraded` or `unhealthy`")
    }
}

impl std::error::Error for ParseHealthStateError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_ordered_and_read_back_from_their_text() {
        assert!(HealthState::Healthy < HealthState::Degraded);
        assert!(HealthState::Degraded < HealthState::Unhealthy);
        for state in HealthState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        let error = "Healthy".parse::<HealthState>().unwrap_err();
        assert_eq!(error.to_string(), "expected `healthy`, `degraded` or `unhealthy`");
    }

    #[cfg(feature = "openapi")]
    #[test]
    fn the_schema_has_the_states() {
        let schema = <StateSchema as utoipa::PartialSchema>::schema();
        let schema = serde_json::to_value(schema).unwrap();
        assert_eq!(schema["enum"], serde_json::json!(HealthState::ALL));
    }
}
