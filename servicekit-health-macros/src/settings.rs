//! Judges the arguments: each key at most once, each value what its key takes.

use proc_macro2::Span;
use quote::ToTokens;
use syn::{Ident, Lit, LitInt, LitStr, Path};

use crate::arguments::{Argument, Value};
use crate::errors::Errors;
use crate::keys::{self, Key};
use crate::suggest::nearest;
use crate::{duration, name, text};

/// What the attribute says. `None` and empty are what it leaves to the defaults.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) name: Option<LitStr>,
    /// Whether there is a `name`, right or wrong.
    pub(crate) named: bool,
    pub(crate) on_error: Option<State>,
    /// In milliseconds, as the other durations.
    pub(crate) timeout: Option<u64>,
    pub(crate) cache: Option<u64>,
    pub(crate) interval: Option<u64>,
    pub(crate) probes: Vec<Probe>,
    pub(crate) failure_threshold: Option<u32>,
    pub(crate) success_threshold: Option<u32>,
    pub(crate) tags: Vec<LitStr>,
    /// The word itself, for what there is to say about it.
    pub(crate) blocking: Option<Ident>,
    pub(crate) krate: Option<Path>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Degraded,
    Unhealthy,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    Liveness,
    Readiness,
    Startup,
}

pub(crate) fn validate(arguments: &[Argument], errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    let mut seen: Vec<(Key, &Ident)> = Vec::new();
    for argument in arguments {
        let Argument { key, value } = argument;
        let Some(known) = Key::find(key) else {
            errors.at(key, unknown_key(key));
            continue;
        };
        if seen.iter().any(|(earlier, _)| *earlier == known) {
            errors.at(key, format!("`{key}` is given twice"));
            continue;
        }
        seen.push((known, key));
        settings.named |= known == Key::Name;
        if let (Value::Absent, false) = (value, known == Key::Blocking) {
            let example = known.example();
            errors.at(key, format!("`{key}` needs a value, such as `{example}`"));
            continue;
        }
        settings.set(known, key, value, errors);
    }
    let place = |wanted| seen.iter().find(|(key, _)| *key == wanted);
    if let (Some((_, cache)), Some(_)) = (place(Key::Cache), place(Key::Interval)) {
        errors.at(
            cache,
            "`cache` and `interval` exclude each other: with `interval`, requests read the newest \
             background result",
        );
    }
    settings
}

fn unknown_key(key: &Ident) -> String {
    let written = key.to_string();
    match (keys::elsewhere(&written), keys::meant(&written)) {
        (Some(hint), _) => format!("there is no key `{written}`: {hint}"),
        (None, Some(meant)) => format!("there is no key `{written}`: did you mean `{meant}`?"),
        (None, None) => {
            format!("there is no key `{written}`: expected one of {}", keys::list(Key::ALL))
        }
    }
}

impl Settings {
    fn set(&mut self, key: Key, word: &Ident, value: &Value, errors: &mut Errors) {
        match key {
            Key::Name => {
                self.name =
                    text::one(key, value, errors).filter(|name| name::check("name", name, errors));
            }
            Key::OnError => {
                self.on_error = text::one(key, value, errors).and_then(|text| state(&text, errors));
            }
            Key::Timeout => self.timeout = millis(key, value, errors),
            Key::Cache => self.cache = millis(key, value, errors),
            Key::Interval => self.interval = millis(key, value, errors),
            Key::Probe => {
                for text in text::several(key, value, errors) {
                    self.probes.extend(probe(&text, errors));
                }
            }
            Key::FailureThreshold => self.failure_threshold = threshold(key, value, errors),
            Key::SuccessThreshold => self.success_threshold = threshold(key, value, errors),
            Key::Tags => {
                self.tags = text::several(key, value, errors);
                self.tags.retain(|text| tag(text, errors));
            }
            Key::Blocking => match value {
                Value::Absent => self.blocking = Some(word.clone()),
                Value::Literal(Lit::Bool(bool)) if !bool.value => {
                    errors.at(bool, "`blocking` stands alone: leave it out for an `async fn`");
                }
                value => {
                    self.blocking = Some(word.clone());
                    let message = "`blocking` stands alone: write `blocking`, without a value";
                    at_value(value, word.span(), message, errors);
                }
            },
            Key::Crate => {
                self.krate = text::one(key, value, errors).and_then(|text| path(&text, errors));
            }
        }
    }
}

fn state(text: &LitStr, errors: &mut Errors) -> Option<State> {
    let value = text.value();
    let meant = match value.to_lowercase().as_str() {
        "degraded" if value == "degraded" => return Some(State::Degraded),
        "unhealthy" if value == "unhealthy" => return Some(State::Unhealthy),
        "healthy" => {
            errors.at(
                text,
                "a check that failed cannot be healthy: `on_error` is `\"degraded\"` or \
                 `\"unhealthy\"`",
            );
            return None;
        }
        "warn" | "warning" | "degrade" | "partial" | "minor" => Some("degraded"),
        "error" | "fail" | "failed" | "failing" | "critical" | "down" | "fatal" => {
            Some("unhealthy")
        }
        other => nearest(other, &["degraded", "unhealthy"]),
    };
    errors.at(
        text,
        format!("`on_error` is `\"degraded\"` or `\"unhealthy\"`{}", did_you_mean(meant)),
    );
    None
}

fn probe(text: &LitStr, errors: &mut Errors) -> Option<Probe> {
    const PROBES: [&str; 3] = ["liveness", "readiness", "startup"];
    let value = text.value();
    let meant = match value.to_lowercase().as_str() {
        "liveness" if value == "liveness" => return Some(Probe::Liveness),
        "readiness" if value == "readiness" => return Some(Probe::Readiness),
        "startup" if value == "startup" => return Some(Probe::Startup),
        "live" | "livez" | "alive" | "/livez" => Some("liveness"),
        "ready" | "readyz" | "/readyz" => Some("readiness"),
        "start" | "started" | "startupz" | "/startupz" => Some("startup"),
        other => nearest(other, &PROBES),
    };
    let message = match list_in_one_string(&value, |part| PROBES.contains(&part)) {
        Some(array) => format!("several probes are an array: write `probe = {array}`"),
        None => format!(
            "a probe is `\"liveness\"`, `\"readiness\"` or `\"startup\"`{}",
            did_you_mean(meant)
        ),
    };
    errors.at(text, message);
    None
}

fn tag(text: &LitStr, errors: &mut Errors) -> bool {
    let several = list_in_one_string(&text.value(), |part| name::problem(part).is_none());
    if let Some(array) = several {
        let message = format!("several tags are an array: write `tags = {array}`");
        errors.at(text, message);
        return false;
    }
    name::check("tag", text, errors)
}

/// `"liveness, readiness"` as the array that it was meant to be.
fn list_in_one_string(value: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let separators = |char: char| matches!(char, ',' | '|' | '+' | ';') || char.is_whitespace();
    value.contains([',', '|', '+', ';']).then_some(())?;
    let parts: Vec<_> = value.split(separators).filter(|part| !part.is_empty()).collect();
    let all_known = parts.len() > 1 && parts.iter().all(|part| known(part));
    all_known.then(|| format!("[\"{}\"]", parts.join("\", \"")))
}

fn did_you_mean(word: Option<&str>) -> String {
    word.map(|word| format!(": did you mean `\"{word}\"`?")).unwrap_or_default()
}

fn millis(key: Key, value: &Value, errors: &mut Errors) -> Option<u64> {
    let text = text::one(key, value, errors)?;
    match duration::parse(&text.value()) {
        Ok(0) if key != Key::Cache => {
            let key = key.as_str();
            errors.at(text, format!("`{key}` must be above zero"));
            None
        }
        Ok(millis) => Some(millis),
        Err(error) => {
            errors.at(text, error);
            None
        }
    }
}

fn threshold(key: Key, value: &Value, errors: &mut Errors) -> Option<u32> {
    let key = key.as_str();
    let expected = format!("`{key}` is a whole number from 1");
    match value {
        Value::Literal(Lit::Int(int)) if int.suffix().is_empty() => {
            return count(int, &expected, errors);
        }
        Value::Literal(Lit::Int(int)) => {
            let digits = int.base10_digits();
            errors.at(int, format!("{expected}, without a type: write `{key} = {digits}`"));
        }
        Value::Literal(Lit::Str(text)) if text.value().trim().parse().is_ok_and(|n: u32| n > 0) => {
            let digits = text.value();
            let digits = digits.trim();
            errors.at(text, format!("{expected}, without quotes: write `{key} = {digits}`"));
        }
        value => at_value(value, Span::call_site(), &expected, errors),
    }
    None
}

fn count(int: &LitInt, expected: &str, errors: &mut Errors) -> Option<u32> {
    match int.base10_parse::<u32>() {
        Ok(0) => errors.at(int, format!("{expected}: 1, the default, acts on the first result")),
        Ok(count) => return Some(count),
        Err(_) => errors.at(int, format!("{expected} to {}", u32::MAX)),
    }
    None
}

fn path(text: &LitStr, errors: &mut Errors) -> Option<Path> {
    if let Ok(path) = text.parse_with(Path::parse_mod_style) {
        return Some(path);
    }
    let value = text.value();
    let renamed = value.replace('-', "_");
    let hint = match syn::parse_str::<Ident>(&renamed) {
        Ok(ident) if value.contains('-') => format!(": in code, `{value}` is `\"{ident}\"`"),
        _ => ", such as `\"health\"` or `\"crate::reexports::health\"`".to_owned(),
    };
    errors.at(text, format!("`crate` is the name of the renamed crate or a path to it{hint}"));
    None
}

/// Reports at a value of whatever kind; at `otherwise` where the value has no token.
pub(crate) fn at_value(value: &Value, otherwise: Span, message: &str, errors: &mut Errors) {
    match value {
        Value::Absent => errors.at_span(otherwise, message),
        Value::Literal(literal) => errors.at(literal.to_token_stream(), message),
        Value::Array(span, _) => errors.at_span(*span, message),
        Value::Other(tokens) => errors.at(tokens, message),
        Value::Unreadable => {}
    }
}
