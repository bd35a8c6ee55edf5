//! A program that depends on a crate with checks and never names it.
#![forbid(unsafe_code)]

#[servicekit_health::health_check]
async fn own() {}

fn main() {
    for check in servicekit_health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
