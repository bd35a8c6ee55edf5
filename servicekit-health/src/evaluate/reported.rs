//! What readers are told of a check, after thresholds and escalation.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{CheckResult, HealthState};

/// The state that readers are told, and the newest result that was of that state.
#[derive(Debug)]
pub(super) struct ReportedState {
    pub(super) result: CheckResult,
    since: Instant,
    escalated: Option<Escalation>,
}

/// A state that has been degraded for too long and is reported unhealthy.
#[derive(Clone, Copy, Debug)]
struct Escalation {
    since: Instant,
    after: Duration,
}

impl ReportedState {
    pub(super) fn new(result: &CheckResult, since: Instant) -> Self {
        Self { result: result.clone(), since, escalated: None }
    }

    /// From `since` on, what is degraded is reported unhealthy.
    pub(super) fn escalate(&mut self, since: Instant) {
        self.escalated = Some(Escalation { since, after: since - self.since });
    }

    pub(super) fn state(&self) -> HealthState {
        if self.escalated.is_some() { HealthState::Unhealthy } else { self.result.state }
    }

    pub(super) fn since(&self) -> Instant {
        self.escalated.map_or(self.since, |escalation| escalation.since)
    }

    pub(super) fn message(&self) -> Option<String> {
        let message = self.result.message.as_deref();
        match (self.escalated, message) {
            (None, message) => message.map(str::to_owned),
            (Some(it), None) => Some(format!("degraded for {:?}", it.after)),
            (Some(it), Some(text)) => Some(format!("degraded for {:?}: {text}", it.after)),
        }
    }
}
