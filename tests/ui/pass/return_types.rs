//! Everything a check may return.
#![deny(warnings)]

use std::error::Error;
use std::rc::Rc;

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

type BoxError = Box<dyn Error + Send + Sync>;

struct Borrowed<'a>(&'a str);

impl IntoCheckResult for Borrowed<'_> {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Ok(CheckResult::degraded(self.0))
    }
}

#[health_check]
async fn borrowed(name: &String) -> Borrowed<'_> {
    Borrowed(name)
}

#[health_check(blocking)]
fn borrowed_and_blocking(name: &String) -> Borrowed<'_> {
    Borrowed(name)
}

struct NotSend(Rc<str>);

impl IntoCheckResult for NotSend {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Err(self.0.to_string().into())
    }
}

#[health_check]
async fn not_send() -> NotSend {
    NotSend("it is made where it is read".into())
}

struct Told<E>(E);

impl IntoCheckResult for Told<Box<dyn Error>> {
    fn into_check_result(self) -> Result<CheckResult, BoxError> {
        Err(self.0.to_string().into())
    }
}

#[health_check]
async fn holds_an_error_that_is_not_send() -> Told<Box<dyn Error>> {
    Told("it becomes a text".into())
}

#[health_check(blocking)]
fn blocking() -> Result<(), std::num::ParseIntError> {
    "7".parse::<u8>().map(drop)
}

#[health_check]
async fn never() -> ! {
    std::future::pending().await
}

#[health_check]
async fn never_with_a_dependency(_name: &String) -> ! {
    panic!("not yet")
}

#[health_check(blocking)]
fn never_and_blocking() -> ! {
    panic!("not yet")
}

fn main() {
    assert_eq!(health::registered().count(), 19);
}
