//! The `#[health_check]` attribute.
use proc_macro::TokenStream;
/// x
#[proc_macro_attribute]
pub fn health_check(_args: TokenStream, item: TokenStream) -> TokenStream {
    item
}
