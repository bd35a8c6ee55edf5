//! Takes credentials out of texts that leave the process, and bounds their length.
//!
//! Done once, where a result enters the engine, so that reports, logs and streams all carry the
//! clean text. It recognizes shapes, it does not know secrets: what looks like prose stays.

use std::borrow::Cow;
use std::sync::LazyLock;

use regex_lite::{Captures, Regex};
use serde_json::Value;

use super::model::CheckResult;

/// The longest message, in bytes.
pub(crate) const MESSAGE_LIMIT: usize = 1024;

/// How much of a message is searched: a message of megabytes would cost seconds.
const SEARCH_LIMIT: usize = 64 * 1024;

const ELLIPSIS: &str = "…";
const MASK: &str = "***";

/// Cleans the message and the texts among the details.
pub(crate) fn scrub_result(mut result: CheckResult) -> CheckResult {
    let clean = |text: &mut String| {
        if !result.verbatim {
            shorten(text);
            if let Cow::Owned(scrubbed) = scrub(text) {
                *text = scrubbed;
            }
        }
        cut(text);
    };
    result.message.as_mut().map(clean);
    for value in result.details.values_mut() {
        each_text(value, &clean);
    }
    result
}

fn each_text(value: &mut Value, clean: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => clean(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each_text(value, clean)),
        Value::Object(fields) => fields.values_mut().for_each(|value| each_text(value, clean)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Cuts `text` to [`SEARCH_LIMIT`] bytes before a space: half a credential would not be recognized.
fn shorten(text: &mut String) {
    if text.len() > SEARCH_LIMIT {
        let mut end = SEARCH_LIMIT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(text[..end].rfind(char::is_whitespace).unwrap_or_default());
        text.push_str(ELLIPSIS);
    }
}

/// Cuts `text` to [`MESSAGE_LIMIT`] bytes, on a character boundary, with an ellipsis.
fn cut(text: &mut String) {
    if text.len() > MESSAGE_LIMIT {
        let mut end = MESSAGE_LIMIT - ELLIPSIS.len();
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.push_str(ELLIPSIS);
    }
}

/// Replaces by `***` what looks like a credential:
///
/// * user and password of a URL, `postgres://***@db:5432/app`, and of a DSN without a scheme;
/// * the value of a `password=`, `token=`, `"api_key": `, `authorization: bearer ` and their like;
/// * what follows the word `bearer` and looks like a token.
pub(crate) fn scrub(text: &str) -> Cow<'_, str> {
    // Without one of these there is nothing to find, and most messages have none.
    if !text.contains(['@', '=', ':']) && !text.to_ascii_lowercase().contains("bearer") {
        return Cow::Borrowed(text);
    }
    [mask_urls, mask_dsns, mask_values, mask_bearer].into_iter().fold(
        Cow::Borrowed(text),
        |text, mask| match text {
            Cow::Borrowed(text) => mask(text),
            Cow::Owned(text) => Cow::Owned(mask(&text).into_owned()),
        },
    )
}

/// `scheme://user:password@host`. A password may hold any character that ends no word, an `@` or
/// a `/` too, so the last `@` before something like a host ends it.
fn mask_urls(text: &str) -> Cow<'_, str> {
    static URL: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"([A-Za-z][A-Za-z0-9+.-]*://)([^\s"`<>]+)"#));
    URL.replace_all(text, |url: &Captures<'_>| {
        let rest = &url[2];
        match user_info_end(rest) {
            Some(end) => format!("{}{MASK}{}", &url[1], &rest[end..]),
            None => url[0].to_owned(),
        }
    })
}

/// Where in `rest`, what follows `://`, the `@` stands that ends user and password.
fn user_info_end(rest: &str) -> Option<usize> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    // `[::1]:8080`: its colons are no sign of a password.
    let is_literal = authority.starts_with('[') && !authority.contains('@');
    if is_literal || authority.split(',').all(is_host) {
        return None;
    }
    let host_follows = |at: &usize| {
        let next = rest[at + 1..].chars().next();
        next.is_some_and(|char| char.is_alphanumeric() || char == '[' || char == '_')
    };
    let mut signs = rest.match_indices('@').map(|(at, _)| at);
    signs.rfind(host_follows)
}

/// `db`, `db:5432`, or nothing, as in `file:///`.
fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    let is_port = port.bytes().all(|byte| byte.is_ascii_digit());
    !name.contains('@') && is_port && (!name.is_empty() || port.is_empty())
}

/// `user:password@tcp(host)/db`
fn mask_dsns(text: &str) -> Cow<'_, str> {
    static DSN: LazyLock<Regex> =
        LazyLock::new(|| pattern(r#"[A-Za-z0-9._%+-]+:[^\s"'@/:][^\s"'@]*@([A-Za-z0-9_\[(])"#));
    DSN.replace_all(text, "***@$1")
}

/// `password=...`, `"token": "..."`, `Authorization: Bearer ...`
fn mask_values(text: &str) -> Cow<'_, str> {
    static KEY: LazyLock<Regex> = LazyLock::new(|| {
        pattern(
            r#"(?i)([a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret|token|(?:api|access|secret|private|account)[_-]?key|credentials?|authorization|signature)|\bpass)(\\?["']?)\s*([=:])\s*"#,
        )
    });
    let mut clean = String::new();
    let mut done = 0;
    while let Some(key) = KEY.captures_at(text, done) {
        let start = key.get(0).map_or(text.len(), |whole| whole.end());
        let value = &text[start..][..value_length(&text[start..])];
        let is_prose = &key[3] == ":" && key[2].is_empty() && is_common_word(&key[1]);
        // `"api_key": client_secret='...'`: the value is the inner one's.
        let is_key = KEY.find(value).is_some_and(|inner| inner.start() == 0);
        clean.push_str(&text[done..start]);
        done = start;
        if !value.is_empty() && !is_prose && !is_key {
            let (open, close) = quotes(value).unwrap_or_default();
            clean.extend([open, MASK, close]);
            done += value.len();
        }
    }
    if done == 0 {
        return Cow::Borrowed(text);
    }
    clean.push_str(&text[done..]);
    Cow::Owned(clean)
}

/// Words that stand before a colon in ordinary sentences: `unexpected token: }`.
fn is_common_word(key: &str) -> bool {
    ["token", "secret", "signature", "credential", "credentials"]
        .iter()
        .any(|word| key.eq_ignore_ascii_case(word))
}

/// How much of `text`, which starts with a value, is that value.
fn value_length(text: &str) -> usize {
    static SCHEME: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"^(?i)(?:bearer|basic|digest|negotiate|token|apikey)\s+"));
    if let Some((open, close)) = quotes(text) {
        let body = &text[open.len()..];
        return quoted_length(body, close).map_or(text.len(), |at| open.len() + at + close.len());
    }
    let scheme = SCHEME.find(text).map_or(0, |scheme| scheme.end());
    let ends = |char: char| char.is_whitespace() || "&;\"'`<>".contains(char);
    let value = &text[scheme..];
    scheme + value.find(ends).unwrap_or(value.len())
}

/// The length of what stands before `close`. One with a backslash before it, a second one or a letter
/// behind it closes nothing.
fn quoted_length(body: &str, close: &str) -> Option<usize> {
    let mut at = 0;
    loop {
        at += body[at..].find(['\\', '"', '\'', '}'])?;
        let rest = &body[at..];
        at += match rest.strip_prefix(close) {
            Some(next) if next.starts_with(close) => 2 * close.len(),
            Some(next) if next.starts_with(char::is_alphanumeric) => close.len(),
            Some(_) => return Some(at),
            None if rest.starts_with('\\') => 1 + rest.chars().nth(1)?.len_utf8(),
            None => 1,
        };
    }
}

/// What encloses the value: quotes, those of a string inside a string, or the braces of ODBC.
fn quotes(text: &str) -> Option<(&'static str, &'static str)> {
    [(r#"\""#, r#"\""#), (r"\'", r"\'"), ("\"", "\""), ("'", "'"), ("{", "}")]
        .into_iter()
        .find(|(open, _)| text.starts_with(open))
}

/// `Bearer eyJhbGciOi...` wherever it stands.
fn mask_bearer(text: &str) -> Cow<'_, str> {
    static BEARER: LazyLock<Regex> =
        LazyLock::new(|| pattern(r"(?i)\b(bearer\s+)[A-Za-z0-9._~+/=-]{16,}"));
    BEARER.replace_all(text, "${1}***")
}

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a constant pattern is valid")
}

#[cfg(test)]
#[path = "scrub_properties.rs"]
mod properties;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn scrubs(from: &str, to: &str) {
        assert_eq!(scrub(from), to);
        assert_eq!(scrub(to), to, "clean text stays as it is");
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
    }

    #[test]
    fn a_password_with_the_delimiters_of_a_url_leaves_it_whole() {
        scrubs("postgres://app:p@ss/w0rd@db:5432/app", "postgres://***@db:5432/app");
        scrubs("postgres://app:p#ss?x@db/app", "postgres://***@db/app");
        scrubs("postgres://app:päss@db/app", "postgres://***@db/app");
    }

    #[test]
    fn a_url_without_credentials_stays() {
        for url in [
            "https://example.com:8443/a/b?c=d#e",
            "http://[::1]:8080/",
            "https://example.com/find?mail=me@example.com",
            "see https://example.com, or http://localhost",
        ] {
            scrubs(url, url);
        }
    }

    #[test]
    fn a_dsn_without_a_scheme_loses_its_credentials() {
        scrubs("app:hunter2@tcp(db:3306)/app refused", "***@tcp(db:3306)/app refused");
        scrubs("dial app:hunter2@db.local", "dial ***@db.local");
    }

    #[test]
    fn the_value_of_a_secret_key_is_masked() {
        scrubs("host=db password=hunter2 user=app", "host=db password=*** user=app");
        scrubs("Server=db;Pwd=hunter2;Timeout=3", "Server=db;Pwd=***;Timeout=3");
        scrubs("GET /x?access_token=abc&page=2", "GET /x?access_token=***&page=2");
        scrubs("AWS_SECRET_ACCESS_KEY=abc/def+ghi", "AWS_SECRET_ACCESS_KEY=***");
        scrubs("password = 'two words' rest", "password = '***' rest");
        scrubs(r#"{"api_key": "a\"b", "n": 1}"#, r#"{"api_key": "***", "n": 1}"#);
        scrubs(r#"body: \"token\":\"abc\" end"#, r#"body: \"token\":\"***\" end"#);
        scrubs("password: hunter2", "password: ***");
        scrubs("token=\"never closed", "token=\"***\"");
        scrubs("secret='never closed token='hunter2'", "secret='***'");
        scrubs("api_key: client_secret='hunter2'", "api_key: client_secret='***'");
    }

    #[test]
    fn an_authorization_header_is_masked() {
        scrubs("authorization: bearer abc.def", "authorization: ***");
        scrubs("Authorization: Basic dXNlcjpwYXNz, retry", "Authorization: *** retry");
        scrubs("got Bearer eyJhbGciOiJIUzI1NiJ9.e30.x from it", "got Bearer *** from it");
    }

    #[test]
    fn prose_stays() {
        for text in [
            "Redis unavailable: Connection refused",
            "unexpected token: `}` at line 3",
            "password authentication failed for user \"app\"",
            "the bearer of bad news",
            "contact: ops@example.com at 12:30",
            "free=12% used=88%",
        ] {
            scrubs(text, text);
        }
    }

    #[test]
    fn a_credential_does_not_survive_by_being_cut() {
        let long = format!("{}postgres://app:{}@db/app", "x".repeat(1000), "s".repeat(4000));
        let clean = scrub_result(CheckResult::degraded(long)).message.unwrap();
        assert!(clean.ends_with("postgres://***@db/app"), "{clean}");
    }

    #[test]
    fn a_huge_message_hides_no_credential_at_the_end_of_the_search() {
        let secret = "s3cr3t".repeat(20);
        for length in SEARCH_LIMIT - 150..SEARCH_LIMIT + 10 {
            // The mask of the first shortens the text to where the second would be told.
            let first = "p".repeat(length - 40);
            let huge = format!("postgres://app:{first}@a postgres://app:{secret}@b end");
            let clean = scrub_result(CheckResult::degraded(huge)).message.unwrap();
            assert!(clean.starts_with("postgres://***@a"), "{clean}");
            assert!(!clean.contains("s3cr3t"), "{clean}");
        }
        let one_word = format!("password={}", "x".repeat(2 * SEARCH_LIMIT));
        let clean = scrub_result(CheckResult::degraded(one_word)).message;
        assert_eq!(clean.as_deref(), Some("…"));
    }

    #[test]
    fn a_message_is_cut_to_the_limit_on_a_character_boundary() {
        for character in ["x", "ä", "…", "🦀"] {
            let result = CheckResult::degraded(character.repeat(2000));
            let clean = scrub_result(result).message.unwrap();
            assert!(clean.len() <= MESSAGE_LIMIT && clean.len() > MESSAGE_LIMIT - 8);
            assert!(clean.ends_with('…'));
        }
        let exact = "x".repeat(MESSAGE_LIMIT);
        let clean = scrub_result(CheckResult::degraded(exact.clone())).message;
        assert_eq!(clean, Some(exact));
    }

    #[test]
    fn details_are_cleaned_too_and_verbatim_vouches_for_both() {
        let result = CheckResult::degraded("password=a")
            .with_detail("urls", serde_json::json!([{ "url": "redis://u:p@h" }]));
        let clean = scrub_result(result.clone());
        assert_eq!(clean.message(), Some("password=***"));
        assert_eq!(clean.details["urls"][0]["url"], "redis://***@h");
        assert_eq!(scrub_result(result.clone().verbatim()), result.verbatim());
    }
}
