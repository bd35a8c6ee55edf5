//! Writes the code of a valid check: the function as it was, and beside it one nameless constant
//! that holds the check's static data, of which the closure that calls the function is a part.
//!
//! Every token is resolved where this crate says and reported where the user can act on it: what a
//! future lacks at the function's name, what a return type lacks at that type. Names that the
//! user's code could have too are avoided: its functions and types are named from inside.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Attribute, Ident, Meta, Path, ReturnType};

use crate::check::Check;
use crate::dependency::Dependency;
use crate::description;
use crate::settings::{Probe, Settings, State};
use crate::signature::function_name;

pub(crate) fn expand(check: &Check, item: &TokenStream) -> TokenStream {
    let here = Span::mixed_site();
    let import = import(check.settings.krate.as_ref());
    let health = alias(here);
    let lints = lints(&check.function.attributes);
    let descriptor = descriptor(check, &health);
    quote_spanned! {here=>
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
        return quote_spanned!(here=> use ::servicekit_health::__private as #health;);
    };
    let (at_path, _) = ends(path);
    let at_path = Span::mixed_site().located_at(at_path);
    let path = path.to_token_stream().into_iter().map(|mut token| {
        token.set_span(at_path);
        token
    });
    let path: TokenStream = path.collect();
    let health = alias(at_path);
    quote_spanned!(at_path=> use #path::__private as #health;)
}

/// The one name by which the expansion calls this crate's runtime half.
fn alias(span: Span) -> Ident {
    Ident::new("__servicekit_health", span)
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
fn run(check: &Check) -> TokenStream {
    let signature = &check.function.signature;
    let at_name = Span::mixed_site().located_at(signature.ident.span());
    let provided = if check.parameters.is_empty() {
        Ident::new("_", at_name)
    } else {
        Ident::new("provided", at_name)
    };
    let arguments = check.parameters.iter().map(|parameter| {
        let conditions = &parameter.conditions;
        let argument = match &parameter.dependency {
            Dependency::Borrowed(_) => quote_spanned!(at_name=> #provided.borrowed()),
            Dependency::Optional(_) => quote_spanned!(at_name=> #provided.optional()),
            Dependency::Cloned(ty) => quote_spanned!(at_name=> #provided.cloned::<#ty>()),
        };
        quote!(#(#conditions)* #argument)
    });
    let arguments = quote!(#(#arguments),*);

    let function = &signature.ident;
    let (begin, end) = match &signature.output {
        ReturnType::Default => (function.span(), function.span()),
        ReturnType::Type(_, output) => ends(output),
    };
    let end = Span::mixed_site().located_at(end);
    let health = alias(Span::mixed_site().located_at(begin));
    let call = quote_spanned!(at_name=> #function(#arguments));
    let result = if check.settings.blocking.is_some() {
        let returned = quote_spanned!(end=> #health::identity(#call));
        quote_spanned!(end=> #health::outcome(#returned))
    } else {
        let returned = quote_spanned!(end=> #health::future(#call));
        quote_spanned!(end=> #health::run(#returned))
    };
    quote_spanned!(at_name=> |#provided| #result)
}

/// The spans of the first and the last token.
fn ends(tokens: &impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.to_token_stream().into_iter();
    let begin = tokens.next().map_or_else(Span::call_site, |it| it.span());
    (begin, tokens.last().map_or(begin, |it| it.span()))
}

/// The check's static data. What is not written keeps its default unmentioned.
fn descriptor(check: &Check, health: &Ident) -> TokenStream {
    let here = Span::mixed_site();
    let function = function_name(&check.function.signature);
    let name = match &check.settings.name {
        Some(name) => name.value(),
        None => function.clone(),
    };
    let parameters = check.parameters.iter().map(|parameter| {
        let conditions = &parameter.conditions;
        let parameter = match &parameter.dependency {
            Dependency::Borrowed(ty) | Dependency::Cloned(ty) => {
                quote_spanned!(here=> #health::Parameter::required::<#ty>())
            }
            Dependency::Optional(ty) => {
                quote_spanned!(here=> #health::Parameter::optional::<#ty>())
            }
        };
        quote!(#(#conditions)* #parameter)
    });
    let settings = settings(&check.settings, health);
    let variant = if check.settings.blocking.is_some() {
        quote_spanned!(here=> Blocking)
    } else {
        quote_spanned!(here=> Async)
    };
    let description = description::of(&check.function.attributes, health)
        .map(|text| quote_spanned!(here=> .description(#text)));
    let tags = &check.settings.tags;
    let tags = (!tags.is_empty()).then(|| quote_spanned!(here=> .tags(&[#(#tags),*])));
    let run = run(check);
    quote_spanned! {here=>
        #health::CheckDescriptor::new(
            #name,
            (#health::module_path!(), #function),
            (#health::file!(), #health::line!()),
            #settings,
            &[#(#parameters),*],
            #health::Run::#variant(#run),
        )
        #description
        #tags
    }
}

fn settings(settings: &Settings, health: &Ident) -> TokenStream {
    let here = Span::mixed_site();
    let mut chain = quote_spanned!(here=> #health::Settings::DEFAULT);
    let mut set = |call: TokenStream| chain.extend(call);
    if let Some(state) = settings.on_error {
        let state = match state {
            State::Degraded => quote_spanned!(here=> Degraded),
            State::Unhealthy => quote_spanned!(here=> Unhealthy),
        };
        set(quote_spanned!(here=> .on_error(#health::HealthState::#state)));
    }
    if let Some(millis) = settings.timeout {
        set(quote_spanned!(here=> .timeout(#millis)));
    }
    if let Some(millis) = settings.cache {
        set(quote_spanned!(here=> .cache(#millis)));
    }
    if let Some(millis) = settings.interval {
        set(quote_spanned!(here=> .interval(#millis)));
    }
    if !settings.probes.is_empty() {
        let probes = settings.probes.iter().map(|probe| match probe {
            Probe::Liveness => quote_spanned!(here=> #health::Probe::Liveness),
            Probe::Readiness => quote_spanned!(here=> #health::Probe::Readiness),
            Probe::Startup => quote_spanned!(here=> #health::Probe::Startup),
        });
        set(quote_spanned!(here=> .probe(&[#(#probes),*])));
    }
    if let Some(results) = settings.failure_threshold {
        set(quote_spanned!(here=> .failure_threshold(#results)));
    }
    if let Some(results) = settings.success_threshold {
        set(quote_spanned!(here=> .success_threshold(#results)));
    }
    chain
}
