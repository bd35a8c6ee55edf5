//! The second floor: what is known of the checks.
//!
//! The model is what goes out, the state is what is known of one check, a slot is one check at
//! work, and the engine is all of them. Nothing here knows HTTP.

pub(crate) mod engine;
mod generation;
pub(crate) mod lifecycle;
pub(crate) mod model;
pub(crate) mod scrub;
pub(crate) mod slot;
pub(crate) mod standing;
#[cfg(test)]
mod standing_tests;
pub(crate) mod state;
pub(crate) mod transitions;
