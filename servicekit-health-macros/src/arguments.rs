//! Reads what stands between the attribute's parentheses: `key = value`, separated by commas.
//!
//! The keys are judged here, because where a key is wrong, there is nothing to say about the
//! punctuation after it; the values are not. A mistake in one argument is reported, and the next one
//! is read all the same.

use proc_macro2::{Delimiter, Group, Ident, Literal, TokenStream, TokenTree};
use syn::Lit;

use crate::errors::Errors;
use crate::habits;
use crate::keys::{self, Key};
use crate::remedy;
use crate::tokens::Tokens;
use crate::values::{Value, Words};

/// One `key = value`, or a key that stands alone.
pub(crate) struct Argument {
    pub(crate) key: &'static Key,
    /// The key as it was written.
    pub(crate) word: Ident,
    pub(crate) value: Value,
}

/// The arguments, and the unknown words where a key should be.
pub(crate) struct Arguments {
    pub(crate) list: Vec<Argument>,
    pub(crate) unknown: Vec<Ident>,
}

pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Arguments {
    let mut tokens = Tokens::new(tokens);
    let mut arguments = Arguments { list: Vec::new(), unknown: Vec::new() };
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(word) => {
                arguments.add(word, &mut tokens, errors);
                end_of_argument(&mut tokens, errors);
            }
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                errors.at(comma, "expected a key before `,`");
            }
            TokenTree::Literal(literal) => {
                let value = Value::Literal(Lit::new(literal.clone()));
                let words = value.words();
                if tokens.at_sign() {
                    arguments.add_quoted(&literal, words.as_ref(), &mut tokens, errors);
                    end_of_argument(&mut tokens, errors);
                    continue;
                }
                let likely = words.as_ref().and_then(|words| habits::likely(words.one()?));
                let message = match likely {
                    Some(argument) => format!("expected a key; write `{argument}`"),
                    None => format!("expected a key, one of {}", keys::list()),
                };
                errors.at(literal, message);
                end_of_argument(&mut tokens, errors);
            }
            other => {
                let mut wrong: TokenStream = other.into();
                wrong.extend(tokens.skip_to_comma());
                errors.at(wrong, format!("expected a key, one of {}", keys::list()));
                tokens.next_if(',');
            }
        }
    }
    arguments
}

impl Arguments {
    fn add(&mut self, word: Ident, tokens: &mut Tokens, errors: &mut Errors) {
        if let Some((text, all)) = tokens.rest_of_word(&word) {
            return self.add_unknown(word, &text, all, tokens, errors);
        }
        if let Some(key) = Key::find(&word) {
            let value = value_of(key, &word, tokens, errors);
            self.list.push(Argument { key, word, value });
        } else {
            let all = TokenTree::Ident(word.clone()).into();
            self.add_unknown(word.clone(), &word.to_string(), all, tokens, errors);
        }
    }

    /// `"name" = "redis"`, as JSON has its keys.
    fn add_quoted(
        &mut self,
        literal: &Literal,
        words: Option<&Words>,
        tokens: &mut Tokens,
        errors: &mut Errors,
    ) {
        let value = value_after_anything(tokens);
        let Some(key) = words.and_then(|words| Key::meant(words.one()?)) else {
            errors.at(literal, format!("expected a key, one of {}", keys::list()));
            return;
        };
        let meant = match remedy::argument(key, &value) {
            Some(argument) => format!("write `{argument}`"),
            None => format!("did you mean `{}`?", key.name),
        };
        errors.at(literal, format!("expected a key without quotes; {meant}"));
        let word = Ident::new("quoted", literal.span());
        self.list.push(Argument { key, word, value: Value::Unreadable });
    }

    /// What was meant counts as given, so that its absence is not one more mistake.
    fn add_unknown(
        &mut self,
        word: Ident,
        text: &str,
        all: TokenStream,
        tokens: &mut Tokens,
        errors: &mut Errors,
    ) {
        let value = value_after_anything(tokens);
        let (message, meant) = habits::unknown(text, &value);
        errors.at(all, message);
        self.unknown.push(word.clone());
        if let Some(key) = meant {
            self.list.push(Argument { key, word, value: Value::Unreadable });
        }
    }
}

/// The value behind whatever punctuation.
fn value_after_anything(tokens: &mut Tokens) -> Value {
    let is_sign = |char| matches!(char, '=' | ':' | '>' | '-' | '<');
    while matches!(tokens.peek(), Some(TokenTree::Punct(punct)) if is_sign(punct.as_char())) {
        tokens.next();
    }
    match tokens.peek() {
        None => Value::Absent,
        // The next argument, before which a comma is missing.
        Some(TokenTree::Ident(next)) if Key::find(next).is_some() => Value::Absent,
        Some(TokenTree::Group(group)) if group.delimiter() != Delimiter::Bracket => {
            let group = group.clone();
            tokens.next();
            inside(&group, &mut Errors::ignored())
        }
        Some(TokenTree::Punct(comma)) if comma.as_char() == ',' => Value::Absent,
        _ => read(tokens, &mut Errors::ignored()),
    }
}

fn value_of(key: &Key, word: &Ident, tokens: &mut Tokens, errors: &mut Errors) -> Value {
    if tokens.at_end_of_argument() {
        return Value::Absent;
    }
    let (place, value): (TokenStream, Value) = match tokens.next() {
        Some(TokenTree::Punct(equals)) if equals.as_char() == '=' => {
            let second = tokens.next_if('=').or_else(|| tokens.next_if('>'));
            if tokens.at_end_of_argument() {
                errors.at(equals, key.missing());
                return Value::Unreadable;
            }
            let value = read(tokens, errors);
            match second {
                None => return value,
                Some(second) => (TokenTree::Punct(second).into(), value),
            }
        }
        Some(TokenTree::Punct(colon)) if colon.as_char() == ':' => {
            let missing = tokens.at_end_of_argument();
            let value = if missing { Value::Absent } else { read(tokens, errors) };
            (TokenTree::Punct(colon).into(), value)
        }
        Some(TokenTree::Literal(literal)) => {
            let value = Value::Literal(Lit::new(literal.clone()));
            (TokenTree::Literal(literal).into(), value)
        }
        Some(TokenTree::Group(group)) => {
            let value = inside(&group, errors);
            (TokenTree::Group(group).into(), value)
        }
        Some(TokenTree::Ident(next)) => {
            let rest = tokens.skip_to_comma();
            let place: TokenStream = TokenTree::Ident(next).into();
            let value = Value::Other(place.clone().into_iter().chain(rest).collect());
            (place, value)
        }
        other => {
            let mut place: TokenStream = other.into_iter().collect();
            place.extend(tokens.skip_to_comma());
            (place, Value::Absent)
        }
    };
    if key.is_flag() {
        if matches!(value, Value::Absent) {
            errors.at(place, key.missing());
            return Value::Unreadable;
        }
        // It does not matter how a value that is not taken was written.
        return value;
    }
    let write = remedy::argument(key, &value);
    let after = if write.is_some() { String::new() } else { format!(" after `{word}`") };
    errors.at(place, format!("expected `=`{after}{}", remedy::clause(write)));
    Value::Unreadable
}

/// What is in the parentheses of `key("value")` and `key(value = "value")`.
fn inside(group: &Group, errors: &mut Errors) -> Value {
    let mut tokens = Tokens::new(group.stream());
    let mut ahead = tokens.clone();
    if let Some(TokenTree::Ident(_)) = ahead.next()
        && ahead.next_if('=').is_some()
    {
        tokens = ahead;
    }
    let mut elements = elements(tokens, errors);
    if elements.len() == 1
        && let Some(only) = elements.pop()
    {
        return only;
    }
    Value::Array(group.span(), elements)
}

/// One value: a literal, an array, or else everything up to the next comma.
fn read(tokens: &mut Tokens, errors: &mut Errors) -> Value {
    match tokens.peek() {
        Some(TokenTree::Literal(literal)) => {
            let literal = literal.clone();
            tokens.next();
            if tokens.at_operator() {
                let all = std::iter::once(TokenTree::Literal(literal));
                return Value::Other(all.chain(tokens.skip_to_comma()).collect());
            }
            Value::Literal(Lit::new(literal))
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            let group = group.clone();
            tokens.next();
            Value::Array(group.span(), elements(Tokens::new(group.stream()), errors))
        }
        Some(TokenTree::Ident(word)) if word == "true" || word == "false" => {
            let literal = Lit::Bool(syn::LitBool::new(word == "true", word.span()));
            tokens.next();
            Value::Literal(literal)
        }
        _ => Value::Other(tokens.skip_to_comma()),
    }
}

fn elements(mut tokens: Tokens, errors: &mut Errors) -> Vec<Value> {
    let mut elements = Vec::new();
    while tokens.peek().is_some() {
        if let Some(comma) = tokens.next_if(',') {
            errors.at(comma, "expected a value before `,`");
            continue;
        }
        elements.push(read(&mut tokens, errors));
        if tokens.next_if(',').is_none()
            && let Some(next) = tokens.peek()
        {
            errors.at(next, format!("expected `,` before `{next}`"));
        }
    }
    elements
}

/// After a value: a comma, the end, or something to report and step over.
fn end_of_argument(tokens: &mut Tokens, errors: &mut Errors) {
    if tokens.next_if(',').is_some() {
        return;
    }
    if let Some(semicolon) = tokens.next_if(';') {
        errors.at(semicolon, "expected `,`, found `;`");
        return;
    }
    match tokens.peek() {
        None => {}
        Some(TokenTree::Ident(next)) => errors.at(next, format!("expected `,` before `{next}`")),
        Some(_) => {
            let rest = tokens.skip_to_comma();
            errors.at(rest, "expected `,` after the value");
            tokens.next_if(',');
        }
    }
}
