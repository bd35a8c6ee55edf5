//! One service: its stream is opened, read to its end and opened again, for ever.

use std::io::BufReader;
use std::thread;
use std::time::{Duration, Instant};

use axum::http::header;
use ureq::{Agent, BodyReader};

use super::super::client::{client, describe};
use super::super::line::line;
use super::events::Events;
use super::service::Snapshot;
use crate::model::Report;
use crate::text::scrub::scrub;

/// The limit for finding the host, for connecting, and then for the head of the response.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(5);

/// After so much silence the connection is lost: three comments are missing by then.
const READ_TIMEOUT: Duration = Duration::from_secs(15);

/// How long to wait before connecting again, doubled with each failure.
const MIN_BACKOFF: Duration = Duration::from_millis(500);
const MAX_BACKOFF: Duration = Duration::from_secs(5);

/// How much of an error response is read, in bytes.
const MAX_ERROR_LEN: u64 = 64 * 1024;

/// What is new about a service. All of its text is safe to print.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Update {
    Report(Snapshot),
    Disconnected(Disconnected),
}

#[derive(Clone, Debug, PartialEq)]
pub(super) struct Disconnected {
    pub(super) reason: String,
    /// The server answers, and with something else than a health stream.
    pub(super) is_refusal: bool,
    pub(super) at: Instant,
    pub(super) retry_at: Instant,
}

/// Why a stream is over.
#[derive(Debug, PartialEq)]
enum End {
    /// As the server wanted. It limits the age of streams, or is draining.
    Regular,
    Lost(String),
    Refused(String),
}

/// Follows the stream at `url` for as long as `send` returns `true`.
pub(super) fn follow(url: &str, mut send: impl FnMut(Update) -> bool) {
    let agent = client()
        .timeout_resolve(Some(RESPONSE_TIMEOUT))
        .timeout_connect(Some(RESPONSE_TIMEOUT))
        .timeout_recv_response(Some(RESPONSE_TIMEOUT))
        .timeout_per_read(Some(READ_TIMEOUT))
        .build();
    let agent = Agent::from(agent);
    let mut backoff = MIN_BACKOFF;
    loop {
        let mut is_open = true;
        let end = read(&agent, url, |report| {
            if !report.draining {
                backoff = MIN_BACKOFF;
            }
            is_open = send(Update::Report(Snapshot::new(&report, Instant::now())));
            is_open
        });
        let at = Instant::now();
        let disconnected = |reason: String, is_refusal| {
            let reason = line(reason);
            Update::Disconnected(Disconnected { reason, is_refusal, at, retry_at: at + backoff })
        };
        is_open = is_open
            && match end {
                // Reported only if connecting again fails.
                End::Regular => true,
                End::Lost(reason) => send(disconnected(reason, false)),
                End::Refused(reason) => send(disconnected(reason, true)),
            };
        if !is_open {
            return;
        }
        thread::sleep(backoff);
        backoff = (backoff * 2).min(MAX_BACKOFF);
    }
}

/// Reads one stream to its end, or until `receive` returns `false`.
fn read(agent: &Agent, url: &str, mut receive: impl FnMut(Report) -> bool) -> End {
    let mut events = match open(agent, url) {
        Ok(events) => events,
        Err(end) => return end,
    };
    let mut is_first = true;
    loop {
        let event = match events.next() {
            Ok(Some(event)) => event,
            Ok(None) if is_first => return End::Lost("the stream ended without an event".into()),
            Ok(None) => return End::Regular,
            Err(error) => return End::Lost(describe(error.into(), READ_TIMEOUT)),
        };
        let Ok(report) = serde_json::from_slice(&event) else {
            return End::Refused(unexpected(&event));
        };
        if !receive(report) {
            return End::Regular;
        }
        is_first = false;
    }
}

/// The begin of an event, scrubbed before it is cut: half a credential cannot be told to be one.
fn unexpected(event: &[u8]) -> String {
    let event = String::from_utf8_lossy(&event[..event.len().min(4096)]);
    let event: String = scrub(&event).chars().take(80).collect();
    format!("not a health stream: unexpected event `{event}`")
}

type Stream = Events<BufReader<BodyReader<'static>>>;

fn open(agent: &Agent, url: &str) -> Result<Stream, End> {
    let request = agent.get(url).header(header::ACCEPT, "text/event-stream");
    let mut response = request.call().map_err(|error| {
        let is_refusal =
            matches!(error, ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..));
        let reason = describe(error, RESPONSE_TIMEOUT);
        if is_refusal { End::Refused(reason) } else { End::Lost(reason) }
    })?;
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let content_type = header(header::CONTENT_TYPE).unwrap_or("no content type").to_owned();
    if status.is_success() && content_type.starts_with("text/event-stream") {
        return Ok(Events::new(BufReader::new(response.into_body().into_reader())));
    }
    let location = header(header::LOCATION).map(ToOwned::to_owned);
    // A health endpoint says why in its problem document; any other page says nothing of use.
    let body = response.body_mut().with_config().limit(MAX_ERROR_LEN).read_to_vec();
    let problem = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let detail = problem.as_ref().and_then(|it: &serde_json::Value| it.get("detail")?.as_str());
    let reason = match (detail, location) {
        (Some(detail), _) => format!("{status}: {detail}"),
        (None, Some(target)) => {
            format!("{status}: redirects are not followed (location: {target})")
        }
        (None, None) => format!("not a health stream: {url} returned {status} with {content_type}"),
    };
    Err(if status.is_server_error() { End::Lost(reason) } else { End::Refused(reason) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_cut_keeps_its_credentials() {
        let event = format!("{}http://me:{}@host", " ".repeat(60), "hunter2".repeat(9));
        let reason = unexpected(event.as_bytes());
        assert!(!reason.contains("hunter2") && reason.contains("http://***@host"), "{reason}");
        assert!(unexpected(&[0xff; 9000]).chars().count() < 140);
    }
}
