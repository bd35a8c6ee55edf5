//! What is known of one service, ready to be displayed.

use std::time::{Duration, Instant, SystemTime};

use super::super::line::line;
use super::connection::{Disconnected, Update};
use crate::model::{CheckReport, HealthState, Report};

/// A report at the moment it was received. All of its text is safe to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Snapshot {
    pub(super) state: HealthState,
    pub(super) is_draining: bool,
    /// In name order.
    pub(super) checks: Vec<CheckSnapshot>,
    received: Instant,
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct CheckSnapshot {
    pub(super) name: String,
    pub(super) state: HealthState,
    pub(super) message: Option<String>,
    pub(super) is_stale: bool,
    pub(super) latency: Option<Duration>,
    /// How long the check had been in this state when the report was received.
    state_age: Option<Duration>,
}

impl Snapshot {
    pub(super) fn new(report: &Report, received: Instant) -> Self {
        let check = |(name, check): (&String, &CheckReport)| CheckSnapshot {
            name: line(name),
            state: check.state,
            message: check.message.as_ref().map(line),
            is_stale: check.stale,
            latency: check.duration,
            state_age: state_age(check),
        };
        Self {
            state: report.status,
            is_draining: report.draining,
            checks: report.checks.iter().map(check).collect(),
            received,
        }
    }

    /// How long this check has been in its state.
    pub(super) fn state_age_of(&self, check: &CheckSnapshot, now: Instant) -> Option<Duration> {
        Some(check.state_age? + now.saturating_duration_since(self.received))
    }

    /// How long the service has been in its state, as far as its checks tell: as long as the first
    /// of those that are as bad, or, where all are healthy, since the last became so.
    pub(super) fn state_age(&self, now: Instant) -> Option<Duration> {
        let checks = self.checks.iter().filter(|check| check.state == self.state);
        let ages = checks.filter_map(|check| self.state_age_of(check, now));
        if self.state == HealthState::Healthy { ages.min() } else { ages.max() }
    }
}

/// By the clock of the service: ours may differ.
fn state_age(check: &CheckReport) -> Option<Duration> {
    let now = check.checked_at.zip(check.age).and_then(|(at, age)| at.checked_add(age));
    let now = now.unwrap_or_else(SystemTime::now);
    Some(now.duration_since(check.since?).unwrap_or_default())
}

/// A service and whether it is connected.
#[derive(Debug)]
pub(super) struct Service {
    pub(super) label: String,
    pub(super) connection: Connection,
    was_connected: bool,
}

#[derive(Debug)]
pub(super) enum Connection {
    /// The first attempt.
    Connecting,
    Connected(Snapshot),
    /// With the moment of the first failure.
    Disconnected(Disconnected, Instant),
}

impl Connection {
    /// What the service reports at present.
    pub(super) fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::Connected(snapshot) => Some(snapshot),
            Self::Connecting | Self::Disconnected(..) => None,
        }
    }
}

impl Service {
    pub(super) fn new(label: String) -> Self {
        Self { label, connection: Connection::Connecting, was_connected: false }
    }

    pub(super) fn apply(&mut self, update: Update) {
        self.connection = match update {
            Update::Report(snapshot) => {
                self.was_connected = true;
                Connection::Connected(snapshot)
            }
            Update::Disconnected(disconnected) => {
                let since = match self.connection {
                    Connection::Disconnected(_, since) => since,
                    _ => disconnected.at,
                };
                Connection::Disconnected(disconnected, since)
            }
        };
    }

    /// Why the URL is not a health stream. One that was may become one again: an ingress without a
    /// backend answers 404.
    pub(super) fn refusal(&self) -> Option<String> {
        match &self.connection {
            Connection::Disconnected(disconnected, _)
                if disconnected.is_refusal && !self.was_connected =>
            {
                Some(format!("failed: {}: {}", self.label, disconnected.reason))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    #[test]
    fn the_age_of_a_state_is_taken_from_the_clock_of_the_service() {
        let json = r#"{"status":"degraded","checks":{
            "a":{"state":"healthy","since":"2020-01-01T00:00:00Z",
                "checked_at":"2020-01-01T00:01:00Z","age_ms":1000.0},
            "b":{"state":"degraded","since":"2020-01-01T00:00:30Z",
                "checked_at":"2020-01-01T00:01:00Z","age_ms":0.0},
            "c":{"state":"degraded"}}}"#;
        let received = Instant::now();
        let snapshot = Snapshot::new(&serde_json::from_str(json).unwrap(), received);
        let now = received + Duration::from_secs(2);
        let ages = snapshot.checks.iter().map(|check| snapshot.state_age_of(check, now));
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!(ages.collect::<Vec<_>>(), [seconds(63), seconds(32), None]);
        assert_eq!(snapshot.state_age(now), seconds(32));
    }

    #[test]
    fn a_state_that_begins_in_the_future_is_new() {
        let since = Some(SystemTime::now() + DAY);
        let (checked_at, age) = (since, Some(Duration::MAX));
        let overflow = CheckReport { checked_at, age, since, ..CheckReport::default() };
        assert_eq!(state_age(&overflow), Some(Duration::ZERO));
        assert_eq!(
            state_age(&CheckReport { since, ..CheckReport::default() }),
            Some(Duration::ZERO)
        );
    }

    #[test]
    fn only_a_url_that_never_was_a_stream_is_refused() {
        let at = Instant::now();
        let refused = || {
            let reason = "404 Not Found".to_owned();
            Update::Disconnected(Disconnected { reason, is_refusal: true, at, retry_at: at })
        };
        let mut service = Service::new("host".to_owned());
        assert_eq!(service.refusal(), None);
        service.apply(refused());
        assert_eq!(service.refusal().as_deref(), Some("failed: host: 404 Not Found"));
        service.apply(Update::Report(Snapshot::new(&Report::default(), at)));
        service.apply(refused());
        assert_eq!(service.refusal(), None);
    }
}
