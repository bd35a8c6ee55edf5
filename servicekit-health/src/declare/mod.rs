//! The second floor: what checks there are.
//!
//! The attribute's static data, the linker's slice of it, the checks made at run time and the
//! dependencies they ask for come in; a validated list of checks, or every reason why there is
//! none, goes out. Nothing here runs a check.

pub(crate) mod check;
pub(crate) mod declaration;
pub(crate) mod dependencies;
pub(crate) mod descriptor;
pub(crate) mod error;
pub(crate) mod registry;
pub(crate) mod settings;
pub(crate) mod suggest;
pub(crate) mod validate;
