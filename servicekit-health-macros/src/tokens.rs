//! A position in a list of tokens.

use proc_macro2::{Delimiter, Ident, Punct, TokenStream, TokenTree};

/// The invisible groups around what a `macro_rules!` fragment stood for are opened first: they are
/// not something the user wrote.
#[derive(Clone)]
pub(crate) struct Tokens {
    list: std::iter::Peekable<std::vec::IntoIter<TokenTree>>,
}

impl Tokens {
    pub(crate) fn new(stream: TokenStream) -> Self {
        let mut list = Vec::new();
        open_invisible(stream, &mut list);
        Self { list: list.into_iter().peekable() }
    }

    pub(crate) fn next(&mut self) -> Option<TokenTree> {
        self.list.next()
    }

    pub(crate) fn peek(&mut self) -> Option<&TokenTree> {
        self.list.peek()
    }

    pub(crate) fn next_if(&mut self, char: char) -> Option<Punct> {
        let is_it = |token: &TokenTree| matches!(token, TokenTree::Punct(p) if p.as_char() == char);
        match self.list.next_if(is_it)? {
            TokenTree::Punct(punct) => Some(punct),
            _ => None,
        }
    }

    /// What follows `first` if both are one word to somebody who writes keys with hyphens or as a
    /// path: `on-error`, `health::name`. Gives the whole word.
    pub(crate) fn rest_of_word(&mut self, first: &Ident) -> Option<(String, TokenStream)> {
        // The usual case first: the rest copies tokens.
        let joins = |punct: &Punct| matches!(punct.as_char(), '-' | ':');
        if !matches!(self.peek(), Some(TokenTree::Punct(next)) if joins(next)) {
            return None;
        }
        let mut word = first.to_string();
        let mut tokens: TokenStream = TokenTree::Ident(first.clone()).into();
        let mut ahead = self.clone();
        let mut is_joined = false;
        while let Some((text, joint)) = ahead.next_joint()
            && let Some(TokenTree::Ident(part)) = ahead.next()
        {
            word = format!("{word}{text}{part}");
            tokens.extend(joint);
            tokens.extend([TokenTree::Ident(part)]);
            *self = ahead.clone();
            is_joined = true;
        }
        is_joined.then_some((word, tokens))
    }

    /// `-` or `::`
    fn next_joint(&mut self) -> Option<(&'static str, TokenStream)> {
        if let Some(hyphen) = self.next_if('-') {
            return Some(("-", TokenTree::Punct(hyphen).into()));
        }
        let colons = [self.next_if(':')?, self.next_if(':')?];
        Some(("::", colons.map(TokenTree::Punct).into_iter().collect()))
    }

    pub(crate) fn at_end_of_argument(&mut self) -> bool {
        match self.peek() {
            None => true,
            Some(TokenTree::Punct(punct)) => punct.as_char() == ',',
            Some(_) => false,
        }
    }

    /// Whether what came before is written as a key: `=` or `:`.
    pub(crate) fn at_sign(&mut self) -> bool {
        matches!(self.peek(), Some(TokenTree::Punct(punct)) if "=:".contains(punct.as_char()))
    }

    /// Whether an expression goes on: `"a" | "b"`, `"a".to_string()`.
    pub(crate) fn at_operator(&mut self) -> bool {
        matches!(self.peek(), Some(TokenTree::Punct(punct)) if "|+-*/.&".contains(punct.as_char()))
    }

    pub(crate) fn skip_to_comma(&mut self) -> TokenStream {
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
