//! What stands after a key, as it was written, and the words in it.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::Lit;

use crate::errors::Errors;

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

/// The words of a value that was written in whatever way, for what it should have been.
#[derive(Default)]
pub(crate) struct Words {
    pub(crate) list: Vec<String>,
    /// Whether one of them is the last part of a path, such as `HealthState::Degraded`.
    pub(crate) from_path: bool,
}

impl Words {
    pub(crate) fn of(word: String) -> Self {
        Self { list: vec![word], from_path: false }
    }

    /// The only word.
    pub(crate) fn one(&self) -> Option<&str> {
        match &self.list[..] {
            [one] => Some(one),
            _ => None,
        }
    }
}

impl Value {
    /// Reports at the value, whatever it is; at `otherwise` where it has no token.
    pub(crate) fn report(&self, otherwise: Span, message: &str, errors: &mut Errors) {
        match self {
            Self::Absent => errors.at_span(otherwise, message),
            Self::Literal(literal) => errors.at(literal.to_token_stream(), message),
            Self::Array(span, _) => errors.at_span(*span, message),
            Self::Other(tokens) => errors.at(tokens, message),
            Self::Unreadable => {}
        }
    }

    /// `None` for an expression whose value only the compiler knows.
    pub(crate) fn words(&self) -> Option<Words> {
        match self {
            Self::Absent | Self::Unreadable => None,
            Self::Literal(literal) => word(literal).map(Words::of),
            Self::Array(_, elements) => {
                let mut all = Words::default();
                for element in elements {
                    let words = element.words()?;
                    all.list.extend(words.list);
                    all.from_path |= words.from_path;
                }
                Some(all)
            }
            Self::Other(tokens) => {
                let tokens: Vec<TokenTree> = tokens.clone().into_iter().collect();
                of_tokens(&tokens)
            }
        }
    }
}

fn word(literal: &Lit) -> Option<String> {
    Some(match literal {
        Lit::Str(text) => text.value(),
        Lit::ByteStr(bytes) => String::from_utf8(bytes.value()).ok()?,
        Lit::CStr(text) => text.value().into_string().ok()?,
        Lit::Char(char) => char.value().to_string(),
        Lit::Int(int) => format!("{}{}", int.base10_digits(), int.suffix()),
        Lit::Float(float) => format!("{}{}", float.base10_digits(), float.suffix()),
        Lit::Bool(bool) => bool.value.to_string(),
        _ => return None,
    })
}

fn of_tokens(tokens: &[TokenTree]) -> Option<Words> {
    match tokens {
        // `-5`
        [TokenTree::Punct(minus), TokenTree::Literal(literal)] if minus.as_char() == '-' => {
            let number = word(&Lit::new(literal.clone()))?;
            Some(Words::of(format!("-{number}")))
        }
        // `("a", "b")`, `&["a", "b"]`, `vec!["a", "b"]`
        [before @ .., TokenTree::Group(list)] if begins_list(before) => {
            separated(&list.stream().into_iter().collect::<Vec<_>>(), ',')
        }
        // `Duration::from_secs(5)`
        [.., TokenTree::Ident(constructor), TokenTree::Group(number)]
            if number.delimiter() == Delimiter::Parenthesis =>
        {
            let unit = match constructor.to_string().as_str() {
                "from_millis" => "ms",
                "from_secs" | "from_secs_f32" | "from_secs_f64" => "s",
                "from_mins" => "m",
                "from_hours" => "h",
                _ => return None,
            };
            let number: Lit = syn::parse2(number.stream()).ok()?;
            matches!(number, Lit::Int(_) | Lit::Float(_)).then_some(())?;
            Some(Words::of(format!("{}{unit}", word(&number)?)))
        }
        _ => of_path(tokens).or_else(|| {
            let separators = ['|', '+'];
            separators.into_iter().find_map(|separator| separated(tokens, separator))
        }),
    }
}

fn begins_list(before: &[TokenTree]) -> bool {
    match before {
        [] => true,
        [TokenTree::Punct(punct)] => punct.as_char() == '&',
        [TokenTree::Ident(vec), TokenTree::Punct(bang)] => vec == "vec" && bang.as_char() == '!',
        _ => false,
    }
}

/// Several values with `separator` between them.
fn separated(tokens: &[TokenTree], separator: char) -> Option<Words> {
    let is_it =
        |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == separator);
    let parts = tokens.split(is_it).filter(|part| !part.is_empty());
    let mut all = Words::default();
    for part in parts {
        let words = match part {
            [TokenTree::Literal(literal)] => Words::of(word(&Lit::new(literal.clone()))?),
            part => of_path(part)?,
        };
        all.list.extend(words.list);
        all.from_path |= words.from_path;
    }
    (!all.list.is_empty()).then_some(all)
}

/// `degraded`, `HealthState::Degraded` or `my-database`. A constant is not the text of its name.
fn of_path(tokens: &[TokenTree]) -> Option<Words> {
    let mut text = String::new();
    let mut from_path = false;
    let mut wants_name = true;
    for token in tokens {
        match token {
            TokenTree::Ident(ident) if wants_name => {
                let ident = ident.to_string();
                text.push_str(ident.strip_prefix("r#").unwrap_or(&ident));
                wants_name = false;
            }
            TokenTree::Punct(colon) if colon.as_char() == ':' => {
                from_path = true;
                text.clear();
                wants_name = true;
            }
            TokenTree::Punct(hyphen) if hyphen.as_char() == '-' && !wants_name => {
                text.push('-');
                wants_name = true;
            }
            _ => return None,
        }
    }
    text.contains(char::is_lowercase).then(|| Words { list: vec![text], from_path })
}
