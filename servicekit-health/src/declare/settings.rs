//! The settings of one check, the same for the attribute and for `Check`.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::model::{HealthState, Probe, Probes};

/// What the attribute's keys, or the methods of [`Check`](crate::Check), say about one check.
///
/// `None` leaves a setting to the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckSettings {
    /// The state when the check returns `Err`, panics or times out.
    pub on_error: HealthState,
    /// How long a run may take.
    pub timeout: Option<Duration>,
    /// How long a result serves further requests.
    pub cache: Option<Duration>,
    /// How often the check runs in the background; `None` runs it on demand.
    pub interval: Option<Duration>,
    /// The probes it belongs to.
    pub probes: Probes,
    /// Every replica depends on the same thing: on the readiness probe the check counts as degraded
    /// at worst.
    pub shared: bool,
    /// A check that has been reported degraded for this long is reported unhealthy.
    pub unhealthy_after: Option<Duration>,
    /// How many worse results in a row worsen the reported state.
    pub failure_threshold: NonZeroU32,
    /// How many better results in a row improve the reported state.
    pub success_threshold: NonZeroU32,
}

impl CheckSettings {
    /// The settings of a check whose attribute says nothing.
    pub const DEFAULT: Self = Self {
        on_error: HealthState::Unhealthy,
        timeout: None,
        cache: None,
        interval: None,
        probes: Probes::new(&[Probe::Readiness]),
        shared: false,
        unhealthy_after: None,
        failure_threshold: NonZeroU32::MIN,
        success_threshold: NonZeroU32::MIN,
    };
}
