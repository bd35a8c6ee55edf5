//! Gathers every mistake of one attribute, so that one compile shows them all.

use std::fmt::Display;

use proc_macro2::Span;
use quote::ToTokens;

/// The mistakes found so far. Dropping it without a call of `finish` is a bug of this crate that would
/// hide the user's mistakes.
pub(crate) struct Errors {
    found: Option<Vec<syn::Error>>,
    are_wanted: bool,
}

impl Errors {
    pub(crate) fn new() -> Self {
        Self { found: Some(Vec::new()), are_wanted: true }
    }

    /// Drops every mistake, for reading tokens that are reported as a whole.
    pub(crate) fn ignored() -> Self {
        Self { found: None, are_wanted: false }
    }

    /// A mistake that is the whole of `tokens`.
    pub(crate) fn at(&mut self, tokens: impl ToTokens, message: impl Display) {
        self.add(syn::Error::new_spanned(tokens, message));
    }

    /// A mistake at a place that has no token of its own.
    pub(crate) fn at_span(&mut self, span: Span, message: impl Display) {
        self.add(syn::Error::new(span, message));
    }

    pub(crate) fn add(&mut self, error: syn::Error) {
        if self.are_wanted {
            self.found.get_or_insert_default().push(error);
        }
    }

    /// All mistakes as one error that reports each at its own place.
    pub(crate) fn finish(mut self) -> Result<(), syn::Error> {
        let all = self.found.take().into_iter().flatten();
        all.reduce(|mut all, next| {
            all.combine(next);
            all
        })
        .map_or(Ok(()), Err)
    }
}

impl Drop for Errors {
    fn drop(&mut self) {
        assert!(
            self.found.is_none() || std::thread::panicking(),
            "the mistakes were never reported"
        );
    }
}
