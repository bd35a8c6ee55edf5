//! The table: a row for each service, and below it one for each of its checks.

use std::fmt::Write;
use std::time::{Duration, Instant, SystemTime};

use anstyle::Style;
use unicode_width::UnicodeWidthStr;

use super::connection::Disconnected;
use super::service::{CheckSnapshot, Connection, Service, Snapshot};
use super::styled::{BOLD, DIM, ERROR, GAP, Line, PLAIN, WARNING, style_of};
use super::terminal::Size;
use crate::model::HealthState;

const STATE_WIDTH: usize = "unreachable".len();
const SINCE_WIDTH: usize = "119m ago".len();
const LATENCY_WIDTH: usize = "LATENCY".len();

/// A narrower terminal has no room for these columns.
const MIN_COLUMNS_WITH_SINCE: usize = 50;
const MIN_COLUMNS_WITH_LATENCY: usize = 70;

/// Of the whole width, the part that names may take.
const MAX_NAME_SHARE: usize = 3;

/// The title and the head of the columns.
const HEAD_ROWS: usize = 2;

#[derive(Clone, Debug)]
struct Row {
    name: String,
    name_style: Style,
    state: &'static str,
    state_style: Style,
    since: Option<Duration>,
    latency: Option<Duration>,
    message: String,
    /// Whether it may be left out where there is no room.
    is_healthy: bool,
}

/// The lines of the whole screen.
pub(super) fn render(
    services: &[Service],
    now: Instant,
    clock: SystemTime,
    size: Size,
) -> Vec<Line> {
    let room = size.rows.saturating_sub(HEAD_ROWS);
    let all =
        || services.iter().map(|service| (service_row(service, now), check_rows(service, now)));
    let mut rows: Vec<Row> = all().flat_map(|(row, checks)| [vec![row], checks].concat()).collect();
    if rows.len() > room {
        rows = all().flat_map(|(row, checks)| without_healthy(row, checks)).collect();
    }
    if rows.len() > room && services.len() > 1 {
        rows.retain(|row| !row.is_healthy);
    }
    let hidden = rows.len().saturating_sub(room);
    if hidden > 0 {
        rows.truncate(room.saturating_sub(1));
    }
    let names = rows.iter().map(|row| row.name.width()).max().unwrap_or_default();
    let columns = Columns {
        name: names.max("SERVICE".len()).min(size.columns / MAX_NAME_SHARE),
        has_since: size.columns >= MIN_COLUMNS_WITH_SINCE,
        has_latency: size.columns >= MIN_COLUMNS_WITH_LATENCY,
    };
    let mut lines = vec![title(services, clock, size.columns), columns.head()];
    lines.extend(rows.iter().map(|row| columns.line(row)));
    if hidden > 0 {
        let more = format!("{} more rows: enlarge the window", hidden + 1);
        lines.push(Line::default().then(DIM, more));
    }
    lines.truncate(size.rows);
    lines.into_iter().map(|line| line.fit(size.columns)).collect()
}

/// How many services and checks there are, by state, and the time.
fn title(services: &[Service], clock: SystemTime, width: usize) -> Line {
    let snapshots = || services.iter().filter_map(|service| service.connection.snapshot());
    let checks = || snapshots().flat_map(|snapshot| &snapshot.checks);
    let mut line = Line::default().then(BOLD, counted(services.len(), "service"));
    let missing = services.len() - snapshots().count();
    if missing > 0 {
        line = line.text(" (").then(ERROR, format!("{missing} not connected")).text(")");
    }
    if snapshots().next().is_some() {
        line = line.text(", ").then(BOLD, counted(checks().count(), "check"));
    }
    let mut separator = ": ";
    for state in HealthState::ALL.into_iter().rev() {
        let count = checks().filter(|check| check.state == state).count();
        if count > 0 {
            line = line.text(separator).then(style_of(state), format!("{count} {state}"));
            separator = ", ";
        }
    }
    let clock = humantime::format_rfc3339_seconds(clock).to_string();
    match width.checked_sub(line.width() + GAP + clock.len()) {
        Some(gap) => line.text(" ".repeat(gap + GAP)).then(DIM, clock),
        None => line,
    }
}

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn service_row(service: &Service, now: Instant) -> Row {
    let mut row = Row {
        name: service.label.clone(),
        name_style: BOLD,
        state: "connecting",
        state_style: DIM,
        since: None,
        latency: None,
        message: String::new(),
        is_healthy: false,
    };
    match &service.connection {
        Connection::Connecting => {}
        Connection::Connected(snapshot) if snapshot.is_draining => {
            (row.state, row.state_style) = ("draining", WARNING);
            row.message.push_str("the service is shutting down");
        }
        Connection::Connected(snapshot) => {
            (row.state, row.state_style) = (snapshot.state.as_str(), style_of(snapshot.state));
            row.since = snapshot.state_age(now);
            row.is_healthy = snapshot.state == HealthState::Healthy;
        }
        Connection::Disconnected(disconnected, since) => {
            row.state = if disconnected.is_refusal { "error" } else { "unreachable" };
            row.state_style = ERROR;
            row.since = Some(now.saturating_duration_since(*since));
            row.message = format!("{}; {}", disconnected.reason, retry(disconnected, now));
        }
    }
    row
}

fn retry(disconnected: &Disconnected, now: Instant) -> String {
    match disconnected.retry_at.saturating_duration_since(now) {
        Duration::ZERO => "retrying".to_owned(),
        left => format!("retry in {}s", left.as_millis().div_ceil(1000)),
    }
}

fn check_rows(service: &Service, now: Instant) -> Vec<Row> {
    let Some(snapshot) = service.connection.snapshot() else {
        // What was known before the connection was lost may be wrong by now.
        return Vec::new();
    };
    snapshot.checks.iter().map(|check| check_row(snapshot, check, now)).collect()
}

fn check_row(snapshot: &Snapshot, check: &CheckSnapshot, now: Instant) -> Row {
    let message = check.message.as_deref().unwrap_or_default();
    Row {
        name: format!("  {}", check.name),
        name_style: PLAIN,
        state: check.state.as_str(),
        state_style: style_of(check.state),
        since: snapshot.state_age_of(check, now),
        latency: check.latency,
        message: match (check.is_stale, message) {
            (true, "") => "(stale)".to_owned(),
            (true, message) => format!("(stale) {message}"),
            (false, message) => message.to_owned(),
        },
        is_healthy: check.state == HealthState::Healthy,
    }
}

/// The healthy checks as a number in the row of their service.
fn without_healthy(mut service: Row, mut checks: Vec<Row>) -> Vec<Row> {
    let count = checks.len();
    checks.retain(|check| !check.is_healthy);
    let hidden = count - checks.len();
    if hidden > 0 {
        let separator = if service.message.is_empty() { "" } else { "; " };
        let _ = write!(service.message, "{separator}{} healthy", counted(hidden, "check"));
    }
    checks.insert(0, service);
    checks
}

struct Columns {
    name: usize,
    has_since: bool,
    has_latency: bool,
}

impl Columns {
    fn head(&self) -> Line {
        let mut line =
            Line::default().column(DIM, "SERVICE", self.name).column(DIM, "STATE", STATE_WIDTH);
        if self.has_since {
            line = line.right_column(DIM, "SINCE", SINCE_WIDTH);
        }
        if self.has_latency {
            line = line.right_column(DIM, "LATENCY", LATENCY_WIDTH);
        }
        line.then(DIM, "MESSAGE")
    }

    fn line(&self, row: &Row) -> Line {
        let mut line = Line::default().column(row.name_style, &row.name, self.name).column(
            row.state_style,
            row.state,
            STATE_WIDTH,
        );
        if self.has_since {
            let since = row.since.map(ago).unwrap_or_default();
            line = line.right_column(PLAIN, &since, SINCE_WIDTH);
        }
        if self.has_latency {
            let latency = row.latency.map(latency).unwrap_or_default();
            line = line.right_column(PLAIN, &latency, LATENCY_WIDTH);
        }
        line.text(row.message.clone())
    }
}

/// In the largest unit of which there are at least two, or one where it is a second.
fn ago(age: Duration) -> String {
    match age.as_secs() {
        0 => "now".to_owned(),
        seconds @ 1..120 => format!("{seconds}s ago"),
        seconds if seconds < 2 * 60 * 60 => format!("{}m ago", seconds / 60),
        seconds if seconds < 2 * 24 * 60 * 60 => format!("{}h ago", seconds / (60 * 60)),
        seconds => format!("{}d ago", seconds / (24 * 60 * 60)),
    }
}

fn latency(time: Duration) -> String {
    let millis = time.as_secs_f64() * 1000.0;
    match millis {
        ..10.0 => format!("{millis:.1}ms"),
        ..1000.0 => format!("{millis:.0}ms"),
        _ => format!("{:.1}s", millis / 1000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::Update;
    use super::*;

    /// What a screen shows, without colors.
    fn screen(services: &[Service], now: Instant, columns: usize, rows: usize) -> String {
        let clock = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_550_407);
        let lines = render(services, now, clock, Size { columns, rows });
        assert!(lines.len() <= rows && lines.iter().all(|line| line.width() <= columns));
        let text = |line: &Line| {
            anstream::adapter::strip_str(&line.to_string()).to_string().trim_end().to_owned()
        };
        lines.iter().map(text).collect::<Vec<_>>().join("\n")
    }

    fn connected(label: &str, json: &str, at: Instant) -> Service {
        let mut service = Service::new(label.to_owned());
        let report = serde_json::from_str(json).unwrap();
        service.apply(Update::Report(Snapshot::new(&report, at)));
        service
    }

    fn disconnected(label: &str, reason: &str, is_refusal: bool, at: Instant) -> Service {
        let mut service = Service::new(label.to_owned());
        let retry_at = at + Duration::from_secs(5);
        let reason = reason.to_owned();
        service.apply(Update::Disconnected(Disconnected { reason, is_refusal, at, retry_at }));
        service
    }

    const SHOP: &str = r#"{"status":"degraded","checks":{
        "database":{"state":"healthy","since":"2026-11-24T20:00:00Z","duration_ms":0.42,
            "checked_at":"2026-11-24T23:00:00Z","age_ms":0.0},
        "queue":{"state":"healthy","message":"12 jobs","since":"2026-11-22T20:00:00Z",
            "duration_ms":12.34,"checked_at":"2026-11-24T23:00:00Z","age_ms":0.0,"stale":true},
        "redis":{"state":"degraded","message":"timed out after 300ms","duration_ms":300.9,
            "since":"2026-11-24T22:59:50Z","checked_at":"2026-11-24T23:00:00Z","age_ms":0.0}}}"#;

    const DRAINING: &str = r#"{"status":"unhealthy","checks":{
        "$drain":{"state":"unhealthy","message":"draining"},"database":{"state":"healthy"}}}"#;

    #[test]
    fn one_service_shows_each_of_its_checks() {
        let at = Instant::now();
        let shop = [connected("localhost:8000", SHOP, at)];
        assert_eq!(
            screen(&shop, at + Duration::from_secs(2), 90, 24),
            "\
1 service, 3 checks: 1 degraded, 2 healthy                            2026-11-24T20:00:07Z
SERVICE         STATE           SINCE  LATENCY  MESSAGE
localhost:8000  degraded      12s ago
  database      healthy        3h ago    0.4ms
  queue         healthy        2d ago     12ms  (stale) 12 jobs
  redis         degraded      12s ago    301ms  timed out after 300ms"
        );
    }

    #[test]
    fn many_services_show_how_each_is_connected() {
        let at = Instant::now();
        let services = [
            Service::new("one:1".to_owned()),
            connected("two:2", DRAINING, at),
            disconnected("three:3", "Connection refused", false, at),
            disconnected("four:4", "404 Not Found", true, at),
        ];
        assert_eq!(
            screen(&services, at + Duration::from_millis(2500), 80, 24),
            "\
4 services (3 not connected), 1 check: 1 healthy            2026-11-24T20:00:07Z
SERVICE     STATE           SINCE  LATENCY  MESSAGE
one:1       connecting
two:2       draining                        the service is shutting down
  database  healthy
three:3     unreachable    2s ago           Connection refused; retry in 3s
four:4      error          2s ago           404 Not Found; retry in 3s"
        );
    }

    #[test]
    fn healthy_checks_are_counted_where_there_is_no_room_for_them() {
        let at = Instant::now();
        let services = [
            connected("one", SHOP, at),
            connected("two", r#"{"status":"healthy","checks":{"disk":{"state":"healthy"}}}"#, at),
        ];
        assert_eq!(
            screen(&services, at, 70, 7),
            "\
2 services, 4 checks: 1 degraded, 3 healthy       2026-11-24T20:00:07Z
SERVICE  STATE           SINCE  LATENCY  MESSAGE
one      degraded      10s ago           2 checks healthy
  redis  degraded      10s ago    301ms  timed out after 300ms
two      healthy                         1 check healthy"
        );
        assert_eq!(
            screen(&services, at, 70, 4).lines().last().unwrap(),
            "  redis  degraded      10s ago    301ms  timed out after 300ms",
            "a healthy service gives way"
        );
        assert!(screen(&services, at, 70, 3).ends_with("\n2 more rows: enlarge the window"));
    }

    #[test]
    fn a_narrow_terminal_shows_fewer_columns_and_a_tiny_one_does_no_harm() {
        let at = Instant::now();
        let shop = [connected("shop.example:8000", SHOP, at)];
        assert_eq!(
            screen(&shop, at, 40, 6),
            "\
1 service, 3 checks: 1 degraded, 2 heal…
SERVICE        STATE        MESSAGE
shop.example…  degraded
  database     healthy
  queue        healthy      (stale) 12 …
  redis        degraded     timed out a…"
        );
        for columns in 0..12 {
            for rows in 0..5 {
                screen(&shop, at, columns, rows);
            }
        }
    }

    #[test]
    fn nothing_that_a_service_says_controls_the_terminal() {
        let json = r#"{"status":"degraded","checks":{"a\u001b[2Jb":{
            "state":"degraded","message":"c\u001b]0;title\u0007\r\nd\u202e"}}}"#;
        let screen = screen(&[connected("host", json, Instant::now())], Instant::now(), 90, 9);
        assert!(screen.contains(r"a\u{1b}[2Jb"), "{screen}");
        assert!(screen.contains(r"c\u{1b}]0;title\u{7}\r\nd\u{202e}"), "{screen}");
        assert!(!screen.chars().any(|char| char.is_control() && char != '\n'), "{screen}");
    }

    #[test]
    fn latencies_and_ages_are_short() {
        let millis = |millis| latency(Duration::from_micros(millis));
        assert_eq!(
            [0, 420, 9_940, 12_340, 999_000, 1_250_000].map(millis),
            ["0.0ms", "0.4ms", "9.9ms", "12ms", "999ms", "1.2s"]
        );
        let seconds = |seconds| ago(Duration::from_secs(seconds));
        assert_eq!(
            [0, 119, 120, 7199, 7200, 172_800].map(seconds),
            ["now", "119s ago", "2m ago", "119m ago", "2h ago", "2d ago"]
        );
    }
}
