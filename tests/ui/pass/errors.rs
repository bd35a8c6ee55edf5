//! The errors that programs use.
#![deny(warnings)]

use std::error::Error;

use anyhow::Context as _;
use servicekit_health::{self as health, HealthState, health_check};

#[health_check]
async fn of_anyhow(path: &String) -> anyhow::Result<()> {
    std::fs::read(path).context("no certificate")?;
    Ok(())
}

#[health_check]
async fn of_eyre() -> eyre::Result<HealthState> {
    Err(eyre::eyre!("down"))
}

#[health_check]
async fn boxed() -> Result<(), Box<dyn Error + Send + Sync>> {
    Err("down")?
}

#[health_check]
async fn boxed_static() -> Result<(), Box<dyn Error + Send + Sync + 'static>> {
    Ok(())
}

fn main() {
    assert_eq!(health::registered().count(), 4);
}
