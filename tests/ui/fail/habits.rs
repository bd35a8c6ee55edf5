//! What people bring along from other macros and other frameworks.
use std::error::Error;

use servicekit_health::health_check;

struct Db;
struct State<T>(T);
struct Extension<T>(T);

#[health_check(tags = ("a", "b"))]
async fn a_tuple() {}

#[health_check(tags = &["a", "b"])]
async fn a_slice() {}

#[health_check(probe = vec!["liveness"])]
async fn a_vec() {}

#[health_check(probe = "liveness" | "startup")]
async fn an_or() {}

#[health_check(name = "a".to_string())]
async fn a_method() {}

#[health_check]
async fn an_extractor(State(_db): State<Db>) {}

#[health_check]
async fn typed_extractors(_db: State<Db>, _same: Extension<std::sync::Arc<Db>>) {}

#[health_check]
async fn owned_options(_db: Option<Db>, _same: Option<std::sync::Arc<Db>>) {}

#[health_check]
async fn an_error_that_stays() -> Result<(), Box<dyn Error>> {
    Ok(())
}

#[health_check]
async fn an_error_that_stays_inside() -> Result<Result<(), Box<dyn std::error::Error>>, String> {
    Ok(Ok(()))
}

#[health_check]
async fn an_error_that_is_half_way() -> Result<(), Box<dyn Error + Send + 'static>> {
    Ok(())
}

#[health_check]
fn a_future() -> impl Future<Output = ()> {
    async {}
}

#[health_check(liveness, timeout = 5s)]
async fn words() {}

#[health_check(name = "a", blocking = "yes")]
fn a_flag_with_a_string() {}

#[health_check(state = "degraded", critical = true, retries = 3, every = "5s")]
async fn other_keys() {}

#[health_check(on-error = "degraded", failure-threshold = 2, time-out = "1s")]
async fn hyphens() {}

#[health_check(description = "the cache", enabled = false)]
async fn keys_that_are_said_elsewhere() {}

#[health_check(description("the cache"), skip: true, on_error == "degraded")]
async fn whatever_stands_after_them() {}

#[health_check(time-out-"1s", tags = ["a"])]
async fn a_hyphen_too_many() {}

#[health_check(timeoutSeconds = 5, periodSeconds = 10, initialDelaySeconds = 3)]
async fn of_kubernetes() {}

#[health_check(timeout_secs = 1, cache_ttl = "2s", start_period = "5s", retry = 3)]
async fn of_compose() {}

#[health_check(threshold = 3, max_failures = 3, path = "/health/redis")]
async fn of_other_crates() {}

#[health_check(required, optional = true, on_panic = "degraded", on_timeout = "degraded")]
async fn of_importance() {}

#[health_check(readiness = true)]
async fn a_probe_as_a_flag() {}

#[health_check(live)]
async fn a_probe_by_another_name() {}

#[health_check(unhealthy_threshold = 3, healthy_threshold = 2)]
async fn of_load_balancers() {}

#[health_check(redis)]
async fn a_name_without_its_key() {}

#[health_check(degraded)]
async fn a_state_without_its_key() {}

#[health_check(GET "/health")]
async fn a_route() {}

#[health_check(deps(pool), timeout(value = "5s"))]
async fn of_dependency_injection() {}

const NAME: &str = "redis";

#[health_check(name = NAME)]
async fn a_constant() {}

fn main() {
    let _ = NAME;
    drop(State(Db).0);
    drop(Extension(Db).0);
}
