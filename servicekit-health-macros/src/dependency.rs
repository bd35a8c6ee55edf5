//! Judges one parameter's type: how the check takes its dependency, and of which type it is.

use quote::ToTokens;
use syn::{GenericArgument, PathArguments, Type, TypePath, TypeReference};

use crate::errors::Errors;

/// How a parameter takes its dependency.
pub(crate) enum Dependency {
    /// `&T`
    Borrowed(Type),
    /// `T`
    Cloned(Type),
    /// `Option<&T>`
    Optional(Type),
}

pub(crate) fn validate(ty: &Type, errors: &mut Errors) -> Option<Dependency> {
    let ty = bare(ty);
    if let Type::Reference(reference) = ty {
        return borrowed(reference, errors).map(Dependency::Borrowed);
    }
    if let Some(reference) = option_of_reference(ty) {
        return borrowed(reference, errors).map(Dependency::Optional);
    }
    owned(ty, "", errors).then(|| Dependency::Cloned(ty.clone()))
}

fn borrowed(reference: &TypeReference, errors: &mut Errors) -> Option<Type> {
    let inner = bare(&reference.elem);
    if let Some(mutability) = &reference.mutability {
        errors.at(
            mutability,
            "a dependency is shared with other runs: take `&T`, with a `Mutex` or an atomic \
             inside where it changes",
        );
        return None;
    }
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|it| it.ident == "static") {
        let shown = show(inner);
        errors.at(
            lifetime,
            format!(
                "a dependency is borrowed for one run: take `&{shown}`, or `&&'static {shown}` if \
                 such a reference is what was provided"
            ),
        );
        return None;
    }
    owned(inner, "&", errors).then(|| inner.clone())
}

/// Whether `ty` can be a dependency's type as far as its tokens tell; otherwise it is reported.
fn owned(ty: &Type, borrow: &str, errors: &mut Errors) -> bool {
    match ty {
        Type::ImplTrait(_) => {
            errors
                .at(ty, "a dependency is found by its exact type: write a type, not `impl Trait`");
            false
        }
        Type::TraitObject(object) => {
            let bounds = &object.bounds;
            let shown = show(bounds);
            let also = if shown.contains("Send") && shown.contains("Sync") {
                ""
            } else {
                " + Send + Sync"
            };
            errors.at(
                ty,
                format!(
                    "`dyn` types have no size of their own: provide an `Arc<dyn {shown}{also}>` \
                     and take `{borrow}Arc<dyn {shown}{also}>`"
                ),
            );
            false
        }
        Type::Slice(slice) => {
            let element = show(&slice.elem);
            errors.at(
                ty,
                format!(
                    "slices have no size of their own: provide a `Vec<{element}>` and take \
                     `{borrow}Vec<{element}>` or, better, a type of its own, such as `struct \
                     Peers(Vec<{element}>)`"
                ),
            );
            false
        }
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
            errors.at(
                ty,
                format!(
                    "`str` has no size of its own: provide a `String` and take `{borrow}String` or, \
                     better, a type of its own, such as `struct DatabaseUrl(String)`"
                ),
            );
            false
        }
        Type::Infer(_) => {
            errors.at(ty, "a dependency is found by its exact type: write it");
            false
        }
        _ => holds_nothing_borrowed(ty, errors),
    }
}

/// The `T` of `State<T>` and the like: what axum's handlers extract from a request.
pub(crate) fn extracted(ty: &Type) -> Option<String> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let extractor = ["State", "Extension", "Path", "Query", "Json", "Form"];
    let is_one = extractor.iter().any(|name| last.ident == name);
    match &last.arguments {
        PathArguments::AngleBracketed(arguments) if is_one => arguments.args.last().map(show),
        _ => None,
    }
}

/// Looks for references and lifetimes inside a type. What is behind `fn(..)` and `dyn` is left to
/// the compiler: there they can be harmless.
fn holds_nothing_borrowed(ty: &Type, errors: &mut Errors) -> bool {
    const MESSAGE: &str =
        "a dependency outlives every run, so its type holds only what is `'static`";
    match bare(ty) {
        Type::Reference(reference) => {
            let is_static = |it: &syn::Lifetime| it.ident == "static";
            if !reference.lifetime.as_ref().is_some_and(is_static) {
                errors.at(reference, MESSAGE);
                return false;
            }
            holds_nothing_borrowed(&reference.elem, errors)
        }
        Type::Path(path) => path.path.segments.iter().all(|segment| {
            let PathArguments::AngleBracketed(arguments) = &segment.arguments else {
                return true;
            };
            arguments.args.iter().all(|argument| match argument {
                GenericArgument::Lifetime(lifetime) if lifetime.ident != "static" => {
                    errors.at(lifetime, MESSAGE);
                    false
                }
                GenericArgument::Type(ty) => holds_nothing_borrowed(ty, errors),
                _ => true,
            })
        }),
        Type::Tuple(tuple) => tuple.elems.iter().all(|ty| holds_nothing_borrowed(ty, errors)),
        Type::Array(array) => holds_nothing_borrowed(&array.elem, errors),
        Type::Slice(slice) => holds_nothing_borrowed(&slice.elem, errors),
        Type::ImplTrait(_) => owned(ty, "", errors),
        _ => true,
    }
}

/// `Option<&T>` by whatever path: an `Option` of a reference could not be provided anyhow.
fn option_of_reference(ty: &Type) -> Option<&TypeReference> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else {
        return None;
    };
    let last = path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) => match bare(inner) {
            Type::Reference(reference) if !is_static(reference) => Some(reference),
            _ => None,
        },
        _ => None,
    }
}

fn is_static(reference: &TypeReference) -> bool {
    let lifetime = reference.lifetime.as_ref();
    reference.mutability.is_none() && lifetime.is_some_and(|it| it.ident == "static")
}

/// Without the parentheses, and the invisible ones of a `macro_rules!` fragment, around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// A type as somebody would write it.
pub(crate) fn show(tokens: &impl ToTokens) -> String {
    let mut text = tokens.to_token_stream().to_string();
    for (spaced, tight) in [
        (" :: ", "::"),
        (":: ", "::"),
        (" < ", "<"),
        (" <", "<"),
        ("< ", "<"),
        (" >", ">"),
        (" ,", ","),
        ("& ", "&"),
        ("( ", "("),
        (" )", ")"),
        (" ;", ";"),
    ] {
        text = text.replace(spaced, tight);
    }
    text
}
