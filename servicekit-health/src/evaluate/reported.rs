//! What readers are told of a check, after thresholds and escalation.

use std::time::Duration;

use tokio::time::Instant;

use crate::model::{CheckResult, HealthState};
use crate::text::cleaner::cut;

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

    /// Whether it was degraded for too long.
    pub(super) fn is_escalated(&self) -> bool {
        self.escalated.is_some()
    }

    pub(super) fn state(&self) -> HealthState {
        if self.is_escalated() { HealthState::Unhealthy } else { self.result.state }
    }

    pub(super) fn since(&self) -> Instant {
        self.escalated.map_or(self.since, |escalation| escalation.since)
    }

    pub(super) fn message(&self) -> Option<String> {
        let Some(Escalation { after, .. }) = self.escalated else {
            return self.result.message.clone();
        };
        let Some(text) = &self.result.message else {
            return Some(format!("degraded for {after:?}"));
        };
        let mut message = format!("degraded for {after:?}: {text}");
        // The text alone may be as long as a message can be.
        cut(&mut message);
        Some(message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_what_was_escalated_is_no_longer_than_any_other() {
        let begin = Instant::now();
        let degraded = CheckResult::degraded("é".repeat(512));
        let mut reported = ReportedState::new(&degraded, begin);
        assert_eq!(reported.message(), degraded.message);
        reported.escalate(begin + Duration::from_secs(300));
        let message = reported.message().unwrap();
        assert!(message.starts_with("degraded for 300s: é"), "{message}");
        assert!(message.len() <= 1024 && message.ends_with('…'), "{} bytes", message.len());
    }
}
