//! What an attribute with mistakes leaves behind.

use proc_macro2::TokenStream;
use quote::quote;

/// Every mistake at its place, beside the item as it was: what uses the function elsewhere goes on
/// compiling, and an editor goes on completing inside it.
pub(crate) fn expand(mistakes: &syn::Error, item: &TokenStream) -> TokenStream {
    let mistakes = mistakes.to_compile_error();
    quote! {
        #item
        #mistakes
    }
}
