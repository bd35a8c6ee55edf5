//! A framework that brings servicekit-health to its users.
#![forbid(unsafe_code)]

pub use servicekit_health as health;

/// A check of a user's function.
#[macro_export]
macro_rules! check {
    ($(#[$attribute:meta])* async fn $function:ident() $body:block) => {
        #[$crate::health::health_check(crate = $crate::health, tags = "framed")]
        $(#[$attribute])*
        async fn $function() $body
    };
}
