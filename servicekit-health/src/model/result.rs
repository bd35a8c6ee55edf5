//! What one run of a check found.

use serde_json::{Map, Value};

use super::HealthState;

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

    /// A healthy result, with no message.
    pub fn healthy() -> Self {
        Self::new(HealthState::Healthy)
    }

    /// A degraded result: works with reduced function or capacity.
    pub fn degraded(message: impl Into<String>) -> Self {
        Self::new(HealthState::Degraded).with_message(message)
    }

    /// An unhealthy result: does not work.
    pub fn unhealthy(message: impl Into<String>) -> Self {
        Self::new(HealthState::Unhealthy).with_message(message)
    }

    /// Sets the message; an empty text removes it.
    ///
    /// Messages leave the process: credentials that can be recognized are replaced by `***`, then
    /// the text is cut to 1 KiB.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.message = Some(message.into()).filter(|text| !text.is_empty());
        self
    }

    /// Adds a detail to the verbose form of a report. A key given twice keeps the last value.
    ///
    /// Details are scrubbed like messages, by their keys too. A result keeps its first 32 keys and at
    /// most 8 KiB of details.
    #[must_use]
    pub fn with_detail(mut self, key: impl Into<String>, value: impl Into<Value>) -> Self {
        self.details.insert(key.into(), value.into());
        self
    }

    /// Keeps the message and the details as they are: they are not searched for credentials. The
    /// limits of length still hold.
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

    /// The details, by key.
    pub const fn details(&self) -> &Map<String, Value> {
        &self.details
    }
}

impl From<HealthState> for CheckResult {
    fn from(state: HealthState) -> Self {
        Self::new(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_message_is_no_message() {
        assert_eq!(CheckResult::degraded("").message(), None);
    }

    #[test]
    fn the_last_value_of_a_detail_counts() {
        let result = CheckResult::healthy().with_detail("lag", 1).with_detail("lag", 2);
        assert_eq!(result.details()["lag"], 2);
    }
}
