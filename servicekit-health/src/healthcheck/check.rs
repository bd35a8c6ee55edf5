//! One request to one endpoint, retried for as long as the caller waits.

use std::cmp::Reverse;
use std::fmt::Write;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use axum::http::header;
use humantime::format_duration;
use ureq::Agent;

use super::arguments::CheckOptions;
use super::client::{client, describe};
use crate::model::{HealthState, Report};

/// From the end of an attempt to the next.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// What is kept of the waiting time for a last attempt, so that a service that recovers late is
/// still seen.
const LAST_ATTEMPT: Duration = Duration::from_millis(100);

/// How much of a body is read, in bytes. A report is smaller, unless a thousand checks fail.
const MAX_BODY_LEN: u64 = 1024 * 1024;

const STATE_HEADER: &str = "x-health-status";

/// Checks until the service is healthy or the time is over. Both lines are for a person to read.
pub(super) fn wait_until_healthy(options: &CheckOptions) -> Result<String, String> {
    let started = Instant::now();
    let left = || options.wait.saturating_sub(started.elapsed());
    let mut attempts = 0;
    loop {
        let limit = if options.wait.is_zero() { Duration::MAX } else { left() };
        let why = match attempt(&options.url, options.timeout.min(limit)) {
            Ok(line) => return Ok(line),
            Err(why) => why,
        };
        attempts += 1;
        let left = left();
        if left <= LAST_ATTEMPT {
            // The whole wait, neither less nor more: callers take the time from it.
            thread::sleep(left);
            let wait = format_duration(options.wait);
            return Err(match attempts {
                1 => why,
                _ => format!("{why} ({attempts} attempts in {wait})"),
            });
        }
        thread::sleep(RETRY_INTERVAL.min(left.saturating_sub(LAST_ATTEMPT)));
    }
}

fn attempt(url: &str, timeout: Duration) -> Result<String, String> {
    let agent = Agent::from(client().timeout_global(Some(timeout)).build());
    let failed = |error| format!("failed: {url}: {}", describe(error, timeout));
    let mut response = agent.get(url).call().map_err(failed)?;
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader().take(MAX_BODY_LEN);
    reader.read_to_end(&mut body).map_err(|error| failed(error.into()))?;

    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let state = header(STATE_HEADER).and_then(|text| text.parse::<HealthState>().ok());
    let verdict = match state {
        Some(state) => state.as_str(),
        None if status.is_success() => "passed",
        None => "failed",
    };
    let problems = serde_json::from_slice(&body).map(|report| problems(&report));
    let problems = problems.unwrap_or_default();
    let hint = match header(header::LOCATION.as_str()) {
        Some(target) => format!("; redirects are not followed (location: {target})"),
        None if state.is_none() => {
            format!("; no {STATE_HEADER} header: expected the base URL of a service")
        }
        None => String::new(),
    };
    let line = format!("{verdict}: {url} returned {status}{problems}{hint}");
    if status.is_success() { Ok(line) } else { Err(line) }
}

/// `; redis degraded: Connection refused` for every check that is not healthy, the worst first.
fn problems(report: &Report) -> String {
    let mut text = if report.draining { "; draining".to_owned() } else { String::new() };
    let mut checks: Vec<_> = report.checks.iter().collect();
    checks.retain(|(_, check)| check.state != HealthState::Healthy);
    checks.sort_by_key(|(_, check)| Reverse(check.state));
    for (name, check) in checks {
        let _ = write!(text, "; {name} {}", check.state);
        if let Some(message) = &check.message {
            let _ = write!(text, ": {message}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn problems_are_the_checks_that_are_not_healthy_the_worst_first() {
        let parsed = |json| problems(&serde_json::from_str(json).unwrap());
        let json = r#"{"status":"unhealthy","checks":{
            "cache":{"state":"degraded","message":"cold"},
            "database":{"state":"healthy","message":"fine"},
            "queue":{"state":"unhealthy"}}}"#;
        assert_eq!(parsed(json), "; queue unhealthy; cache degraded: cold");
        assert_eq!(parsed(r#"{"status":"healthy"}"#), "");
        let json = r#"{"status":"unhealthy","checks":{
            "$drain":{"state":"unhealthy","message":"draining"},"cache":{"state":"healthy"}}}"#;
        assert_eq!(parsed(json), "; draining");
    }
}
