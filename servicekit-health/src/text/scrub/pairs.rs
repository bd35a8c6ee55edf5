//! The value of a name that says that it is secret.

use std::ops::Range;

use super::keys::{Kind, kind, owns_key};
use super::parameters::{attributes, authorization, cookie, element, in_query, user_info};
use super::phrases::is_scheme;
use super::prose::{
    is_common, is_error_name, is_hollow, is_sentence, is_state, looks_secret, precedes_no_name,
};
use super::scan::{Scan, Word};
use super::values::{
    bare_end, braced, bracketed, is_quote, line_end, quoted, run, run_before, semicolon_end,
};

/// What stands between a name and its value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Sign {
    /// `=`, `=>`, `->`
    Equals,
    /// `:`
    Colon,
    /// `("name", "value")`
    Comma,
    /// `<name>value</name>`
    Element,
    /// `name: NAME, value: x`
    Named,
    /// `name("value")`
    Call,
}

pub(super) struct Pair {
    pub(super) name: Word,
    pub(super) kind: Kind,
    pub(super) sign: Sign,
    /// Whether the name stands in quotes.
    pub(super) is_quoted: bool,
    /// Whether a blank stands before the value.
    pub(super) is_spaced: bool,
    pub(super) value: usize,
}

/// `password=...`, `"token": "..."`, `api_key: Some("...")`, `Authorization: Bearer ...`
pub(super) fn pair(scan: &mut Scan<'_>, name: Word) -> Option<Range<usize>> {
    let next = scan.byte(name.end);
    let is_possible = b"=: \t\"'`\\>]%&-\n,()".contains(&next) || !next.is_ascii();
    if !is_possible {
        return None;
    }
    let pair = read(scan, name)?;
    let found = match pair.kind {
        Kind::Query => in_query(scan, &pair),
        Kind::Authorization => authorization(scan, &pair),
        Kind::Cookie => cookie(scan, &pair),
        Kind::UserInfo => user_info(scan, &pair),
        Kind::Password | Kind::Secret | Kind::Word => secret(scan, &pair),
    };
    found.filter(|value| !value.is_empty())
}

fn read(scan: &Scan<'_>, name: Word) -> Option<Pair> {
    let mut at = name.end;
    let mut is_quoted = false;
    let slashes = run(scan, at, b'\\');
    if is_quote(scan.byte(at + slashes)) {
        at += slashes + 1;
        is_quoted = true;
    } else if scan.follows(at, "&quot;") {
        at += "&quot;".len();
        is_quoted = true;
    }
    // `['password'] = `, `Key (token)=(x) already exists`
    if scan.byte(at) == b']' || scan.follows(at, ")=(") {
        at += 1;
    }
    let opens = !is_quoted && b"<:".contains(&scan.before(name.start));
    if opens && let Some(end) = attributes(scan, at) {
        at = end;
    }
    let is_element = scan.byte(at) == b'>' && opens;
    let end = at;
    at = scan.skip_blanks(at);
    let (sign, length) =
        if is_element && at == end { (Sign::Element, 1) } else { sign(scan, at, end == at)? };
    let mut kind = kind(scan.word(name))?;
    // `api key: x`
    if kind == Kind::Query && scan.follows(name.start, "key") && scan.before(name.start) == b' ' {
        kind = if owns_key(scan.word_before(name.start, 16)) { Kind::Secret } else { kind };
    }
    if sign == Sign::Comma {
        return tuple(scan, name, kind, at + 1, is_quoted).or_else(|| named(scan, name, kind, end));
    }
    if sign == Sign::Call {
        let value = at + 1;
        let is_text = is_quote(scan.byte(value + run(scan, value, b'\\')));
        let is_error = is_error_name(scan.word(name)) || is_quoted;
        return (is_text && !is_error).then_some(Pair {
            name,
            kind,
            sign,
            is_quoted,
            is_spaced: at > end,
            value,
        });
    }
    if sign == Sign::Named {
        return named(scan, name, kind, end);
    }
    let after = at + length;
    let mut value = scan.skip_blanks(after);
    // Lines of YAML in a text that was escaped.
    while sign == Sign::Colon && (scan.follows(value, r"\n") || scan.follows(value, r"\t")) {
        value = scan.skip_blanks(value + 2);
    }
    Some(Pair { name, kind, sign, is_quoted, is_spaced: value > after, value })
}

/// The sign at `at`, and its length.
fn sign(scan: &Scan<'_>, at: usize, is_close: bool) -> Option<(Sign, usize)> {
    let signs = [
        ("=>", Sign::Equals),
        ("->", Sign::Equals),
        (":=", Sign::Equals),
        ("==", Sign::Equals),
        ("=", Sign::Equals),
        ("＝", Sign::Equals),
        ("→", Sign::Equals),
        ("：", Sign::Colon),
        (r"\u003d", Sign::Equals),
        (",", Sign::Comma),
        ("\n", Sign::Named),
        ("(", Sign::Call),
        ("\r\n", Sign::Named),
    ];
    let first = scan.byte(at);
    let is_sign = b"=-:\\,\n\r%vV(".contains(&first) || !first.is_ascii();
    if !is_sign || (first == b':' && scan.byte(at + 1) == b':') {
        return None;
    }
    let found = signs
        .iter()
        .find(|(text, _)| scan.follows(at, text))
        .map(|&(text, sign)| (sign, text.len()));
    found.or_else(|| match first {
        b':' => Some((Sign::Colon, 1)),
        b'%' if is_close && scan.follows(at, "%3D") => Some((Sign::Equals, 3)),
        b'%' if is_close && scan.follows(at, "%3A") => Some((Sign::Colon, 3)),
        // `key="DB_PASSWORD" value="x"`
        b'v' | b'V' => Some((Sign::Named, 0)),
        _ => None,
    })
}

/// `("x-api-key", "tok_abc")`
fn tuple(scan: &Scan<'_>, name: Word, kind: Kind, after: usize, is_quoted: bool) -> Option<Pair> {
    let value = scan.skip_blanks(after);
    let open = name.start.checked_sub(1 + run_before(scan, name.start))?;
    let is_tuple = is_quoted && scan.before(open) == b'(' && kind != Kind::Word;
    let is_value = is_quote(scan.byte(value)) || bracketed(scan, value).is_some();
    (is_tuple && is_value).then_some(Pair {
        name,
        kind,
        sign: Sign::Comma,
        is_quoted,
        is_spaced: true,
        value,
    })
}

/// `{ name: "DB_PASSWORD", value: "x" }`: of containers, the environment.
fn named(scan: &Scan<'_>, name: Word, kind: Kind, end: usize) -> Option<Pair> {
    if !matches!(kind, Kind::Password | Kind::Secret) {
        return None;
    }
    let ahead = &scan.bytes[end..scan.bytes.len().min(end + 64)];
    let gap = ahead.iter().take_while(|byte| b", \t\r\n\\\"'".contains(byte)).count();
    let label = end + gap;
    if !scan.follows(label, "value") {
        return None;
    }
    let mut at = label + "value".len();
    at += run(scan, at, b'\\');
    at += usize::from(is_quote(scan.byte(at)));
    at = scan.skip_blanks(at);
    if !b":=".contains(&scan.byte(at)) {
        return None;
    }
    let value = scan.skip_blanks(at + 1);
    Some(Pair { name, kind, sign: Sign::Named, is_quoted: true, is_spaced: true, value })
}

fn secret(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let name = scan.word(pair.name);
    let at = pair.value;
    let is_word = pair.kind == Kind::Word;
    let before = scan.word_before(pair.name.start, 16);
    // `unexpected token: "x"`
    let is_grammar = is_word && (precedes_no_name(before) || pair.sign == Sign::Call);
    if pair.sign == Sign::Element {
        return element(scan, at);
    }
    let is_scalar = matches!(scan.ahead(at, 4), b"|" | b">" | b"|-" | b">-" | b"|+" | b">+");
    if pair.sign == Sign::Colon && (is_scalar || matches!(scan.byte(at), b'\n' | b'\r')) {
        return block(scan, pair);
    }
    if let Some(found) = enclosed(scan, pair.sign, at) {
        let window = found.window(scan);
        let is_sentence_of_call =
            pair.sign == Sign::Call && window.contains(&b' ') && is_sentence(window);
        let is_harmless = is_sentence_of_call
            || is_hollow(window)
            || is_state(window)
            || (is_grammar && !looks_secret(window));
        let is_note = scan.byte(at) == b'(' && is_sentence(&scan.ahead(at, 160)[1..]);
        // `secret: "db" not found`
        let after = at + window.len() + 2;
        let is_absent = is_word && !looks_secret(window) && scan.follows(after, " not ");
        let is_error = pair.sign == Sign::Colon && is_error_name(scan.ahead(at, 24));
        return if is_harmless || is_note || is_absent || is_error {
            None
        } else {
            Some(found.end(scan))
        };
    }
    let line = scan.ahead(at, 160);
    let first = line.split(u8::is_ascii_whitespace).next()?;
    if pair.sign == Sign::Colon && pair.kind == Kind::Secret && is_scheme(first) {
        return authorization(scan, pair);
    }
    if first.is_empty() || is_hollow(first) || is_state(first) || begins_name(scan, at) {
        return None;
    }
    if name.ends_with(b"pwd") || name.ends_with(b"PWD") {
        // The working directory.
        let is_path = matches!(first, [b'/' | b'~', ..] | [_, b':', b'\\' | b'/', ..]);
        if is_path {
            return None;
        }
    }
    let is_prose = match pair.sign {
        Sign::Colon => {
            let before = scan.before(pair.name.start);
            // `/run/secrets/token: ...`, `http://auth:8080/`, `@auth:8080`
            let is_path = before == b'/'
                && (pair.is_spaced || is_word || scan.before(pair.name.start - 1) == b'/');
            let is_path = is_path || (before == b'@' && first[0].is_ascii_digit());
            let is_arn = is_word && scan.before(pair.name.start) == b':';
            let is_error = pair.is_spaced && is_error_name(name);
            let is_url = first.windows(3).any(|it| it == b"://") && !pair.is_quoted;
            is_path
                || is_arn
                || is_error
                || is_url
                || is_sentence(line)
                || (is_word && !looks_secret(first))
        }
        _ if is_word => {
            let is_number = first.len() <= 3 && first.iter().any(u8::is_ascii_digit);
            let is_count = name == b"pass" && !first.iter().any(u8::is_ascii_alphabetic);
            let is_sentence =
                pair.is_spaced && (is_sentence(line) || is_grammar || is_common(first));
            is_number || is_count || is_sentence
        }
        _ => pair.is_spaced && is_common(first),
    };
    if is_prose {
        return None;
    }
    let is_line =
        pair.sign == Sign::Colon && pair.kind != Kind::Word && starts_line(scan, pair.name);
    let end = if is_line { line_end(scan, at, 0) } else { bare_end(scan, at) };
    let end = if pair.sign == Sign::Equals { semicolon_end(scan, at).unwrap_or(end) } else { end };
    Some(at..end)
}

/// A value in quotes or brackets, of which only the start has been read.
pub(super) enum Enclosed {
    Quoted(usize, usize),
    Bracketed(usize),
    Braced(usize),
}

pub(super) fn enclosed(scan: &Scan<'_>, sign: Sign, at: usize) -> Option<Enclosed> {
    let mut open = at + usize::from(b"brunecBRUNEC$@&".contains(&scan.byte(at)));
    open += run(scan, open, b'#');
    let slashes = run(scan, open, b'\\');
    if is_quote(scan.byte(open + slashes)) {
        return Some(Enclosed::Quoted(at, open + slashes + 1));
    }
    if sign == Sign::Equals && scan.byte(at) == b'{' && scan.before(at) == b'=' {
        return Some(Enclosed::Braced(at));
    }
    super::values::opening(scan, at).map(|_| Enclosed::Bracketed(at))
}

impl Enclosed {
    /// The start of what is enclosed.
    pub(super) fn window<'a>(&self, scan: &Scan<'a>) -> &'a [u8] {
        let (start, is_end): (_, fn(&u8) -> bool) = match *self {
            Self::Quoted(_, body) => (body, |&byte| is_quote(byte)),
            Self::Braced(at) => (at + 1, |&byte| byte == b'}'),
            Self::Bracketed(at) => {
                let open = super::values::opening(scan, at).unwrap_or(at);
                (open + 1, |byte| b")]}".contains(byte))
            }
        };
        let end = scan.bytes.len().min(start + 48);
        let window = &scan.bytes[start..end];
        let window = &window[..window.iter().position(is_end).unwrap_or(window.len())];
        window.trim_ascii()
    }

    /// The value, read to its end.
    pub(super) fn end(&self, scan: &Scan<'_>) -> Range<usize> {
        let (at, body) = match *self {
            Self::Quoted(at, _) => return quoted(scan, at).unwrap_or(at..at),
            Self::Braced(at) => (at, braced(scan, at)),
            Self::Bracketed(at) => (at, bracketed(scan, at)),
        };
        let body = body.unwrap_or(at..at);
        // `Password(x)` may be a type, or a password as a whole.
        let inner = scan.byte(body.start);
        let is_type = scan.follows(at, "Some(") || is_quote(inner) || b"([{\\ \n".contains(&inner);
        if body.start > at + 1 && !is_type {
            return at..scan.bytes.len().min(body.end + 1);
        }
        let next = scan.byte(body.end + 1);
        // `{SSHA}abc=`, `(a)b`
        if next.is_ascii_alphanumeric() || b"+/=_-".contains(&next) && next != 0 {
            return at..bare_end(scan, at).max(body.end + 1);
        }
        body
    }
}

/// Whether the value is itself a name with a value: `api_key: client_secret='x'`.
pub(super) fn begins_name(scan: &Scan<'_>, at: usize) -> bool {
    let inner = scan.next_word(at).filter(|inner| inner.start == at && inner.end - at < 64);
    inner.is_some_and(|inner| {
        let after = scan.skip_blanks(inner.end);
        b"=:".contains(&scan.byte(after)) && kind(scan.word(inner)).is_some()
    })
}

/// Whether only blanks stand before the name in its line, which is not the first.
fn starts_line(scan: &Scan<'_>, name: Word) -> bool {
    let before = &scan.bytes[name.start.saturating_sub(64)..name.start];
    let blanks = before.iter().rev().take_while(|byte| b" \t-".contains(byte)).count();
    before.len() > blanks && before[before.len() - blanks - 1] == b'\n'
}

/// The value of a name in YAML that stands in the lines below, further in.
fn block(scan: &Scan<'_>, pair: &Pair) -> Option<Range<usize>> {
    let mut start = scan.skip_space(pair.value);
    let is_scalar = start == pair.value;
    if is_scalar {
        // `password: |`
        start = scan.skip_space(start + scan.ahead(start, 4).len());
    }
    let indent = indent(scan, start)?;
    let is_deeper = indent > self::indent(scan, pair.name.start).unwrap_or_default();
    let line = scan.ahead(start, 160);
    let first = line.split(u8::is_ascii_whitespace).next()?;
    let is_name = first.ends_with(b":") || first.starts_with(b"-");
    let is_weak = pair.kind == Kind::Word && !looks_secret(first);
    if !is_deeper
        || is_name
        || is_weak
        || is_sentence(line)
        || is_hollow(first)
        || begins_name(scan, start)
    {
        return None;
    }
    let mut end = line_end(scan, start, 0);
    if !is_scalar {
        return Some(start..end);
    }
    loop {
        let next = scan.skip_space(end);
        let is_within = self::indent(scan, next).is_some_and(|next| next >= indent);
        if !is_within || next == scan.bytes.len() {
            return Some(start..end);
        }
        end = line_end(scan, next, 0);
    }
}

/// How many blanks begin the line in which `at` stands, if only blanks and dashes do.
fn indent(scan: &Scan<'_>, at: usize) -> Option<usize> {
    let before = &scan.bytes[at.saturating_sub(128)..at];
    let blanks = before.iter().rev().take_while(|byte| b" \t-".contains(byte)).count();
    (before.len() == blanks || before[before.len() - blanks - 1] == b'\n').then_some(blanks)
}
