//! The HTTP client: it connects to the URL it is given, whatever the environment says.

use std::time::Duration;

use humantime::format_duration;
use ureq::config::{AutoHeaderValue, Config, ConfigBuilder};
use ureq::typestate::AgentScope;

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

/// Why there is no response.
pub(super) fn describe(error: ureq::Error, timeout: Duration) -> String {
    match error {
        ureq::Error::Timeout(_) => {
            format!("no complete response within {}", format_duration(whole_millis(timeout)))
        }
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "host not found".to_owned(),
        ureq::Error::Protocol(error) => format!("invalid HTTP/1.1 response: {error}"),
        // Not how much has come by then: `watch` reports each reason once.
        ureq::Error::LargeResponseHeader(_, limit) => {
            format!("the response header exceeds the limit of {} KiB", limit / 1024)
        }
        other => other.to_string(),
    }
}

/// What is left of a wait is a few microseconds short of what was given.
fn whole_millis(time: Duration) -> Duration {
    Duration::from_millis(time.as_micros().div_ceil(1000).try_into().unwrap_or(u64::MAX))
}
