//! Judges the values: each key at most once, each value what its key takes.

use proc_macro2::Span;
use syn::{Ident, Lit, LitStr, Path};

use crate::arguments::Argument;
use crate::duration::Problem;
use crate::errors::Errors;
use crate::keys::{Key, Kind};
use crate::remedy::{self, NO_PROBE};
use crate::values::Value;
use crate::{duration, name};

/// What the attribute says.
#[derive(Default)]
pub(crate) struct Settings {
    pub(crate) name: Option<LitStr>,
    /// Whether there is a `name`, right or wrong.
    pub(crate) named: bool,
    /// The word itself, for what there is to say about it.
    pub(crate) blocking: Option<Ident>,
    pub(crate) krate: Option<Path>,
    /// The other keys, as they were written: each is one call of the expansion.
    pub(crate) calls: Vec<(&'static Key, Setting)>,
}

/// The value of one of those.
pub(crate) enum Setting {
    Millis(u64),
    Count(u32),
    /// A variant of `HealthState`.
    State(&'static str),
    /// Variants of `Probe`.
    Probes(Vec<&'static str>),
    Texts(Vec<LitStr>),
    Flag,
}

pub(crate) fn validate(arguments: &[Argument], errors: &mut Errors) -> Settings {
    let mut settings = Settings::default();
    let mut seen: Vec<&Argument> = Vec::new();
    for argument in arguments {
        let Argument { key, word, value } = argument;
        let is_again = seen.iter().any(|earlier| earlier.key.name == key.name);
        if is_again && !matches!(value, Value::Unreadable) {
            errors.at(word, format!("duplicate key `{}`", key.name));
            continue;
        }
        seen.push(argument);
        settings.set(argument, errors);
    }
    let find = |name| seen.iter().find(|argument| argument.key.name == name);
    if let (Some(cache), Some(_)) = (find("cache"), find("interval")) {
        errors.at(
            &cache.word,
            "`cache` cannot be combined with `interval`: requests then read the newest background \
             result",
        );
    }
    settings
}

impl Settings {
    fn set(&mut self, argument: &Argument, errors: &mut Errors) {
        let Argument { key, word, value } = argument;
        match key.kind {
            Kind::Name => self.named = true,
            Kind::Blocking => self.blocking = Some(word.clone()),
            _ => {}
        }
        if let (Value::Absent, false) = (value, key.is_flag()) {
            return errors.at(word, key.missing());
        }
        let mut reader = Reader { key, value, errors };
        let setting = match key.kind {
            Kind::Name => return self.name = reader.name(),
            Kind::Path => return self.krate = reader.path(),
            Kind::Blocking => {
                if !reader.flag() {
                    // `blocking = false` is what an async function says.
                    self.blocking = None;
                }
                return;
            }
            Kind::Flag => reader.flag().then_some(Setting::Flag),
            Kind::State => reader.state().map(Setting::State),
            Kind::Duration(least) => reader.millis(least).map(Setting::Millis),
            Kind::Threshold => reader.threshold().map(Setting::Count),
            Kind::Probes => reader.probes().map(Setting::Probes),
            Kind::Tags => reader.tags().map(Setting::Texts),
        };
        self.calls.extend(setting.map(|setting| (*key, setting)));
    }
}

/// Reads the value of one key, or reports what is wrong with it and what to write instead.
struct Reader<'a> {
    key: &'a Key,
    value: &'a Value,
    errors: &'a mut Errors,
}

impl Reader<'_> {
    fn name(&mut self) -> Option<LitStr> {
        self.string().filter(|text| self.is_name(text))
    }

    fn state(&mut self) -> Option<&'static str> {
        let text = self.string()?;
        match text.value().as_str() {
            "degraded" => return Some("Degraded"),
            "unhealthy" => return Some("Unhealthy"),
            "healthy" => {
                let message = format!("{}; a failed check cannot be healthy", self.key.invalid());
                self.errors.at(text, message);
            }
            _ => self.refuse(),
        }
        None
    }

    fn millis(&mut self, least: u64) -> Option<u64> {
        let text = match self.value {
            Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => text.value(),
            value => match value.words() {
                Some(words) if words.list.len() == 1 => words.list.concat(),
                _ => {
                    self.refuse();
                    return None;
                }
            },
        };
        let is_string =
            matches!(self.value, Value::Literal(Lit::Str(text)) if text.suffix().is_empty());
        let problem = match duration::parse(&text, least) {
            Ok(millis) if is_string => return Some(millis),
            Ok(_) | Err(Problem::Form) => {
                self.refuse();
                return None;
            }
            Err(Problem::Negative) => "a duration cannot be negative".to_owned(),
            Err(Problem::TooLong) => "duration exceeds the maximum of 1 hour".to_owned(),
            Err(Problem::TooShort(least)) => format!("expected at least {least}"),
        };
        self.report(&format!("invalid value for `{}`: {problem}", self.key.name));
        None
    }

    fn threshold(&mut self) -> Option<u32> {
        if let Value::Literal(Lit::Int(int)) = self.value
            && int.suffix().is_empty()
        {
            match int.base10_parse::<u32>() {
                Ok(count @ 1..) => return Some(count),
                Ok(0) => {}
                Err(_) => {
                    let invalid = self.key.invalid();
                    self.report(&format!("{invalid} and at most {}", u32::MAX));
                    return None;
                }
            }
        }
        self.refuse();
        None
    }

    /// A flag that is said to be wanted is set, as far as the other mistakes are concerned.
    fn flag(&mut self) -> bool {
        let words = self.value.words();
        let word = words.as_ref().and_then(|words| words.one());
        let denied = word.is_some_and(remedy::is_no);
        if !matches!(self.value, Value::Absent) {
            let name = self.key.name;
            let remedy = if denied { "remove it".to_owned() } else { format!("write `{name}`") };
            self.report(&format!("`{name}` does not take a value; {remedy}"));
        }
        !denied
    }

    fn probes(&mut self) -> Option<Vec<&'static str>> {
        let mut probes = Vec::new();
        let texts = self.strings()?;
        for text in &texts {
            probes.push(match text.value().as_str() {
                "liveness" => "Liveness",
                "readiness" => "Readiness",
                "startup" => "Startup",
                NO_PROBE if texts.len() == 1 => return Some(Vec::new()),
                NO_PROBE => {
                    self.errors.at(
                        text,
                        "invalid value for `probe`: `\"none\"` cannot be combined with probes",
                    );
                    return None;
                }
                _ => {
                    self.refuse_at(text);
                    continue;
                }
            });
        }
        Some(probes)
    }

    fn tags(&mut self) -> Option<Vec<LitStr>> {
        let mut texts = self.strings()?;
        texts.retain(|text| {
            if remedy::split(&text.value()).len() > 1 {
                self.refuse_at(text);
                return false;
            }
            self.is_name(text)
        });
        Some(texts)
    }

    fn path(&mut self) -> Option<Path> {
        let path = match self.value {
            Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => {
                text.parse_with(Path::parse_mod_style).ok()
            }
            Value::Other(tokens) => {
                syn::parse::Parser::parse2(Path::parse_mod_style, tokens.clone()).ok()
            }
            _ => None,
        };
        if path.is_none() {
            self.refuse();
        }
        path
    }

    /// The one string that the key takes.
    fn string(&mut self) -> Option<LitStr> {
        match self.value {
            Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => Some(text.clone()),
            _ => {
                self.refuse();
                None
            }
        }
    }

    /// The strings of a key that takes one or an array of them.
    fn strings(&mut self) -> Option<Vec<LitStr>> {
        let Value::Array(_, elements) = self.value else {
            return self.string().map(|text| vec![text]);
        };
        let name = self.key.name;
        if elements.is_empty() {
            let none = if self.key.kind == Kind::Probes {
                "write `probe = \"none\"`"
            } else {
                "remove the key"
            };
            self.report(&format!("invalid value for `{name}`: empty array; {none}"));
            return None;
        }
        let mut texts: Vec<LitStr> = Vec::new();
        for element in elements {
            match element {
                Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => {
                    let value = text.value();
                    if texts.iter().any(|earlier| earlier.value() == value) {
                        self.errors.at(text, format!("duplicate value `\"{value}\"` for `{name}`"));
                    } else {
                        texts.push(text.clone());
                    }
                }
                Value::Array(inner, _) => {
                    let write = remedy::clause(remedy::argument(self.key, self.value));
                    let message = format!(
                        "invalid value for `{name}`: nested arrays are not supported{write}"
                    );
                    self.errors.at_span(*inner, message);
                }
                other => {
                    let message = self.refusal(other);
                    other.report(Span::call_site(), &message, self.errors);
                }
            }
        }
        Some(texts)
    }

    fn is_name(&mut self, text: &LitStr) -> bool {
        let Some(problem) = name::problem(&text.value()) else {
            return true;
        };
        let write = self.remedy_of(text);
        self.errors.at(text, format!("invalid value for `{}`: {problem}{write}", self.key.name));
        false
    }

    fn refuse(&mut self) {
        let message = self.refusal(self.value);
        self.report(&message);
    }

    fn refuse_at(&mut self, text: &LitStr) {
        let message = format!("{}{}", self.key.invalid(), self.remedy_of(text));
        self.errors.at(text, message);
    }

    /// What to write; or what was meant by `text` alone, where another string of the array has no
    /// remedy.
    fn remedy_of(&self, text: &LitStr) -> String {
        let argument = remedy::argument(self.key, self.value);
        if argument.is_some() || !matches!(self.value, Value::Array(..)) {
            return remedy::clause(argument);
        }
        remedy::element(self.key, &text.value())
            .map(|meant| format!("; did you mean `{meant}`?"))
            .unwrap_or_default()
    }

    /// What the key takes; and what to write, or why this cannot be read.
    fn refusal(&self, wrong: &Value) -> String {
        let invalid = self.key.invalid();
        match remedy::argument(self.key, self.value) {
            Some(argument) => format!("{invalid}; write `{argument}`"),
            None if wrong.words().is_none() && self.key.kind != Kind::Path => {
                format!(
                    "{invalid}, as a literal: an attribute cannot see the value of a constant, a \
                     macro or an expression"
                )
            }
            None => invalid,
        }
    }

    fn report(&mut self, message: &str) {
        self.value.report(Span::call_site(), message, self.errors);
    }
}
