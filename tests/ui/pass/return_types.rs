//! Everything a check may return.
#![deny(warnings)]

use std::error::Error;

use servicekit_health::{self as health, CheckResult, HealthState, IntoCheckResult, health_check};

#[health_check]
async fn unit() {}

#[health_check]
async fn explicit_unit() -> () {}

#[health_check]
async fn state() -> HealthState {
    HealthState::Degraded
}

#[health_check]
async fn result() -> CheckResult {
    CheckResult::degraded("slow")
}

#[health_check]
async fn pair() -> (HealthState, Option<String>) {
    (HealthState::Healthy, None)
}

#[health_check]
async fn io() -> std::io::Result<()> {
    Ok(())
}

#[health_check]
async fn string() -> Result<HealthState, String> {
    Err("no".into())
}

#[health_check]
async fn str() -> Result<CheckResult, &'static str> {
    Err("no")
}

#[health_check]
async fn boxed() -> Result<(HealthState, Option<String>), Box<dyn Error + Send + Sync>> {
    Ok((HealthState::Healthy, Some("fine".into())))
}

#[health_check]
async fn nested() -> Result<Result<(), std::fmt::Error>, String> {
    Ok(Ok(()))
}

#[health_check]
async fn anonymous() -> impl IntoCheckResult {
    HealthState::Healthy
}

#[health_check(blocking)]
fn blocking() -> Result<(), std::num::ParseIntError> {
    "7".parse::<u8>().map(drop)
}

fn main() {
    assert_eq!(health::registered().count(), 12);
}
