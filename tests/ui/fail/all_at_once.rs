//! Every mistake of one attribute and its function in one compile.
use servicekit_health::health_check;

#[health_check(
    name = "my database",
    timeout = 5,
    on_error = "warn",
    probes = "liveness",
    failure_threshold = 0
    interval = "1x",
    tags = [],
    "left over",
    timeout = "5s",
)]
fn everything<T>(url: &str, &port: &u16, list: &mut Vec<T>) {
    let _ = (url, port, list);
}

fn main() {
    // The function is there all the same.
    everything::<u8>("", &1, &mut vec![]);
}
