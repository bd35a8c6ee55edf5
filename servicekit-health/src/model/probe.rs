//! The Kubernetes probes, and sets of them.

use std::fmt;
use std::str::FromStr;

/// The Kubernetes probes a check can belong to.
///
/// ```
/// use servicekit_health::Probe;
///
/// assert_eq!(Probe::Readiness.to_string(), "readiness");
/// assert_eq!("startup".parse(), Ok(Probe::Startup));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Probe {
    /// `/livez`: a failure restarts the container, so only what a restart fixes belongs here.
    Liveness,
    /// `/readyz`: a failure takes the pod out of the load balancer until it passes again.
    Readiness,
    /// `/startupz`: holds the other probes back until it has passed once.
    Startup,
}

impl Probe {
    /// Every probe.
    pub const ALL: &'static [Self] = &[Self::Liveness, Self::Readiness, Self::Startup];

    /// `liveness`, `readiness` or `startup`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Liveness => "liveness",
            Self::Readiness => "readiness",
            Self::Startup => "startup",
        }
    }
}

impl fmt::Display for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Probe {
    type Err = ParseProbeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let probe = Self::ALL.iter().find(|probe| probe.as_str() == text);
        probe.copied().ok_or(ParseProbeError(()))
    }
}

/// The text is none of `liveness`, `readiness` and `startup`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseProbeError(());

impl fmt::Display for ParseProbeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `liveness`, `readiness` or `startup`")
    }
}

impl std::error::Error for ParseProbeError {}

/// A set of [`Probe`]s.
///
/// ```
/// use servicekit_health::{Probe, Probes};
///
/// let probes = Probes::from([Probe::Liveness, Probe::Readiness]);
/// assert!(probes.contains(Probe::Liveness));
/// assert!(!probes.contains(Probe::Startup));
/// assert!(probes.into_iter().eq([Probe::Liveness, Probe::Readiness]));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Probes(u8);

impl Probes {
    /// No probe: the check is on `/health` and gates nothing.
    pub const NONE: Self = Self(0);

    /// A set of these probes.
    pub const fn new(probes: &[Probe]) -> Self {
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

    /// The probes of the set, in the order of [`Probe::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Probe> {
        self.into_iter()
    }
}

impl IntoIterator for Probes {
    type Item = Probe;
    type IntoIter = std::iter::Flatten<std::array::IntoIter<Option<Probe>, 3>>;

    fn into_iter(self) -> Self::IntoIter {
        let all = [Probe::Liveness, Probe::Readiness, Probe::Startup];
        all.map(|probe| self.contains(probe).then_some(probe)).into_iter().flatten()
    }
}

impl From<Probe> for Probes {
    fn from(probe: Probe) -> Self {
        Self::new(&[probe])
    }
}

impl<const N: usize> From<[Probe; N]> for Probes {
    fn from(probes: [Probe; N]) -> Self {
        Self::new(&probes)
    }
}

impl FromIterator<Probe> for Probes {
    fn from_iter<I: IntoIterator<Item = Probe>>(probes: I) -> Self {
        Self(probes.into_iter().fold(0, |bits, probe| bits | Self::bit(probe)))
    }
}

impl fmt::Debug for Probes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}
