use servicekit_health::{HealthState, health_check};

#[health_check(on_error = "degarded")]
async fn a_slip() {}

#[health_check(on_error = "Degraded")]
async fn a_capital() {}

#[health_check(on_error = "warning")]
async fn a_synonym() {}

#[health_check(on_error = "healthy")]
async fn healthy() {}

#[health_check(on_error = "purple")]
async fn nothing_like_it() {}

#[health_check(on_error = degraded)]
async fn no_quotes() {}

#[health_check(on_error = HealthState::Degraded)]
async fn a_variant() {}

#[health_check(probe = "livenes")]
async fn a_slip_of_a_probe() {}

#[health_check(probe = "readyz")]
async fn the_path_of_a_probe() {}

#[health_check(probe = "health")]
async fn no_probe() {}

#[health_check(probe = [])]
async fn no_probes() {}

#[health_check(probe = ["liveness", "startup", "liveness"])]
async fn a_probe_twice() {}

#[health_check(probe = "liveness, startup")]
async fn probes_in_one_string() {}

#[health_check(probe = liveness)]
async fn a_probe_without_quotes() {}

#[health_check(probe = ["livenes", "health", 5])]
async fn a_slip_among_others() {}

#[health_check(probe = [Readiness, "startup"])]
async fn a_probe_in_an_array_without_quotes() {}

#[health_check(probe)]
async fn a_probe_without_a_value() {}

#[health_check(probe = ["none", "liveness"])]
async fn no_probe_and_a_probe() {}

#[health_check(probe = "off")]
async fn a_synonym_of_none() {}

#[health_check(shared = "yes")]
async fn a_flag_with_a_value() {}

#[health_check(shared = false)]
async fn a_flag_denied() {}

#[health_check(blocking = true)]
fn blocking_with_a_value() {}

#[health_check(blocking = false)]
async fn blocking_denied() {}

#[health_check(crate = "not a path")]
async fn no_path() {}

#[health_check(crate = "my-health")]
async fn the_name_of_the_package() {}

#[health_check(crate = my-health)]
async fn the_name_of_the_package_without_quotes() {}

#[health_check(crate)]
async fn no_crate() {}

fn main() {
    let _ = HealthState::Degraded;
}
