//! A program whose linker keeps only what is referred to.
#![forbid(unsafe_code)]

use checks as _;

#[servicekit_health::health_check]
async fn own() {}

fn main() {
    for check in servicekit_health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
