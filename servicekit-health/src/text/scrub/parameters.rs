//! The values of names that have a form of their own: headers, parameters of a query, and elements.

use std::ops::Range;

use super::pairs::{Pair, Sign, begins_name, enclosed};
use super::phrases::is_scheme;
use super::prose::{is_common, is_hollow, is_sentence, is_state, looks_secret};
use super::scan::Scan;
use super::values::{bare_end, line_end, quoted, run};

/// `?key=x`, `&sig=x`, and `sessionid=x` anywhere.
pub(super) fn in_query(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let name = scan.word(pair.name);
    let before = pair.name.start;
    let encoded =
        before.checked_sub(3).is_some_and(|at| scan.follows(at, "%3F") || scan.follows(at, "%26"));
    let is_query = encoded || b"?&".contains(&scan.before(before));
    let window = scan.ahead(pair.value, 128);
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"&\"'`".contains(byte);
    let value = &window[..window.iter().position(is_end).unwrap_or(window.len())];
    if pair.sign != Sign::Equals || pair.is_spaced || is_hollow(value) || is_state(value) {
        return None;
    }
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic);
    let is_plain = value.iter().any(|byte| b":".contains(byte)) || value.starts_with(b"/");
    let is_random = !is_plain
        && (mixed
            || (value.len() >= 20 && has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase)));
    let is_secret = match name.to_ascii_lowercase().as_slice() {
        b"key" | b"code" => is_query && is_random,
        _ if is_query => mixed || value.len() >= 8,
        b"sig" => value.len() >= 16,
        _ => looks_secret(value),
    };
    is_secret.then(|| pair.value..bare_end(scan, pair.value))
}

/// A scheme and its credentials, which may be pairs of their own.
pub(super) fn authorization(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let at = pair.value;
    if let Some(found) = enclosed(scan, pair.sign, at) {
        let window = found.window(scan);
        let is_harmless = is_hollow(window) || (is_state(window) && !window.contains(&b' '));
        return if is_harmless { None } else { Some(found.end(scan)) };
    }
    let line = scan.ahead(at, 160);
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let first = words.next()?;
    let mut end = bare_end(scan, at);
    if is_scheme(first) {
        let second = words.next()?;
        if is_common(second) || is_hollow(second) {
            return None;
        }
        end = bare_end(scan, scan.skip_blanks(at + first.len()));
    } else if is_sentence(line) || is_hollow(first) || begins_name(scan, at) {
        return None;
    }
    // `Digest username="x", response="x"`: as long as pairs follow.
    loop {
        end += run(scan, end, b'"');
        let next = scan.skip_blanks(end + usize::from(scan.byte(end) == b','));
        let ahead = scan.ahead(next, 64);
        let name = ahead
            .iter()
            .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte))
            .count();
        let is_pair = next > end && name > 0 && ahead.get(name) == Some(&b'=');
        if !is_pair {
            return Some(at..end);
        }
        let value = next + name + 1;
        end = quoted(scan, value).map_or_else(|| bare_end(scan, value), |body| body.end).max(value);
    }
}

/// Pairs to the end of the line, or of the quotes around the header.
pub(super) fn cookie(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let at = pair.value;
    if let Some(found) = enclosed(scan, pair.sign, at) {
        let window = found.window(scan);
        return if is_hollow(window) || is_state(window) { None } else { Some(found.end(scan)) };
    }
    let line = scan.ahead(at, 256);
    let first = line.split(u8::is_ascii_whitespace).next()?;
    if first.contains(&b'=') && !is_hollow(first) {
        return Some(at..line_end(scan, at, scan.before(pair.name.start)));
    }
    looks_secret(first).then(|| at..bare_end(scan, at))
}

/// `userinfo=app:x`, `"userinfo": "app:x"`: a user and a password.
pub(super) fn user_info(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let found = enclosed(scan, pair.sign, pair.value);
    let value = match &found {
        Some(found) => found.window(scan),
        None if pair.sign == Sign::Equals => {
            scan.ahead(pair.value, 128).split(u8::is_ascii_whitespace).next()?
        }
        None => return None,
    };
    let end = || bare_end(scan, pair.value);
    is_user_info(value).then(|| found.map_or_else(|| pair.value..end(), |found| found.end(scan)))
}

/// `app:x`, and not `https://x`.
pub(super) fn is_user_info(value: &[u8]) -> bool {
    let colon = value.iter().take(128).position(|&byte| byte == b':');
    let Some((user, password)) = colon.map(|colon| value.split_at(colon)) else { return false };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._%+@-".contains(byte);
    user.iter().all(is_name) && !is_hollow(password) && !password.starts_with(b"://")
}

/// `<password>x</password>`
pub(super) fn element(scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
    let length = scan.bytes[start..].iter().position(|&byte| byte == b'<')?;
    let is_closed = scan.byte(start + length + 1) == b'/';
    let value = &scan.bytes[start..start + length];
    (is_closed && !is_hollow(value)).then_some(start..start + length)
}

/// Where the tag of an element ends whose attributes begin at `at`: `<Password Type="x">`.
pub(super) fn attributes(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let is_name = scan.byte(at + 1).is_ascii_alphabetic();
    if !scan.byte(at).is_ascii_whitespace() || !is_name {
        return None;
    }
    let ahead = scan.ahead(at, 256);
    let length = ahead.iter().position(|byte| b"<>".contains(byte))?;
    (ahead[length] == b'>' && ahead[..length].contains(&b'=')).then_some(at + length)
}
