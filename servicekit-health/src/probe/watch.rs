//! A stream in a terminal: the state of every check, then a line for each change.

use std::fmt::Write as _;
use std::io::{self, BufReader, Write};
use std::thread;
use std::time::{Duration, SystemTime};

use anstyle::{AnsiColor, Style};
use axum::http::header;
use ureq::{Agent, BodyReader};

use super::ask::{PAUSE, client, reason};
use super::events::Events;
use super::report::{Seen, SeenCheck};
use super::text::line;
use crate::evaluate::model::{DRAIN_ENTRY, HealthState};

/// How long connecting may take, and then the head of the answer.
const ANSWER: Duration = Duration::from_secs(5);

/// After so much silence the stream is taken for dead: three comments are missing by then.
const SILENCE: Duration = Duration::from_secs(15);

/// How much of a refusal is read, in bytes.
const REFUSAL_LIMIT: u64 = 64 * 1024;

/// Why watching ended.
#[derive(Debug)]
pub(super) enum Stop {
    Refused(String),
    /// The output is closed.
    NobodyReads,
}

/// Why there is no stream, or no longer.
enum Trouble {
    /// Worth another try, where there was a stream before.
    Passing(String),
    Lasting(String),
}

/// Prints what the stream at `url` tells until it is refused or nobody reads any more.
pub(super) fn watch(url: &str, out: &mut impl Write) -> Stop {
    follow_for_ever(url, out).map_or(Stop::NobodyReads, Stop::Refused)
}

/// Why the stream was refused; an error is one of `out`.
fn follow_for_ever(url: &str, out: &mut impl Write) -> io::Result<String> {
    let agent = client()
        .timeout_connect(Some(ANSWER))
        .timeout_recv_response(Some(ANSWER))
        .timeout_per_read(Some(SILENCE))
        .build();
    let agent = Agent::from(agent);
    let mut view = View::default();
    loop {
        match follow(&agent, url, &mut view, out)? {
            Trouble::Passing(why) if view.known.is_some() => print(out, view.lost(why))?,
            Trouble::Passing(why) | Trouble::Lasting(why) => return Ok(why),
        }
        thread::sleep(PAUSE);
    }
}

/// Prints one connection to its end.
fn follow(agent: &Agent, url: &str, view: &mut View, out: &mut impl Write) -> io::Result<Trouble> {
    let mut events = match open(agent, url) {
        Ok(events) => events,
        Err(trouble) => return Ok(trouble),
    };
    loop {
        match events.next() {
            Ok(Some(event)) => {
                let Some(seen) = Seen::parse(&event) else {
                    let what = String::from_utf8_lossy(&event[..event.len().min(80)]);
                    return Ok(Trouble::Lasting(format!("no health stream, it says `{what}`")));
                };
                print(out, view.update(url, seen))?;
            }
            Ok(None) => return Ok(Trouble::Passing("the stream ended".to_owned())),
            Err(error) => return Ok(Trouble::Passing(reason(error.into(), SILENCE))),
        }
    }
}

type Stream = Events<BufReader<BodyReader<'static>>>;

fn open(agent: &Agent, url: &str) -> Result<Stream, Trouble> {
    let request = agent.get(url).header(header::ACCEPT, "text/event-stream");
    let mut response = request.call().map_err(|error| Trouble::Passing(reason(error, ANSWER)))?;
    let status = response.status();
    let header = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
    let format = header(header::CONTENT_TYPE).unwrap_or("no content type").to_owned();
    if status.is_success() && format.starts_with("text/event-stream") {
        return Ok(Events::new(BufReader::new(response.into_body().into_reader())));
    }
    // A service that refuses says why; the rest of a page from elsewhere says nothing.
    let body = response.body_mut().with_config().limit(REFUSAL_LIMIT).read_to_vec();
    let refusal = body.ok().and_then(|body| serde_json::from_slice(&body).ok());
    let detail = refusal.as_ref().and_then(|it: &serde_json::Value| it.get("detail")?.as_str());
    let why = match detail {
        Some(detail) => format!("{status}: {detail}"),
        None => format!("no health stream, it answered {status} with {format}"),
    };
    Err(if status.is_server_error() { Trouble::Passing(why) } else { Trouble::Lasting(why) })
}

/// What the terminal has been told so far.
#[derive(Default)]
struct View {
    known: Option<Seen>,
    is_draining: bool,
    /// Why there is no stream at the moment.
    lost: Option<String>,
}

/// A line for the terminal, in pieces that have a colour or none.
#[derive(Debug, Default, PartialEq)]
struct Line(Vec<(Option<HealthState>, String)>);

impl Line {
    fn of(text: impl AsRef<str>) -> Self {
        Self::default().then(text)
    }

    fn then(mut self, text: impl AsRef<str>) -> Self {
        self.0.push((None, line(text)));
        self
    }

    fn state(mut self, state: HealthState) -> Self {
        self.0.push((Some(state), state.to_string()));
        self
    }

    fn check(self, check: &SeenCheck) -> Self {
        match &check.message {
            Some(message) => self.state(check.state).then(format!(": {message}")),
            None => self.state(check.state),
        }
    }
}

impl View {
    fn update(&mut self, url: &str, mut seen: Seen) -> Vec<Line> {
        let drains = seen.checks.remove(DRAIN_ENTRY).is_some();
        if self.is_draining && drains {
            // It answers every new stream like this until it is gone.
            return Vec::new();
        }
        let is_new = self.known.is_none() || self.lost.take().is_some();
        self.is_draining = drains;
        let mut lines = match &self.known {
            Some(known) if !is_new => changes(known, &seen),
            _ => everything(url, &seen),
        };
        if drains {
            lines.push(Line::of("draining: the service is about to end"));
        }
        self.known = Some(seen);
        lines
    }

    fn lost(&mut self, why: String) -> Vec<Line> {
        if self.lost.as_ref() == Some(&why) {
            return Vec::new();
        }
        let line = Line::of(format!("lost: {why}; trying to connect again"));
        self.lost = Some(why);
        vec![line]
    }
}

fn everything(url: &str, seen: &Seen) -> Vec<Line> {
    let check = |(name, check): (&String, &SeenCheck)| Line::of(format!("{name} ")).check(check);
    let connected = Line::of(format!("connected to {url}: ")).state(seen.status);
    std::iter::once(connected).chain(seen.checks.iter().map(check)).collect()
}

fn changes(old: &Seen, new: &Seen) -> Vec<Line> {
    let mut lines = Vec::new();
    for (name, check) in &new.checks {
        let line = Line::of(format!("{name} "));
        match old.checks.get(name) {
            Some(before) if before == check => {}
            Some(before) if before.state != check.state => {
                lines.push(line.state(before.state).then(" -> ").check(check));
            }
            _ => lines.push(line.check(check)),
        }
    }
    let gone = |name: &&String| !new.checks.contains_key(*name);
    lines.extend(old.checks.keys().filter(gone).map(|name| Line::of(format!("{name} is gone"))));
    // Where the service shows no checks, there is only this to tell.
    if new.checks.is_empty() && old.status != new.status {
        lines.push(Line::of("status ").state(old.status).then(" -> ").state(new.status));
    }
    lines
}

fn print(out: &mut impl Write, lines: Vec<Line>) -> io::Result<()> {
    let now = humantime::format_rfc3339_seconds(SystemTime::now());
    let dim = Style::new().dimmed();
    let mut text = String::new();
    for line in lines {
        write!(text, "{dim}{now}{dim:#} ").expect("a string takes every text");
        for (state, piece) in line.0 {
            let style = state.map(colour).unwrap_or_default();
            write!(text, "{style}{piece}{style:#}").expect("a string takes every text");
        }
        text.push('\n');
    }
    out.write_all(text.as_bytes())?;
    out.flush()
}

fn colour(state: HealthState) -> Style {
    let colour = match state {
        HealthState::Healthy => AnsiColor::Green,
        HealthState::Degraded => AnsiColor::Yellow,
        HealthState::Unhealthy => AnsiColor::Red,
    };
    colour.on_default().bold()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "http://host/health/$stream";

    /// What a view says to these events, without times and colours.
    fn told(view: &mut View, json: &str) -> Vec<String> {
        plain(view.update(URL, Seen::parse(json.as_bytes()).unwrap()))
    }

    fn plain(lines: Vec<Line>) -> Vec<String> {
        let text = |line: Line| line.0.into_iter().map(|(_, piece)| piece).collect();
        lines.into_iter().map(text).collect()
    }

    const WELL: &str = r#"{"status":"healthy","checks":{
        "database":{"state":"healthy"},"redis":{"state":"healthy"}}}"#;
    const DEGRADED: &str = r#"{"status":"degraded","checks":{
        "database":{"state":"healthy"},"redis":{"state":"degraded","message":"refused"}}}"#;
    const DRAINING: &str = r#"{"status":"unhealthy","checks":{
        "$drain":{"state":"unhealthy","message":"draining"},
        "database":{"state":"healthy"},"redis":{"state":"healthy"}}}"#;

    #[test]
    fn first_comes_everything_and_then_only_what_changed() {
        let mut view = View::default();
        assert_eq!(
            told(&mut view, WELL),
            [
                "connected to http://host/health/$stream: healthy",
                "database healthy",
                "redis healthy"
            ]
        );
        assert_eq!(told(&mut view, DEGRADED), ["redis healthy -> degraded: refused"]);
        let other = DEGRADED.replace("refused", "timed out");
        assert_eq!(told(&mut view, &other), ["redis degraded: timed out"]);
        assert_eq!(told(&mut view, WELL), ["redis degraded -> healthy"]);
        assert_eq!(told(&mut view, WELL), [""; 0]);
        let more = WELL.replace("redis", "queue");
        assert_eq!(told(&mut view, &more), ["queue healthy", "redis is gone"]);
    }

    #[test]
    fn a_service_that_shows_no_checks_still_shows_its_status() {
        let mut view = View::default();
        told(&mut view, r#"{"status":"healthy"}"#);
        let told = told(&mut view, r#"{"status":"unhealthy"}"#);
        assert_eq!(told, ["status healthy -> unhealthy"]);
    }

    #[test]
    fn a_lost_stream_is_told_once_and_everything_is_told_again_after_it() {
        let mut view = View::default();
        told(&mut view, WELL);
        let lost = plain(view.lost("refused".to_owned()));
        assert_eq!(lost, ["lost: refused; trying to connect again"]);
        assert_eq!(view.lost("refused".to_owned()), []);
        assert_eq!(view.lost("timed out".to_owned()).len(), 1);
        assert_eq!(told(&mut view, WELL).len(), 3);
        assert_eq!(view.lost("refused".to_owned()).len(), 1);
    }

    #[test]
    fn draining_is_told_once_however_often_the_stream_is_opened_again() {
        let mut view = View::default();
        told(&mut view, WELL);
        assert_eq!(told(&mut view, DRAINING), ["draining: the service is about to end"]);
        assert_eq!(view.lost("the stream ended".to_owned()).len(), 1);
        for _ in 0..3 {
            assert_eq!(told(&mut view, DRAINING), [""; 0]);
            assert_eq!(view.lost("the stream ended".to_owned()), []);
        }
        assert_eq!(view.lost("refused".to_owned()).len(), 1);
        assert_eq!(told(&mut view, WELL).len(), 3, "the next process");
        assert_eq!(told(&mut view, DRAINING).len(), 1, "drains too");
    }

    #[test]
    fn nothing_that_the_service_says_reaches_the_terminal_raw() {
        let json = r#"{"status":"degraded","checks":{"a\u001b[2Jb":{
            "state":"degraded","message":"c\u001b]0;title\u0007\nd\u202e"}}}"#;
        let mut out = Vec::new();
        let lines = View::default().update(URL, Seen::parse(json.as_bytes()).unwrap());
        print(&mut anstream::StripStream::new(&mut out), lines).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), 2, "{text}");
        assert!(text.contains(r"a\u{1b}[2Jb degraded: c\u{1b}]0;title\u{7}\nd\u{202e}"), "{text}");
        assert!(!text.lines().any(|line| line.contains(char::is_control)), "{text}");
    }

    #[test]
    fn a_line_begins_with_its_time_and_states_are_coloured() {
        let mut out = Vec::new();
        print(&mut out, vec![Line::of("redis ").state(HealthState::Degraded)]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("\u{1b}[33mdegraded\u{1b}[0m"), "{text:?}");
        let mut out = Vec::new();
        print(&mut anstream::StripStream::new(&mut out), vec![Line::of("redis")]).unwrap();
        let text = String::from_utf8(out).unwrap();
        let time = text.strip_suffix(" redis\n").unwrap();
        assert!(time.ends_with('Z') && humantime::parse_rfc3339(time).is_ok(), "{time}");
    }
}
