//! The second floor: what is known of the checks.
pub(crate) mod model;
