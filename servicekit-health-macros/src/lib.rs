//! The `#[health_check]` attribute of `servicekit-health`, which re-exports it.

mod arguments;
mod check;
mod dependency;
mod description;
mod duration;
mod errors;
mod expand;
#[cfg(test)]
mod expansion;
mod fallback;
mod function;
mod keys;
mod name;
mod settings;
mod signature;
mod suggest;
mod text;

use proc_macro2::TokenStream;

/// Makes an async function a health check.
#[proc_macro_attribute]
pub fn health_check(
    attribute: proc_macro::TokenStream,
    item: proc_macro::TokenStream,
) -> proc_macro::TokenStream {
    expand(attribute.into(), &item.into()).into()
}

fn expand(attribute: TokenStream, item: &TokenStream) -> TokenStream {
    match check::read(attribute, item.clone()) {
        Ok(check) => expand::expand(&check, item),
        Err(mistakes) => fallback::expand(&mistakes, item),
    }
}
