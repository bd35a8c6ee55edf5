//! Judges the function: what can be called without a caller's help, from anywhere.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, Meta, Pat, PatType, ReturnType, Safety, Signature};

use crate::dependency::{self, Dependency};
use crate::errors::Errors;
use crate::function::Function;
use crate::name;
use crate::returned;
use crate::settings::Settings;

/// One parameter of the function.
pub(crate) struct Parameter {
    /// Its `#[cfg]`s.
    pub(crate) conditions: Vec<Attribute>,
    pub(crate) dependency: Dependency,
}

pub(crate) fn validate(
    function: &Function,
    settings: &Settings,
    errors: &mut Errors,
) -> Vec<Parameter> {
    let signature = &function.signature;
    once(&function.attributes, errors);
    qualifiers(signature, errors);
    asyncness(signature, settings, errors);
    default_name(signature, settings, errors);
    generics(signature, errors);
    if is_method(signature, errors) {
        return Vec::new();
    }
    if let ReturnType::Type(_, returned) = &signature.output {
        returned::errors_are_sendable(returned, errors);
    }
    let parameters = signature.inputs.iter().filter_map(|input| match input {
        FnArg::Typed(typed) => parameter(typed, errors),
        FnArg::Receiver(_) => None,
    });
    parameters.collect()
}

fn once(attributes: &[Attribute], errors: &mut Errors) {
    for attribute in attributes {
        let last = attribute.path().segments.last();
        if last.is_some_and(|last| last.ident == "health_check") {
            errors.at(
                attribute,
                "one function is one check: for a second one, write a second function that calls \
                 the first",
            );
        }
    }
}

fn qualifiers(signature: &Signature, errors: &mut Errors) {
    if let Some(constness) = &signature.constness {
        errors.at(constness, "a check runs at run time: drop `const`");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.at(
            unsafety,
            "a check is called by the program's health endpoint, which cannot keep the promises \
             that `unsafe` asks for: make it a safe function",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "a check is a Rust function: drop `extern`");
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, "a check's parameters are its dependencies: give each a type");
    }
}

fn asyncness(signature: &Signature, settings: &Settings, errors: &mut Errors) {
    match (&signature.asyncness, &settings.blocking) {
        (Some(_), Some(blocking)) => errors.at(
            blocking,
            "`blocking` is for a function that is not async: drop it here, or the `async` below",
        ),
        (None, None) => errors.at(
            signature.fn_token,
            "a check is an `async fn`: write `async fn`, or `#[health_check(blocking)]` for a \
             function that blocks its thread",
        ),
        _ => {}
    }
}

/// A name that nobody gave is the function's, which may not be one.
fn default_name(signature: &Signature, settings: &Settings, errors: &mut Errors) {
    if settings.named {
        return;
    }
    let default = function_name(signature);
    if let Some(problem) = name::problem(&default) {
        errors.at(
            &signature.ident,
            format!(
                "`{default}` cannot be the check's name: {problem}; give it one, such as `name = \
                 \"redis\"`"
            ),
        );
    }
}

/// The function's name, without `r#`.
pub(crate) fn function_name(signature: &Signature) -> String {
    let name = signature.ident.to_string();
    name.strip_prefix("r#").unwrap_or(&name).to_owned()
}

fn generics(signature: &Signature, errors: &mut Errors) {
    let decided_by_caller = |param: &&GenericParam| !matches!(param, GenericParam::Lifetime(_));
    if signature.generics.params.iter().any(|param| decided_by_caller(&param)) {
        let generics = &signature.generics;
        errors.at(
            generics,
            "nobody calls a check with types of their choice: a check cannot be generic, so write \
             the types",
        );
    }
}

/// A method is told by its `self` or a `Self`.
fn is_method(signature: &Signature, errors: &mut Errors) -> bool {
    const MESSAGE: &str = "a check is a free function, not a method: move it out of the `impl` and \
                           take what it needs as a dependency, `&T`";
    if let Some(receiver) = signature.receiver() {
        errors.at(receiver, MESSAGE);
        return true;
    }
    if let Some(word) = find_self(signature.to_token_stream()) {
        errors.at(word, MESSAGE);
        return true;
    }
    false
}

fn find_self(tokens: TokenStream) -> Option<TokenTree> {
    tokens.into_iter().find_map(|token| match &token {
        TokenTree::Ident(word) => (word == "Self").then_some(token),
        TokenTree::Group(group) => find_self(group.stream()),
        _ => None,
    })
}

fn parameter(typed: &PatType, errors: &mut Errors) -> Option<Parameter> {
    match &*typed.pat {
        Pat::Wild(_) => {}
        Pat::Ident(name) if name.by_ref.is_none() && name.subpat.is_none() => {}
        pattern => {
            let message = match dependency::extracted(&typed.ty) {
                Some(inner) => format!(
                    "a check has no request to extract from: give `{inner}` to the builder's \
                     `provide`, and take `&{inner}`"
                ),
                None => {
                    "a dependency has a plain name: take it apart in the function's body".to_owned()
                }
            };
            errors.at(pattern, message);
        }
    }
    let dependency = dependency::validate(&typed.ty, errors)?;
    let is_cfg = |attribute: &&Attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg"),
        _ => false,
    };
    Some(Parameter { conditions: typed.attrs.iter().filter(is_cfg).cloned().collect(), dependency })
}
