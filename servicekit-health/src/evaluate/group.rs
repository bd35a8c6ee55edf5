//! The groups of checks that are asked for together: all of them, and those of each probe.

use super::settings::CheckInfo;
use crate::model::{HealthState, Probe};

/// What is special about a group. A further probe is one more constant.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a rule by itself")]
pub(crate) struct Group {
    /// `health`, `liveness`, `readiness` or `startup`.
    pub(crate) name: &'static str,
    /// The probe whose checks these are; `None` is every check.
    pub(crate) probe: Option<Probe>,
    /// Where it is served unless the builder says otherwise.
    pub(crate) path: &'static str,
    /// Whether a program that is draining is unhealthy in this respect.
    pub(crate) shows_drain: bool,
    /// Whether the startup checks belong to it until they have passed: balancers never ask
    /// `/startupz`.
    pub(crate) waits_for_startup: bool,
    /// Whether it passes for good once it has passed.
    pub(crate) latches: bool,
    /// Whether a check that is `shared` counts as degraded at worst.
    pub(crate) spares_shared: bool,
}

/// Every check.
pub(crate) static HEALTH: Group = Group {
    name: "health",
    probe: None,
    path: "/health",
    shows_drain: true,
    waits_for_startup: false,
    latches: false,
    spares_shared: false,
};

pub(crate) static LIVENESS: Group = Group {
    name: "liveness",
    probe: Some(Probe::Liveness),
    path: "/livez",
    shows_drain: false,
    waits_for_startup: false,
    latches: false,
    spares_shared: false,
};

pub(crate) static READINESS: Group = Group {
    name: "readiness",
    probe: Some(Probe::Readiness),
    path: "/readyz",
    shows_drain: true,
    waits_for_startup: true,
    latches: false,
    spares_shared: true,
};

pub(crate) static STARTUP: Group = Group {
    name: "startup",
    probe: Some(Probe::Startup),
    path: "/startupz",
    shows_drain: false,
    waits_for_startup: false,
    latches: true,
    spares_shared: false,
};

/// One check by itself: what it says does not change while the program drains.
pub(crate) static ONE_CHECK: Group = Group {
    name: "health",
    probe: None,
    path: "/health/{name}",
    shows_drain: false,
    waits_for_startup: false,
    latches: false,
    spares_shared: false,
};

/// Every group, each at its [`index`](Group::index).
pub(crate) static GROUPS: [&Group; 4] = [&HEALTH, &LIVENESS, &READINESS, &STARTUP];

/// A check as a member of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Member {
    /// Among the engine's checks.
    pub(crate) index: usize,
    /// The worst state it counts with.
    pub(crate) worst: HealthState,
}

impl Group {
    /// The group of a probe.
    pub(crate) fn of(probe: Probe) -> &'static Self {
        match probe {
            Probe::Liveness => &LIVENESS,
            Probe::Readiness => &READINESS,
            Probe::Startup => &STARTUP,
        }
    }

    /// The position in [`GROUPS`].
    pub(crate) fn index(&self) -> usize {
        self.probe.map_or(0, |probe| 1 + probe as usize)
    }

    /// What the check at `index` is in this group, if it belongs to it; `starting` until the startup
    /// checks have passed.
    pub(crate) fn member(&self, index: usize, check: &CheckInfo, starting: bool) -> Option<Member> {
        let holds_back =
            self.waits_for_startup && starting && check.probes.contains(Probe::Startup);
        let belongs = self.probe.is_none_or(|probe| check.probes.contains(probe));
        let is_over = self.latches && !starting;
        let spared = self.spares_shared && check.shared && !holds_back;
        let worst = if spared { HealthState::Degraded } else { HealthState::Unhealthy };
        ((belongs && !is_over) || holds_back).then_some(Member { index, worst })
    }

    /// Whether the check belongs to the group at any time: what a selection may name.
    pub(crate) fn may_have(&self, check: &CheckInfo) -> bool {
        let belongs = self.probe.is_none_or(|probe| check.probes.contains(probe));
        belongs || self.waits_for_startup && check.probes.contains(Probe::Startup)
    }
}
