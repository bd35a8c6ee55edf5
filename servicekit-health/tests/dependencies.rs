//! What annotated functions take as parameters: given to the builder, or refused by it.
#![allow(clippy::unused_async, reason = "an async function is what is annotated")]

use std::sync::Arc;

use servicekit_health::{self as health, CheckResult, health_check};

struct Db(&'static str);

#[derive(Clone)]
struct Url(String);

struct Metrics;

#[health_check]
async fn database(db: &Db, url: Url, borrowed: &Url) -> CheckResult {
    assert_eq!(url.0, borrowed.0);
    CheckResult::healthy().with_message(format!("{} at {}", db.0, url.0))
}

#[health_check(blocking)]
fn metrics(metrics: Option<&Metrics>) -> CheckResult {
    CheckResult::healthy().with_message(if metrics.is_some() { "some" } else { "none" })
}

#[tokio::test(start_paused = true)]
async fn each_parameter_is_what_was_provided_for_its_type() {
    let builder = || health::builder().provide(Db("primary")).provide(Url("db:5432".to_owned()));
    for (builder, metrics) in [(builder(), "none"), (builder().provide(Metrics), "some")] {
        let report = builder.build().unwrap().report().await;
        let message = |check: &str| report.checks[check].message.clone().unwrap();
        assert_eq!(message("database"), "primary at db:5432");
        assert_eq!(message("metrics"), metrics);
    }
}

#[test]
fn what_nobody_provided_is_refused_with_its_type_and_place_and_what_was_meant() {
    let error = health::builder().provide(Arc::new(Db("primary"))).build().unwrap_err();
    let problems = error.to_string();
    for part in [
        "2 problems",
        "check `database` (servicekit-health/tests/dependencies.rs:15) depends on \
         `dependencies::Db`, which was not provided; `alloc::sync::Arc<dependencies::Db>` was \
         provided: take that",
        "depends on `dependencies::Url`, which was not provided; give one to the builder with \
         `.provide(...)`, or take `Option<&T>`",
    ] {
        assert!(problems.contains(part), "no `{part}` in {problems}");
    }
    assert!(!problems.contains("Metrics"), "{problems}");
}

#[test]
fn the_check_of_a_dependency_that_is_not_there_can_be_skipped() {
    health::builder().skip(["database"]).build().unwrap();
}
