//! Reads what stands between the attribute's parentheses: `key = value`, separated by commas.
//!
//! Nothing is thrown away and nothing is judged but the punctuation: a mistake in one argument is
//! reported and the next one is read all the same.

use proc_macro2::{Delimiter, Group, Ident, Punct, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Lit;

use crate::errors::Errors;
use crate::keys::{self, Key};

/// One `key = value`, or a key that stands alone.
pub(crate) struct Argument {
    pub(crate) key: Ident,
    pub(crate) value: Value,
}

pub(crate) enum Value {
    /// The key stands alone.
    Absent,
    Literal(Lit),
    Array(Span, Vec<Value>),
    /// An expression of any other kind.
    Other(TokenStream),
    /// Reported already.
    Unreadable,
}

pub(crate) fn parse(tokens: TokenStream, errors: &mut Errors) -> Vec<Argument> {
    let mut tokens = Tokens::new(tokens);
    let mut arguments = Vec::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Ident(key) => {
                let key = tokens.with_hyphens(key, errors);
                if let Some(value) = value_of(&key, &mut tokens, errors) {
                    arguments.push(Argument { key, value });
                }
                end_of_argument(&mut tokens, errors);
            }
            TokenTree::Punct(comma) if comma.as_char() == ',' => {
                errors.at(comma, "a key is missing before this comma");
            }
            TokenTree::Literal(literal) => {
                let key = keys::likely(&literal.to_string());
                errors.at(&literal, format!("a value needs its key: write `{key} = {literal}`"));
                end_of_argument(&mut tokens, errors);
            }
            other => {
                errors.at(other, format!("expected a key, one of {}", keys::list(Key::ALL)));
                tokens.skip_to_comma();
                tokens.next_if(',');
            }
        }
    }
    arguments
}

/// What follows a key; `None` where that was no key after all, which is then reported.
fn value_of(key: &Ident, tokens: &mut Tokens, errors: &mut Errors) -> Option<Value> {
    if keys::elsewhere(&key.to_string()).is_some() {
        // However it is written, it does not belong here, and that is all there is to say.
        tokens.skip_to_comma();
        return Some(Value::Unreadable);
    }
    let example = Key::find(key).map_or("key = value", Key::example);
    if tokens.at_end_of_argument() {
        return Some(Value::Absent);
    }
    if let Some(equals) = tokens.next_if('=') {
        if let Some(second) = tokens.next_if('=').or_else(|| tokens.next_if('>')) {
            errors.at(second, format!("a lone `=` is expected: write `{example}`"));
        }
        if tokens.at_end_of_argument() {
            errors.at(equals, format!("`{key}` needs a value, such as `{example}`"));
            return Some(Value::Unreadable);
        }
        return Some(read(tokens, errors));
    }
    if let Some(colon) = tokens.next_if(':') {
        if let Some(second) = tokens.next_if(':') {
            errors.at(second, format!("expected a key, one of {}", keys::list(Key::ALL)));
            tokens.skip_to_comma();
            return None;
        }
        errors.at(colon, format!("expected `=`: write `{example}`"));
        return Some(if tokens.at_end_of_argument() {
            Value::Unreadable
        } else {
            read(tokens, errors)
        });
    }
    Some(match tokens.peek() {
        Some(TokenTree::Literal(literal)) => {
            errors.at(literal, format!("expected `=`: write `{key} = {literal}`"));
            read(tokens, errors)
        }
        Some(TokenTree::Group(group)) => {
            let group = group.clone();
            tokens.next();
            let elements = elements(&group, errors);
            let text = match elements.len() {
                1 => group.stream().to_string(),
                _ => format!("[{}]", group.stream()),
            };
            let write = match Key::find(key) {
                Some(Key::Blocking) => "blocking".to_owned(),
                _ if elements.is_empty() => example.to_owned(),
                _ => format!("{key} = {text}"),
            };
            errors.at(&group, format!("expected `=`: write `{write}`"));
            match <[Value; 1]>::try_from(elements) {
                _ if write == "blocking" => Value::Absent,
                Ok([only]) => only,
                Err(_) => Value::Unreadable,
            }
        }
        _ => {
            let rest = tokens.skip_to_comma();
            errors.at(rest, format!("expected `=` or `,` after `{key}`"));
            Value::Unreadable
        }
    })
}

/// One value: a literal, an array, or else everything up to the next comma.
fn read(tokens: &mut Tokens, errors: &mut Errors) -> Value {
    match tokens.peek() {
        Some(TokenTree::Literal(literal)) => {
            let literal = Lit::new(literal.clone());
            tokens.next();
            Value::Literal(literal)
        }
        Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
            let group = group.clone();
            tokens.next();
            Value::Array(group.span(), elements(&group, errors))
        }
        Some(TokenTree::Ident(word)) if word == "true" || word == "false" => {
            let literal = Lit::Bool(syn::LitBool::new(word == "true", word.span()));
            tokens.next();
            Value::Literal(literal)
        }
        _ => Value::Other(tokens.skip_to_comma()),
    }
}

fn elements(group: &Group, errors: &mut Errors) -> Vec<Value> {
    let mut tokens = Tokens::new(group.stream());
    let mut elements = Vec::new();
    while tokens.peek().is_some() {
        if let Some(comma) = tokens.next_if(',') {
            errors.at(comma, "a value is missing before this comma");
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
        errors.at(semicolon, "expected `,` between two keys");
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

/// A position in a list of tokens. The invisible groups around what a `macro_rules!` fragment
/// stood for are opened first: they are not something the user wrote.
struct Tokens {
    list: std::iter::Peekable<std::vec::IntoIter<TokenTree>>,
}

impl Tokens {
    fn new(stream: TokenStream) -> Self {
        let mut list = Vec::new();
        open_invisible(stream, &mut list);
        Self { list: list.into_iter().peekable() }
    }

    fn next(&mut self) -> Option<TokenTree> {
        self.list.next()
    }

    fn peek(&mut self) -> Option<&TokenTree> {
        self.list.peek()
    }

    fn next_if(&mut self, char: char) -> Option<Punct> {
        let is_it = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == char);
        match self.list.next_if(is_it)? {
            TokenTree::Punct(punct) => Some(punct),
            _ => None,
        }
    }

    /// `on-error` as the key that it was meant to be.
    fn with_hyphens(&mut self, key: Ident, errors: &mut Errors) -> Ident {
        // Nearly always: what follows takes its time, and every key of every check comes by here.
        if !matches!(self.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '-') {
            return key;
        }
        let mut ahead = Self { list: self.list.clone() };
        let mut written = key.to_token_stream();
        let mut word = key.to_string();
        while let Some(hyphen) = ahead.next_if('-') {
            let Some(part @ TokenTree::Ident(_)) = ahead.next() else { return key };
            word = format!("{word}-{part}");
            written.extend([TokenTree::Punct(hyphen), part]);
        }
        let Some(meant) = keys::meant(&word) else {
            return key;
        };
        *self = ahead;
        errors.at(written, format!("there is no key `{word}`: did you mean `{meant}`?"));
        Ident::new(meant, key.span())
    }

    fn at_end_of_argument(&mut self) -> bool {
        match self.peek() {
            None => true,
            Some(TokenTree::Punct(punct)) => punct.as_char() == ',',
            Some(_) => false,
        }
    }

    fn skip_to_comma(&mut self) -> TokenStream {
        let mut skipped = TokenStream::new();
        while !self.at_end_of_argument() {
            skipped.extend(self.next());
        }
        skipped
    }
}

fn open_invisible(stream: TokenStream, list: &mut Vec<TokenTree>) {
    for token in stream {
        match token {
            TokenTree::Group(group) if group.delimiter() == Delimiter::None => {
                open_invisible(group.stream(), list);
            }
            token => list.push(token),
        }
    }
}
