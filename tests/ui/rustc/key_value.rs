use servicekit_health::health_check;

#[health_check = "redis"]
async fn redis() {}

fn main() {}
