//! Judges the return type, as far as its tokens tell.

use syn::{GenericArgument, PathArguments, Type, TypeParamBound, TypeTraitObject};

use crate::dependency::{bare, show};
use crate::errors::Errors;

/// Reports a `Box<dyn Error>` in what a check returns: not `Send + Sync`, it cannot leave the run.
pub(crate) fn errors_are_sendable(returned: &Type, errors: &mut Errors) {
    let Type::Path(path) = bare(returned) else {
        return;
    };
    let Some(PathArguments::AngleBracketed(arguments)) =
        path.path.segments.last().map(|last| &last.arguments)
    else {
        return;
    };
    for argument in &arguments.args {
        match argument {
            GenericArgument::Type(Type::TraitObject(object)) => error_is_sendable(object, errors),
            GenericArgument::Type(inner) => errors_are_sendable(inner, errors),
            _ => {}
        }
    }
}

fn error_is_sendable(object: &TypeTraitObject, errors: &mut Errors) {
    let names = |wanted: &str| {
        object.bounds.iter().any(|bound| match bound {
            TypeParamBound::Trait(bound) => {
                bound.path.segments.last().is_some_and(|last| last.ident == wanted)
            }
            _ => false,
        })
    };
    let lacks = match (names("Send"), names("Sync")) {
        (true, true) => return,
        (true, false) => " + Sync",
        (false, true) => " + Send",
        (false, false) => " + Send + Sync",
    };
    if names("Error") {
        let shown = show(&object.bounds);
        errors.at(
            object,
            format!("a check's error is read on another thread: write `dyn {shown}{lacks}`"),
        );
    }
}
