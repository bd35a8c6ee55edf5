//! Finds what to write instead of a wrong value. Every suggestion has one form: an argument,
//! `key = value`, with the user's own value.
//!
//! A suggestion is made only if it is accepted and means what was written, which `suggestions` tests.

use syn::Path;

use crate::keys::{Key, Kind};
use crate::suggest::nearest;
use crate::values::{Value, Words};
use crate::{duration, name};

pub(crate) const STATES: [&str; 2] = ["degraded", "unhealthy"];
pub(crate) const PROBES: [&str; 3] = ["liveness", "readiness", "startup"];
/// The word for an empty set of probes.
pub(crate) const NO_PROBE: &str = "none";

/// The argument that was meant by `value` after `key`.
pub(crate) fn argument(key: &Key, value: &Value) -> Option<String> {
    of_words(key, &value.words()?)
}

pub(crate) fn of_words(key: &Key, words: &Words) -> Option<String> {
    let value = match key.kind {
        Kind::Name => quoted(&own_name(words, words.one()?)?),
        Kind::State => quoted(state(words.one()?)?),
        Kind::Duration(least) => quoted(&duration::rewrite(words.one()?, least)?),
        Kind::Probes => list(&probes(words)?)?,
        Kind::Threshold => threshold(words.one()?)?.to_string(),
        Kind::Tags => {
            let split = words.list.iter().flat_map(|word| split(word));
            list(&split.map(|tag| own_name(words, tag)).collect::<Option<Vec<_>>>()?)?
        }
        Kind::Flag | Kind::Blocking => {
            return is_yes(words.one()?).then(|| key.name.to_owned());
        }
        Kind::Path => path(words.one()?)?,
    };
    Some(format!("{} = {value}", key.name))
}

/// The string that was meant by `word`, one of several in an array.
pub(crate) fn element(key: &Key, word: &str) -> Option<String> {
    match key.kind {
        // It stands alone.
        Kind::Probes => probe(word).filter(|probe| *probe != NO_PROBE).map(quoted),
        Kind::Tags => name::rewrite(word).map(|tag| quoted(&tag)),
        _ => None,
    }
}

/// `; write ...`, or nothing.
pub(crate) fn clause(argument: Option<String>) -> String {
    argument.map(|argument| format!("; write `{argument}`")).unwrap_or_default()
}

/// `None` for a part of a path: only the compiler knows its value.
fn own_name(words: &Words, word: &str) -> Option<String> {
    if words.from_path { None } else { name::rewrite(word) }
}

pub(crate) fn state(word: &str) -> Option<&'static str> {
    match word.trim().to_lowercase().as_str() {
        "warn" | "warning" | "degrade" | "partial" | "minor" => Some("degraded"),
        "error" | "fail" | "failed" | "failing" | "critical" | "down" | "fatal" => {
            Some("unhealthy")
        }
        // A slip away from `unhealthy`, and its opposite.
        "healthy" => None,
        other => nearest(other, &STATES),
    }
}

fn probes(words: &Words) -> Option<Vec<String>> {
    let mut probes: Vec<String> = Vec::new();
    for word in words.list.iter().flat_map(|word| split(word)) {
        let probe = probe(word)?;
        if !probes.iter().any(|earlier| earlier == probe) {
            probes.push(probe.to_owned());
        }
    }
    let alone = probes.len() == 1;
    (alone || probes.iter().all(|probe| probe != NO_PROBE)).then_some(probes)
}

pub(crate) fn probe(word: &str) -> Option<&'static str> {
    let word = word.trim().trim_start_matches('/').to_lowercase();
    named_probe(&word).or_else(|| nearest(&word, &PROBES))
}

/// The probe that is also called `word`.
pub(crate) fn named_probe(word: &str) -> Option<&'static str> {
    match word {
        "live" | "livez" | "alive" => Some("liveness"),
        "ready" | "readyz" => Some("readiness"),
        "start" | "started" | "startupz" => Some("startup"),
        "no" | "off" | "never" | "false" | NO_PROBE => Some(NO_PROBE),
        _ => None,
    }
}

pub(crate) fn threshold(word: &str) -> Option<u32> {
    let word = word.trim();
    let digits = word.find(|char: char| !char.is_ascii_digit()).unwrap_or(word.len());
    let (number, rest) = word.split_at(digits);
    let types = ["", "u8", "u16", "u32", "u64", "usize", "i8", "i16", "i32", "i64", "isize"];
    let is_whole = types.contains(&rest)
        || rest.strip_prefix('.').is_some_and(|it| it.bytes().all(|digit| digit == b'0'));
    number.parse().ok().filter(|number| is_whole && *number > 0)
}

fn path(word: &str) -> Option<String> {
    let word = word.trim().replace('-', "_");
    syn::parse::Parser::parse_str(Path::parse_mod_style, &word).ok()?;
    Some(word)
}

/// Whether `word`, as the value of a flag, sets it.
pub(crate) fn is_yes(word: &str) -> bool {
    matches!(word.trim().to_lowercase().as_str(), "true" | "yes" | "on" | "1")
}

/// Whether `word`, as the value of a flag, leaves it unset.
pub(crate) fn is_no(word: &str) -> bool {
    matches!(word.trim().to_lowercase().as_str(), "false" | "no" | "off" | "0")
}

/// The words of `liveness, startup` in one string.
pub(crate) fn split(word: &str) -> Vec<&str> {
    let parts: Vec<_> = word.split([',', '|', '+', ';']).map(str::trim).collect();
    if parts.iter().all(|part| !part.is_empty()) { parts } else { vec![word] }
}

fn list(words: &[String]) -> Option<String> {
    let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    match &quoted[..] {
        [] => None,
        [one] => Some(one.clone()),
        several => Some(format!("[{}]", several.join(", "))),
    }
}

/// No suggested word needs an escape.
fn quoted(word: &str) -> String {
    format!("\"{word}\"")
}
