//! The expansion is silent under every lint a project may choose: clippy, run over this file, is
//! the test, and the function below keeps it from being empty.
#![deny(warnings, clippy::all, clippy::pedantic, clippy::nursery)]
#![deny(missing_docs, unused_qualifications, unreachable_pub, single_use_lifetimes)]
#![deny(let_underscore_drop, trivial_casts, unused_results)]
// A few of the strictest that a project may pick one by one.
#![deny(clippy::absolute_paths, clippy::allow_attributes, clippy::items_after_statements)]
#![deny(clippy::allow_attributes_without_reason, clippy::let_underscore_untyped)]
#![deny(clippy::default_numeric_fallback, clippy::unwrap_used, clippy::expect_used)]
#![deny(clippy::std_instead_of_core, clippy::used_underscore_items, clippy::as_conversions)]

use servicekit_health::{HealthState, health_check};

struct Pool {
    connections: u32,
    name: String,
}

/// With everything.
#[health_check(
    name = "pool",
    on_error = "degraded",
    timeout = "300ms",
    cache = "1s",
    probe = ["readiness", "startup"],
    failure_threshold = 3,
    tags = ["storage"]
)]
async fn pool(pool: &Pool, name: String, limit: Option<&u32>) -> Result<HealthState, String> {
    if limit.is_some_and(|limit| pool.connections > *limit) {
        return Err(name);
    }
    Ok(HealthState::Healthy)
}

#[health_check(interval = "1m", blocking)]
fn on_the_blocking_pool(pool: &Pool) -> HealthState {
    if pool.connections == 0_u32 {
        return HealthState::Degraded;
    }
    drop(pool.name.clone());
    HealthState::Healthy
}

#[health_check]
async fn nothing() {}

/// What the user says about a lint that the expansion allows.
#[health_check]
#[expect(clippy::unused_async, reason = "the user's own word comes last")]
async fn expected() {}

#[test]
fn the_checks_of_this_file_are_registered() {
    let mut names = servicekit_health::registered().map(|check| check.name);
    assert!(names.by_ref().eq(["expected", "nothing", "on_the_blocking_pool", "pool"]));
}
