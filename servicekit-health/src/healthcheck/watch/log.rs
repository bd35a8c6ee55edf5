//! The log: the state of every check, then a line for each change.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::SystemTime;

use super::connection::{Disconnected, Update};
use super::service::{CheckSnapshot, Snapshot};
use super::styled::{DIM, Line};

/// What the log says about one service.
pub(super) struct ServiceLog {
    base: String,
    /// Begins each line, where there are several services.
    label: Option<String>,
    logged: Option<Snapshot>,
    /// The reasons logged since the connection was lost: each is logged once.
    outage: Option<BTreeSet<String>>,
}

impl ServiceLog {
    pub(super) fn new(base: String, label: Option<String>) -> Self {
        Self { base, label, logged: None, outage: None }
    }

    pub(super) fn lines(&mut self, update: &Update) -> Vec<Line> {
        match update {
            Update::Report(snapshot) => self.report(snapshot),
            Update::Disconnected(disconnected) => self.disconnected(disconnected),
        }
    }

    fn report(&mut self, new: &Snapshot) -> Vec<Line> {
        let was_draining = self.logged.as_ref().is_some_and(|logged| logged.is_draining);
        if was_draining && new.is_draining {
            // Every new stream begins with that until the service has stopped.
            return Vec::new();
        }
        let old = self.logged.take().filter(|_| self.outage.is_none() && !was_draining);
        self.outage = None;
        let mut lines = match old {
            Some(old) => self.changes(&old, new),
            None => self.everything(new),
        };
        if new.is_draining {
            lines.push(self.line().text("draining: the service is shutting down"));
        }
        self.logged = Some(new.clone());
        lines
    }

    fn disconnected(&mut self, disconnected: &Disconnected) -> Vec<Line> {
        let reason = &disconnected.reason;
        if !self.outage.get_or_insert_default().insert(reason.clone()) {
            return Vec::new();
        }
        vec![if self.logged.is_some() {
            self.line().text(format!("disconnected: {reason}; reconnecting"))
        } else {
            self.line().text(format!("waiting for {}: {reason}; retrying", self.base))
        }]
    }

    fn line(&self) -> Line {
        match &self.label {
            Some(label) => Line::default().text(format!("{label} ")),
            None => Line::default(),
        }
    }

    fn everything(&self, new: &Snapshot) -> Vec<Line> {
        let connected = self.line().text(format!("connected to {}: ", self.base));
        let checks = new.checks.iter().map(|check| self.check(None, check));
        std::iter::once(connected.state(new.state)).chain(checks).collect()
    }

    fn changes(&self, old: &Snapshot, new: &Snapshot) -> Vec<Line> {
        let mut lines = Vec::new();
        for check in &new.checks {
            let before = old.checks.iter().find(|before| before.name == check.name);
            if before.is_none_or(|it| (it.state, &it.message) != (check.state, &check.message)) {
                lines.push(self.check(before, check));
            }
        }
        let gone = |check: &&CheckSnapshot| new.checks.iter().all(|it| it.name != check.name);
        let removed = old.checks.iter().filter(gone);
        lines.extend(removed.map(|check| self.line().text(format!("{} removed", check.name))));
        // Where the service shows no checks, this is all it shows.
        if new.checks.is_empty() && old.state != new.state {
            lines.push(self.line().text("status ").state(old.state).text(" -> ").state(new.state));
        }
        lines
    }

    fn check(&self, before: Option<&CheckSnapshot>, check: &CheckSnapshot) -> Line {
        let mut line = self.line().text(format!("{} ", check.name));
        if let Some(before) = before.filter(|before| before.state != check.state) {
            line = line.state(before.state).text(" -> ");
        }
        line = line.state(check.state);
        match &check.message {
            Some(message) => line.text(format!(": {message}")),
            None => line,
        }
    }
}

/// Each line after the time, as text with ANSI escape codes.
pub(super) fn with_time(now: SystemTime, lines: &[Line]) -> String {
    let now = humantime::format_rfc3339_seconds(now);
    lines.iter().fold(String::new(), |mut text, line| {
        let _ = writeln!(text, "{DIM}{now}{DIM:#} {line}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn log() -> ServiceLog {
        ServiceLog::new("http://host".to_owned(), None)
    }

    fn plain(lines: Vec<Line>) -> Vec<String> {
        let text = |line: Line| anstream::adapter::strip_str(&line.to_string()).to_string();
        lines.into_iter().map(text).collect()
    }

    /// What is logged for this report.
    fn report(log: &mut ServiceLog, json: &str) -> Vec<String> {
        let snapshot = Snapshot::new(&serde_json::from_str(json).unwrap(), Instant::now());
        plain(log.lines(&Update::Report(snapshot)))
    }

    fn disconnected(log: &mut ServiceLog, reason: &str) -> Vec<String> {
        let (reason, at) = (reason.to_owned(), Instant::now());
        let lost = Disconnected { reason, is_refusal: false, at, retry_at: at };
        plain(log.lines(&Update::Disconnected(lost)))
    }

    const HEALTHY: &str = r#"{"status":"healthy","checks":{
        "database":{"state":"healthy"},"redis":{"state":"healthy"}}}"#;
    const DEGRADED: &str = r#"{"status":"degraded","checks":{
        "database":{"state":"healthy"},"redis":{"state":"degraded","message":"refused"}}}"#;
    const DRAINING: &str = r#"{"status":"unhealthy","checks":{
        "$drain":{"state":"unhealthy","message":"draining"},
        "database":{"state":"healthy"},"redis":{"state":"healthy"}}}"#;

    #[test]
    fn every_check_is_logged_first_and_then_only_changes() {
        let mut log = log();
        assert_eq!(
            report(&mut log, HEALTHY),
            ["connected to http://host: healthy", "database healthy", "redis healthy"]
        );
        assert_eq!(report(&mut log, DEGRADED), ["redis healthy -> degraded: refused"]);
        let other = DEGRADED.replace("refused", "timed out");
        assert_eq!(report(&mut log, &other), ["redis degraded: timed out"]);
        assert_eq!(report(&mut log, HEALTHY), ["redis degraded -> healthy"]);
        assert_eq!(report(&mut log, HEALTHY), [""; 0]);
        let more = HEALTHY.replace("redis", "queue");
        assert_eq!(report(&mut log, &more), ["queue healthy", "redis removed"]);
    }

    #[test]
    fn each_line_names_its_service_where_there_are_several() {
        let mut log = ServiceLog::new("http://host".to_owned(), Some("host".to_owned()));
        assert_eq!(
            disconnected(&mut log, "Connection refused"),
            ["host waiting for http://host: Connection refused; retrying"]
        );
        assert_eq!(report(&mut log, HEALTHY)[2], "host redis healthy");
    }

    #[test]
    fn a_service_that_shows_no_checks_still_shows_its_status() {
        let mut log = log();
        report(&mut log, r#"{"status":"healthy"}"#);
        let lines = report(&mut log, r#"{"status":"unhealthy"}"#);
        assert_eq!(lines, ["status healthy -> unhealthy"]);
    }

    #[test]
    fn an_outage_is_logged_once_per_reason_and_every_check_after_it() {
        let mut log = log();
        assert_eq!(
            disconnected(&mut log, "refused"),
            ["waiting for http://host: refused; retrying"]
        );
        assert_eq!(disconnected(&mut log, "refused"), [""; 0]);
        report(&mut log, HEALTHY);
        assert_eq!(disconnected(&mut log, "refused"), ["disconnected: refused; reconnecting"]);
        assert_eq!(disconnected(&mut log, "timed out").len(), 1);
        assert_eq!(disconnected(&mut log, "refused"), [""; 0]);
        assert_eq!(report(&mut log, HEALTHY).len(), 3);
        assert_eq!(disconnected(&mut log, "refused").len(), 1);
    }

    #[test]
    fn draining_is_logged_once_and_the_next_process_anew() {
        let mut log = log();
        report(&mut log, HEALTHY);
        assert_eq!(report(&mut log, DRAINING), ["draining: the service is shutting down"]);
        assert_eq!(report(&mut log, DRAINING), [""; 0]);
        assert_eq!(disconnected(&mut log, "refused").len(), 1);
        assert_eq!(report(&mut log, HEALTHY).len(), 3, "the next process");
        assert_eq!(report(&mut log, DRAINING).len(), 1, "drains too");
        assert_eq!(report(&mut log, HEALTHY).len(), 3, "and restarts within the backoff");
    }

    #[test]
    fn nothing_that_the_service_says_reaches_the_terminal_raw() {
        let json = r#"{"status":"degraded","checks":{"a\u001b[2Jb":{
            "state":"degraded","message":"c\u001b]0;title\u0007\nd\u202e"}}}"#;
        let lines = report(&mut log(), json);
        assert_eq!(lines[1], r"a\u{1b}[2Jb degraded: c\u{1b}]0;title\u{7}\nd\u{202e}");
    }

    #[test]
    fn a_line_begins_with_its_time() {
        let text = with_time(SystemTime::UNIX_EPOCH, &[Line::default().text("redis")]);
        let plain = anstream::adapter::strip_str(&text).to_string();
        assert_eq!(plain, "1970-01-01T00:00:00Z redis\n");
    }
}
