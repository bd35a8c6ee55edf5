//! What a container leaves behind: the worst checks and the last transitions, in a file that the
//! kubelet reads when the container has ended (`terminationMessagePath`).

use std::fmt::Write;
use std::path::Path;

use crate::model::time::rfc3339;
use crate::model::{HealthState, Report, Transition};
use crate::text::escaped::Escaped;

/// The kubelet keeps this much, the end of it, and of all containers of a pod 12 KiB.
const MOST: usize = 4096;

/// As much of each message, so that even one that is all escapes leaves room for others.
const CHARACTERS: usize = 240;

/// Writes the file, or logs why it cannot.
pub(crate) fn write(path: &Path, report: &Report, history: &[Transition]) {
    if let Err(error) = std::fs::write(path, text(report, history)) {
        let path = path.display();
        tracing::error!(
            target: "servicekit_health",
            %path,
            %error,
            "cannot write the termination log"
        );
    }
}

/// The worst checks first, in whole lines. They leave room for the transitions, which tell what
/// happened last.
fn text(report: &Report, history: &[Transition]) -> String {
    let mut text = format!("health: {}\n", report.status);
    let mut worst: Vec<_> =
        report.checks.iter().filter(|(_, check)| check.state != HealthState::Healthy).collect();
    worst.sort_by_key(|(_, check)| std::cmp::Reverse(check.state));
    let checks = worst.into_iter().map(|(name, check)| {
        format!("{name} {}{}\n", check.state, reason(check.message.as_deref()))
    });
    let transitions: Vec<_> = history.iter().map(line).collect();
    let wanted: usize = transitions.iter().map(String::len).sum();
    append(&mut text, checks, MOST - wanted.min(MOST / 2));
    append(&mut text, transitions, MOST);
    text
}

/// As many of the first lines as fit.
fn append(text: &mut String, lines: impl IntoIterator<Item = String>, most: usize) {
    for line in lines {
        if text.len() + line.len() > most {
            break;
        }
        text.push_str(&line);
    }
}

fn line(transition: &Transition) -> String {
    let mut line = rfc3339(transition.at).unwrap_or_default();
    let (check, to) = (&transition.check, transition.to);
    // Writing to a text does not fail.
    let _ = match transition.from {
        Some(from) => write!(line, " {check} {from} -> {to}"),
        None => write!(line, " {check} {to}"),
    };
    line.push_str(&reason(transition.message.as_deref()));
    line.push('\n');
    line
}

/// Cut, so that one check does not take the place of the others.
fn reason(message: Option<&str>) -> String {
    let Some(message) = message else { return String::new() };
    match message.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!(": {}\u{2026}", Escaped(&message[..end])),
        None => format!(": {}", Escaped(message)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::SystemTime;

    use super::*;
    use crate::model::CheckReport;

    #[test]
    fn the_worst_checks_come_first_and_the_file_is_as_long_as_the_kubelet_reads() {
        let check = |name: &str, state, message: String| {
            (name.to_owned(), CheckReport::new(state, message))
        };
        let report = Report::new(BTreeMap::from([
            check("a", HealthState::Degraded, "slow".to_owned()),
            check("b", HealthState::Unhealthy, "refused\nagain".to_owned()),
            check("c", HealthState::Healthy, String::new()),
        ]));
        let transition = Transition {
            check: "b".to_owned(),
            from: Some(HealthState::Healthy),
            to: HealthState::Unhealthy,
            message: Some("x".repeat(200)),
            at: SystemTime::UNIX_EPOCH,
            lasted: None,
            failures: 1,
            missed: 0,
        };
        let text = text(&report, &vec![transition; 20]);
        let begin = "health: unhealthy\nb unhealthy: refused\\nagain\na degraded: slow\n\
                     1970-01-01T00:00:00.000Z b healthy -> unhealthy: xxx";
        assert!(text.starts_with(begin), "{text}");
        assert!(text.len() <= MOST && text.ends_with("x\n"), "{}", text.len());
    }

    #[test]
    fn many_checks_and_long_messages_leave_room_for_the_transitions() {
        let check = |n: u32| {
            let message = "\u{1b}".repeat(1000);
            (format!("check-{n}"), CheckReport::new(HealthState::Unhealthy, message))
        };
        let report = Report::new((0..100).map(check).collect());
        let transition = |n: u32| Transition {
            check: format!("check-{n}"),
            from: None,
            to: HealthState::Unhealthy,
            message: Some("x".repeat(1000)),
            at: SystemTime::UNIX_EPOCH,
            lasted: None,
            failures: 1,
            missed: 0,
        };
        let text = text(&report, &[transition(2), transition(1)]);
        assert!(text.len() <= MOST, "{}", text.len());
        assert!(text.contains("\ncheck-0 unhealthy: \\u{1b}"), "{text}");
        assert!(text.matches("\u{2026}\n").count() >= 3, "cut, and whole lines: {text}");
        for n in [1, 2] {
            let line = format!("\n1970-01-01T00:00:00.000Z check-{n} unhealthy: xxx");
            assert!(text.contains(&line), "{text}");
        }
    }
}
