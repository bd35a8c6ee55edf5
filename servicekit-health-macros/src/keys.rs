//! The keys of the attribute, as one table. What people write instead of them is in `habits`.

use proc_macro2::Ident;

use crate::duration;
use crate::suggest::{nearest, squashed};

/// What a key takes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A string in the grammar of `name`.
    Name,
    /// `"degraded"` or `"unhealthy"`.
    State,
    /// A duration of at least this many milliseconds.
    Duration(u64),
    /// The probes, or `"none"`.
    Probes,
    /// An integer of at least 1.
    Threshold,
    /// Strings in the grammar of `name`.
    Tags,
    /// No value.
    Flag,
    /// No value; it is about the function.
    Blocking,
    /// A path to the runtime crate.
    Path,
}

pub(crate) struct Key {
    /// Also the name of the method of the runtime's `Declaration` that the expansion calls with the
    /// value. `name`, `blocking` and `crate` have none: they shape the rest of the expansion.
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// A value that it takes.
    example: &'static str,
    /// What else it is called elsewhere. Case, `_` and `-` do not matter.
    synonyms: &'static [&'static str],
}

#[rustfmt::skip]
pub(crate) static KEYS: [Key; 13] = [
    key("name", Kind::Name, r#""redis""#, &["id", "title", "label", "rename"]),
    key("on_error", Kind::State, r#""degraded""#, &["state", "status", "severity", "on_failure", "on_fail", "on_panic", "on_timeout", "critical", "required", "optional"]),
    key("timeout", Kind::Duration(1), r#""300ms""#, &["deadline", "max_duration", "time_limit"]),
    key("cache", Kind::Duration(0), r#""2s""#, &["ttl", "cached", "max_age", "cache_ttl", "cache_for", "cache_duration"]),
    key("interval", Kind::Duration(10), r#""30s""#, &["every", "period", "schedule", "background", "frequency", "check_interval", "poll_interval"]),
    key("probe", Kind::Probes, r#""liveness""#, &["kind", "probe_type"]),
    key("shared", Kind::Flag, "", &["shared_dependency", "global"]),
    key("failure_threshold", Kind::Threshold, "3", &["retries", "retry", "failures", "fall", "threshold", "max_failures", "max_retries", "unhealthy_threshold", "unhealthy_threshold_count"]),
    key("success_threshold", Kind::Threshold, "2", &["successes", "rise", "healthy_threshold", "healthy_threshold_count"]),
    key("unhealthy_after", Kind::Duration(1), r#""10m""#, &["fail_after", "escalate_after", "max_degraded", "degraded_for"]),
    key("tags", Kind::Tags, r#"["storage"]"#, &["group", "groups", "labels", "category"]),
    key("blocking", Kind::Blocking, "", &["sync", "spawn_blocking"]),
    key("crate", Kind::Path, "my_health", &["krate", "crate_path"]),
];

const fn key(
    name: &'static str,
    kind: Kind,
    example: &'static str,
    synonyms: &'static [&'static str],
) -> Key {
    Key { name, kind, example, synonyms }
}

impl Key {
    pub(crate) fn find(word: &Ident) -> Option<&'static Self> {
        // Once: comparing an `Ident` makes a string of it every time.
        Self::named(&word.to_string())
    }

    /// The key of this name, which is one.
    pub(crate) fn named(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name == name)
    }

    /// The key that somebody meant who wrote `word`.
    pub(crate) fn meant(word: &str) -> Option<&'static Self> {
        let wanted = squashed(word);
        let is_it = |name: &&str| squashed(name) == wanted;
        let same = |key: &&Self| is_it(&key.name) || key.synonyms.iter().any(is_it);
        KEYS.iter().find(same).or_else(|| {
            let name = nearest(word, &KEYS.each_ref().map(|key| key.name))?;
            Self::named(name)
        })
    }

    /// Whether it stands alone.
    pub(crate) const fn is_flag(&self) -> bool {
        matches!(self.kind, Kind::Flag | Kind::Blocking)
    }

    /// `invalid value for ...: expected ...`
    pub(crate) fn invalid(&self) -> String {
        format!("invalid value for `{}`: expected {}", self.name, self.expected())
    }

    /// `missing value for ...: expected ...`
    pub(crate) fn missing(&self) -> String {
        if self.is_flag() {
            // Only its `=` is there.
            return format!("`{0}` does not take a value; write `{0}`", self.name);
        }
        format!("missing value for `{}`: expected {}", self.name, self.expected())
    }

    fn expected(&self) -> String {
        let example = self.example;
        match self.kind {
            Kind::Name => format!("a string such as `{example}`"),
            Kind::State => r#"`"degraded"` or `"unhealthy"`"#.to_owned(),
            Kind::Duration(_) => format!("a duration such as {}", duration::EXAMPLES),
            Kind::Probes => {
                r#"`"liveness"`, `"readiness"`, `"startup"`, an array of them, or `"none"`"#
                    .to_owned()
            }
            Kind::Threshold => "an integer of at least 1".to_owned(),
            Kind::Tags => format!("a string or an array of strings such as `{example}`"),
            Kind::Flag | Kind::Blocking => "no value".to_owned(),
            Kind::Path => format!("a path such as `{example}` or `crate::reexports::health`"),
        }
    }
}

/// Every key: "`name`, `on_error`, ...".
pub(crate) fn list() -> String {
    KEYS.each_ref().map(|key| format!("`{}`", key.name)).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_is_accepted() {
        for key in &KEYS {
            let argument = match key.example {
                "" => key.name.to_owned(),
                value => format!("{} = {value}", key.name),
            };
            let item = if key.kind == Kind::Blocking { "fn f() {}" } else { "async fn f() {}" };
            let expanded = crate::expand(argument.parse().unwrap(), &item.parse().unwrap());
            assert!(!expanded.to_string().contains("compile_error"), "{argument}: {expanded}");
        }
    }

    #[test]
    fn no_word_is_a_synonym_of_two_keys() {
        let words = KEYS.iter().flat_map(|key| key.synonyms.iter().chain([&key.name]));
        let mut words: Vec<String> = words.map(|word| squashed(word)).collect();
        words.sort();
        let all = words.len();
        words.dedup();
        assert_eq!(words.len(), all);
    }
}
