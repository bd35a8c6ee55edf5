//! What a check says and what a reader gets: plain data, with no I/O, no runtime and no HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

/// The name of the entry that says that the program is draining.
pub(crate) const DRAIN_ENTRY: &str = "$drain";

/// How well something is: the worst state of its checks is a service's status.
///
/// The order is the order of severity, so `max` aggregates:
///
/// ```
/// use servicekit_health::HealthState::{Degraded, Healthy, Unhealthy};
///
/// assert_eq!([Healthy, Unhealthy, Degraded].into_iter().max(), Some(Unhealthy));
/// assert_eq!(Degraded.to_string(), "degraded");
/// assert_eq!("healthy".parse(), Ok(Healthy));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum HealthState {
    /// All is well.
    #[default]
    Healthy,
    /// Works, with less than it should have. Still takes traffic.
    Degraded,
    /// Does not work. Should get no traffic.
    Unhealthy,
}

impl HealthState {
    /// Every state, from best to worst.
    pub const ALL: [Self; 3] = [Self::Healthy, Self::Degraded, Self::Unhealthy];

    /// The state as it stands on the wire: `healthy`, `degraded` or `unhealthy`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Unhealthy => "unhealthy",
        }
    }
}

impl fmt::Display for HealthState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for HealthState {
    type Err = ParseHealthStateError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str() == text).ok_or(ParseHealthStateError(()))
    }
}

/// The text is none of `healthy`, `degraded` and `unhealthy`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseHealthStateError(());

impl fmt::Display for ParseHealthStateError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected `healthy`, `degraded` or `unhealthy`")
    }
}

impl std::error::Error for ParseHealthStateError {}

/// The Kubernetes probes a check can belong to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Probe {
    /// `/livez`: a failure restarts the container, so only what a restart mends belongs here.
    Liveness,
    /// `/readyz`: a failure takes the pod out of the load balancer until it passes again.
    Readiness,
    /// `/startupz`: holds the other probes back until it has passed once.
    Startup,
}

impl Probe {
    /// Every probe.
    pub const ALL: [Self; 3] = [Self::Liveness, Self::Readiness, Self::Startup];

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

/// What one run of a check found.
///
/// ```
/// use servicekit_health::CheckResult;
///
/// let result = CheckResult::degraded("2 of 3 replicas answer")
///     .with_detail("replicas", 3)
///     .with_detail("answering", 2);
/// assert_eq!(result.state().as_str(), "degraded");
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct CheckResult {
    pub(crate) state: HealthState,
    pub(crate) message: Option<String>,
    pub(crate) details: Map<String, Value>,
    pub(crate) verbatim: bool,
}

impl CheckResult {
    /// A result of this state, with no message.
    pub fn new(state: HealthState) -> Self {
        Self { state, message: None, details: Map::new(), verbatim: false }
    }

    /// All is well.
    pub fn healthy() -> Self {
        Self::new(HealthState::Healthy)
    }

    /// Works, with less than it should have.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthState::Degraded).with_message(message)
    }

    /// Does not work.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthState::Unhealthy).with_message(message)
    }

    /// Sets the message; an empty one is none.
    ///
    /// Messages reach the outside: credentials that can be recognized are replaced by `***`, then
    /// the text is cut to 1 KiB.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into()).filter(|text| !text.is_empty());
        self
    }

    /// Adds a fact for the verbose form of a report. Setting a key again replaces its value.
    #[must_use]
    pub fn with_detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    /// Vouches for the message and the details: they are not searched for credentials.
    /// The length limit still holds.
    ///
    /// ```
    /// use servicekit_health::CheckResult;
    ///
    /// let result = CheckResult::degraded("token=expired (no secret here)").verbatim();
    /// ```
    #[must_use]
    pub fn verbatim(mut self) -> Self {
        self.verbatim = true;
        self
    }

    /// The state.
    pub const fn state(&self) -> HealthState {
        self.state
    }

    /// The message, if there is one.
    pub fn message(&self) -> Option<&str> {
        self.message.as_deref()
    }
}

impl From<HealthState> for CheckResult {
    fn from(state: HealthState) -> Self {
        Self::new(state)
    }
}

/// The answer of a set of checks at one moment.
///
/// Its `Serialize` form is the plain JSON of `GET /health`:
///
/// ```
/// use servicekit_health::{HealthState, Report};
///
/// assert_eq!(serde_json::to_string(&Report::default()).unwrap(), r#"{"status":"healthy"}"#);
/// assert_eq!(Report::default().status, HealthState::Healthy);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// The worst state among the checks; healthy where there are none.
    pub status: HealthState,
    /// The checks by name. While draining, `$drain` is one of them.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<String, CheckReport>,
}

impl Report {
    /// A report of these checks, with their worst state as its status.
    pub(crate) fn of(checks: BTreeMap<String, CheckReport>) -> Self {
        let status = checks.values().map(|check| check.state).max();
        Self { status: status.unwrap_or_default(), checks }
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.checks.contains_key(DRAIN_ENTRY)
    }
}

/// What is known of one check at one moment.
///
/// `Serialize` gives the plain form, `state` and `message`.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The reported state, after thresholds.
    pub state: HealthState,
    /// Why, if the check said so; scrubbed of credentials and at most 1 KiB.
    pub message: Option<String>,
    /// The state of the newest result where a threshold holds it back.
    pub raw_state: Option<HealthState>,
    /// The message of the newest result where a threshold holds it back.
    pub raw_message: Option<String>,
    /// This is the last result of a check that did not answer within the deadline.
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
    /// The facts of `CheckResult::with_detail`.
    pub details: Map<String, Value>,
}

impl CheckReport {
    pub(crate) fn new(state: HealthState, message: impl Into<String>) -> Self {
        Self { state, message: Some(message.into()), ..Self::default() }
    }
}

impl Serialize for CheckReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Plain<'a> {
            state: HealthState,
            #[serde(skip_serializing_if = "Option::is_none")]
            message: Option<&'a str>,
        }
        let message = self.message.as_deref();
        Plain { state: self.state, message }.serialize(serializer)
    }
}

/// A check's reported state changed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Transition {
    /// The check's name.
    pub check: String,
    /// The state it left.
    pub from: HealthState,
    /// The state it is in now.
    pub to: HealthState,
    /// The message of the result that brought the change.
    pub message: Option<String>,
    /// How long the state it left had lasted.
    pub lasted: Duration,
    /// How many results in a row were not healthy: up to and with the one that brought the change,
    /// or before the healthy ones that did.
    pub failures: u32,
    /// How many transitions this listener lost, just before this one, by being too slow.
    pub missed: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(checks: &[(&str, HealthState, Option<&str>)]) -> Report {
        Report::of(
            checks
                .iter()
                .map(|(name, state, message)| {
                    let check = CheckReport {
                        state: *state,
                        message: message.map(str::to_owned),
                        ..CheckReport::default()
                    };
                    ((*name).to_owned(), check)
                })
                .collect(),
        )
    }

    #[test]
    fn the_worst_state_is_the_status() {
        use HealthState::{Degraded, Healthy, Unhealthy};
        let status = |states: &[HealthState]| {
            let names = ["a", "b", "c"];
            let checks: Vec<_> =
                names.into_iter().zip(states).map(|(n, s)| (n, *s, None)).collect();
            report(&checks).status
        };
        assert_eq!(status(&[]), Healthy);
        assert_eq!(status(&[Healthy, Healthy]), Healthy);
        assert_eq!(status(&[Healthy, Degraded]), Degraded);
        assert_eq!(status(&[Unhealthy, Degraded, Healthy]), Unhealthy);
    }

    #[test]
    fn the_json_is_bare_and_in_name_order() {
        let report = report(&[
            ("redis", HealthState::Degraded, Some("Redis unavailable: Connection refused")),
            ("database", HealthState::Healthy, None),
        ]);
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"status":"degraded","checks":{"database":{"state":"healthy"},"redis":{"state":"degraded","message":"Redis unavailable: Connection refused"}}}"#
        );
    }

    #[test]
    fn states_are_ordered_and_read_back_from_their_text() {
        assert!(HealthState::Healthy < HealthState::Degraded);
        assert!(HealthState::Degraded < HealthState::Unhealthy);
        for state in HealthState::ALL {
            assert_eq!(state.to_string().parse(), Ok(state));
        }
        let error = "Healthy".parse::<HealthState>().unwrap_err();
        assert_eq!(error.to_string(), "expected `healthy`, `degraded` or `unhealthy`");
    }

    #[test]
    fn an_empty_message_is_no_message() {
        assert_eq!(CheckResult::degraded("").message(), None);
    }
}
