use servicekit_health::health_check;

#[health_check(timeot = "5s")]
async fn a_slip() {}

#[health_check(Timeout = "5s")]
async fn a_capital() {}

#[health_check(ttl = "5s")]
async fn a_synonym() {}

#[health_check(colour = "red")]
async fn nothing_like_it() {}

#[health_check(timeout = "5s", name = "x", timeout = "6s")]
async fn twice() {}

#[health_check(timeout)]
async fn no_value() {}

#[health_check(timeout =)]
async fn no_value_after_equals() {}

#[health_check(timeout = , name = "y")]
async fn no_value_before_comma() {}

#[health_check("redis")]
async fn no_key_for_a_name() {}

#[health_check("300ms")]
async fn no_key_for_a_duration() {}

#[health_check(health::name = "z")]
async fn a_path() {}

#[health_check(r#name = "z")]
async fn a_raw_key() {}

#[health_check(readiness)]
async fn a_value_as_key() {}

#[health_check(async, true, self, gen, _)]
async fn keywords_as_keys() {}

fn main() {}
