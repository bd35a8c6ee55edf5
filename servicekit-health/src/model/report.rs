//! What is known of a set of checks at one moment.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use serde_json::{Map, Value};

use super::{DRAIN_MESSAGE, Details, HealthState};

/// The states of a set of checks at one moment.
///
/// It serializes to the bare JSON of `GET /health`, and deserializes from that and from the verbose
/// form. `Display` prints the text form, so `print!("{}", health.report().await)` needs no server.
///
/// ```
/// use servicekit_health::{HealthState, Report};
///
/// let json = r#"{"status":"degraded","checks":{"redis":{"state":"degraded","message":"slow"}}}"#;
/// let report: Report = serde_json::from_str(json).unwrap();
/// assert_eq!(report.status, HealthState::Degraded);
/// assert_eq!(serde_json::to_string(&report).unwrap(), json);
/// assert_eq!(report.to_string(), "[!]redis degraded: slow\nhealth check passed\n");
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Report {
    /// The worst state among the checks, and unhealthy while draining; healthy where there are no
    /// checks.
    pub status: HealthState,
    /// Whether the program is draining. On the wire that is one more entry, `$drain`.
    pub draining: bool,
    /// The checks by name.
    pub checks: BTreeMap<String, CheckReport>,
    /// What the entry `$drain` says while draining.
    pub(crate) drain: Option<Box<CheckReport>>,
}

impl Report {
    /// A report of these checks, with their worst state as its status.
    pub(crate) fn new(checks: BTreeMap<String, CheckReport>) -> Self {
        let status = checks.values().map(|check| check.state).max();
        Self { status: status.unwrap_or_default(), checks, ..Self::default() }
    }

    /// The same report of a program that is draining, with this many requests under way.
    pub(crate) fn draining(mut self, requests_in_flight: Option<usize>) -> Self {
        let mut drain = CheckReport::new(HealthState::Unhealthy, DRAIN_MESSAGE);
        if let Some(requests) = requests_in_flight {
            drain.details.insert("requests_in_flight".to_owned(), requests.into());
        }
        self.status = HealthState::Unhealthy;
        self.draining = true;
        self.drain = Some(Box::new(drain));
        self
    }

    /// What a reader may see who is allowed this much. The status never changes.
    ///
    /// Every encoder gets a report that went through here, and none has to ask again.
    pub(crate) fn redacted(&self, details: Details) -> Cow<'_, Self> {
        match details {
            Details::Full => Cow::Borrowed(self),
            Details::States => {
                let mut report = self.clone();
                let drain = report.drain.as_deref_mut();
                for check in report.checks.values_mut().chain(drain) {
                    check.message = None;
                    check.raw_message = None;
                    check.details = Map::new();
                }
                Cow::Owned(report)
            }
            Details::Status => Cow::Owned(Self { status: self.status, ..Self::default() }),
        }
    }
}

/// What is known of one check at one moment.
///
/// It serializes to the plain form, `state` and `message`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The reported state, after thresholds.
    pub state: HealthState,
    /// The message of the result that is reported; scrubbed of credentials and at most 1 KiB.
    pub message: Option<String>,
    /// The state of the newest result where the reported one differs: a threshold holds it back, or
    /// the check is `shared`.
    pub raw_state: Option<HealthState>,
    /// The message of the newest result where a threshold holds it back.
    pub raw_message: Option<String>,
    /// This is an older result: the check did not finish within the deadline.
    pub stale: bool,
    /// When the newest result was obtained.
    pub checked_at: Option<SystemTime>,
    /// How long ago that was, on the monotonic clock.
    pub age: Option<Duration>,
    /// How long that run took.
    pub duration: Option<Duration>,
    /// When the reported state began.
    pub since: Option<SystemTime>,
    /// How many results in a row, up to the newest, were not healthy.
    pub consecutive_failures: u32,
    /// When the check was last healthy.
    pub last_success: Option<SystemTime>,
    /// What the check is for: its doc comment.
    pub description: Option<String>,
    /// The tags it can be selected by.
    pub tags: Vec<String>,
    /// The details of `CheckResult::with_detail`.
    pub details: Map<String, Value>,
}

impl CheckReport {
    pub(crate) fn new(state: HealthState, message: impl Into<String>) -> Self {
        Self { state, message: Some(message.into()), ..Self::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: &[(&str, HealthState)]) -> Report {
        let check = |(name, state): &(&str, HealthState)| {
            ((*name).to_owned(), CheckReport { state: *state, ..CheckReport::default() })
        };
        Report::new(checks.iter().map(check).collect())
    }

    #[test]
    fn the_worst_state_is_the_status() {
        use HealthState::{Degraded, Healthy, Unhealthy};
        assert_eq!(report(&[]).status, Healthy);
        assert_eq!(report(&[("a", Healthy), ("b", Healthy)]).status, Healthy);
        assert_eq!(report(&[("a", Healthy), ("b", Degraded)]).status, Degraded);
        assert_eq!(report(&[("a", Unhealthy), ("b", Degraded), ("c", Healthy)]).status, Unhealthy);
        assert_eq!(report(&[("a", Healthy)]).draining(None).status, Unhealthy);
    }

    #[test]
    fn redaction_keeps_the_status_and_takes_what_the_reader_may_not_see() {
        let mut full = report(&[("redis", HealthState::Degraded)]);
        let redis = full.checks.get_mut("redis").unwrap();
        redis.message = Some("slow".to_owned());
        redis.raw_message = Some("refused".to_owned());
        redis.details.insert("lag".to_owned(), 1.into());
        let full = full.draining(Some(3));

        assert_eq!(*full.redacted(Details::Full), full);
        let states = full.redacted(Details::States);
        let json = serde_json::to_string(&*states).unwrap();
        assert_eq!(
            json,
            r#"{"status":"unhealthy","checks":{"$drain":{"state":"unhealthy"},"redis":{"state":"degraded"}}}"#
        );
        assert_eq!(states.checks["redis"].raw_message, None);
        assert!(states.checks["redis"].details.is_empty());
        let status = full.redacted(Details::Status);
        assert_eq!(serde_json::to_string(&*status).unwrap(), r#"{"status":"unhealthy"}"#);
    }
}
