//! One question to one endpoint, again and again if it has to be.

use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use axum::http::header;
use humantime::format_duration;
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config, ConfigBuilder};
use ureq::typestate::AgentScope;

use super::arguments::Question;
use super::report::Seen;
use crate::evaluate::model::HealthState;

/// How long to pause between two questions.
pub(super) const PAUSE: Duration = Duration::from_millis(500);

/// How much of a body is read, in bytes. A plain report of hundreds of checks is smaller.
const BODY_LIMIT: u64 = 64 * 1024;

pub(super) const STATE: &str = "x-health-status";

/// The client: what it is told is what it asks, whatever the environment says.
pub(super) fn client() -> ConfigBuilder<AgentScope> {
    Config::builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .accept_encoding(AutoHeaderValue::None)
        .user_agent(concat!("servicekit-health/", env!("CARGO_PKG_VERSION")))
}

/// Asks until the answer is good or the time is over. Both lines are for a person to read.
pub(super) fn until_well(question: &Question) -> Result<String, String> {
    let agent = Agent::from(client().timeout_global(Some(question.timeout)).build());
    let started = Instant::now();
    let mut asked = 0;
    loop {
        let outcome = once(&agent, question);
        asked += 1;
        let Err(why) = outcome else { return outcome };
        let left = question.wait.saturating_sub(started.elapsed());
        if left.is_zero() {
            let wait = format_duration(question.wait);
            return Err(if asked > 1 {
                format!("{why} (asked {asked} times in {wait})")
            } else {
                why
            });
        }
        thread::sleep(PAUSE.min(left));
    }
}

fn once(agent: &Agent, question: &Question) -> Result<String, String> {
    let url = &question.url;
    let failed = |error| format!("failed: {url}: {}", reason(error, question.timeout));
    let mut response = agent.get(url).call().map_err(failed)?;
    let mut body = Vec::new();
    let mut reader = response.body_mut().as_reader().take(BODY_LIMIT);
    reader.read_to_end(&mut body).map_err(|error| failed(error.into()))?;

    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let state = header(STATE).and_then(|text| text.parse::<HealthState>().ok());
    let good = status.is_success();
    let verdict = match state {
        Some(state) => state.as_str(),
        None if good => "passed",
        None => "failed",
    };
    let complaints = Seen::parse(&body).map(|seen| seen.complaints()).unwrap_or_default();
    let remark = match header(header::LOCATION.as_str()) {
        Some(to) => format!("; redirects are not followed, this one goes to {to}"),
        None if state.is_none() => format!("; it has no {STATE}: are these the health endpoints?"),
        None => String::new(),
    };
    let line = format!("{verdict}: {url} answered {status}{complaints}{remark}");
    if good { Ok(line) } else { Err(line) }
}

/// Why there is no answer.
pub(super) fn reason(error: ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => {
            format!("no whole answer within {}", format_duration(timeout))
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "there is no such host".to_owned(),
        ureq::Error::Protocol(error) => format!("the answer is no HTTP/1.1: {error}"),
        other => other.to_string(),
    }
}
