use servicekit_health::health_check;

#[health_check(failure_threshold = 0)]
async fn zero() {}

#[health_check(failure_threshold = -1)]
async fn negative() {}

#[health_check(failure_threshold = "3")]
async fn quotes() {}

#[health_check(success_threshold = 3u8)]
async fn a_type() {}

#[health_check(success_threshold = 3.0)]
async fn a_fraction() {}

#[health_check(failure_threshold = 4294967296)]
async fn too_large() {}

#[health_check(failure_threshold = "many")]
async fn a_word() {}

#[health_check(failure_threshold = [3])]
async fn an_array() {}

#[health_check(failure_treshold = 3)]
async fn a_slip() {}

#[health_check(failure_threshold)]
async fn no_value() {}

fn main() {}
