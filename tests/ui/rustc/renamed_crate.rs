use servicekit_health::health_check;

#[health_check(crate = "nowhere")]
async fn clock() {}

#[health_check(crate = "std")]
async fn clock_two() {}

#[health_check(crate = health)]
async fn clock_three() {}

fn main() {}
