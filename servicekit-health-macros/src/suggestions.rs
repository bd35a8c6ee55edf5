//! Every suggestion in an error, put in, is accepted and means what was written.

use proc_macro2::TokenStream;
use syn::{Item, LitStr};

use crate::keys::{KEYS, Key, Kind};

/// The texts of the errors of this attribute on this item.
fn errors(attribute: &str, item: &str) -> Vec<String> {
    let Ok(attribute) = attribute.parse::<TokenStream>() else { return Vec::new() };
    let expanded = crate::expand(attribute, &item.parse().unwrap());
    let file: syn::File = syn::parse2(expanded).unwrap();
    let texts = file.items.into_iter().filter_map(|item| match item {
        Item::Macro(item) if item.mac.path.segments.last()?.ident == "compile_error" => {
            Some(item.mac.parse_body::<LitStr>().unwrap().value())
        }
        _ => None,
    });
    texts.collect()
}

/// What stands in backticks after each `word` of the text.
fn quoted_after<'a>(text: &'a str, word: &str) -> Vec<&'a str> {
    let begin = format!("{word} `");
    let after = text.split(&*begin).skip(1);
    after.map(|rest| rest.split('`').next().unwrap()).collect()
}

const ASYNC: &str = "async fn f() {}";

/// What is suggested for a wrong attribute of an async function, which must be at most one argument.
#[track_caller]
fn suggested(attribute: &str) -> Option<String> {
    let errors = errors(attribute, ASYNC);
    assert!(!errors.is_empty(), "`{attribute}` is accepted");
    let mut all: Vec<_> = errors.iter().flat_map(|text| quoted_after(text, "write")).collect();
    all.dedup();
    assert!(all.len() < 2, "{attribute}: {errors:?}");
    all.first().map(|argument| (*argument).to_owned())
}

#[track_caller]
fn assert_accepted(argument: &str) {
    let blocking = argument == "blocking" || argument.starts_with("#[health_check(blocking");
    let item = if blocking { "fn f() {}" } else { ASYNC };
    let argument =
        argument.strip_prefix("#[health_check(").map_or(argument, |it| &it[..it.len() - 2]);
    assert_eq!(errors(argument, item), [""; 0], "{argument}");
}

/// What somebody writes, and the argument to suggest for it, if any.
const CASES: &[(&str, Option<&str>)] = &[
    // Decimal commas, other units, no unit.
    (r#"timeout = "5,5s""#, Some(r#"timeout = "5500ms""#)),
    (r#"timeout = "1,000ms""#, None),
    ("timeout = 500", Some(r#"timeout = "500ms""#)),
    ("timeout = 5000", Some(r#"timeout = "5s""#)),
    (r#"timeout = "5000""#, Some(r#"timeout = "5s""#)),
    ("timeout = 5", Some(r#"timeout = "5s""#)),
    ("timeout = 0.5", Some(r#"timeout = "500ms""#)),
    ("timeout = 5s", Some(r#"timeout = "5s""#)),
    ("timeout = 1_500ms", Some(r#"timeout = "1500ms""#)),
    (r#"timeout = "1 minute""#, Some(r#"timeout = "1m""#)),
    ("timeout = Duration::from_secs(5)", Some(r#"timeout = "5s""#)),
    (r#"timeout = b"5s""#, Some(r#"timeout = "5s""#)),
    // Nothing, where it may be nothing.
    ("timeout = 0", None),
    (r#"timeout = "0""#, None),
    (r#"timeout = "off""#, None),
    ("timeout = false", None),
    ("cache = 0", Some(r#"cache = "0s""#)),
    ("cache = false", Some(r#"cache = "0s""#)),
    (r#"cache = "off""#, Some(r#"cache = "0s""#)),
    (r#"cache = "none""#, Some(r#"cache = "0s""#)),
    ("cache = true", None),
    (r#"timeout = "5s"ms"#, Some(r#"timeout = "5s""#)),
    ("timeout = -5", None),
    (r#"interval = "1ms""#, None),
    (r#"interval = "2h""#, None),
    ("interval = 0.001", None),
    ("interval = LONG", None),
    // Another syntax.
    (r#"timeout(value = "5s")"#, Some(r#"timeout = "5s""#)),
    ("timeout(5s)", Some(r#"timeout = "5s""#)),
    (r#"timeout: "5s""#, Some(r#"timeout = "5s""#)),
    (r#"timeout == "5s""#, Some(r#"timeout = "5s""#)),
    (r#"timeout "5s""#, Some(r#"timeout = "5s""#)),
    (r#"tags("a", "b")"#, Some(r#"tags = ["a", "b"]"#)),
    ("name redis", Some(r#"name = "redis""#)),
    // States and probes.
    ("on_error = true", None),
    (r#"on_error = "healthy""#, None),
    (r#"on_error = "Degraded""#, Some(r#"on_error = "degraded""#)),
    ("on_error = HealthState::Degraded", Some(r#"on_error = "degraded""#)),
    (r#"on_error = "critical""#, Some(r#"on_error = "unhealthy""#)),
    ("probe = [Readiness, startup]", Some(r#"probe = ["readiness", "startup"]"#)),
    (r#"probe = "live, ready""#, Some(r#"probe = ["liveness", "readiness"]"#)),
    (r#"probe = "/livez""#, Some(r#"probe = "liveness""#)),
    ("probe = false", Some(r#"probe = "none""#)),
    ("probe = []", Some(r#"probe = "none""#)),
    (r#"probe = ["none", "liveness"]"#, None),
    (r#"probe = "health""#, None),
    // Thresholds.
    ("failure_threshold = 0", None),
    ("failure_threshold = -1", None),
    (r#"failure_threshold = "3""#, Some("failure_threshold = 3")),
    ("failure_threshold = 3u8", Some("failure_threshold = 3")),
    ("failure_threshold = 3.0", Some("failure_threshold = 3")),
    ("failure_threshold = 3.5", None),
    ("failure_threshold = [3]", Some("failure_threshold = 3")),
    ("failure_threshold = 4294967296", None),
    // Names.
    ("name = redis", Some(r#"name = "redis""#)),
    ("name = my-redis", Some(r#"name = "my-redis""#)),
    ("name = r#type", Some(r#"name = "type""#)),
    ("name = my redis", None),
    ("name = NAME", None),
    ("name = names::redis", None),
    ("name = 7", Some(r#"name = "7""#)),
    ("name = 'r'", Some(r#"name = "r""#)),
    ("name = 'ö'", None),
    (r#"name = "größe""#, None),
    (r#"name = "db/main""#, Some(r#"name = "db-main""#)),
    (r#"name = "$stream""#, Some(r#"name = "stream""#)),
    (r#"name = "a" + "b""#, None),
    (r#"tags = "a, b c""#, Some(r#"tags = ["a", "b-c"]"#)),
    (r#"tags = ["a", 7, b]"#, Some(r#"tags = ["a", "7", "b"]"#)),
    (r#"tags = &["a"]"#, Some(r#"tags = "a""#)),
    ("tags = []", None),
    // Flags and paths.
    ("shared = true", Some("shared")),
    ("shared(true)", Some("shared")),
    ("shared = false", None),
    ("shared:", Some("shared")),
    ("shared =", Some("shared")),
    ("shared =>", Some("shared")),
    ("shared!", Some("shared")),
    ("shared.flag", Some("shared")),
    ("crate = \"my-health\"", Some("crate = my_health")),
    ("crate = my-health", Some("crate = my_health")),
    ("crate = \"not a path\"", None),
    // Other keys.
    ("timeoutSeconds = 5", Some(r#"timeout = "5s""#)),
    ("timeout_secs = 5", Some(r#"timeout = "5s""#)),
    (r#"timeout_ms = "250""#, Some(r#"timeout = "250ms""#)),
    ("timeoutMs = 250", Some(r#"timeout = "250ms""#)),
    ("periodSeconds = 10", Some(r#"interval = "10s""#)),
    ("cache_ttl_ms = 0", Some(r#"cache = "0s""#)),
    ("critical = true", Some(r#"on_error = "unhealthy""#)),
    ("critical = false", Some(r#"on_error = "degraded""#)),
    ("required = false", Some(r#"on_error = "degraded""#)),
    ("optional = true", Some(r#"on_error = "degraded""#)),
    ("optional", Some(r#"on_error = "degraded""#)),
    ("readiness = true", Some(r#"probe = "readiness""#)),
    ("degraded = true", Some(r#"on_error = "degraded""#)),
    ("liveness = false", None),
    ("redis = true", None),
    (r#""name" = "redis""#, Some(r#"name = "redis""#)),
    (r#""time-out": "300 ms""#, Some(r#"timeout = "300ms""#)),
    (r#""colour" = "red""#, None),
    // No key.
    ("liveness", Some(r#"probe = "liveness""#)),
    ("degraded", Some(r#"on_error = "degraded""#)),
    ("Liveness", Some(r#"probe = "liveness""#)),
    ("live", Some(r#"probe = "liveness""#)),
    ("readyness", Some(r#"probe = "readiness""#)),
    ("readings", Some(r#"name = "readings""#)),
    ("off", Some(r#"name = "off""#)),
    ("redis", Some(r#"name = "redis""#)),
    ("healthy", None),
    ("true", None),
    ("self", None),
    (r#""redis""#, Some(r#"name = "redis""#)),
    (r#""5s""#, Some(r#"timeout = "5s""#)),
    ("500", Some(r#"timeout = "500ms""#)),
    (r#"GET "/health""#, None),
    ("deps(pool)", None),
];

#[test]
fn each_means_what_was_written() {
    for (written, meant) in CASES {
        assert_eq!(
            suggested(written).as_deref(),
            *meant,
            "{written}: {:?}",
            errors(written, ASYNC)
        );
    }
}

#[test]
fn each_is_accepted() {
    let values = [
        "0",
        "1",
        "5",
        "500",
        "5000",
        "5000000",
        "0.5",
        "-1",
        "3u8",
        "300ms",
        "true",
        "false",
        "x",
        "'c'",
        "'ö'",
        "b\"5s\"",
        "c\"5s\"",
        "\"\"",
        "\" \"",
        "\"0\"",
        "\"5\"",
        "\"5000\"",
        "\"5,5s\"",
        "\"1,000\"",
        "\"0.0001s\"",
        "\"90 min\"",
        "\"off\"",
        "\"none\"",
        "\"yes\"",
        "\"a b\"",
        "\"a,b\"",
        "\"-\"",
        "\"`\"",
        "\"\\\"\"",
        "\"\\\\\"",
        "\"\\n\"",
        "\"größe\"",
        "\"healthy\"",
        "\"warn\"",
        "\"livez\"",
        "\"live|ready\"",
        "[]",
        "[1]",
        "[\"a\"]",
        "[[\"a\"], \"b c\"]",
        "[\"liveness\", \"none\"]",
        "(\"a\", \"b\")",
        "&[\"a\", \"x y\"]",
        "vec![\"ready\"]",
        "Probe::Liveness",
        "HealthState::Degraded",
        "NAME",
        "a-b",
        "a::b",
        "\"a\".to_string()",
        "Duration::from_millis(0)",
        "Duration::from_secs(5)",
        "crate::x",
        "r#\"raw\"#",
        "concat!(\"a\")",
        "\"a\" | \"b\"",
        "\"1e3s\"",
        "1e3",
        "0x10",
        "9999999999999",
    ];
    let mut count = 0;
    let words = KEYS.iter().map(|key| key.name).chain([
        "timeoutSeconds",
        "period_ms",
        "cache_secs",
        "critical",
        "optional",
        "retries",
        "redis",
        "on-error",
        "Timeout",
        "liveness",
    ]);
    for word in words {
        for value in values {
            let forms = [" = ", " == ", ": ", " "].map(|sign| format!("{word}{sign}{value}"));
            for attribute in forms.into_iter().chain([format!("{word}({value})")]) {
                for text in errors(&attribute, ASYNC) {
                    for argument in quoted_after(&text, "write") {
                        assert_accepted(argument);
                        count += 1;
                    }
                }
            }
        }
    }
    assert!(count > 500, "{count}");
}

#[test]
fn a_duration_keeps_its_length() {
    let units = [("ms", 1), ("millis", 1), ("s", 1_000), (" sec", 1_000), (" Minutes", 60_000)];
    for key in KEYS.iter().filter(|key| matches!(key.kind, Kind::Duration(_))) {
        for (unit, factor) in units {
            for (number, thousandths) in
                [("1", 1_000), ("0.5", 500), ("2,5", 2_500), ("12", 12_000), ("1_0", 10_000)]
            {
                let name = key.name;
                let Some(written) =
                    errors(&format!("{name} = \"{number}{unit}\""), ASYNC).first().and_then(
                        |text| quoted_after(text, "write").first().map(|it| (*it).to_owned()),
                    )
                else {
                    continue;
                };
                let value = written.rsplit('"').nth(1).unwrap();
                let digits = value.trim_end_matches(char::is_alphabetic);
                let millis = match &value[digits.len()..] {
                    "ms" => 1,
                    "s" => 1_000,
                    "m" => 60_000,
                    "h" => 3_600_000,
                    other => panic!("{other}"),
                };
                let length = digits.parse::<u64>().unwrap() * millis;
                assert_eq!(length * 1_000, thousandths * factor, "{number}{unit}: {written}");
            }
        }
    }
}

#[test]
fn a_type_that_is_suggested_is_accepted() {
    let mut count = 0;
    for ty in [
        "&str",
        "&'static str",
        "Option<&str>",
        "&[u8]",
        "&dyn Debug",
        "&(dyn Debug + Send)",
        "Option<&dyn Debug>",
        "&mut Pool",
        "Option<&mut Pool>",
        "&'static Pool",
        "Option<&'static Pool>",
        "Option<Db>",
        "Option<Arc<Db>>",
        "State<Db>",
        "axum::Extension<Arc<Db>>",
    ] {
        let texts = errors("", &format!("async fn f(x: {ty}) {{}}"));
        assert_eq!(texts.len(), 1, "{ty}: {texts:?}");
        let text = &texts[0];
        let write = quoted_after(text, "take").into_iter().chain(quoted_after(text, "write"));
        for suggested in write.chain(quoted_after(text, "or")) {
            let item = format!("async fn f(x: {suggested}) {{}}");
            assert_eq!(errors("", &item), [""; 0], "{ty}");
            count += 1;
        }
    }
    assert!(count >= 15, "{count}");
}

#[test]
fn an_attribute_that_took_the_async_away_is_named() {
    for (item, name) in [
        (
            "fn f<'async_trait>() -> Pin<Box<dyn Future<Output = ()> + Send + 'async_trait>> {}",
            "async_trait",
        ),
        (
            "fn f() { let body = async {}; return tokio::runtime::Builder::new().block_on(body); }",
            "tokio::main",
        ),
        ("fn f() -> Pin<Box<dyn Future<Output = ()> + Send>> {}", "returns a future"),
        ("#[::core::prelude::v1::test] fn f() {}", "::test]"),
    ] {
        let texts = errors("", item);
        assert!(texts.len() == 1 && texts[0].contains(name), "{item}: {texts:?}");
    }
}

#[test]
fn a_key_that_is_meant_is_one() {
    for word in [
        "timeot",
        "on-error",
        "ttl",
        "maxFailures",
        "max_failures",
        "UnhealthyThresholdCount",
        "check_interval",
        "tag",
        "health::name",
    ] {
        let texts = errors(&format!("{word} = \"x\""), ASYNC);
        let meant: Vec<_> =
            texts.iter().flat_map(|text| quoted_after(text, "did you mean")).collect();
        assert_eq!(meant.len(), 1, "{word}: {texts:?}");
        assert!(Key::named(meant[0]).is_some());
    }
}

#[test]
fn each_string_of_an_array_is_told_what_it_was_meant_to_be() {
    for (attribute, meant) in [
        (
            r#"probe = ["livness", "health", "off", "ready"]"#,
            &["\"liveness\"", "\"readiness\""][..],
        ),
        (r#"probe = ["livness", PROBE]"#, &["\"liveness\""]),
        (r#"tags = ["a b", "größe", "ok"]"#, &["\"a-b\""]),
        (r#"tags = ["größe", "ok"]"#, &[]),
    ] {
        let texts = errors(attribute, ASYNC);
        let all: Vec<_> =
            texts.iter().flat_map(|text| quoted_after(text, "did you mean")).collect();
        assert_eq!(all, meant, "{attribute}: {texts:?}");
    }
}
