use servicekit_health::health_check;

#[health_check(name = "")]
async fn empty() {}

#[health_check(name = "$stream")]
async fn reserved() {}

#[health_check(name = "db/main")]
async fn a_slash() {}

#[health_check(name = "my database")]
async fn a_space() {}

#[health_check(name = "-db")]
async fn a_dash_first() {}

#[health_check(name = "größe")]
async fn not_ascii() {}

#[health_check(name = "0123456789012345678901234567890123456789012345678901234567890123x")]
async fn sixty_five_characters() {}

#[health_check(name = redis)]
async fn no_quotes() {}

#[health_check(name = 'r')]
async fn a_character() {}

#[health_check(name = 7)]
async fn a_number() {}

#[health_check(name = ["a", "b"])]
async fn an_array() {}

#[health_check(name = concat!("a", "b"))]
async fn a_macro() {}

#[health_check]
async fn _private() {}

#[health_check]
async fn größe() {}

#[health_check(tags = ["a", "b c", "", "a", "$x"])]
async fn tags() {}

#[health_check(tags = [])]
async fn no_tags() {}

#[health_check(tags = ["a", 7, b, ["c"]])]
async fn tags_that_are_no_strings() {}

#[health_check(tags = "a, b")]
async fn a_list_in_one_tag() {}

fn main() {}
