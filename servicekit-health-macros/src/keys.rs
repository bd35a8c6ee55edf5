//! The keys that the attribute knows, and what people write when they mean one of them.

use proc_macro2::Ident;

use crate::duration;
use crate::suggest::nearest;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    Name,
    OnError,
    Timeout,
    Cache,
    Interval,
    Probe,
    FailureThreshold,
    SuccessThreshold,
    Tags,
    Blocking,
    Crate,
}

impl Key {
    pub(crate) const ALL: [&'static str; 11] = [
        "name",
        "on_error",
        "timeout",
        "cache",
        "interval",
        "probe",
        "failure_threshold",
        "success_threshold",
        "tags",
        "blocking",
        "crate",
    ];

    const IN_ORDER: [Self; 11] = [
        Self::Name,
        Self::OnError,
        Self::Timeout,
        Self::Cache,
        Self::Interval,
        Self::Probe,
        Self::FailureThreshold,
        Self::SuccessThreshold,
        Self::Tags,
        Self::Blocking,
        Self::Crate,
    ];

    pub(crate) fn find(key: &Ident) -> Option<Self> {
        let position = Self::ALL.iter().position(|known| key == known)?;
        Some(Self::IN_ORDER[position])
    }

    pub(crate) const fn as_str(self) -> &'static str {
        Self::ALL[self as usize]
    }

    pub(crate) const fn is_duration(self) -> bool {
        matches!(self, Self::Timeout | Self::Cache | Self::Interval)
    }

    /// Whether it also takes an array.
    pub(crate) const fn is_list(self) -> bool {
        matches!(self, Self::Probe | Self::Tags)
    }

    /// The key as it is meant to be written.
    pub(crate) const fn example(self) -> &'static str {
        match self {
            Self::Name => r#"name = "redis""#,
            Self::OnError => r#"on_error = "degraded""#,
            Self::Timeout => r#"timeout = "300ms""#,
            Self::Cache => r#"cache = "2s""#,
            Self::Interval => r#"interval = "30s""#,
            Self::Probe => r#"probe = "liveness""#,
            Self::FailureThreshold => "failure_threshold = 3",
            Self::SuccessThreshold => "success_threshold = 2",
            Self::Tags => r#"tags = ["storage"]"#,
            Self::Blocking => "blocking",
            Self::Crate => r#"crate = "path""#,
        }
    }
}

/// The key that somebody meant who wrote `key`.
pub(crate) fn meant(key: &str) -> Option<&'static str> {
    let synonym = match key.to_ascii_lowercase().as_str() {
        "id" | "title" | "label" | "rename" => "name",
        "state" | "status" | "severity" | "on_failure" | "on_fail" | "critical" => "on_error",
        "deadline" | "max_duration" => "timeout",
        "ttl" | "cached" | "max_age" => "cache",
        "every" | "period" | "schedule" | "background" => "interval",
        "kind" | "liveness" | "readiness" | "startup" => "probe",
        "retries" | "failures" | "fall" => "failure_threshold",
        "successes" | "rise" => "success_threshold",
        "group" | "groups" | "labels" => "tags",
        "sync" | "spawn_blocking" => "blocking",
        "path" | "krate" | "r#crate" => "crate",
        _ => return nearest(key, &Key::ALL),
    };
    Some(synonym)
}

/// Where to say what `key` would say, if not in the attribute.
pub(crate) fn elsewhere(key: &str) -> Option<&'static str> {
    match key.to_ascii_lowercase().as_str() {
        "description" | "desc" | "doc" | "docs" | "help" | "summary" => {
            Some("a check's doc comment is its description")
        }
        "skip" | "enabled" | "disabled" | "disable" | "ignore" | "when" => {
            Some("a check is left out with `#[cfg(...)]` here, or with `skip` on the builder")
        }
        _ => None,
    }
}

/// The key that a value without one was most likely meant for.
pub(crate) fn likely(literal: &str) -> &'static str {
    let text = literal.trim_matches('"');
    match text {
        "degraded" | "unhealthy" => "on_error",
        "liveness" | "readiness" | "startup" => "probe",
        _ if duration::parse(text).is_ok() => "timeout",
        _ => "name",
    }
}

/// "`a`, `b` and `c`", for messages.
pub(crate) fn list(words: impl IntoIterator<Item = &'static str>) -> String {
    let words: Vec<_> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => String::new(),
    }
}
