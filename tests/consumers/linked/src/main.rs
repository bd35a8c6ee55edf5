//! A program that links a crate for its checks alone.
#![forbid(unsafe_code)]

use checks as _;

#[servicekit_health::health_check]
async fn own() {}

fn main() {
    for check in servicekit_health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
