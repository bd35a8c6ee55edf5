//! What a result may carry out of the process: texts and details without credentials, bounded.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::scrub::{MASK, is_secret_field, scrub, scrub_start};

/// A rule of `HealthBuilder::scrub_with`.
pub(crate) type Rule = Arc<dyn Fn(&str) -> Cow<'_, str> + Send + Sync>;

/// The longest text, in bytes.
const MAX_TEXT: usize = 1024;

/// How much of a text is searched, in bytes.
const MAX_SEARCHED: usize = 64 * 1024;

/// How much of the end of a shortened text is left out, in bytes: what the missing rest would have
/// told to be a credential.
const MARGIN: usize = 4 * 1024;

/// The most details of a result, their bytes as JSON in all, and how deep they may be nested.
const MAX_DETAILS: usize = 32;
const MAX_DETAIL_BYTES: usize = 8 * 1024;
const MAX_DEPTH: usize = 16;

/// The detail that says that others are left out, and its bytes as JSON.
const TRUNCATED: &str = "truncated";
const TRUNCATED_BYTES: usize = r#","truncated":true"#.len();

const ELLIPSIS: &str = "…";

/// Takes credentials out of what leaves the process, and bounds it.
pub(crate) struct Cleaner {
    rules: Vec<Rule>,
}

impl Cleaner {
    /// The user's own rules, in order; they run before those of the crate.
    pub(crate) fn new(rules: Vec<Rule>) -> Self {
        Self { rules }
    }

    /// Scrubs `text`, unless it is `verbatim`, and cuts it to 1 KiB.
    pub(crate) fn text(&self, text: &mut String, verbatim: bool) {
        if !verbatim {
            self.scrub(text);
        }
        cut(text);
    }

    fn scrub(&self, text: &mut String) {
        let is_shortened = shorten(text);
        for rule in &self.rules {
            if let Cow::Owned(scrubbed) = rule(text) {
                *text = scrubbed;
            }
        }
        if is_shortened {
            let mut end = text.len().saturating_sub(MARGIN);
            while !text.is_char_boundary(end) {
                end -= 1;
            }
            *text = format!("{}{ELLIPSIS}", scrub_start(text, end));
        } else if let Cow::Owned(scrubbed) = scrub(text) {
            *text = scrubbed;
        }
    }

    /// Scrubs every text and every value whose key says that it is secret, unless the details are
    /// `verbatim`. Keeps the first 32 that fit into 8 KiB, to a depth of 16; where something is left
    /// out, `"truncated": true` says so.
    pub(crate) fn details(&self, details: &mut Map<String, Value>, verbatim: bool) {
        let mut budget = MAX_DETAIL_BYTES - "{}".len() - TRUNCATED_BYTES;
        let mut is_truncated = false;
        let mut kept = Map::new();
        for (mut key, mut value) in std::mem::take(details) {
            let mut walk = Walk { cleaner: self, verbatim, left: budget, is_truncated: false };
            let fits = kept.len() < MAX_DETAILS && walk.field(&mut key, &mut value, 1);
            is_truncated |= walk.is_truncated || !fits;
            if fits {
                budget = walk.left;
                kept.insert(key, value);
            } else {
                dismantle(value);
            }
        }
        if is_truncated {
            kept.insert(TRUNCATED.to_owned(), Value::Bool(true));
        }
        *details = kept;
    }
}

/// One walk through a detail.
struct Walk<'a> {
    cleaner: &'a Cleaner,
    verbatim: bool,
    /// The bytes that are left.
    left: usize,
    is_truncated: bool,
}

impl Walk<'_> {
    /// Cleans a field; `false` where it does not fit.
    fn field(&mut self, key: &mut String, value: &mut Value, depth: usize) -> bool {
        let is_secret = match &*value {
            Value::Null | Value::Bool(_) => false,
            Value::Number(number) => is_secret_field(key, Some(&number.to_string())),
            Value::String(text) => is_secret_field(key, Some(text)),
            Value::Array(_) | Value::Object(_) => is_secret_field(key, None),
        };
        if !self.verbatim && is_secret {
            dismantle(std::mem::replace(value, Value::from(MASK)));
        }
        self.cleaner.text(key, self.verbatim);
        self.spend(json_length(key) + ":,".len()) && self.value(value, depth)
    }

    /// Cleans a value at this depth; `false` where it does not fit.
    fn value(&mut self, value: &mut Value, depth: usize) -> bool {
        match value {
            Value::Null | Value::Bool(_) => self.spend("false".len()),
            Value::Number(number) => self.spend(number.to_string().len()),
            Value::String(text) => {
                self.cleaner.text(text, self.verbatim);
                self.spend(json_length(text))
            }
            Value::Array(values) => {
                if depth == MAX_DEPTH {
                    values.retain_mut(|value| self.keeps(value));
                }
                self.spend("[]".len())
                    && values
                        .iter_mut()
                        .all(|value| self.spend(",".len()) && self.value(value, depth + 1))
            }
            Value::Object(fields) => {
                if depth == MAX_DEPTH {
                    fields.retain(|_, value| self.keeps(value));
                }
                let mut fits = self.spend("{}".len());
                for (mut key, mut value) in std::mem::take(fields) {
                    fits = fits && self.field(&mut key, &mut value, depth + 1);
                    if fits {
                        fields.insert(key, value);
                    } else {
                        dismantle(value);
                    }
                }
                fits
            }
        }
    }

    /// Whether a value may stand where nothing may be nested further.
    fn keeps(&mut self, value: &mut Value) -> bool {
        let is_nested = value.is_array() || value.is_object();
        if is_nested {
            self.is_truncated = true;
            dismantle(value.take());
        }
        !is_nested
    }

    fn spend(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or_default();
        left.is_some()
    }
}

/// Drops a value level by level: one that is nested deep enough overflows the stack otherwise.
fn dismantle(value: Value) {
    let mut values = vec![value];
    while let Some(value) = values.pop() {
        match value {
            Value::Array(inner) => values.extend(inner),
            Value::Object(inner) => values.extend(inner.into_iter().map(|(_, value)| value)),
            _ => {}
        }
    }
}

/// The length of `text` as JSON, with its quotes.
fn json_length(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    "\"\"".len() + text.bytes().map(escaped).sum::<usize>()
}

/// Cuts `text` to [`MAX_SEARCHED`] bytes before a space, and says whether it did: half a word that
/// is a credential would not be recognized.
fn shorten(text: &mut String) -> bool {
    if text.len() <= MAX_SEARCHED {
        return false;
    }
    truncate(text, MAX_SEARCHED);
    text.truncate(text.rfind(char::is_whitespace).unwrap_or_default());
    true
}

/// Cuts `text` to [`MAX_TEXT`] bytes, with an ellipsis.
pub(crate) fn cut(text: &mut String) {
    if text.len() > MAX_TEXT {
        truncate(text, MAX_TEXT - ELLIPSIS.len());
        text.push_str(ELLIPSIS);
    }
}

/// Cuts `text` to at most `end` bytes, on a character boundary.
fn truncate(text: &mut String, mut end: usize) {
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
}

#[cfg(test)]
#[path = "cleaner_tests.rs"]
mod tests;
