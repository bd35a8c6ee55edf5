//! Texts from elsewhere, made safe for a person to read: credentials out, control characters
//! escaped, length bounded.
//!
//! Nothing here depends on another part of the crate.

pub(crate) mod cleaner;
pub(crate) mod escaped;
pub(crate) mod panic;
pub(crate) mod scrub;
