//! The settings of one check, the same for the attribute and for `Check`.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::evaluate::model::{HealthState, Probe};

/// What the attribute's keys, or the methods of [`Check`](crate::Check), say about one check.
///
/// `None` leaves a setting to the builder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Settings {
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
    /// How many worse results in a row worsen the reported state.
    pub failure_threshold: NonZeroU32,
    /// How many better results in a row improve the reported state.
    pub success_threshold: NonZeroU32,
}

impl Settings {
    /// The settings of a check whose attribute says nothing.
    pub const DEFAULT: Self = Self {
        on_error: HealthState::Unhealthy,
        timeout: None,
        cache: None,
        interval: None,
        probes: Probes::of(&[Probe::Readiness]),
        failure_threshold: NonZeroU32::MIN,
        success_threshold: NonZeroU32::MIN,
    };
}

/// The setters that the attribute's expansion chains, evaluated at compile time.
#[doc(hidden)]
impl Settings {
    #[must_use]
    pub const fn on_error(mut self, state: HealthState) -> Self {
        self.on_error = state;
        self
    }

    #[must_use]
    pub const fn timeout(mut self, millis: u64) -> Self {
        self.timeout = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn cache(mut self, millis: u64) -> Self {
        self.cache = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn interval(mut self, millis: u64) -> Self {
        self.interval = Some(Duration::from_millis(millis));
        self
    }

    #[must_use]
    pub const fn probe(mut self, probes: &[Probe]) -> Self {
        self.probes = Probes::of(probes);
        self
    }

    /// # Panics
    /// At 0, which the attribute refuses; in a `static`, that is a compile error.
    #[must_use]
    pub const fn failure_threshold(mut self, results: u32) -> Self {
        self.failure_threshold = NonZeroU32::new(results).expect("a threshold is at least 1");
        self
    }

    /// # Panics
    /// At 0, which the attribute refuses; in a `static`, that is a compile error.
    #[must_use]
    pub const fn success_threshold(mut self, results: u32) -> Self {
        self.success_threshold = NonZeroU32::new(results).expect("a threshold is at least 1");
        self
    }
}

/// A set of [`Probe`]s.
///
/// ```
/// use servicekit_health::{Probe, Probes};
///
/// let probes = Probes::from([Probe::Liveness, Probe::Readiness]);
/// assert!(probes.contains(Probe::Liveness));
/// assert!(!probes.contains(Probe::Startup));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Probes(u8);

impl Probes {
    pub(crate) const fn of(probes: &[Probe]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < probes.len() {
            bits |= Self::bit(probes[index]);
            index += 1;
        }
        Self(bits)
    }

    const fn bit(probe: Probe) -> u8 {
        1 << probe as u8
    }

    /// Whether `probe` is in the set.
    pub const fn contains(self, probe: Probe) -> bool {
        self.0 & Self::bit(probe) != 0
    }

    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl From<Probe> for Probes {
    fn from(probe: Probe) -> Self {
        Self::of(&[probe])
    }
}

impl<const N: usize> From<[Probe; N]> for Probes {
    fn from(probes: [Probe; N]) -> Self {
        Self::of(&probes)
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let members = Probe::ALL.into_iter().filter(|probe| self.contains(*probe));
        f.debug_set().entries(members).finish()
    }
}
