use servicekit_health::{CheckResult, health_check};

struct Report;

#[derive(Debug)]
struct NotAnError;

#[health_check]
async fn a_type_of_ones_own() -> Report {
    Report
}

#[health_check]
async fn a_bool() -> bool {
    true
}

#[health_check]
async fn a_result_of_something_else() -> Result<bool, String> {
    Ok(true)
}

#[health_check]
async fn an_error_that_is_none() -> Result<(), NotAnError> {
    Err(NotAnError)
}

type Thrown = Box<dyn std::error::Error>;

#[health_check(blocking)]
fn an_error_that_stays() -> Result<(), Thrown> {
    Ok(())
}

#[health_check]
async fn a_result_of_either() -> Result<CheckResult, CheckResult> {
    Ok(CheckResult::healthy())
}

#[health_check]
async fn an_option() -> Option<()> {
    None
}

#[health_check]
async fn something_displayable() -> impl std::fmt::Display {
    1
}

#[health_check(blocking)]
fn on_the_blocking_pool() -> u8 {
    1
}

fn main() {
    println!("{:?}", NotAnError);
}
