//! A program of that framework, which does not depend on servicekit-health itself.
#![forbid(unsafe_code)]
#![deny(warnings)]

framework::check! {
    /// The clock.
    async fn clock() {}
}

fn main() {
    for check in framework::health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
