//! What the log says at start-up.

use std::time::Duration;

use crate::declare::check::Check;
use crate::evaluate::settings::{Mode, ResolvedSettings};
use crate::model::Probe;

/// Says what there is and what it gates, so that a check that is not linked is missed early.
pub(super) fn announce(checks: &[(Check, ResolvedSettings)], deadline: Duration) {
    let count = checks.len();
    if count == 0 {
        tracing::warn!(
            target: "servicekit_health",
            "no health checks are registered: everything reports healthy; a crate with checks is \
             linked only when something of it is used, such as `use my_checks as _;`"
        );
        return;
    }
    let with_place = |check: &Check| format!("{} ({})", check.name, check.origin);
    let all = listed(checks.iter().map(|(check, _)| with_place(check)));
    tracing::info!(target: "servicekit_health", count, checks = all, "health checks");
    for probe in Probe::ALL {
        let gates = |check: &&Check| check.settings.probes.contains(*probe);
        let name = |check: &Check| {
            let is_spared = check.settings.shared && *probe == Probe::Readiness;
            if is_spared { format!("{} (shared)", check.name) } else { check.name.clone() }
        };
        let checks = listed(checks.iter().map(|(check, _)| check).filter(gates).map(name));
        if !checks.is_empty() {
            tracing::info!(target: "servicekit_health", %probe, checks, "gated by health checks");
        }
    }
    let is_late = |settings: &ResolvedSettings| {
        settings.timeout > deadline && matches!(settings.mode, Mode::OnDemand { .. })
    };
    let late = checks.iter().filter(|(_, settings)| is_late(settings));
    let late = listed(late.map(|(check, _)| with_place(check)));
    if !late.is_empty() {
        tracing::warn!(
            target: "servicekit_health",
            checks = late,
            deadline_ms = deadline.as_millis(),
            "health checks with a timeout above the deadline: a request does not wait for them \
             that long; give them an interval, or a shorter timeout"
        );
    }
    if cfg!(panic = "abort") {
        tracing::warn!(
            target: "servicekit_health",
            "compiled with `panic = \"abort\"`: a health check that panics ends the process"
        );
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<_> = names.collect();
    names.sort();
    names.join(", ")
}
