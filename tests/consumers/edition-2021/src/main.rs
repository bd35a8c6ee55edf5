//! A program that only declares checks, and prints what was collected.
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs)]

use servicekit_health::{HealthState, health_check};

/// The connections of the program.
pub struct Pool;

/// Asks the pool.
#[health_check(name = "database", timeout = "300ms", tags = ["storage"])]
pub async fn ping(_pool: &Pool) -> Result<(), String> {
    Ok(())
}

#[health_check(blocking, interval = "1m")]
fn disk() -> HealthState {
    HealthState::Healthy
}

mod private {
    mod nested {
        #[servicekit_health::health_check]
        async fn r#async(name: Option<&String>) -> Result<(), std::io::Error> {
            let _ = name;
            Ok(())
        }
    }
}

fn main() {
    for check in servicekit_health::registered() {
        println!("{} {}::{}", check.name, check.module, check.function);
    }
}
