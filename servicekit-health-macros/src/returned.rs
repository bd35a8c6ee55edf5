//! Judges the return type, as far as its tokens tell.

use syn::{GenericArgument, Ident, PathArguments, Type, TypeTraitObject};

use crate::dependency::{bare, has_bound, missing_bounds, show};
use crate::errors::Errors;

/// Reports a `Box<dyn Error>` in a `Result` that a check returns: not `Send + Sync`, it cannot leave the
/// run. A user's own type may hold one, and make a text of it.
pub(crate) fn errors_are_sendable(returned: &Type, errors: &mut Errors) {
    let Some((name, arguments)) = generic(returned) else {
        return;
    };
    if name != "Result" {
        return;
    }
    for argument in arguments {
        errors_are_sendable(argument, errors);
        for object in generic(argument).into_iter().flat_map(|(_, arguments)| arguments) {
            if let Type::TraitObject(object) = bare(object) {
                error_is_sendable(object, errors);
            }
        }
    }
}

/// The name and the types of `name<T, ..>`, by whatever path.
fn generic(ty: &Type) -> Option<(&Ident, impl Iterator<Item = &Type>)> {
    let Type::Path(path) = bare(ty) else {
        return None;
    };
    let last = path.path.segments.last()?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return None;
    };
    let types = arguments.args.iter().filter_map(|argument| match argument {
        GenericArgument::Type(ty) => Some(ty),
        _ => None,
    });
    Some((&last.ident, types))
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
