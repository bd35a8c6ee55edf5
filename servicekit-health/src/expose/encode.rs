//! A report in each of its forms, as bytes.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::{Duration, SystemTime};

use axum::body::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};

use super::accept::Format;
use super::settings::{Details, Service};
use crate::escaped::Escaped;
use crate::evaluate::model::{CheckReport, DRAIN_ENTRY, HealthState, Report};

const JSON: &str = "texts, numbers and maps with text keys are always JSON";

/// How a reader wants a report.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style<'a> {
    pub(crate) format: Format,
    pub(crate) details: Details,
    pub(crate) verbose: bool,
    pub(crate) service: Option<&'a Service>,
}

/// One event of a stream, and within it the plain JSON of the same report: both forms are encoded
/// once, in one piece of memory, for all who read them.
#[derive(Clone, Debug)]
pub(crate) struct Frame(Bytes);

const FRAME_START: &str = "data: ";
const FRAME_END: &str = "\n\n";

impl Frame {
    /// The report in our own JSON.
    pub(crate) fn of(report: &Report, details: Details, verbose: bool) -> Self {
        let mut bytes = FRAME_START.as_bytes().to_vec();
        write_json(&mut bytes, report, details, verbose);
        bytes.extend_from_slice(FRAME_END.as_bytes());
        Self(bytes.into())
    }

    pub(crate) fn json(&self) -> Bytes {
        self.0.slice(FRAME_START.len()..self.0.len() - FRAME_END.len())
    }

    pub(crate) fn into_event(self) -> Bytes {
        self.0
    }
}

/// The report in any form.
pub(crate) fn encode(report: &Report, style: Style<'_>) -> Bytes {
    match style.format {
        Format::Json => {
            let mut bytes = Vec::new();
            write_json(&mut bytes, report, style.details, style.verbose);
            bytes.into()
        }
        Format::HealthJson => health_json(report, style).into(),
        Format::Text => text(report, style.details).into(),
    }
}

fn write_json(bytes: &mut Vec<u8>, report: &Report, details: Details, verbose: bool) {
    let written = match (details, verbose) {
        (Details::Full, false) => serde_json::to_writer(bytes, report),
        _ => serde_json::to_writer(bytes, &Told::of(report, details, verbose)),
    };
    written.expect(JSON);
}

/// A report less what `Details` leaves out, with what `?verbose` adds.
#[derive(Serialize)]
struct Told<'a> {
    status: HealthState,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    checks: BTreeMap<&'a str, ToldCheck<'a>>,
}

#[derive(Serialize)]
struct ToldCheck<'a> {
    state: HealthState,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    provenance: Option<Provenance<'a>>,
}

#[derive(Serialize)]
struct Provenance<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_state: Option<HealthState>,
    #[serde(skip_serializing_if = "Option::is_none")]
    raw_message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    checked_at: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    age_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<String>,
    consecutive_failures: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success: Option<String>,
    stale: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    tags: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<&'a Map<String, Value>>,
}

impl<'a> Told<'a> {
    fn of(report: &'a Report, details: Details, verbose: bool) -> Self {
        let told = |(name, check): (&'a String, &'a CheckReport)| {
            (name.as_str(), ToldCheck::of(name, check, details, verbose))
        };
        let checks = match details {
            Details::Status => BTreeMap::new(),
            Details::Full | Details::States => report.checks.iter().map(told).collect(),
        };
        Self { status: report.status, checks }
    }
}

impl<'a> ToldCheck<'a> {
    fn of(name: &str, check: &'a CheckReport, details: Details, verbose: bool) -> Self {
        let full = details == Details::Full;
        let has_provenance = verbose && name != DRAIN_ENTRY;
        Self {
            state: check.state,
            message: check.message.as_deref().filter(|_| full),
            provenance: has_provenance.then(|| Provenance {
                raw_state: check.raw_state,
                raw_message: check.raw_message.as_deref().filter(|_| full),
                duration_ms: check.duration.map(millis),
                checked_at: check.checked_at.map(rfc3339),
                age_ms: check.age.map(millis),
                since: check.since.map(rfc3339),
                consecutive_failures: check.consecutive_failures,
                last_success: check.last_success.map(rfc3339),
                stale: check.stale,
                description: check.description.as_deref(),
                tags: &check.tags,
                details: Some(&check.details).filter(|facts| full && !facts.is_empty()),
            }),
        }
    }
}

/// With microseconds, which are what a fast check takes.
fn millis(duration: Duration) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "2^53 microseconds are 285 years")]
    let micros = duration.as_micros() as f64;
    micros / 1000.0
}

fn rfc3339(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

/// The format of `draft-inadarei-api-health-check-06`.
fn health_json(report: &Report, style: Style<'_>) -> Vec<u8> {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Document<'a> {
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        version: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        release_id: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        service_id: Option<&'a str>,
        #[serde(skip_serializing_if = "BTreeMap::is_empty")]
        checks: BTreeMap<String, [Measurement<'a>; 1]>,
    }

    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Measurement<'a> {
        #[serde(skip_serializing_if = "Option::is_none")]
        observed_value: Option<f64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        observed_unit: Option<&'static str>,
        status: &'static str,
        #[serde(skip_serializing_if = "Option::is_none")]
        time: Option<String>,
        #[serde(skip_serializing_if = "Option::is_none")]
        output: Option<&'a str>,
    }

    let status = |state| match state {
        HealthState::Healthy => "pass",
        HealthState::Degraded => "warn",
        HealthState::Unhealthy => "fail",
    };
    let measured = |(name, check): (&String, &'_ CheckReport)| {
        let took = check.duration.map(millis);
        (name.clone(), took, check.checked_at.map(rfc3339), status(check.state))
    };
    let mut checks = BTreeMap::new();
    if style.details != Details::Status {
        for entry in &report.checks {
            let (name, observed_value, time, status) = measured(entry);
            let measurement = Measurement {
                observed_value,
                observed_unit: observed_value.map(|_| "ms"),
                status,
                time,
                output: entry.1.message.as_deref().filter(|_| style.details == Details::Full),
            };
            checks.insert(format!("{name}:responseTime"), [measurement]);
        }
    }
    let service = style.service.filter(|_| style.details != Details::Status);
    let document = Document {
        status: status(report.status),
        version: service.map(|service| &*service.version),
        release_id: service.map(|service| &*service.version),
        service_id: service.map(|service| &*service.name),
        checks,
    };
    serde_json::to_vec(&document).expect(JSON)
}

/// The style of the Kubernetes API server: a line a check, and a verdict.
fn text(report: &Report, details: Details) -> String {
    let mut text = String::new();
    let mut line = |name: &str, check: &CheckReport| {
        let (sign, word) = match check.state {
            HealthState::Healthy => ('+', "ok"),
            HealthState::Degraded => ('!', "degraded"),
            HealthState::Unhealthy => ('-', "failed"),
        };
        let message = check.message.as_deref().filter(|_| details == Details::Full);
        let separator = if message.is_some() { ": " } else { "" };
        let message = Escaped(message.unwrap_or_default());
        writeln!(text, "[{sign}]{name} {word}{separator}{message}")
    };
    if details != Details::Status {
        for (name, check) in &report.checks {
            line(name, check).expect("a string takes every text");
        }
    }
    let passed = report.status != HealthState::Unhealthy;
    text.push_str(if passed { "health check passed\n" } else { "health check failed\n" });
    text
}
