//! What people write instead of a key, out of the habits of other crates and of Kubernetes.

use crate::keys::{self, Key, Kind};
use crate::suggest::{distance, squashed};
use crate::values::{Value, Words};
use crate::{duration, name, remedy};

/// What to say of `word`, which is not a key, and the key that was meant, if any.
pub(crate) fn unknown(word: &str, value: &Value) -> (String, Option<&'static Key>) {
    let unknown = format!("unknown key `{word}`");
    if let Some(hint) = elsewhere(word) {
        return (format!("{unknown}; {hint}"), None);
    }
    if let Some(argument) = importance(word, value).or_else(|| with_unit(word, value)) {
        return (format!("{unknown}; write `{argument}`"), meant(word));
    }
    if let Some(meant) = meant(word) {
        return (format!("{unknown}; did you mean `{}`?", meant.name), Some(meant));
    }
    let says_yes = |words: Words| words.one().is_some_and(remedy::is_yes);
    let argument = match value {
        Value::Absent if !is_keyword(word) => likely(word),
        // `readiness = true`
        value if value.words().is_some_and(says_yes) => of_value(word),
        _ => None,
    };
    let argument = argument.map_or_else(
        || format!("; expected one of {}", keys::list()),
        |argument| format!("; write `{argument}`"),
    );
    (format!("{unknown}{argument}"), None)
}

fn meant(word: &str) -> Option<&'static Key> {
    let (word, _) = split_unit(word.rsplit("::").next().unwrap_or(word));
    // A value that stands alone is not a slip of a key.
    let value = word.to_lowercase();
    let values = remedy::PROBES.iter().chain(&remedy::STATES);
    let is_value = values.into_iter().any(|known| *known == value) || value == "healthy";
    if is_value { None } else { Key::meant(word) }
}

fn is_keyword(word: &str) -> bool {
    !word.contains('-') && syn::parse_str::<syn::Ident>(word).is_err()
}

/// The argument that was meant by a value without a key, if any.
pub(crate) fn likely(word: &str) -> Option<String> {
    if let Some(argument) = of_value(word) {
        return Some(argument);
    }
    let key = match word.to_lowercase().as_str() {
        "healthy" | "true" | "false" | "none" => return None,
        _ if duration::rewrite(word, 1).is_some() => "timeout",
        _ if name::problem(word).is_none() => "name",
        _ => return None,
    };
    remedy::of_words(Key::named(key)?, &Words::of(word.to_owned()))
}

/// The argument whose value `word` is: a state, or a probe by any of its names. Only one slip is
/// allowed, because a word further away is more likely a name.
fn of_value(word: &str) -> Option<String> {
    let word = word.to_lowercase();
    let is_meant = |known: &&&str| distance(&word, known) <= 1;
    if let Some(state) = remedy::STATES.iter().find(is_meant) {
        return Some(format!("on_error = \"{state}\""));
    }
    let named = || remedy::named_probe(&word).filter(|probe| *probe != remedy::NO_PROBE);
    let probe = remedy::PROBES.iter().find(is_meant).copied().or_else(named)?;
    Some(format!("probe = \"{probe}\""))
}

/// Where to say what `word` would say, if not in the attribute.
fn elsewhere(word: &str) -> Option<&'static str> {
    Some(match squashed(word).as_str() {
        "description" | "desc" | "doc" | "docs" | "help" | "summary" | "comment" => {
            "the function's doc comment is the description"
        }
        "skip" | "enabled" | "disabled" | "disable" | "enable" | "ignore" | "when" | "cfg" => {
            "leave a check out with `#[cfg(...)]`, or with `skip` on the builder"
        }
        "initialdelay" | "initialdelayseconds" | "startperiod" | "delay" | "graceperiod" => {
            "a check has no initial delay: with `probe = \"startup\"`, the service becomes ready \
             once the check has passed"
        }
        "path" | "endpoint" | "route" | "get" => {
            "a check is found at `/health/{name}`; the paths of the probes are set with \
             `probe_path` on the builder"
        }
        "deps" | "dependency" | "dependencies" | "dependson" | "provide" | "inject" | "args"
        | "params" => "the parameters of the function are its dependencies",
        "async" => "a check is async unless `blocking` is set",
        "runtime" | "flavor" | "workerthreads" => "a check runs on the runtime of the application",
        _ => return None,
    })
}

/// `critical = true`, `required = false`, `optional`: how much a failure matters is `on_error`.
fn importance(word: &str, value: &Value) -> Option<String> {
    let matters = match squashed(word).as_str() {
        "critical" | "required" | "mandatory" | "essential" | "fatal" => true,
        "optional" | "noncritical" | "besteffort" => false,
        _ => return None,
    };
    let yes = match value {
        Value::Absent => true,
        value => {
            let words = value.words()?;
            let word = words.one()?;
            if !remedy::is_yes(word) && !remedy::is_no(word) {
                return None;
            }
            remedy::is_yes(word)
        }
    };
    let state = if matters == yes { "unhealthy" } else { "degraded" };
    Some(format!("on_error = \"{state}\""))
}

/// `timeoutSeconds = 5`, `interval_ms = "100"`: the unit belongs to the value.
fn with_unit(word: &str, value: &Value) -> Option<String> {
    let (base, unit) = split_unit(word);
    let key = Key::meant(base).filter(|key| matches!(key.kind, Kind::Duration(_)))?;
    let words = value.words()?;
    let number = words.one()?.trim();
    let is_number = number.starts_with(|char: char| char.is_ascii_digit())
        && number.ends_with(|char: char| char.is_ascii_digit());
    let unit = unit.filter(|_| is_number)?;
    remedy::of_words(key, &Words::of(format!("{number}{unit}")))
}

/// `timeoutSeconds` as `timeout` and `s`.
fn split_unit(word: &str) -> (&str, Option<&'static str>) {
    let lower = word.to_ascii_lowercase();
    for (suffix, unit) in [
        ("milliseconds", "ms"),
        ("millis", "ms"),
        ("seconds", "s"),
        ("minutes", "m"),
        ("secs", "s"),
        ("mins", "m"),
        ("_sec", "s"),
        ("_min", "m"),
        ("_ms", "ms"),
        ("_s", "s"),
    ] {
        if let Some(base) = lower.strip_suffix(suffix).filter(|base| !base.is_empty()) {
            return (word[..base.len()].trim_end_matches('_'), Some(unit));
        }
    }
    for (suffix, unit) in [("Ms", "ms"), ("Sec", "s"), ("Min", "m")] {
        if let Some(base) = word.strip_suffix(suffix).filter(|base| !base.is_empty()) {
            return (base, Some(unit));
        }
    }
    (word, None)
}
