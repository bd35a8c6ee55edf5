//! Judges the return type, as far as its tokens tell.

use syn::{GenericArgument, PathArguments, Type, TypeTraitObject};

use crate::dependency::{bare, has_bound, missing_bounds, show};
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
    let lacks = missing_bounds(object);
    if !lacks.is_empty() && has_bound(object, "Error") {
        let shown = show(&object.bounds);
        errors.at(
            object,
            format!(
                "the error of a health check must be `Send + Sync`; write `dyn {shown}{lacks}`"
            ),
        );
    }
}
