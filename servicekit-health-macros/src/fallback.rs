//! What an attribute with mistakes leaves behind.

use proc_macro2::{Ident, TokenStream};
use quote::{ToTokens, format_ident, quote};

use crate::check::Mistakes;
use crate::keys::KEYS;

/// Every mistake at its place, beside the item as it was: what uses the function elsewhere goes on
/// compiling, and an editor goes on completing inside it.
pub(crate) fn expand(mistakes: &Mistakes, item: &TokenStream) -> TokenStream {
    let errors = mistakes.errors.to_compile_error();
    let completion = completion(mistakes);
    quote! {
        #item
        #errors
        #completion
    }
}

/// Where an unknown word stands for a key, an editor completes it among the names of a module, which
/// only exists for rust-analyzer. A key that is still being typed is such a word.
fn completion(mistakes: &Mistakes) -> Option<TokenStream> {
    let unknown = mistakes.unknown_keys.iter().filter(|word| is_name(word));
    let unknown: Vec<&Ident> = unknown.collect();
    if unknown.is_empty() {
        return None;
    }
    // `crate` cannot name an item.
    let names = KEYS.iter().map(|key| key.name).filter(|name| *name != "crate");
    let keys = names.map(|name| format_ident!("{name}"));
    Some(quote! {
        #[allow(unexpected_cfgs)]
        const _: () = {
            #[cfg(rust_analyzer)]
            {
                #[allow(dead_code, non_camel_case_types)]
                mod keys {
                    #(pub struct #keys;)*
                }
                #[allow(unused_imports)]
                use keys::{#(#unknown as _),*};
            }
        };
    })
}

/// Whether `word` can be imported. The code is parsed also where the `cfg` leaves it out.
fn is_name(word: &Ident) -> bool {
    syn::parse2::<Ident>(word.to_token_stream()).is_ok() && word != "gen"
}
