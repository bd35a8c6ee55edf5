//! Finds other attributes that replace the `async fn` by something that is not a check: those above
//! `#[health_check]` by what they left, those below by their names.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, Signature};

use crate::errors::Errors;

/// Reports each attribute that cannot be combined with ours. Returns whether there is one.
pub(crate) fn validate(attributes: &[Attribute], errors: &mut Errors) -> bool {
    let mut found = false;
    for attribute in attributes {
        let Some(last) = attribute.path().segments.last() else { continue };
        let (what, instead) = match last.ident.to_string().as_str() {
            "health_check" => {
                found = true;
                errors.at(
                    attribute,
                    "duplicate `#[health_check]`; write a second function that calls the first",
                );
                continue;
            }
            "test" | "rstest" | "test_case" => ("a test", "write a test that calls the check"),
            "bench" => ("a benchmark", "write a benchmark that calls the check"),
            "main" => ("the entry point of a program", "remove one of them"),
            _ => continue,
        };
        found = true;
        let written = written_by(&last.ident).unwrap_or_else(|| {
            format!("#[{}]", attribute.path().to_token_stream().to_string().replace(' ', ""))
        });
        errors.at(
            attribute,
            format!(
                "`{written}` cannot be combined with `#[health_check]`: it makes the function \
                 {what}; {instead}"
            ),
        );
    }
    found
}

/// The attribute that generated `ident`: its tokens have the span of the whole attribute.
fn written_by(ident: &Ident) -> Option<String> {
    ident.span().source_text().filter(|text| text.starts_with("#["))
}

/// The attribute that made a function without `async` of an `async fn`, if there are signs of one.
pub(crate) fn removed_async(signature: &Signature, body: &TokenStream) -> Option<String> {
    let mut lifetimes = signature.generics.lifetimes();
    if lifetimes.any(|it| it.lifetime.ident == "async_trait") {
        return Some(
            "`#[async_trait]` replaced the `async fn` by a method that returns a future; move the \
             function out of the `impl` or trait"
                .to_owned(),
        );
    }
    if calls_block_on(body.clone()) {
        return Some(
            "`#[tokio::main]` cannot be combined with `#[health_check]`: it replaced the `async fn` \
             by one that starts a runtime of its own; remove it"
                .to_owned(),
        );
    }
    let future = find_future(signature.output.to_token_stream())?;
    Some(match written_by(&future) {
        Some(written) => format!(
            "`{written}` replaced the `async fn` by a function that returns a future; write it \
             below `#[health_check]`"
        ),
        None => "expected `async fn`, found a function that returns a future; write an `async fn` \
                 that awaits it"
            .to_owned(),
    })
}

fn find_future(output: TokenStream) -> Option<Ident> {
    output.into_iter().find_map(|token| match token {
        TokenTree::Ident(word) => (word == "Future").then_some(word),
        TokenTree::Group(group) => find_future(group.stream()),
        _ => None,
    })
}

/// Looks for `Builder::...block_on(...)` of a runtime: what `#[tokio::main]` expands to.
fn calls_block_on(body: TokenStream) -> bool {
    let mut builder = false;
    body.into_iter().any(|token| match token {
        TokenTree::Ident(word) => {
            builder |= word == "Builder" || word == "Runtime";
            builder && word == "block_on"
        }
        TokenTree::Group(group) => calls_block_on(group.stream()),
        _ => false,
    })
}
