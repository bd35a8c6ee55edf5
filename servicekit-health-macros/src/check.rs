//! One valid check: what the attribute and its function say together.

use proc_macro2::TokenStream;

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

/// The check, or every mistake there is in it.
pub(crate) fn read(attribute: TokenStream, item: TokenStream) -> syn::Result<Check> {
    let mut errors = Errors::new();
    let arguments = arguments::parse(attribute, &mut errors);
    let settings = settings::validate(&arguments, &mut errors);
    let function = function::parse(item, &mut errors);
    let parameters =
        function.as_ref().map(|function| signature::validate(function, &settings, &mut errors));
    errors.finish()?;
    let (Some(function), Some(parameters)) = (function, parameters) else {
        unreachable!("what is no function has been reported")
    };
    Ok(Check { settings, function, parameters })
}
