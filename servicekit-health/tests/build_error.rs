//! What `build` refuses, and how it says so.

use std::time::Duration;

use servicekit_health::{self as health, Check, HealthState, Probe};

#[track_caller]
fn check(name: &str) -> Check {
    Check::new(name, || async {})
}

#[test]
fn every_problem_is_named_at_once_with_its_place_and_remedy() {
    let error = health::builder()
        .check(check("redis"))
        .check(check("redis"))
        .check(check("$stream").failure_threshold(0))
        .check(check("slow").timeout(Duration::ZERO).interval(Duration::from_secs(7200)))
        .check(check("both").cache(Duration::ZERO).interval(Duration::from_secs(1)))
        .check(check("nowhere").probe([]))
        .check(check("kept").cache(Duration::from_secs(3601)))
        .check(check("at-the-most").cache(Duration::from_secs(3600)))
        .provide(1_u8)
        .provide(2_u8)
        .skip(["redsi"])
        .require(["database"])
        .drill("databse", HealthState::Unhealthy)
        .deadline(Duration::ZERO)
        .probe_path(Probe::Liveness, "/health/live")
        .probe_path(Probe::Startup, "readyz")
        .build()
        .unwrap_err();
    let text = error.to_string();
    for part in [
        "duplicate check name `redis`: a `Check` at ",
        "build_error.rs:15",
        "build_error.rs:16",
        "`$stream`",
        "invalid threshold 0: expected an integer of at least 1",
        "the timeout is zero",
        "the interval of 7200s exceeds the maximum of 1 hour",
        "`cache` and `interval` exclude each other",
        "the cache exceeds the maximum of 1 hour",
        "duplicate dependency `u8`; wrap one in a newtype",
        "`skip` refers to unknown check `redsi`",
        "required check `database` is not registered",
        "use my_checks as _;",
        "`drill` refers to unknown check `databse`; registered: ",
        "the deadline is zero",
        "`/health/live`, is reserved for the checks",
        "`readyz`, is not a plain path",
    ] {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert_eq!(text.matches("the cache exceeds").count(), 1, "{text}");
    assert_eq!(format!("{error:?}"), text, "a `main` that returns it prints `Debug`");
    assert!(std::io::Error::from(error).to_string().contains("`database`"));
}

#[test]
#[should_panic(expected = "required check `database` is not registered")]
fn a_router_panics_with_the_same_text() {
    let _: axum::Router = health::builder().require(["database"]).router();
}

#[test]
fn building_needs_no_runtime() {
    let health = health::builder()
        .check(check("background").interval(Duration::from_secs(1)))
        .on_transition(|_| {})
        .build()
        .unwrap();
    let _: axum::Router = health.router();
}

#[test]
fn a_single_problem_is_a_single_line() {
    let error = health::builder().timeout(Duration::ZERO).build().unwrap_err();
    assert_eq!(error.problems().count(), 1);
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(error.to_string().contains("the default timeout is zero"), "{error}");
    assert_eq!(std::io::Error::from(error).kind(), std::io::ErrorKind::InvalidInput);
}

#[test]
fn names_tags_and_moved_probes_follow_their_rules() {
    for name in ["", "a b", "-a", "$drain", "a/b", "ü", &"x".repeat(65)] {
        let error = health::builder().check(check(name)).build().unwrap_err();
        assert!(error.to_string().contains("invalid name"), "{error}");
        let error = health::builder().check(check("a").tags([name])).build().unwrap_err();
        assert!(error.to_string().contains("invalid tag"), "{error}");
    }
    for path in ["/health", "/health/", "/health/x", "/readyz", "", "/", "/{x}", "/a?b", "livez"] {
        let builder = health::builder().probe_path(Probe::Liveness, path);
        assert!(builder.build().is_err(), "{path}");
    }
}
