//! The JSON of a report, plain and verbose: the names on the wire, each in one place.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::de::{Deserialize, Deserializer};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Map, Value};

use super::time::{from_millis, millis, parse_rfc3339, rfc3339};
use super::{CheckReport, DRAIN_ENTRY, HealthState, Report};

/// A report as JSON.
#[derive(serde::Serialize)]
pub(crate) struct JsonReport<'a> {
    status: HealthState,
    #[serde(skip_serializing_if = "Checks::is_empty")]
    checks: Checks<'a>,
}

impl<'a> JsonReport<'a> {
    pub(crate) fn new(report: &'a Report, verbose: bool) -> Self {
        Self { status: report.status, checks: Checks { report, verbose } }
    }
}

/// The checks by name; `$drain`, which sorts before all names, is one of them here.
struct Checks<'a> {
    report: &'a Report,
    verbose: bool,
}

impl Checks<'_> {
    fn is_empty(&self) -> bool {
        self.report.checks.is_empty() && self.report.drain.is_none()
    }
}

impl Serialize for Checks<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { report, verbose } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(drain) = &report.drain {
            let details = Some(&drain.details).filter(|details| *verbose && !details.is_empty());
            let details = details.map(Cow::Borrowed);
            map.serialize_entry(DRAIN_ENTRY, &JsonCheck { details, ..JsonCheck::plain(drain) })?;
        }
        for (name, check) in &report.checks {
            let check = if *verbose { JsonCheck::verbose(check) } else { JsonCheck::plain(check) };
            map.serialize_entry(name, &check)?;
        }
        map.end()
    }
}

/// One check as JSON. All but `state` and `message` are for the verbose form.
#[derive(Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = Check))]
pub(crate) struct JsonCheck<'a> {
    #[cfg_attr(feature = "openapi", schema(value_type = super::StateSchema))]
    state: HealthState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    message: Option<Cow<'a, str>>,
    /// The state of the newest result where the reported one differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<super::StateSchema>))]
    raw_state: Option<HealthState>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    raw_message: Option<Cow<'a, str>>,
    /// How long the newest run took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    duration_ms: Option<f64>,
    /// When the newest result was obtained.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    checked_at: Option<String>,
    /// How long ago that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    age_ms: Option<f64>,
    /// When the reported state began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    since: Option<String>,
    /// How many results in a row, up to the newest, were not healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    consecutive_failures: Option<u32>,
    /// When the check was last healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, format = DateTime))]
    last_success: Option<String>,
    /// Whether this is an older result because the check did not finish in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    stale: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    description: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "<[_]>::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    tags: Cow<'a, [String]>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<Object>))]
    details: Option<Cow<'a, Map<String, Value>>>,
}

impl<'a> JsonCheck<'a> {
    fn plain(check: &'a CheckReport) -> Self {
        let message = check.message.as_deref().map(Cow::Borrowed);
        Self { state: check.state, message, ..Self::default() }
    }

    fn verbose(check: &'a CheckReport) -> Self {
        Self {
            raw_state: check.raw_state,
            raw_message: check.raw_message.as_deref().map(Cow::Borrowed),
            duration_ms: check.duration.map(millis),
            checked_at: check.checked_at.and_then(rfc3339),
            age_ms: check.age.map(millis),
            since: check.since.and_then(rfc3339),
            consecutive_failures: Some(check.consecutive_failures),
            last_success: check.last_success.and_then(rfc3339),
            stale: Some(check.stale),
            description: check.description.as_deref().map(Cow::Borrowed),
            tags: Cow::Borrowed(&check.tags),
            details: Some(&check.details).filter(|facts| !facts.is_empty()).map(Cow::Borrowed),
            ..Self::plain(check)
        }
    }

    fn into_report(self) -> CheckReport {
        let time = |text: Option<String>| parse_rfc3339(&text?);
        CheckReport {
            state: self.state,
            message: self.message.map(Cow::into_owned),
            raw_state: self.raw_state,
            raw_message: self.raw_message.map(Cow::into_owned),
            stale: self.stale.unwrap_or_default(),
            checked_at: time(self.checked_at),
            age: self.age_ms.and_then(from_millis),
            duration: self.duration_ms.and_then(from_millis),
            since: time(self.since),
            consecutive_failures: self.consecutive_failures.unwrap_or_default(),
            last_success: time(self.last_success),
            description: self.description.map(Cow::into_owned),
            tags: self.tags.into_owned(),
            details: self.details.map(Cow::into_owned).unwrap_or_default(),
        }
    }
}

impl Serialize for Report {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonReport::new(self, false).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Report {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(serde::Deserialize)]
        struct Fields {
            status: HealthState,
            #[serde(default)]
            checks: BTreeMap<String, CheckReport>,
        }
        let Fields { status, mut checks } = Fields::deserialize(deserializer)?;
        let drain = checks.remove(DRAIN_ENTRY).map(Box::new);
        Ok(Self { status, draining: drain.is_some(), checks, drain })
    }
}

impl Serialize for CheckReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonCheck::plain(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for CheckReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        JsonCheck::deserialize(deserializer).map(JsonCheck::into_report)
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    #[test]
    fn the_json_is_bare_and_in_name_order() {
        let report = Report::new(BTreeMap::from([
            (
                "redis".to_owned(),
                CheckReport::new(HealthState::Degraded, "Redis unavailable: Connection refused"),
            ),
            ("database".to_owned(), CheckReport::default()),
        ]));
        assert_eq!(
            serde_json::to_string(&report).unwrap(),
            r#"{"status":"degraded","checks":{"database":{"state":"healthy"},"redis":{"state":"degraded","message":"Redis unavailable: Connection refused"}}}"#
        );
    }

    #[test]
    fn the_verbose_form_reads_back_as_it_was() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_millis(1_700_000_000_123);
        let check = CheckReport {
            raw_state: Some(HealthState::Unhealthy),
            raw_message: Some("refused".to_owned()),
            stale: true,
            checked_at: Some(at),
            age: Some(Duration::from_micros(1500)),
            duration: Some(Duration::from_millis(2)),
            since: Some(at),
            consecutive_failures: 3,
            last_success: Some(at),
            description: Some("The cache.".to_owned()),
            tags: vec!["storage".to_owned()],
            details: Map::from_iter([("lag".to_owned(), Value::from(1))]),
            ..CheckReport::new(HealthState::Degraded, "slow")
        };
        let report = Report::new(BTreeMap::from([("redis".to_owned(), check)])).draining(Some(2));
        let json = serde_json::to_string(&JsonReport::new(&report, true)).unwrap();
        let read: Report = serde_json::from_str(&json).unwrap();
        assert_eq!(read, report);
        assert!(json.contains(r#""$drain":{"state":"unhealthy","message":"draining","details":{"requests_in_flight":2}}"#), "{json}");
    }

    #[test]
    fn a_wall_clock_far_off_costs_its_fields_and_not_the_answer() {
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        let check = CheckReport { since: Some(before), ..CheckReport::default() };
        let json = serde_json::to_string(&JsonCheck::verbose(&check)).unwrap();
        assert!(!json.contains("since"), "{json}");
    }
}
