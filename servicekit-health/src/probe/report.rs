//! An answer of the endpoints, as seen from outside.

use std::collections::BTreeMap;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::evaluate::model::HealthState;

/// The JSON of `GET /health`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Seen {
    #[serde(deserialize_with = "state")]
    pub(super) status: HealthState,
    #[serde(default)]
    pub(super) checks: BTreeMap<String, SeenCheck>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct SeenCheck {
    #[serde(deserialize_with = "state")]
    pub(super) state: HealthState,
    #[serde(default)]
    pub(super) message: Option<String>,
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<HealthState, D::Error> {
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}

impl Seen {
    pub(super) fn parse(json: &[u8]) -> Option<Self> {
        serde_json::from_slice(json).ok()
    }

    /// `; redis degraded: Connection refused` for every check that is not healthy, the worst first.
    pub(super) fn complaints(&self) -> String {
        let mut unwell: Vec<_> = self.checks.iter().collect();
        unwell.retain(|(_, check)| check.state != HealthState::Healthy);
        unwell.sort_by_key(|(_, check)| std::cmp::Reverse(check.state));
        let complaint = |(name, check): (&String, &SeenCheck)| match &check.message {
            Some(message) => format!("; {name} {}: {message}", check.state),
            None => format!("; {name} {}", check.state),
        };
        unwell.into_iter().map(complaint).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_the_checks_that_are_not_healthy_the_worst_first() {
        let json = br#"{"status":"unhealthy","checks":{
            "cache":{"state":"degraded","message":"cold"},
            "database":{"state":"healthy","message":"fine"},
            "queue":{"state":"unhealthy"}}}"#;
        let seen = Seen::parse(json).unwrap();
        assert_eq!(seen.complaints(), "; queue unhealthy; cache degraded: cold");
        assert_eq!(Seen::parse(br#"{"status":"healthy"}"#).unwrap().complaints(), "");
    }

    #[test]
    fn other_json_is_no_report() {
        for json in ["", "{}", "[]", r#"{"status":"UP"}"#, r#"{"status":"healthy","checks":[]}"#] {
            assert_eq!(Seen::parse(json.as_bytes()), None, "{json}");
        }
    }
}
