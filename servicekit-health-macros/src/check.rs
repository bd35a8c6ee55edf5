//! One valid check: what the attribute and its function say together.

use proc_macro2::{Ident, TokenStream};

use crate::arguments;
use crate::errors::Errors;
use crate::function::{self, Function};
use crate::settings::{self, Settings};
use crate::signature::{self, Parameter};

pub(crate) struct Check {
    pub(crate) settings: Settings,
    pub(crate) function: Function,
    pub(crate) parameters: Vec<Parameter>,
}

/// What is wrong with the attribute and its function.
pub(crate) struct Mistakes {
    /// Each at its own place.
    pub(crate) errors: syn::Error,
    /// The unknown words where a key should be, for an editor to complete.
    pub(crate) unknown_keys: Vec<Ident>,
}

/// The check, or every mistake there is in it.
pub(crate) fn read(attribute: TokenStream, item: TokenStream) -> Result<Check, Mistakes> {
    let mut errors = Errors::new();
    let arguments = arguments::parse(attribute, &mut errors);
    let settings = settings::validate(&arguments.list, &mut errors);
    let function = function::parse(item, &mut errors);
    let parameters =
        function.as_ref().map(|function| signature::validate(function, &settings, &mut errors));
    errors.finish().map_err(|errors| Mistakes { errors, unknown_keys: arguments.unknown })?;
    let (Some(function), Some(parameters)) = (function, parameters) else {
        unreachable!("an item that is not a function has been reported")
    };
    Ok(Check { settings, function, parameters })
}
