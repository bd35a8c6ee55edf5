//! Annotated functions of strangers that chose the same name.
#![allow(clippy::unused_async, reason = "an async function is what is annotated")]

use servicekit_health::{self as health, HealthState};

mod billing {
    use super::*;

    #[health::health_check(name = "redis", on_error = "degraded")]
    async fn ping() -> HealthState {
        HealthState::Degraded
    }
}

mod shop {
    use super::*;

    #[health::health_check]
    async fn redis() {}

    #[health::health_check]
    async fn database() {}
}

#[test]
fn two_functions_of_one_name_are_refused_with_both_places_and_the_remedy() {
    let error = health::builder().build().unwrap_err().to_string();
    for part in [
        "duplicate check name `redis`",
        "`linked::billing::ping` at servicekit-health/tests/linked.rs:9",
        "`linked::shop::redis` at servicekit-health/tests/linked.rs:18",
        "`.skip([\"linked::",
    ] {
        assert!(error.contains(part), "no `{part}` in {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn skipping_by_module_and_function_leaves_the_other() {
    for (skipped, state) in [
        ("linked::billing::ping", HealthState::Healthy),
        ("linked::shop::redis", HealthState::Degraded),
    ] {
        let health = health::builder().skip([skipped]).build().unwrap();
        let report = health.report().await;
        let names: Vec<_> = report.checks.keys().collect();
        assert_eq!(names, ["database", "redis"]);
        assert_eq!(report.checks["redis"].state, state, "without {skipped}");
    }
}

#[tokio::test(start_paused = true)]
async fn skipping_by_name_leaves_out_both() {
    let health = health::builder().skip(["redis"]).build().unwrap();
    assert_eq!(health.report().await.checks.keys().collect::<Vec<_>>(), ["database"]);
}

#[test]
fn skipping_what_is_not_there_names_what_is() {
    let error = health::builder().skip(["linked::shop::ping", "redis"]).build().unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains("`skip` refers to unknown check `linked::shop::ping`; did you mean `linked::shop::redis`?"),
        "{error}"
    );
}
