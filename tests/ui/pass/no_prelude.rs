//! Without a prelude, and with every name that code is likely to use taken by something else.
#![no_implicit_prelude]
#![deny(warnings)]
#![deny(missing_docs)]

use ::servicekit_health::health_check;

#[allow(dead_code, non_camel_case_types, missing_docs)]
mod taken {
    pub mod std {}
    pub mod core {}
    pub mod servicekit_health {}
    pub mod linkme {}
    pub struct Box;
    pub struct Result;
    pub struct Option<T>(pub T);
    pub struct Some;
    pub struct Ok;
    pub struct Pin;
    pub struct Send;
    pub struct Provided;
    pub struct CheckDescriptor;
    pub struct u64;
    pub struct u32;
    pub struct str;
    pub fn provided() {}
    pub const HEALTH: u8 = 0;
}

#[allow(unused_imports)]
use taken::*;

#[allow(unused_macros)]
macro_rules! module_path {
    () => {};
}

/// With a description.
#[health_check(timeout = "1s", failure_threshold = 2, tags = ["a"], probe = ["liveness"])]
async fn run(_one: &[u8; 1], two: ::std::string::String) -> ::std::result::Result<(), ::std::string::String> {
    ::std::result::Result::Err(two)
}

#[health_check]
async fn optional(_it: ::std::option::Option<&::std::string::String>) {}

#[health_check(blocking)]
fn provided() {}

#[health_check]
async fn register() {}

#[allow(dead_code, non_upper_case_globals)]
mod constants {
    const provided: u8 = 0;
    static health: u8 = 0;

    #[::servicekit_health::health_check]
    async fn with_a_parameter(_one: &u8) {}
}

fn main() {
    ::std::assert_eq!(::std::iter::Iterator::count(::servicekit_health::registered()), 5);
}
