//! Where a value ends.

use std::ops::Range;

use super::scan::Scan;

/// What stands between quotes at `at`: `"x"`, `'x'`, `\"x\"`, `b"x"`, `r#"x"#`. An end is a quote
/// like the first, with as many backslashes as it has; not a doubled one, nor one before a letter.
/// A value that never ends reaches to the end of the text.
pub(super) fn quoted(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let mut open = at;
    if b"brunecBRUNEC$@&".contains(&scan.byte(open)) {
        open += 1;
    }
    while scan.byte(open) == b'#' {
        open += 1;
    }
    let slashes = run(scan, open, b'\\');
    let quote = scan.byte(open + slashes);
    if !is_quote(quote) {
        return None;
    }
    let body = open + slashes + 1;
    let mut at = body;
    while at < scan.bytes.len() {
        let before = run(scan, at, b'\\');
        at += before;
        if scan.byte(at) != quote {
            at += 1;
            continue;
        }
        let next = scan.byte(at + 1);
        let closes = before % (2 * (slashes + 1)) == slashes;
        if closes && slashes == 0 && next == quote {
            at += 2;
        } else if closes && !next.is_ascii_alphanumeric() {
            return Some(body..at - slashes);
        } else {
            at += 1;
        }
    }
    Some(body..scan.bytes.len())
}

/// What stands in brackets at `at`, behind a name as `Debug` writes it or none: `Some("x")`,
/// `Secret { value: "x" }`, `["x"]`.
pub(super) fn bracketed(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    opening(scan, at).map(|open| open + 1..closing(scan, open))
}

/// Where the bracket of [`bracketed`] opens.
pub(super) fn opening(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let mut open = at;
    if scan.byte(at).is_ascii_uppercase() {
        let is_name = |byte: u8| byte.is_ascii_alphabetic() || b"_:<>".contains(&byte);
        while open - at < 64 && is_name(scan.byte(open)) {
            open += 1;
        }
        if scan.byte(open) == b' ' && scan.byte(open + 1) == b'{' {
            open += 1;
        }
    }
    b"([{".contains(&scan.byte(open)).then_some(open)
}

/// Where the bracket at `open` is closed. Brackets in quoted texts count for nothing.
fn closing(scan: &Scan<'_>, open: usize) -> usize {
    let (mut depth, mut at) = (0_usize, open);
    let mut starts_value = false;
    while at < scan.bytes.len() {
        let byte = scan.bytes[at];
        if starts_value
            && (is_quote(byte) || byte == b'\\')
            && let Some(body) = quoted(scan, at)
        {
            at = body.end;
            // The end's own backslashes and quote.
            at += run(scan, at, b'\\') + 1;
            starts_value = false;
            continue;
        }
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at;
        }
        starts_value = b"([{,:= \n\t>".contains(&byte);
        at += 1;
    }
    scan.bytes.len()
}

/// What stands in the braces of ODBC at `at`: a doubled one ends nothing, nor does one in a word.
pub(super) fn braced(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    if scan.byte(at) != b'{' {
        return None;
    }
    let mut end = at + 1;
    while end < scan.bytes.len() {
        match (scan.bytes[end], scan.byte(end + 1)) {
            (b'}', b'}') => end += 2,
            (b'}', next) if !next.is_ascii_alphanumeric() => break,
            _ => end += 1,
        }
    }
    Some(at + 1..end.min(scan.bytes.len()))
}

/// The end of a value without quotes: white space, a `&` or `;` before the next pair, or a quote
/// around the whole. Punctuation at its end belongs to the sentence.
pub(super) fn bare_end(scan: &Scan<'_>, start: usize) -> usize {
    let mut end = start;
    while let Some(&byte) = scan.bytes.get(end) {
        let next = scan.byte(end + 1);
        match byte {
            b'\\' if matches!(next, b' ' | b'\t') => end += 1,
            b'\\' if is_quote(next) => break,
            b'\\' if next == b'n' && !scan.byte(end + 2).is_ascii_alphanumeric() => break,
            b'&' | b';' if begins_pair(scan, end + 1) => break,
            b'%' if scan.follows(end, "%26") => break,
            _ if is_quote(byte) && !is_letter(next) => break,
            b'<' if next == b'/' => break,
            _ if byte.is_ascii_whitespace() => break,
            _ => {}
        }
        end += 1;
    }
    end = end.min(scan.bytes.len());
    while end > start && b",;:.)]}>".contains(&scan.bytes[end - 1]) {
        end -= 1;
    }
    end
}

/// Whether a new `key=` begins at `at`, or the text ends there.
fn begins_pair(scan: &Scan<'_>, at: usize) -> bool {
    let ahead = scan.ahead(at, 64);
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-. %".contains(byte);
    let name = ahead.iter().take_while(|byte| is_name(byte)).count();
    match ahead.get(name) {
        Some(byte) => b"=".contains(byte) || ahead.first().is_some_and(u8::is_ascii_whitespace),
        None => true,
    }
}

/// The end of a value of an ADO.NET or JDBC text, where it holds blanks and ends at `;key=`.
pub(super) fn semicolon_end(scan: &Scan<'_>, start: usize) -> Option<usize> {
    let ahead = scan.ahead(start, 128);
    let end = ahead.iter().position(|&byte| byte == b';')?;
    let value = &ahead[..end];
    let is_one = !value.iter().any(|byte| b"=:\"',".contains(byte));
    let next = scan.ahead(start + end + 1, 48);
    let name =
        next.iter().take_while(|&&byte| byte.is_ascii_alphanumeric() || byte == b' ').count();
    let follows = name > 0 && next.get(name) == Some(&b'=');
    (is_one && (follows || scan.before(start) == b'=' && next.is_empty())).then_some(start + end)
}

/// The end of the line, or of the quotes around all of it.
pub(super) fn line_end(scan: &Scan<'_>, start: usize, quote: u8) -> usize {
    let rest = &scan.bytes[start..];
    let ends = |&byte: &u8| matches!(byte, b'\n' | b'\r') || (is_quote(quote) && byte == quote);
    start + rest.iter().position(ends).unwrap_or(rest.len())
}

/// How many of `byte` follow each other at `at`.
pub(super) fn run(scan: &Scan<'_>, at: usize, byte: u8) -> usize {
    scan.bytes.get(at..).unwrap_or_default().iter().take_while(|&&it| it == byte).count()
}

/// How many backslashes stand before the quote that ends at `at`.
pub(super) fn run_before(scan: &Scan<'_>, at: usize) -> usize {
    let before = &scan.bytes[..at.saturating_sub(1)];
    before.iter().rev().take_while(|&&byte| byte == b'\\').count()
}

pub(super) fn is_quote(byte: u8) -> bool {
    matches!(byte, b'"' | b'\'' | b'`')
}

/// A letter or digit, or a byte of one beyond ASCII.
pub(super) fn is_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || !byte.is_ascii()
}
