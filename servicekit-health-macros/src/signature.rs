//! Judges the function: whether it can be called with nothing but the provided dependencies.

use proc_macro2::{TokenStream, TokenTree};
use quote::ToTokens;
use syn::{Attribute, FnArg, GenericParam, Meta, Pat, PatType, ReturnType, Safety, Signature};

use crate::dependency::{self, Dependency};
use crate::errors::Errors;
use crate::function::Function;
use crate::name;
use crate::other_attributes;
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
    let changed = other_attributes::validate(&function.attributes, errors);
    qualifiers(signature, errors);
    if !changed {
        asyncness(function, settings, errors);
    }
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

fn qualifiers(signature: &Signature, errors: &mut Errors) {
    if let Some(constness) = &signature.constness {
        errors.at(constness, "a health check cannot be `const`; remove it");
    }
    if let Safety::Unsafe(unsafety) = &signature.safety {
        errors.at(
            unsafety,
            "a health check cannot be `unsafe`; write a safe function that calls this one",
        );
    }
    if let Some(abi) = &signature.abi {
        errors.at(abi, "a health check cannot be `extern`; remove it");
    }
    if let Some(variadic) = &signature.variadic {
        errors.at(variadic, "a health check cannot be variadic");
    }
}

fn asyncness(function: &Function, settings: &Settings, errors: &mut Errors) {
    let Function { signature, body, .. } = function;
    match (&signature.asyncness, &settings.blocking) {
        (Some(_), Some(blocking)) => {
            errors
                .at(blocking, "`blocking` cannot be combined with `async fn`; remove one of them");
        }
        (None, None) => {
            let message = other_attributes::removed_async(signature, body).unwrap_or_else(|| {
                "expected `async fn`; for a function that blocks its thread, write \
                 `#[health_check(blocking)]`"
                    .to_owned()
            });
            errors.at(signature.fn_token, message);
        }
        _ => {}
    }
}

/// Without `name`, the function's name is the check's, and may not be valid as one.
fn default_name(signature: &Signature, settings: &Settings, errors: &mut Errors) {
    if settings.named {
        return;
    }
    let default = function_name(signature);
    if let Some(problem) = name::problem(&default) {
        let write = match name::rewrite(&default) {
            Some(name) => format!("write `name = \"{name}\"`"),
            None => "set `name` to another one".to_owned(),
        };
        errors.at(
            &signature.ident,
            format!("`{default}` cannot be the name of a check: {problem}; {write}"),
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
        errors.at(generics, "a health check cannot be generic; use concrete types");
    }
}

/// Reports a method, recognized by `self` or `Self`.
fn is_method(signature: &Signature, errors: &mut Errors) -> bool {
    if let Some(receiver) = signature.receiver() {
        errors.at(
            receiver,
            "expected a free function, found a method with `self`, which cannot be a parameter of a \
             health check; move it out of the `impl` and take what it needs as a parameter, `&T`",
        );
        return true;
    }
    if let Some(word) = find_self(signature.to_token_stream()) {
        errors.at(
            word,
            "expected a free function, found a method with `Self`; move it out of the `impl` and \
             write the type",
        );
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
            // The type says it better.
            if dependency::is_extractor(&typed.ty) {
                dependency::validate(&typed.ty, errors);
                return None;
            }
            let message =
                "expected a plain parameter name; destructure the value in the function body";
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
