//! The text form of a report: a line a check and a verdict, in the style of the Kubernetes API
//! server.

use std::fmt;

use super::{CheckReport, DRAIN_ENTRY, HealthState, Report};
use crate::text::escaped::Escaped;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(drain) = &self.drain {
            line(f, DRAIN_ENTRY, drain)?;
        }
        for (name, check) in &self.checks {
            line(f, name, check)?;
        }
        let passed = self.status != HealthState::Unhealthy;
        writeln!(f, "health check {}", if passed { "passed" } else { "failed" })
    }
}

fn line(f: &mut fmt::Formatter<'_>, name: &str, check: &CheckReport) -> fmt::Result {
    let (sign, word) = match check.state {
        HealthState::Healthy => ('+', "ok"),
        HealthState::Degraded => ('!', "degraded"),
        HealthState::Unhealthy => ('-', "failed"),
    };
    write!(f, "[{sign}]{name} {word}")?;
    if let Some(message) = &check.message {
        write!(f, ": {}", Escaped(message))?;
    }
    writeln!(f)
}
