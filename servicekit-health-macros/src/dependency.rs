//! Judges one parameter's type: how the check takes its dependency, and of which type it is.
//!
//! An unsized type with a name, such as `Path`, is left to the compiler: its tokens are those of a
//! user's own type of that name.

use quote::ToTokens;
use syn::{
    GenericArgument, PathArguments, Type, TypeParamBound, TypePath, TypeReference, TypeTraitObject,
};

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

/// How a type is taken, to show what to write.
#[derive(Clone, Copy)]
enum By {
    Reference,
    Value,
    Option,
}

impl By {
    fn show(self, ty: &str) -> String {
        match self {
            Self::Reference => format!("&{ty}"),
            Self::Value => ty.to_owned(),
            Self::Option => format!("Option<&{ty}>"),
        }
    }
}

pub(crate) fn validate(ty: &Type, errors: &mut Errors) -> Option<Dependency> {
    let ty = bare(ty);
    if let Type::Reference(reference) = ty {
        return borrowed(reference, By::Reference, errors).map(Dependency::Borrowed);
    }
    if let Some(inner) = argument_of(ty, &["Option"]) {
        return match bare(inner) {
            Type::Reference(reference) => {
                borrowed(reference, By::Option, errors).map(Dependency::Optional)
            }
            inner if !owned(inner, By::Option, errors) => None,
            inner => {
                let write = By::Option.show(&show(inner));
                errors.at(ty, format!("an optional dependency is borrowed; write `{write}`"));
                None
            }
        };
    }
    if let Some(inner) = argument_of(ty, &EXTRACTORS) {
        let inner = show(inner);
        errors.at(
            ty,
            format!(
                "a health check has no request to extract from; give a `{inner}` to `provide` on \
                 the builder, and take `&{inner}`"
            ),
        );
        return None;
    }
    owned(ty, By::Value, errors).then(|| Dependency::Cloned(ty.clone()))
}

/// What axum's handlers take a value out of a request with.
const EXTRACTORS: [&str; 6] = ["State", "Extension", "Path", "Query", "Json", "Form"];

pub(crate) fn is_extractor(ty: &Type) -> bool {
    argument_of(bare(ty), &EXTRACTORS).is_some()
}

fn borrowed(reference: &TypeReference, by: By, errors: &mut Errors) -> Option<Type> {
    let inner = bare(&reference.elem);
    if let Some(mutability) = &reference.mutability {
        let shown = by.show(&show(inner));
        errors.at(
            mutability,
            format!(
                "dependencies are shared by concurrent runs; take `{shown}`, with a `Mutex` or an \
                 atomic inside"
            ),
        );
        return None;
    }
    if !owned(inner, by, errors) {
        return None;
    }
    if let Some(lifetime) = reference.lifetime.as_ref().filter(|it| it.ident == "static") {
        let inner = show(inner);
        let reference = format!("&'static {inner}");
        let (shown, other) = (by.show(&inner), by.show(&reference));
        errors.at(
            lifetime,
            format!(
                "dependencies are borrowed for one run; take `{shown}`, or `{other}` if \
                 `{reference}` is the provided type"
            ),
        );
        return None;
    }
    Some(inner.clone())
}

/// Whether `ty` can be a dependency's type as far as its tokens tell; otherwise it is reported.
fn owned(ty: &Type, by: By, errors: &mut Errors) -> bool {
    let message = match ty {
        Type::ImplTrait(_) => {
            "dependencies are found by their exact type; write a type instead of `impl Trait`"
                .to_owned()
        }
        Type::Infer(_) => "dependencies are found by their exact type; write it".to_owned(),
        Type::TraitObject(object) => {
            let bounds = show(&object.bounds);
            let sized = format!("Arc<dyn {bounds}{}>", missing_bounds(object));
            let shown = by.show(&sized);
            format!("`dyn {bounds}` is unsized; provide an `{sized}` and take `{shown}`")
        }
        Type::Slice(slice) => {
            let element = show(&slice.elem);
            let sized = format!("Vec<{element}>");
            let shown = by.show(&sized);
            format!(
                "`[{element}]` is unsized; provide a `{sized}` and take `{shown}`, or wrap one in \
                 a newtype such as `struct Peers({sized})`"
            )
        }
        Type::Path(path) if path.qself.is_none() && path.path.is_ident("str") => {
            let shown = by.show("String");
            format!(
                "`str` is unsized; provide a `String` and take `{shown}`, or wrap one in a newtype \
                 such as `struct DatabaseUrl(String)`"
            )
        }
        _ => return holds_nothing_borrowed(ty, errors),
    };
    errors.at(ty, message);
    false
}

/// ` + Send + Sync`, or what of that a trait object lacks.
pub(crate) fn missing_bounds(object: &TypeTraitObject) -> &'static str {
    match (has_bound(object, "Send"), has_bound(object, "Sync")) {
        (true, true) => "",
        (true, false) => " + Sync",
        (false, true) => " + Send",
        (false, false) => " + Send + Sync",
    }
}

pub(crate) fn has_bound(object: &TypeTraitObject, name: &str) -> bool {
    object.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => {
            bound.path.segments.last().is_some_and(|last| last.ident == name)
        }
        _ => false,
    })
}

/// Looks for references and lifetimes inside a type. What is behind `fn(..)` and `dyn` is left to
/// the compiler: there they can be harmless.
fn holds_nothing_borrowed(ty: &Type, errors: &mut Errors) -> bool {
    const MESSAGE: &str = "dependency types must be `'static`: they outlive a single run";
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
        Type::ImplTrait(_) => owned(ty, By::Value, errors),
        _ => true,
    }
}

/// The `T` of `name<T>`, by whatever path.
fn argument_of<'a>(ty: &'a Type, names: &[&str]) -> Option<&'a Type> {
    let Type::Path(TypePath { qself: None, path, .. }) = ty else {
        return None;
    };
    let last = path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    match arguments.args.first()? {
        GenericArgument::Type(inner) if arguments.args.len() == 1 => {
            names.contains(&&*last.ident.to_string()).then_some(inner)
        }
        _ => None,
    }
}

/// Without the parentheses, and the invisible ones of a `macro_rules!` fragment, around it.
pub(crate) fn bare(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => bare(&group.elem),
        Type::Paren(paren) => bare(&paren.elem),
        ty => ty,
    }
}

/// A type formatted as rustfmt does.
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
