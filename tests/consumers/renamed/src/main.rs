//! A program that has the crate under another name, and once more under a path of its own.
#![forbid(unsafe_code)]
#![deny(warnings)]

use health::health_check;

mod reexports {
    pub use health as anything;
}

#[health_check(crate = "health", timeout = "1s")]
async fn by_name() {}

#[health_check(crate = health)]
async fn by_name_without_quotes() {}

#[health_check(crate = "::health")]
async fn by_absolute_name() {}

#[health_check(crate = crate::reexports::anything)]
async fn by_path(_number: &u8) {}

#[health_check(crate = r"self::reexports::anything", blocking)]
fn by_relative_path() {}

fn main() {
    for check in health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
