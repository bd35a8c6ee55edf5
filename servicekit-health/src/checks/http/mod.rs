//! Whether another service is ready.

mod trust;

use std::io::Read;
use std::time::{Duration, Instant};

use axum::http::{StatusCode, Uri};
use ureq::Agent;
use ureq::config::{AutoHeaderValue, Config, ConfigBuilder};
use ureq::typestate::AgentScope;

use self::trust::Trust;
use super::setting::{Running, TIMEOUT, failed, millis, timeout_and_on_error};
use super::thread::{self, Failure};
use crate::model::{CheckResult, HealthState};

/// How much of a body is searched, in bytes: an answer about readiness is short.
const BODY_LIMIT: u64 = 64 * 1024;

/// Whether `GET url` is answered with a 2xx. See [`Http`].
///
/// ```standalone_crate
/// use servicekit_health::{CheckResult, checks, health_check};
///
/// #[health_check(name = "billing", shared)]
/// async fn billing() -> CheckResult {
///     checks::http("http://billing:8000/readyz").await
/// }
/// ```
pub fn http(url: impl Into<String>) -> Http {
    Http {
        url: url.into(),
        body_contains: None,
        trust: Trust::default(),
        timeout: TIMEOUT,
        on_error: HealthState::Unhealthy,
    }
}

/// Whether another service is ready: `GET`, and any 2xx is good.
///
/// Ask for its readiness (`/readyz`), never its full `/health`: that one asks *its* dependencies, and
/// so on, so that one slow service at the end makes all before it unhealthy, and a circle of services
/// asks itself for ever. A URL whose path ends in `/health` works, with the detail `warning`.
///
/// Redirects are not followed: a login page at their end answers 200. Proxies of the environment are
/// not used, the connection is closed after each answer. An address that begins with `https` needs
/// the feature `check-http-tls`, and a certificate that Mozilla's roots or those given by
/// `root_certificates` vouch for.
///
/// User and password in the URL are refused, and its query is in no message. Details: `status`,
/// `answer_ms`, `upstream_state` where the answer has an `x-health-status`.
#[derive(Clone, Debug)]
#[must_use = "a check does nothing unless awaited"]
pub struct Http {
    url: String,
    body_contains: Option<String>,
    trust: Trust,
    timeout: Duration,
    on_error: HealthState,
}

impl Http {
    timeout_and_on_error!("unhealthy");

    /// A text that must be in the body, within its first 64 KiB.
    pub fn body_contains(mut self, text: impl Into<String>) -> Self {
        self.body_contains = Some(text.into());
        self
    }

    /// The authorities to trust in place of Mozilla's, in PEM: those of a cluster or a company.
    #[cfg(feature = "check-http-tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.trust.roots = Some(pem.into());
        self
    }

    async fn check(self) -> CheckResult {
        // The same request with the same settings is one attempt.
        let target = format!("{self:?}");
        let Self { url, body_contains, trust, timeout, on_error } = self;
        let prepared = shown(&url).and_then(|shown| Ok((shown, trust.apply(config(timeout))?)));
        let ((shown, deep), config) = match prepared {
            Ok(prepared) => prepared,
            Err(why) => return failed(HealthState::Unhealthy, why),
        };
        let text = body_contains.clone();
        let attempt = move || ask(&url, config.build(), text.as_deref());
        let result = match thread::run_limited("http", target, timeout, attempt).await {
            Ok(Ok(answer)) => verdict(&answer, body_contains.as_deref(), &shown, on_error),
            Ok(Err(error)) => failed(on_error, format!("no answer from `{shown}`: {error}")),
            Err(none) => {
                failed(on_error, none.message(&format!("no answer from `{shown}`"), timeout))
            }
        };
        if deep {
            let warning = "a deep check asks further services; use the readiness, `/readyz`";
            return result.with_detail("warning", warning);
        }
        result
    }
}

impl IntoFuture for Http {
    type Output = CheckResult;
    type IntoFuture = Running;

    fn into_future(self) -> Running {
        Box::pin(self.check())
    }
}

/// The URL without its query, and whether it asks for a deep check. What is not accepted is not
/// repeated.
fn shown(url: &str) -> Result<(String, bool), String> {
    let example = "such as `http://billing:8000/readyz`";
    let uri = url.parse::<Uri>().ok();
    let parts =
        uri.as_ref().and_then(|uri| Some((uri.scheme_str()?, uri.authority()?, uri.path())));
    let Some((scheme @ ("http" | "https"), authority, path)) = parts else {
        return Err(format!("invalid URL: expected `http://` or `https://` and a host, {example}"));
    };
    if authority.as_str().contains('@') {
        return Err(format!("invalid URL: it must not contain a user or password, {example}"));
    }
    if authority.host().is_empty() {
        return Err(format!("invalid URL: expected a host, {example}"));
    }
    // The client would take the port of the scheme in its place.
    if authority.as_str() != authority.host() && authority.port_u16().is_none() {
        return Err(format!("invalid URL: expected a port from 0 to 65535, {example}"));
    }
    if scheme == "https" && !cfg!(any(feature = "check-http-tls", feature = "healthcheck-tls")) {
        return Err("a URL that begins with `https` needs the feature `check-http-tls`".to_owned());
    }
    let deep = path.trim_end_matches('/').ends_with("/health");
    Ok((format!("{scheme}://{authority}{path}"), deep))
}

#[derive(Clone, Debug)]
struct Answer {
    status: StatusCode,
    state: Option<HealthState>,
    /// Whether the body has the text; `true` where none was asked for.
    has_text: bool,
    took: Duration,
}

fn verdict(answer: &Answer, text: Option<&str>, shown: &str, on_error: HealthState) -> CheckResult {
    let status = answer.status;
    let result = if status.is_redirection() {
        failed(on_error, format!("`{shown}` answered {status}; redirects are not followed"))
    } else if !status.is_success() {
        failed(on_error, format!("`{shown}` answered {status}"))
    } else if answer.has_text {
        CheckResult::healthy()
    } else {
        let text = text.unwrap_or_default();
        failed(on_error, format!("`{shown}` answered {status}, but its body lacks `{text}`"))
    };
    let result =
        result.with_detail("status", status.as_u16()).with_detail("answer_ms", millis(answer.took));
    match answer.state {
        Some(state) => result.with_detail("upstream_state", state.as_str()),
        None => result,
    }
}

fn config(limit: Duration) -> ConfigBuilder<AgentScope> {
    // A limit for each step, and none for the lookup: with one, the client would leave a thread
    // behind at every run while the resolver hangs. Here it holds this thread, which is the only one.
    Config::builder()
        .http_status_as_error(false)
        .proxy(None)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections(0)
        .accept_encoding(AutoHeaderValue::None)
        .user_agent(concat!("servicekit-health/", env!("CARGO_PKG_VERSION")))
        .timeout_connect(Some(limit))
        .timeout_send_request(Some(limit))
        .timeout_recv_response(Some(limit))
        .timeout_recv_body(Some(limit))
}

fn ask(url: &str, config: Config, text: Option<&str>) -> Result<Answer, Failure> {
    let started = Instant::now();
    let agent = Agent::from(config);
    let mut response = agent.get(url).call().map_err(failure)?;
    let state = response.headers().get("x-health-status");
    let state = state.and_then(|value| value.to_str().ok()).and_then(|text| text.parse().ok());
    let status = response.status();
    let mut has_text = true;
    if let Some(text) = text {
        let mut body = Vec::new();
        let reader = response.body_mut().as_reader();
        reader.take(BODY_LIMIT).read_to_end(&mut body).map_err(|error| failure(error.into()))?;
        has_text = String::from_utf8_lossy(&body).contains(text);
    }
    Ok(Answer { status, state, has_text, took: started.elapsed() })
}

fn failure(error: ureq::Error) -> Failure {
    Failure::Cause(match error {
        ureq::Error::Timeout(_) => return Failure::Late,
        ureq::Error::Io(error) => error.to_string(),
        ureq::Error::HostNotFound => "the host has no address".to_owned(),
        ureq::Error::Protocol(error) => format!("the answer is not HTTP/1.1: {error}"),
        // Not how much has come by then, which is chance.
        ureq::Error::LargeResponseHeader(_, limit) => {
            format!("the header of the answer exceeds the limit of {} KiB", limit / 1024)
        }
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_shows_the_url_without_its_query() {
        let url = "http://billing:8000/readyz?token=hunter2";
        assert_eq!(shown(url), Ok(("http://billing:8000/readyz".to_owned(), false)));
    }

    #[test]
    fn what_is_no_url_or_has_a_password_is_refused_and_not_repeated() {
        for url in ["", "billing", "ftp://hunter2/", "/readyz", "http://app:hunter2@billing/"] {
            let why = shown(url).unwrap_err();
            assert!(why.starts_with("invalid URL: ") && !why.contains("hunter2"), "{why}");
        }
    }

    #[test]
    fn a_url_has_a_host_and_a_port_that_there_is() {
        for url in ["http://:80/readyz", "http://billing:99999/", "http://billing:/readyz"] {
            let why = shown(url).unwrap_err();
            assert!(why.starts_with("invalid URL: expected a "), "{url}: {why}");
        }
        for url in ["http://billing/", "http://billing:65535/", "http://[::1]/", "http://[::1]:80/"]
        {
            assert!(shown(url).is_ok(), "{url}");
        }
    }

    #[test]
    fn a_server_that_is_silent_is_late() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", server.local_addr().unwrap());
        let limit = Duration::from_millis(20);
        let answer = ask(&url, config(limit).build(), None);
        assert_eq!(answer.unwrap_err(), Failure::Late, "as for who waits for it");
    }

    #[test]
    fn a_deep_check_is_told_by_the_end_of_its_path() {
        for (url, deep) in [
            ("http://billing/health", true),
            ("http://billing/api/health/", true),
            ("http://billing/readyz", false),
            ("http://billing/healthz", false),
            ("http://health", false),
        ] {
            assert_eq!(shown(url).unwrap().1, deep, "{url}");
        }
    }
}
