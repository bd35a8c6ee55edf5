//! Writes the code of a valid check: the function as it was, and beside it one nameless constant
//! that holds the check's static data, of which the closure that calls the function is a part.
//!
//! Every token is resolved where this crate says and reported where the user can act on it: what a
//! future lacks at the function's name, what a return type lacks at that type. Names that the
//! user's code could have too are avoided: its functions and types are named from inside.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Ident, LitStr, Meta, Path, ReturnType, Type};

use crate::check::Check;
use crate::dependency::{Dependency, bare};
use crate::description;
use crate::keys::Key;
use crate::settings::Setting;
use crate::signature::function_name;

pub(crate) fn expand(check: &Check, item: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let import = import(check.settings.krate.as_ref());
    let health = alias(here);
    let lints = lints(&check.function.attributes);
    let descriptor = descriptor(check, &health);
    let without_await = without_await(check, here);
    let exact_types = exact_types(check, here);
    quote_spanned! {here=>
        #without_await
        #exact_types
        #item

        #lints
        const _: () = {
            #import

            #health::register! { #descriptor }
        };
    }
}

/// The runtime half by its one name in here. A path that leads nowhere is reported where it was
/// written.
fn import(path: Option<&Path>) -> TokenStream {
    let Some(path) = path else {
        let here = Span::mixed_site();
        let health = alias(here);
        let private = private(here);
        return quote_spanned!(here=> use ::servicekit_health::#private as #health;);
    };
    let (at_path, _) = ends(path);
    let at_path = Span::mixed_site().located_at(at_path);
    let path = path.to_token_stream().into_iter().map(|mut token| {
        // `$crate` means the crate of the `macro_rules!` macro that its span tells.
        if token.to_string() != "$crate" {
            token.set_span(at_path);
        }
        token
    });
    let path: TokenStream = path.collect();
    let (private, health) = (private(at_path), alias(at_path));
    quote_spanned!(at_path=> use #path::#private as #health;)
}

/// The module of the runtime half that is for this version of the attribute alone.
fn private(span: Span) -> Ident {
    Ident::new(concat!("__private", env!("CARGO_PKG_VERSION_PATCH")), span)
}

/// The one name by which the expansion calls this crate's runtime half.
fn alias(span: Span) -> Ident {
    Ident::new("__servicekit_health", span)
}

/// Clippy's pedantic `unused_async` advises to remove the `async` that a check must have. Only where
/// nothing is awaited, so that nobody who forbids the lint meets an `allow` without need. What the
/// user writes about the lint follows this, and wins.
fn without_await(check: &Check, here: Span) -> Option<TokenStream> {
    let is_async = check.settings.blocking.is_none();
    let needed = is_async && !awaits(check.function.body.clone());
    needed.then(|| quote_spanned!(here=> #[allow(clippy::unused_async)]))
}

/// Clippy advises `&str` for `&String` and `&dyn Trait` for `&Box<dyn Trait>`. Neither can be a
/// dependency, and this crate advises the opposite. Only where it would, as above.
fn exact_types(check: &Check, here: Span) -> Option<TokenStream> {
    const ADVISED_AGAINST: [&str; 6] = ["Box", "Cow", "OsString", "PathBuf", "String", "Vec"];

    let mut borrowed =
        check.parameters.iter().filter_map(|parameter| match &parameter.dependency {
            Dependency::Borrowed(Type::Path(ty)) | Dependency::Optional(Type::Path(ty)) => {
                ty.path.segments.last()
            }
            _ => None,
        });
    let needed = borrowed.any(|last| ADVISED_AGAINST.iter().any(|name| last.ident == name));
    needed.then(|| quote_spanned!(here=> #[allow(clippy::borrowed_box, clippy::ptr_arg)]))
}

fn awaits(body: TokenStream) -> bool {
    body.into_iter().any(|token| match token {
        TokenTree::Ident(word) => word == "await",
        TokenTree::Group(group) => awaits(group.stream()),
        _ => false,
    })
}

/// What the user allows on the function is allowed where it is called, too.
fn lints(attributes: &[Attribute]) -> TokenStream {
    let mut lints = TokenStream::new();
    for attribute in attributes {
        let path = attribute.path();
        if path.is_ident("deprecated") {
            lints.extend(quote!(#[allow(deprecated)]));
        } else if let Meta::List(list) = &attribute.meta
            && (path.is_ident("allow") || path.is_ident("expect"))
        {
            let allowed = &list.tokens;
            lints.extend(quote!(#[allow(#allowed)]));
        }
    }
    lints
}

/// The closure that finds the dependencies, calls the user's function and converts what it returns.
///
/// An argument is reported from its first token to its last: so the call of an async function
/// stands at its name, where a future that is not `Send` is reported, and what is converted stands
/// where the return type begins and ends. For that alone a blocking one goes through `identity`.
/// Nothing else stands at the name: an editor shows whatever does when it is asked about the check.
fn run(check: &Check) -> TokenStream {
    let here = Span::mixed_site();
    let signature = &check.function.signature;
    let at_name = here.located_at(signature.ident.span());
    let provided = if check.parameters.is_empty() {
        Ident::new("_", here)
    } else {
        // A constant of the user with this name would be taken for a pattern.
        Ident::new("__provided", here)
    };
    let arguments = check.parameters.iter().map(|parameter| {
        let conditions = &parameter.conditions;
        let argument = match &parameter.dependency {
            Dependency::Borrowed(_) => quote_spanned!(here=> #provided.borrowed()),
            Dependency::Optional(_) => quote_spanned!(here=> #provided.optional()),
            Dependency::Cloned(ty) => quote_spanned!(here=> #provided.cloned::<#ty>()),
        };
        quote!(#(#conditions)* #argument)
    });
    let arguments = quote!(#(#arguments),*);

    let function = &signature.ident;
    let (begin, end) = match &signature.output {
        ReturnType::Default => (here, here),
        ReturnType::Type(_, output) => {
            let (begin, end) = ends(output);
            (here.located_at(begin), here.located_at(end))
        }
    };
    let at_begin = alias(begin);
    let call = quote_spanned!(at_name=> #function(#arguments));
    let call = quote_spanned!(end=> (#call));
    let never_returns = returns_never(&signature.output);
    let result = match (check.settings.blocking.is_some(), never_returns) {
        (true, true) => quote_spanned!(here=> #function(#arguments)),
        (true, false) => {
            let returned = quote_spanned!(begin=> #at_begin::identity #call);
            quote_spanned!(end=> #at_begin::outcome(#returned))
        }
        (false, _) => {
            let run = Ident::new(if never_returns { "run_forever" } else { "run" }, end);
            let returned = quote_spanned!(begin=> #at_begin::future #call);
            quote_spanned!(end=> #at_begin::#run(#returned))
        }
    };
    quote_spanned!(here=> |#provided| #result)
}

fn returns_never(output: &ReturnType) -> bool {
    matches!(output, ReturnType::Type(_, output) if matches!(bare(output), Type::Never(_)))
}

/// The spans of the first and the last token.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let begin = tokens.next().map_or_else(Span::call_site, |it| it.span());
    (begin, tokens.last().map_or(begin, |it| it.span()))
}

/// What `register!` makes the check's static data of. What is not written keeps its default
/// unmentioned.
fn descriptor(check: &Check, health: &Ident) -> TokenStream {
    let here = Span::mixed_site();
    let function = function_name(&check.function.signature);
    let name = check.settings.name.as_ref().map(LitStr::value);
    let name = name.as_ref().unwrap_or(&function);
    let parameters = check.parameters.iter().map(|parameter| {
        let conditions = &parameter.conditions;
        match &parameter.dependency {
            Dependency::Borrowed(ty) | Dependency::Cloned(ty) => {
                quote_spanned!(here=> #(#conditions)* required(#ty))
            }
            Dependency::Optional(ty) => quote_spanned!(here=> #(#conditions)* optional(#ty)),
        }
    });
    let settings = check.settings.calls.iter().map(|(key, setting)| call(key, setting, health));
    let variant = if check.settings.blocking.is_some() { "Blocking" } else { "Async" };
    let variant = Ident::new(variant, here);
    let description = description::of(&check.function.attributes, health)
        .map(|text| quote_spanned!(here=> , description(#text)));
    let run = run(check);
    quote_spanned! {here=>
        #health, #name, #function, [#(#parameters),*], #variant(#run) #(, #settings)* #description
    }
}

/// The call of the setter, which has the name of the key.
fn call(key: &Key, setting: &Setting, health: &Ident) -> TokenStream {
    let here = Span::mixed_site();
    let setter = Ident::new(key.name, here);
    let variant = |name: &&str| Ident::new(name, here);
    let value = match setting {
        Setting::Millis(millis) => millis.to_token_stream(),
        Setting::Count(count) => count.to_token_stream(),
        Setting::State(state) => {
            let state = variant(state);
            quote_spanned!(here=> #health::HealthState::#state)
        }
        Setting::Probes(probes) => {
            let probes = probes.iter().map(variant);
            quote_spanned!(here=> &[#(#health::Probe::#probes),*])
        }
        Setting::Texts(texts) => quote_spanned!(here=> &[#(#texts),*]),
        Setting::Flag => TokenStream::new(),
    };
    quote_spanned!(here=> #setter(#value))
}
