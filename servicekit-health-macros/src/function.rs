//! Reads the function under the attribute as far as the check needs it: its attributes and its
//! signature. The body stays the tokens that it was, valid or not, so an editor can go on
//! completing inside it.

use proc_macro2::{Delimiter, Group, Ident, TokenStream, TokenTree};
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Attribute, Signature, Token, Visibility};

use crate::errors::Errors;

pub(crate) struct Function {
    pub(crate) attributes: Vec<Attribute>,
    pub(crate) signature: Signature,
    /// As it is, valid or not.
    pub(crate) body: TokenStream,
}

/// The function, or `None` if it is something else, which is then reported.
pub(crate) fn parse(item: TokenStream, errors: &mut Errors) -> Option<Function> {
    let (item, body) = without_body(item);
    let head = Head::parse_prefix.parse2(item);
    match head {
        Ok(Head::Function(function)) => Some(Function { body, ..*function }),
        Ok(Head::NoBody(function)) => {
            errors.at(
                &function.signature,
                "expected a free function with a body, found a trait method",
            );
            None
        }
        Ok(Head::OtherItem(keyword)) => {
            errors.at(&keyword, format!("expected a free `async fn`, found `{keyword}`"));
            None
        }
        Err(error) => {
            errors.add(error);
            None
        }
    }
}

/// The item with empty braces for its body, and the body's tokens: parsing them would take most of the
/// time.
fn without_body(item: TokenStream) -> (TokenStream, TokenStream) {
    let mut tokens: Vec<TokenTree> = item.into_iter().collect();
    let mut content = TokenStream::new();
    if let Some(TokenTree::Group(body)) = tokens.last_mut()
        && body.delimiter() == Delimiter::Brace
    {
        let span = body.span();
        content = body.stream();
        *body = Group::new(Delimiter::Brace, TokenStream::new());
        body.set_span(span);
    }
    (tokens.into_iter().collect(), content)
}

enum Head {
    Function(Box<Function>),
    NoBody(Box<Function>),
    OtherItem(Ident),
}

impl Head {
    /// Reads up to the body, and takes the rest unread.
    fn parse_prefix(input: ParseStream) -> syn::Result<Self> {
        let attributes = input.call(Attribute::parse_outer)?;
        input.parse::<Visibility>()?;
        if !begins_function(input) {
            let found = input.parse::<TokenTree>()?;
            input.parse::<TokenStream>()?;
            return match found {
                TokenTree::Ident(keyword) => Ok(Self::OtherItem(keyword)),
                other => Err(syn::Error::new_spanned(other, "expected a free `async fn`")),
            };
        }
        let signature = Signature::parse(input)?;
        let has_body = input.peek(syn::token::Brace);
        input.parse::<TokenStream>()?;
        let function = Box::new(Function { attributes, signature, body: TokenStream::new() });
        Ok(if has_body { Self::Function(function) } else { Self::NoBody(function) })
    }
}

/// Whether what follows is `fn` with any of the words that may stand before it.
fn begins_function(input: ParseStream) -> bool {
    let ahead = input.fork();
    while ahead.peek(Token![const])
        || ahead.peek(Token![async])
        || ahead.peek(Token![unsafe])
        || ahead.peek(Token![extern])
    {
        if ahead.parse::<TokenTree>().is_err() {
            return false;
        }
        // The ABI after `extern`.
        if ahead.peek(syn::LitStr) && ahead.parse::<TokenTree>().is_err() {
            return false;
        }
    }
    ahead.peek(Token![fn])
}
