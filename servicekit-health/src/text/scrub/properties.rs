//! What holds for every message: generated credentials, in generated surroundings.

use proptest::prelude::*;
use proptest::sample::select;

use crate::text::cleaner::Cleaner;

use super::*;

/// The longest message, in bytes.
const MESSAGE_LIMIT: usize = 1024;

/// Long and random enough to be in a text only where it was put.
fn secret() -> impl Strategy<Value = String> {
    "[A-Za-z0-9]{16,24}"
}

/// Two secrets around something that a password may hold: neither may survive.
fn password(between: &'static str) -> impl Strategy<Value = (String, [String; 2])> {
    (secret(), between, secret())
        .prop_map(|(one, between, other)| (format!("{one}{between}{other}"), [one, other]))
}

/// A text with the secrets that are in it.
type Telling = (String, [String; 2]);

fn url() -> impl Strategy<Value = Telling> {
    let scheme =
        select(vec!["postgres", "redis", "rediss", "mongodb+srv", "amqp", "https", "MySQL"]);
    let host = select(vec!["db", "10.0.0.1", "[::1]", "a.example.com", "db_1", "a:1,b:2"]);
    let tail = select(vec!["", ":5432", "/app", ":6379/0", "/app?sslmode=require", "?a=b", "#x"]);
    // All that may stand in a password by RFC 3986, and what people write in spite of it.
    let password = password("[!$&'()*+,;=:._~%@/#?|^äß🦀-]{0,4}");
    (scheme, "[a-z]{0,6}", password, host, tail).prop_map(
        |(scheme, user, (password, secrets), host, tail)| {
            (format!("{scheme}://{user}:{password}@{host}{tail}"), secrets)
        },
    )
}

fn dsn() -> impl Strategy<Value = Telling> {
    (
        "[a-z]{1,6}",
        password("[!$&()*+,;=._~%|^-]{0,3}"),
        select(vec!["tcp(db:3306)", "db", "[::1]"]),
    )
        .prop_map(|(user, (password, secrets), host)| {
            (format!("{user}:{password}@{host}/app"), secrets)
        })
}

const KEYS: [&str; 14] = [
    "password",
    "PASSWORD",
    "DB_PASSWORD",
    "spring.datasource.password",
    "pwd",
    "passwd",
    "access_token",
    "x-api-key",
    "apiKey",
    "client_secret",
    "AWS_SECRET_ACCESS_KEY",
    "AccountKey",
    "credentials",
    "pass",
];

/// `key=value` in the ways of shells, query strings, libpq, ADO.NET, ODBC, JSON and YAML.
fn assignment() -> impl Strategy<Value = Telling> {
    let bare = password("[!$()*+,=:._~%@/#?|^{}-]{0,4}").prop_map(|it| (it, ["", ""]));
    let quoted = |between, quotes| password(between).prop_map(move |it| (it, quotes));
    let value = prop_oneof![
        bare,
        quoted("( |;|&|@|''|\\\\')", ["'", "'"]),
        quoted("( |;|&|@|\"\"|\\\\\")", ["\"", "\""]),
        quoted("( |;|&)", ["{", "}"]),
    ];
    (select(KEYS.to_vec()), select(vec!["=", " = "]), value).prop_map(
        |(key, sign, ((value, secrets), [open, close]))| {
            (format!("{key}{sign}{open}{value}{close}"), secrets)
        },
    )
}

fn json() -> impl Strategy<Value = Telling> {
    let forms = select(vec![
        r#"{"KEY":"VALUE"}"#,
        r#"{"KEY": "VALUE", "n": 1}"#,
        r#"{\"KEY\":\"VALUE\"}"#,
        "KEY: VALUE",
        "KEY: 'VALUE'",
    ]);
    (select(vec!["password", "apiKey", "client_secret", "authorization"]), secret(), forms)
        .prop_map(|(key, secret, form)| {
            (form.replace("KEY", key).replace("VALUE", &secret), [secret.clone(), secret])
        })
}

fn header() -> impl Strategy<Value = Telling> {
    let forms = select(vec![
        "authorization: bearer VALUE",
        "Authorization: Basic VALUE",
        "authorization=Bearer VALUE",
        "Proxy-Authorization: Digest VALUE",
        "sent Bearer VALUE",
        r#""authorization": "Bearer VALUE""#,
    ]);
    (password("[._~+/=-]{0,3}"), forms)
        .prop_map(|((value, secrets), form)| (form.replace("VALUE", &value), secrets))
}

/// `Debug` of structs, XML, environments, commands, statements.
fn notation() -> impl Strategy<Value = Telling> {
    let forms = select(vec![
        r#"Config { user: "app", password: Some("VALUE"), port: 1 }"#,
        r#"password: Password("VALUE")"#,
        "Config {\n    password: Some(\n        \"VALUE\",\n    ),\n}",
        r#"("x-api-key", "VALUE")"#,
        r#"EnvVar { name: "DB_PASSWORD", value: Some("VALUE") }"#,
        r#"{"password":{"value":"VALUE"}}"#,
        r#"{\\\"token\\\":\\\"VALUE\\\"}"#,
        "<password>VALUE</password>",
        "mysqladmin --password VALUE ping",
        "mysql -uroot -pVALUE -e 'select 1'",
        "CREATE USER app IDENTIFIED BY 'VALUE'",
        "ALTER USER app PASSWORD 'VALUE'",
        "https://host/x?a=b&sig=VALUE&c=d",
        "cookie: a=VALUE; b=c",
        "password:\n    VALUE\n",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQ12VALUE\n-----END PRIVATE KEY-----",
        "ghp_VALUEabcdef",
        "eyJhbGciOi.VALUE.abc",
    ]);
    // With a digit and a capital, as random texts of this length have.
    ("[A-Z][0-9][A-Za-z0-9]{14,22}", forms)
        .prop_map(|(secret, form)| (form.replace("VALUE", &secret), [secret.clone(), secret]))
}

fn credential() -> impl Strategy<Value = Telling> {
    prop_oneof![url(), dsn(), assignment(), json(), header(), notation()]
}

/// Pieces of what the rules look for, so that random texts come close to them.
fn pieces() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        select(vec![
            "password",
            "token",
            "api_key",
            "authorization",
            "cookie",
            "bearer ",
            "://",
            ":",
            "=",
            "@",
            "'",
            "\"",
            "\\",
            "\\\"",
            "{",
            "}",
            "(",
            ")",
            "Some(",
            " ",
            "\n",
            "  ",
            "<",
            ">",
            "</",
            "&",
            ";",
            ",",
            "?",
            "/",
            "-----BEGIN PRIVATE KEY-----",
            "-----END",
            "MIIEvQ12",
            "--",
            "-p",
            "mysql ",
            "AUTH ",
            "eyJhbGciOi",
            "IDENTIFIED BY ",
            "%3D",
            "%40",
            "***",
            "hunter2",
            "a",
            "1",
            "ä",
            "🦀",
            "＝",
            "value",
            "\\n",
            "key",
            "|",
        ])
        .prop_map(str::to_owned),
        ".".prop_map(|any| any),
    ];
    proptest::collection::vec(piece, 0..40).prop_map(|pieces| pieces.concat())
}

/// What stands around a credential in an error's text.
fn surroundings() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        "[a-z]{1,8}( [a-z]{1,8}){0,5}".prop_map(|words| words),
        select(vec![
            "error at",
            "cannot connect (os error 111):",
            "user=app host=db",
            "see https://example.com/a?b=c,",
            "mail ops@example.com",
            "größer 🦀",
        ])
        .prop_map(str::to_owned),
        // As long as the message may be, and about that: the cut comes anywhere.
        (900_usize..1100).prop_map(|length| "x".repeat(length)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_part_of_a_credential_survives(
        before in surroundings(),
        (text, secrets) in credential(),
        after in surroundings(),
        mark in select(vec![("", ""), ("(", ")"), ("\"", "\""), ("`", "`"), ("", ","), ("<", ">")]),
    ) {
        // A quote around what has quotes itself is nobody's notation.
        let mark = if text.contains(['"', '\'', '`', '<', '>']) { ("", "") } else { mark };
        let text = format!("{before} {}{text}{} {after}", mark.0, mark.1);
        let mut clean = text.clone();
        Cleaner::new(Vec::new()).text(&mut clean, false);
        for secret in secrets {
            // Half of one would be bad enough.
            let half = &secret[..8];
            prop_assert!(!clean.contains(half), "{half} of {text} in {clean}");
            let half = &secret[secret.len() - 8..];
            prop_assert!(!clean.contains(half), "{half} of {text} in {clean}");
        }
        prop_assert!(clean.len() <= MESSAGE_LIMIT);
    }

    #[test]
    fn what_is_clean_stays_as_it_is(text in ".{0,300}") {
        let clean = scrub(&text).into_owned();
        prop_assert_eq!(scrub(&clean), clean.as_str());
    }

    #[test]
    fn what_is_clean_stays_as_it_is_near_what_is_masked(text in pieces()) {
        let clean = scrub(&text).into_owned();
        prop_assert_eq!(scrub(&clean), clean.as_str(), "{:?}", text);
    }

    #[test]
    fn what_was_scrubbed_is_clean(before in surroundings(), (text, _) in credential()) {
        let clean = scrub(&format!("{before} {text}")).into_owned();
        prop_assert_eq!(scrub(&clean), clean.as_str());
    }

    #[test]
    fn what_is_no_secret_is_told(
        words in proptest::collection::vec(select(vec![
            "connection refused", "(os error 111)", "at 12:30:05", "ops@example.com", "100%", "a=b",
            "https://example.com:8443/a/b?c=d#e", "host=db:5432", "[::1]:8080", "user: app",
            "the password is too short", "token expired", "it's", "\"quoted\"",
            "password authentication failed for user \"app\"", "unexpected token: `}`",
            "std::io::Error { kind: NotFound }", "C:\\temp\\x", "key=value;other=2", "größer 🦀",
            "no credentials", "the secret is out", "passed: 5", "bypass=1", "compass: north",
        ]), 0..6),
    ) {
        let text = words.join(" ");
        prop_assert_eq!(scrub(&text), text.as_str());
    }
}
