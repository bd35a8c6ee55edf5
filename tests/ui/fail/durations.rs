use servicekit_health::health_check;

const FIVE: &str = "5s";

#[health_check(timeout = 5)]
async fn a_number() {}

#[health_check(timeout = 300ms, cache = 2s)]
async fn no_quotes() {}

#[health_check(timeout = 0.5)]
async fn a_fraction_without_quotes() {}

#[health_check(timeout = "300")]
async fn no_unit() {}

#[health_check(timeout = "300 ms", cache = "5 s")]
async fn spaces() {}

#[health_check(timeout = "0.5s")]
async fn a_fraction() {}

#[health_check(interval = "1m30s")]
async fn two_units() {}

#[health_check(timeout = "0s", cache = "0s")]
async fn zero() {}

#[health_check(cache = 0)]
async fn no_cache() {}

#[health_check(cache = "off", timeout = false)]
async fn off() {}

#[health_check(timeout = "5,5s", unhealthy_after = "1,000ms")]
async fn commas() {}

#[health_check(timeout = 500, interval = 5000)]
async fn larger_numbers() {}

#[health_check(interval = "9ms")]
async fn too_often() {}

#[health_check(unhealthy_after = "0s")]
async fn at_once() {}

#[health_check(interval = "0ms")]
async fn zero_interval() {}

#[health_check(timeout = "61m")]
async fn over_an_hour() {}

#[health_check(timeout = "99999999999999999999999999s")]
async fn too_many_digits() {}

#[health_check(timeout = "1d", cache = "5us")]
async fn unknown_units() {}

#[health_check(timeout = "5secs", cache = "2 Minutes")]
async fn long_units() {}

#[health_check(timeout = "-5s")]
async fn negative() {}

#[health_check(timeout = -5)]
async fn negative_number() {}

#[health_check(timeout = "")]
async fn empty() {}

#[health_check(timeout = "fast")]
async fn a_word() {}

#[health_check(timeout = FIVE)]
async fn a_constant() {}

#[health_check(timeout = concat!("5", "s"))]
async fn a_macro() {}

#[health_check(timeout = std::time::Duration::from_secs(5))]
async fn a_call() {}

#[health_check(timeout = b"5s", cache = c"5s")]
async fn bytes() {}

#[health_check(timeout = "5s"ms)]
async fn a_suffix() {}

#[health_check(timeout = ["5s"])]
async fn an_array() {}

#[health_check(timeout = true)]
async fn a_bool() {}

#[health_check(interval = "5s", cache = "1s")]
async fn interval_and_cache() {}

fn main() {
    let _ = FIVE;
}
