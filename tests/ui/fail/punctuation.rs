use servicekit_health::health_check;

#[health_check(name("redis"))]
async fn parentheses() {}

#[health_check(tags("a", "b"), blocking(true))]
async fn parentheses_around_a_list() {}

#[health_check(name: "redis")]
async fn a_colon() {}

#[health_check(name == "redis")]
async fn two_equals() {}

#[health_check(name "redis")]
async fn no_equals() {}

#[health_check(name = "redis" timeout = "5s")]
async fn no_comma() {}

#[health_check(name = "redis"; timeout = "5s")]
async fn a_semicolon() {}

#[health_check(name = "redis",, timeout = "5s")]
async fn two_commas() {}

#[health_check(, name = "redis")]
async fn a_comma_first() {}

#[health_check(name = "redis" + "cache")]
async fn an_expression() {}

#[health_check(tags = ["a" "b"])]
async fn no_comma_in_an_array() {}

#[health_check(tags = ["a",, "b"])]
async fn two_commas_in_an_array() {}

#[health_check({ name = "redis" })]
async fn braces() {}

#[health_check(name = "redis", ..)]
async fn dots() {}

#[health_check(name => "redis")]
async fn an_arrow() {}

#[health_check("name" = "redis")]
async fn a_key_in_quotes() {}

#[health_check(shared:, timeout = "5s")]
async fn a_flag_and_a_colon() {}

#[health_check(shared = )]
async fn a_flag_and_an_equals() {}

#[health_check(blocking!)]
fn a_flag_and_a_bang() {}

fn main() {}
