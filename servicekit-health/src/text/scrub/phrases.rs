//! Credentials behind words: in statements, commands and sentences.

use std::ops::Range;

use super::keys::{Kind, kind};
use super::prose::{is_common, is_hollow, is_state, looks_secret};
use super::scan::{Scan, Word};
use super::values::{bare_end, is_quote, quoted, run};

/// `Bearer eyJ...`, `Basic dXNlcjo...`, wherever they stand.
pub(super) fn scheme(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let is_blank = scan.byte(word.end) == b' ';
    if !is_blank || !is_scheme(scan.word(word)) {
        return None;
    }
    if ["token", "key"].iter().any(|it| scan.word(word).eq_ignore_ascii_case(it.as_bytes())) {
        return None;
    }
    let start = scan.skip_blanks(word.end);
    let window = scan.ahead(start, 96);
    let value = window.split(u8::is_ascii_whitespace).next()?;
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric();
    let name = value.iter().take_while(|&byte| is_name(byte)).count();
    // `Basic realm="x"` asks for credentials, `Digest username="x", response="..."` has them.
    if value.get(name) == Some(&b'=') && value.get(name + 1).is_some_and(|&byte| is_quote(byte)) {
        return None;
    }
    let is_random = looks_secret(value) || (value.len() >= 16 && has_mixed_case(value));
    let end = bare_end(scan, start);
    (is_random && end > start).then_some(start..end)
}

/// Small letters and capitals, more than at the begin of a word.
fn has_mixed_case(value: &[u8]) -> bool {
    let rest = value.get(1..).unwrap_or_default();
    rest.iter().any(u8::is_ascii_uppercase) && rest.iter().any(u8::is_ascii_lowercase)
}

pub(super) fn is_scheme(word: &[u8]) -> bool {
    let mut buffer = [0; 16];
    let Some(lower) = buffer.get_mut(..word.len()) else { return false };
    lower.copy_from_slice(word);
    lower.make_ascii_lowercase();
    matches!(
        &*lower,
        b"bearer"
            | b"basic"
            | b"digest"
            | b"negotiate"
            | b"ntlm"
            | b"token"
            | b"apikey"
            | b"api-key"
            | b"hawk"
            | b"aws4-hmac-sha256"
            | b"aws"
            | b"sharedkey"
            | b"sharedkeylite"
            | b"splunk"
            | b"geniekey"
            | b"hmac"
            | b"oauth"
            | b"signature"
            | b"dpop"
            | b"mac"
            | b"key"
    )
}

/// `password is hunter2`, `PASSWORD 'hunter2'`, `password hunter2`.
pub(super) fn password(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.byte(word.end) != b' ' {
        return None;
    }
    let kind = kind(scan.word(word))
        .filter(|kind| matches!(kind, Kind::Password | Kind::Word | Kind::Secret))?;
    let mut start = scan.skip_blanks(word.end);
    let verb = ["is ", "was ", "ist ", "lautet ", "set to ", "of "]
        .iter()
        .find(|verb| scan.follows(start, verb));
    if let Some(verb) = verb {
        start = scan.skip_blanks(start + verb.len());
    }
    if kind != Kind::Password {
        let value = first_word(scan, start);
        return (verb.is_some() && looks_secret(value)).then(|| start..bare_end(scan, start));
    }
    if let Some(body) = quote_of(scan, start) {
        return Some(body);
    }
    let value = first_word(scan, start);
    // Another name with a value: `pw password='x'`.
    let name = value
        .iter()
        .take_while(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(byte))
        .count();
    let is_name = value.get(name).is_some_and(|byte| b"=:".contains(byte));
    let is_verb =
        is_name || is_common(value) || value.first().is_some_and(|byte| b"=:<([{-".contains(byte));
    // Without punctuation, only letters and digits mixed are no word of the sentence.
    (!is_verb && (looks_secret(value) || has_digit_within(value)))
        .then(|| start..bare_end(scan, start))
}

/// `hunter2`, `p4ss`
fn has_digit_within(value: &[u8]) -> bool {
    let letters = value.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    let digits = value.iter().filter(|byte| byte.is_ascii_digit()).count();
    letters >= 2 && digits > 0 && !value.contains(&b'/')
}

/// `SET PASSWORD FOR app = 'x'`, `IDENTIFIED BY 'x'`, `IDENTIFIED WITH mysql_native_password BY 'x'`, `IDENTIFIED BY x`.
pub(super) fn statement(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.word(word).eq_ignore_ascii_case(b"PASSWORD") && scan.follows(word.end, " FOR ") {
        // `SET PASSWORD FOR 'app'@'%' = 'x'`
        let equals = scan.ahead(word.end, 96).iter().position(|&byte| byte == b'=')?;
        return quote_of(scan, scan.skip_blanks(word.end + equals + 1));
    }
    if !scan.word(word).eq_ignore_ascii_case(b"IDENTIFIED") {
        return None;
    }
    let ahead = scan.ahead(word.end, 96);
    let by = ahead.windows(4).position(|it| it.eq_ignore_ascii_case(b" by "))?;
    let is_with = ahead.get(..6).is_some_and(|it| it.eq_ignore_ascii_case(b" with "));
    if by > 0 && !is_with {
        return None;
    }
    let mut start = scan.skip_blanks(word.end + by + 4);
    for kind in ["PASSWORD ", "VALUES "] {
        if scan.follows(start, kind) {
            start = scan.skip_blanks(start + kind.len());
        }
    }
    if let Some(body) = quote_of(scan, start) {
        return Some(body);
    }
    let is_upper = scan.word(word).iter().all(u8::is_ascii_uppercase);
    let value = first_word(scan, start);
    let is_value = is_upper || looks_secret(value);
    (is_value && !value.is_empty() && !is_common(value) && !is_hollow(value))
        .then(|| start..bare_end(scan, start))
}

/// `AUTH hunter2`, `AUTH user hunter2`, `AUTH PLAIN AGFw...`: what Redis and mail servers repeat.
pub(super) fn auth(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let is_auth = matches!(scan.word(word), b"AUTH" | b"requirepass" | b"masterauth");
    if !is_auth {
        return None;
    }
    let is_closed = is_quote(scan.byte(word.end));
    let args = "with args beginning with: ";
    let list = word.end + usize::from(is_closed);
    let list = scan.skip_blanks(list + usize::from(scan.byte(list) == b','));
    if scan.follows(list, args) {
        let start = list + args.len();
        let end = start + scan.ahead(start, usize::MAX).len();
        return (!is_hollow(&scan.bytes[start..end])).then_some(start..end);
    }
    let start = scan.skip_blanks(word.end + usize::from(is_closed));
    if start == word.end {
        return None;
    }
    if is_closed || is_quote(scan.byte(start)) {
        // `"AUTH" "app" "hunter2"`, as MONITOR prints it.
        let first = quote_of(scan, start)?;
        let second = quote_of(scan, scan.skip_blanks(first.end + 1));
        return Some(first.start..second.map_or(first.end, |second| second.end));
    }
    let value = first_word(scan, start);
    let second = scan.skip_blanks(start + value.len());
    let next = first_word(scan, second);
    let is_word = |word: &[u8]| is_common(word) || word.is_empty() || is_hollow(word);
    if looks_secret(value) || has_digit_within(value) && !is_state(value) {
        return Some(start..bare_end(scan, start));
    }
    if (looks_secret(next) || has_digit_within(next)) && !is_common(next) {
        return Some(second..bare_end(scan, second));
    }
    let is_alone = !is_word(value) && next.is_empty() && scan.ahead(second, 1).is_empty();
    is_alone.then(|| start..bare_end(scan, start))
}

/// A quoted text at `at` that can be secret.
fn quote_of(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let slashes = run(scan, at, b'\\');
    if !is_quote(scan.byte(at + slashes)) {
        return None;
    }
    let window = scan.ahead(at + slashes + 1, 48);
    let value = &window[..window.iter().position(|&byte| is_quote(byte)).unwrap_or(window.len())];
    if is_hollow(value) || is_state(value) {
        return None;
    }
    quoted(scan, at)
}

fn first_word<'a>(scan: &Scan<'a>, at: usize) -> &'a [u8] {
    let window = scan.ahead(at, 64);
    window.split(u8::is_ascii_whitespace).next().unwrap_or_default()
}
