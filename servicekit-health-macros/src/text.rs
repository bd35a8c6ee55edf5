//! Reads the values that are strings, and says of any other what to write instead.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use syn::{Lit, LitStr};

use crate::arguments::Value;
use crate::duration;
use crate::errors::Errors;
use crate::keys::Key;
use crate::settings::at_value;

/// The one string that `key` takes.
pub(crate) fn one(key: Key, value: &Value, errors: &mut Errors) -> Option<LitStr> {
    let word = key.as_str();
    match value {
        Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => Some(text.clone()),
        Value::Literal(literal) => {
            let written = quoted(key, literal);
            errors.at(literal, format!("`{word}` takes a string: write `{word} = \"{written}\"`"));
            None
        }
        Value::Array(span, elements) => {
            let example = match elements.as_slice() {
                [Value::Literal(Lit::Str(only))] => format!("{word} = \"{}\"", only.value()),
                _ => key.example().to_owned(),
            };
            errors.at_span(
                *span,
                format!("`{word}` takes one string, not an array: write `{example}`"),
            );
            None
        }
        Value::Other(tokens) => {
            errors.at(tokens, not_a_literal(key, tokens));
            None
        }
        Value::Absent | Value::Unreadable => None,
    }
}

/// The strings of a key that takes one or an array of them, without those given twice.
pub(crate) fn several(key: Key, value: &Value, errors: &mut Errors) -> Vec<LitStr> {
    let Value::Array(span, elements) = value else {
        return one(key, value, errors).into_iter().collect();
    };
    let word = key.as_str();
    if elements.is_empty() {
        let example = key.example();
        errors.at_span(
            *span,
            format!("`{word}` names at least one: write `{example}`, or leave it out"),
        );
    }
    let mut texts: Vec<LitStr> = Vec::new();
    for element in elements {
        match element {
            Value::Array(inner, _) => errors.at_span(*inner, "an array in an array: one is enough"),
            element => {
                let Some(text) = one_of_array(key, element, errors) else {
                    continue;
                };
                if texts.iter().any(|earlier| earlier.value() == text.value()) {
                    errors.at(&text, format!("`\"{}\"` is given twice", text.value()));
                } else {
                    texts.push(text);
                }
            }
        }
    }
    texts
}

fn one_of_array(key: Key, element: &Value, errors: &mut Errors) -> Option<LitStr> {
    match element {
        Value::Literal(Lit::Str(text)) if text.suffix().is_empty() => Some(text.clone()),
        Value::Literal(literal) => {
            let written = quoted(key, literal);
            errors.at(literal, format!("expected a string: write `\"{written}\"`"));
            None
        }
        Value::Other(tokens) => {
            errors.at(tokens, not_a_literal(key, tokens));
            None
        }
        other => {
            at_value(other, Span::call_site(), "expected a string", errors);
            None
        }
    }
}

/// What a literal of another kind would be as the string that `key` takes.
fn quoted(key: Key, literal: &Lit) -> String {
    let text = match literal {
        Lit::Str(text) => text.value(),
        Lit::ByteStr(bytes) => String::from_utf8_lossy(&bytes.value()).into_owned(),
        Lit::CStr(text) => text.value().to_string_lossy().into_owned(),
        Lit::Char(char) => char.value().to_string(),
        Lit::Int(int) => format!("{}{}", int.base10_digits(), int.suffix()),
        Lit::Float(float) => format!("{}{}", float.base10_digits(), float.suffix()),
        Lit::Bool(bool) => bool.value.to_string(),
        other => quote::quote!(#other).to_string(),
    };
    if key.is_duration() && duration::parse(&text).is_err() {
        // A bare number is most likely in seconds.
        let seconds = duration::rewrite(&format!("{text}s"));
        let written = duration::rewrite(&text).or(seconds);
        return written.unwrap_or_else(|| "300ms".to_owned());
    }
    text.escape_debug().to_string()
}

fn not_a_literal(key: Key, tokens: &TokenStream) -> String {
    let word = key.as_str();
    let parts: Vec<TokenTree> = tokens.clone().into_iter().collect();
    match parts.as_slice() {
        [TokenTree::Punct(minus), ..] if minus.as_char() == '-' && key.is_duration() => {
            return format!("`{word}` takes a string, and a duration cannot be negative");
        }
        // `degraded`, or `HealthState::Degraded`.
        [.., TokenTree::Ident(last)] if parts.iter().all(is_path) => {
            let variant = last.to_string();
            let written = match key {
                Key::OnError | Key::Probe => Some(variant.to_lowercase()),
                Key::Name | Key::Tags if parts.len() == 1 && !is_constant(&variant) => {
                    Some(variant)
                }
                Key::Crate => Some(tokens.to_string().replace(' ', "")),
                _ => None,
            };
            if let Some(written) = written {
                return format!("`{word}` takes a string: write `\"{written}\"`");
            }
        }
        // `("a", "b")`, `&["a", "b"]`, `vec!["a", "b"]`
        [.., TokenTree::Group(list)] if key.is_list() && strings(list) => {
            let list = list.stream();
            return format!("`{word}` takes an array: write `{word} = [{list}]`");
        }
        _ => {}
    }
    let example = key.example();
    format!(
        "`{word}` takes a string literal, such as `{example}`: an attribute cannot see the value \
         of a constant, a macro or an expression"
    )
}

fn strings(list: &Group) -> bool {
    let is_string = |token: &TokenTree| match token {
        TokenTree::Literal(literal) => literal.to_string().starts_with('"'),
        TokenTree::Punct(punct) => punct.as_char() == ',',
        _ => false,
    };
    !list.stream().is_empty() && list.stream().into_iter().all(|token| is_string(&token))
}

/// Whether this looks like the name of a constant.
fn is_constant(word: &str) -> bool {
    !word.contains(|char: char| char.is_lowercase())
}

fn is_path(token: &TokenTree) -> bool {
    match token {
        TokenTree::Ident(_) => true,
        TokenTree::Punct(punct) => punct.as_char() == ':',
        _ => false,
    }
}
