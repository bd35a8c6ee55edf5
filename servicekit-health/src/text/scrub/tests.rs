//! What is masked, what stays, and that a text is read a constant number of times.

use std::time::{Duration, Instant};

use super::*;

mod innocent_texts;
mod secret_texts;

#[track_caller]
fn scrubs(from: &str, to: &str) {
    assert_eq!(scrub(from), to);
    assert_eq!(scrub(to), to, "clean text stays as it is");
}

#[test]
fn every_rule_masks_its_example() {
    for rule in RULES {
        let (from, to) = rule.example;
        assert_eq!(scrub(from), to, "{}", rule.name);
        assert_eq!(scrub(to), to, "{}", rule.name);
        let mut scan = Scan::new(from);
        let mut at = 0;
        let mut finds = false;
        while let Some(word) = scan.next_word(at) {
            at = word.end;
            finds |= rule.around & around::of(&scan, word) != 0
                && (rule.find)(&mut scan, word).is_some();
        }
        assert!(finds, "{}: another rule masks the example", rule.name);
    }
}

#[test]
fn no_secret_is_left_in_real_texts() {
    for text in secret_texts::WITH_HUNTER2 {
        let clean = scrub(text);
        assert!(!clean.contains("hunter2"), "{text:?} became {clean:?}");
        assert!(clean.contains(MASK), "{text:?} became {clean:?}");
        assert_eq!(scrub(&clean), clean, "{text:?}");
    }
    for (text, secrets) in secret_texts::WITH_OTHERS {
        let clean = scrub(text);
        for secret in *secrets {
            assert!(!clean.contains(secret), "{text:?} became {clean:?}");
        }
        assert_eq!(scrub(&clean), clean, "{text:?}");
    }
}

#[test]
fn what_only_talks_about_secrets_stays() {
    for text in innocent_texts::TEXTS {
        assert_eq!(scrub(text), *text);
    }
}

#[test]
fn user_and_password_leave_a_url() {
    scrubs("postgres://app:hunter2@db:5432/app", "postgres://***@db:5432/app");
    scrubs(
        "error at redis://:hunter2@cache/0, giving up",
        "error at redis://***@cache/0, giving up",
    );
    scrubs("https://token@host/path", "https://***@host/path");
    scrubs("amqp://u:p@[::1]:5672/vhost", "amqp://***@[::1]:5672/vhost");
    scrubs("mongodb+srv://u:p@a:1,b:2/x?y=z", "mongodb+srv://***@a:1,b:2/x?y=z");
    scrubs("postgres://app:p#ss?x@db/app", "postgres://***@db/app");
    scrubs("https://u:p@a.b/x/me@c.d", "https://***@a.b/x/me@c.d");
    scrubs("postgres://u:p@/app?host=/tmp", "postgres://***@/app?host=/tmp");
}

#[test]
fn only_the_value_of_a_secret_name_is_masked() {
    scrubs("host=db password=hunter2 user=app", "host=db password=*** user=app");
    scrubs("Server=db;Pwd=hunter2;Timeout=3", "Server=db;Pwd=***;Timeout=3");
    scrubs("GET /x?access_token=abc&page=2", "GET /x?access_token=***&page=2");
    scrubs("password = 'two words' rest", "password = '***' rest");
    scrubs(r#"{"api_key": "a\"b", "n": 1}"#, r#"{"api_key": "***", "n": 1}"#);
    scrubs(r#"body: \"token\":\"abc\" end"#, r#"body: \"token\":\"***\" end"#);
    scrubs(r#"A { password: Some("x"), n: 1 }"#, "A { password: Some(***), n: 1 }");
    scrubs(r#"{"password":{"value":"x"},"n":1}"#, r#"{"password":{***},"n":1}"#);
    scrubs("Pwd={a;b}}c};n=1", "Pwd={***};n=1");
    scrubs("(password=hunter2), retrying", "(password=***), retrying");
    scrubs("Authorization: Basic dXNlcjpw, retry", "Authorization: ***, retry");
    scrubs("secret='never closed token='hunter2'", "secret='***'");
    scrubs("password=\"never closed", "password=\"***");
    scrubs("api_key: client_secret='hunter2'", "api_key: client_secret='***'");
}

#[test]
fn a_clean_text_is_not_copied() {
    assert!(matches!(scrub("Redis unavailable: Connection refused"), Cow::Borrowed(_)));
    assert!(matches!(scrub("user=app password=***"), Cow::Borrowed(_)));
    assert!(matches!(scrub(""), Cow::Borrowed("")));
}

/// What rules read ahead of, repeated: each repetition starts a search that finds no end.
const UNENDING: &[&str] = &[
    "token: 'a}}}}}} \"",
    "a://",
    "a://b:c",
    "http://h/@",
    "x:y",
    "a:b,\"",
    "password=",
    "password: ",
    "token:",
    "cookie:",
    "cookie: a=b; ",
    "Authorization: Bearer ",
    "authorization: a=b, ",
    "password: Some(",
    "{\"password\":{\"",
    "'",
    "\\",
    "\\\\\"",
    "-----BEGIN PRIVATE KEY-----",
    "<secret>",
    "<secret a=",
    "userinfo=",
    "userinfo=\"a",
    "a:1.2.3@",
    "eyJ.",
    "a@b:",
    "postgres://app:20/",
    "mysql -p ",
    "AUTH ",
    "secret:\n  ",
    "password: |\n ",
    "token ",
    "password \"",
    "x=\\\"password\\\":\\\"",
    "a:b@sha256 ",
    "a:b@sha256:",
    "http://a:b",
    "postgres://a:1/@sha256",
    "\"a://b:c\"-",
    "key=",
    "?key=",
    "pwd={",
    "pwd={}}",
    "IDENTIFIED WITH ",
    "a-b.",
    "пароль=",
    "password%3D",
    "bot123456:",
    "token:'}}}",
    "token: ''",
    "((((",
    "password=((((",
    "jdbc:oracle:a:",
    "name: password, value ",
    "password:\\n",
    "a%3A%2F%2Fb%3A",
    "password is ",
];

#[test]
fn the_time_grows_with_the_length_and_no_faster() {
    let time = |unit: &str, length: usize| {
        let text = unit.repeat(length / unit.len());
        let once = || {
            let start = Instant::now();
            std::hint::black_box(scrub(&text));
            start.elapsed()
        };
        (0..3).map(|_| once()).min().unwrap_or_default()
    };
    for unit in UNENDING {
        // 16 times the length; a square would take 256 times as long. What else the machine does
        // makes a time longer, and never shorter.
        let times = std::iter::repeat_with(|| (time(unit, 2_000), time(unit, 32_000)));
        let is_linear =
            |(short, long): &(Duration, Duration)| *long < 80 * *short + Duration::from_millis(5);
        assert!(times.take(10).any(|times| is_linear(&times)), "{unit:?}");
    }
}
