//! A change of what is reported.

use std::time::{Duration, SystemTime};

use super::HealthState;

/// A change of a check's reported state.
///
/// A first result that is not healthy is one too, with no state before it, and so is the begin of
/// draining, under the name `$drain`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The check's name, or `$drain`.
    pub check: String,
    /// The state before; `None` where this is the first that is known.
    pub from: Option<HealthState>,
    /// The state from now on.
    pub to: HealthState,
    /// The message of the result that brought the change.
    pub message: Option<String>,
    /// When it happened.
    pub at: SystemTime,
    /// How long the state before had lasted; `None` where there was none.
    pub lasted: Option<Duration>,
    /// How many results in a row were not healthy: up to and with the one that brought the change,
    /// or before the healthy ones that did.
    pub failures: u32,
    /// How many transitions this listener lost just before this one because it was too slow.
    pub missed: u64,
}
