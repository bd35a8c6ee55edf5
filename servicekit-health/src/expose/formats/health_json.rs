//! The format of `draft-inadarei-api-health-check-06`.

use std::collections::BTreeMap;

use axum::http::HeaderValue;
use bytes::Bytes;
use serde::Serialize;

use super::{Context, Format};
use crate::evaluate::encoding::Encoding;
use crate::model::time::{millis, rfc3339};
use crate::model::{CheckReport, DRAIN_ENTRY, HealthState, Report};

pub(crate) static FORMAT: Format = Format {
    media_type: ("application", "health+json"),
    content_type: HeaderValue::from_static("application/health+json"),
    encode,
    #[cfg(feature = "openapi")]
    schema: || crate::expose::endpoints::openapi::reference("HealthJson"),
};

/// A report as `application/health+json`.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema), schema(as = HealthJson))]
pub(crate) struct HealthJson<'a> {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    version: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    release_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    service_id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[cfg_attr(feature = "openapi", schema(required = false))]
    checks: BTreeMap<String, Vec<Measurement<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
struct Measurement<'a> {
    component_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false, value_type = Option<f64>))]
    observed_value: Option<Observed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    observed_unit: Option<&'static str>,
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    time: Option<String>,
    /// Absent where the status is `pass`, as the draft asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    output: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Observed {
    Millis(f64),
    Requests(u64),
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
enum Status {
    Pass,
    Warn,
    Fail,
}

impl From<HealthState> for Status {
    fn from(state: HealthState) -> Self {
        match state {
            HealthState::Healthy => Self::Pass,
            HealthState::Degraded => Self::Warn,
            HealthState::Unhealthy => Self::Fail,
        }
    }
}

impl<'a> Measurement<'a> {
    fn new(component_type: &'static str, check: &'a CheckReport) -> Self {
        let status = Status::from(check.state);
        Self {
            component_type,
            observed_value: None,
            observed_unit: None,
            status,
            time: check.checked_at.and_then(rfc3339),
            output: check.message.as_deref().filter(|_| status != Status::Pass),
        }
    }

    fn observed(self, value: Option<Observed>, unit: &'static str) -> Self {
        let observed_unit = value.is_some().then_some(unit);
        Self { observed_value: value, observed_unit, ..self }
    }
}

fn encode(report: &Report, context: &Context<'_>) -> Encoding {
    let mut checks = BTreeMap::new();
    if let Some(drain) = &report.drain {
        // What a program that drains has to measure are the requests that it still works on.
        let requests = drain.details.values().find_map(serde_json::Value::as_u64).unwrap_or(0);
        let requests = Some(Observed::Requests(requests));
        let drain = Measurement::new("system", drain).observed(requests, "requests");
        checks.insert(format!("{DRAIN_ENTRY}:requestsInFlight"), vec![drain]);
    }
    for (name, check) in &report.checks {
        let took = check.duration.map(|duration| Observed::Millis(millis(duration)));
        let check = Measurement::new("component", check).observed(took, "ms");
        checks.insert(format!("{name}:responseTime"), vec![check]);
    }
    let document = HealthJson {
        status: report.status.into(),
        version: context.service.map(|service| &*service.version),
        release_id: context.service.map(|service| &*service.version),
        service_id: context.service.map(|service| &*service.name),
        checks,
    };
    let json = serde_json::to_vec(&document);
    Bytes::from(json.expect("texts, numbers and maps with text keys are always JSON")).into()
}
