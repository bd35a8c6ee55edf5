//! User and password before the `@` of a URL or a DSN.

use std::ops::Range;

use super::prose::looks_secret;
use super::scan::{Scan, Word};
use super::values::{is_letter, is_quote};

/// Schemes whose paths and queries hold an `@` of their own. In those of databases and brokers, a
/// password that nobody has encoded is the likelier reason.
const WEB: &[&str] = &["http", "https", "ws", "wss", "s3", "gs", "file", "docker", "oci"];

/// `scheme://user:password@host`. A password may hold any character that ends no word, an `@` or a
/// `/` too: the last `@` ends it where what stands before is no host.
pub(super) fn url(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.byte(word.end) != b':' || !scan.follows(word.end, "://") {
        return None;
    }
    let start = word.end + 3;
    if scan.next_space(start) <= scan.next_at(start) {
        return encoded(scan, start).or_else(|| with_blanks(scan, start));
    }
    let scheme = scan.word(word);
    let is_web = WEB.iter().any(|it| scheme.eq_ignore_ascii_case(it.as_bytes()));
    let rest = &scan.bytes[start..];
    let authority =
        rest.iter().position(|&byte| b"/?#\"`<> \t\r\n".contains(&byte)).unwrap_or(rest.len());
    let authority = start..start + authority;
    // `sqlserver://db:1433;user=sa;password=p@ss`
    let parameters = scan.bytes[authority.clone()].iter().position(|&byte| byte == b';');
    if let Some(at) = parameters.map(|at| start + at)
        && is_host(&scan.bytes[start..at])
        && is_query(scan, at + 1)
    {
        return None;
    }
    if let Some(at) = scan.last(authority.clone(), b'@') {
        let host = &scan.bytes[at + 1..authority.end];
        let is_name = scan.bytes[start..at].iter().all(|&byte| byte != b':');
        if is_name && (&scan.bytes[start..at] == b"git" || scheme.ends_with(b"ssh")) {
            return None;
        }
        let ends_here = is_web && is_evident_host(host);
        let end = if ends_here { None } else { last_at(scan, word, authority.end, true) };
        return found(start..end.unwrap_or(at));
    }
    let mut hosts = scan.bytes[authority.clone()].split(|&byte| byte == b',');
    let is_host = hosts.all(is_host);
    // `db:2024/secret@db` may be a user and a password of digits.
    if is_host && (is_web || !scan.bytes[authority.clone()].contains(&b':')) {
        scan.plain = scan.next_space(start);
        return None;
    }
    let at = last_at(scan, word, authority.end, is_host)?;
    found(start..at)
}

fn found(user_info: Range<usize>) -> Option<Range<usize>> {
    (!user_info.is_empty()).then_some(user_info)
}

/// The last `@` of the URL behind `from`; not one before a digest, nor, where it `has_query`, one in
/// that.
fn last_at(scan: &mut Scan<'_>, scheme: Word, from: usize, has_query: bool) -> Option<usize> {
    if from < scan.searched {
        return None;
    }
    let mut start = scheme.start;
    while scheme.start - start < 32 && b"+:-.".contains(&scan.before(start)) {
        start = scan.bytes[..start - 1]
            .iter()
            .rposition(|b| !b.is_ascii_alphanumeric())
            .map_or(0, |at| at + 1);
    }
    let mut around = scan.before(start);
    if around == b'<' {
        around = b'>';
    }
    let space = scan.next_space(from);
    let mut end = from;
    let mut query = None;
    while end < space {
        let (byte, next) = (scan.bytes[end], scan.byte(end + 1));
        // A `'` that encloses nothing is of the password; what else encloses ends the URL.
        let encloses =
            if byte == b'\'' { around == byte } else { is_quote(byte) || b"<>".contains(&byte) };
        if encloses && (!is_letter(next) || (byte == b'"' && around == byte)) {
            break;
        }
        if has_query && byte == b'?' && query.is_none() && is_query(scan, end + 1) {
            query = Some(end);
        }
        end += 1;
    }
    let found = scan.last(from..query.unwrap_or(end), b'@').filter(|&at| !is_digest(scan, at + 1));
    if found.is_none() {
        scan.searched = end;
    }
    found
}

/// Whether `key=` stands at `at`.
fn is_query(scan: &Scan<'_>, at: usize) -> bool {
    let ahead = scan.ahead(at, 32);
    let name = ahead
        .iter()
        .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
        .count();
    ahead.first().is_some_and(u8::is_ascii_alphabetic) && ahead.get(name) == Some(&b'=')
}

/// A password with blanks: `postgres://app:my secret@db`. At most two, and no punctuation as
/// between the words of a sentence.
fn with_blanks(scan: &mut Scan<'_>, start: usize) -> Option<Range<usize>> {
    let blank = scan.next_space(start) - start;
    let ahead = scan.ahead(start, 256);
    let colon = ahead.get(..blank)?.iter().position(|&byte| byte == b':')?;
    let password = &ahead[colon + 1..blank];
    let last = *password.last()?;
    if password.iter().all(u8::is_ascii_digit)
        || b",;:.)]}>\"'`".contains(&last)
        || password.contains(&b'/')
    {
        return None;
    }
    let at = ahead.iter().position(|&byte| byte == b'@')?;
    let between = &ahead[blank..at];
    let blanks = between.iter().filter(|byte| byte.is_ascii_whitespace()).count();
    let is_free = !between.iter().any(|byte| b"\"'`()<>/,".contains(byte));
    (blanks <= 2 && is_free && !between.ends_with(b" ")).then_some(start..start + at)
}

/// `app%3Ahunter2%40db`: a URL that was encoded as a whole, or whose user info was.
fn encoded(scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
    let ahead = scan.ahead(start, 512);
    let is_end = |byte: &u8| byte.is_ascii_whitespace() || b"/?#:".contains(byte);
    let word = ahead.iter().position(is_end).unwrap_or(ahead.len());
    let find = |what: [&[u8]; 2]| {
        ahead[..word]
            .windows(3)
            .position(|it| what.iter().any(|what| it.eq_ignore_ascii_case(what)))
    };
    let (colon, at) = (find([b"%3a", b"%3A"])?, find([b"%40", b"%40"])?);
    let is_user =
        ahead[..colon].iter().all(|&byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte));
    (is_user && colon < at).then_some(start..start + at)
}

/// `postgres%3A%2F%2Fapp%3Ahunter2%40db`
pub(super) fn encoded_url(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let start = word.end + "%3A%2F%2F".len();
    if scan.byte(word.end) != b'%' || !scan.follows(word.end, "%3A%2F%2F") {
        return None;
    }
    encoded(scan, start)
}

/// `user:password@host` without a scheme, as drivers for Go and Oracle take it.
pub(super) fn dsn(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let start = word.end + 1;
    if scan.byte(word.end) != b':' || word.start < scan.plain {
        return None;
    }
    if scan.follows(word.start, "jdbc:oracle:") {
        return oracle(scan, start);
    }
    let first = scan.byte(start);
    if first.is_ascii_whitespace() || b"/:@\\\"'`".contains(&first) {
        return None;
    }
    let space = scan.next_space(start);
    let mut at = scan.next_at(start);
    // `jdbc:postgresql://...`
    let is_scheme =
        scan.ahead(start, 32).split(|byte| !byte.is_ascii_alphanumeric() && *byte != b'+').next();
    if is_scheme.is_some_and(|scheme| scan.follows(start + scheme.len(), "://")) {
        return None;
    }
    if at >= space || scan.next_quote(start) < at {
        return None;
    }
    // A password may hold an `@` too: the one before an address ends it.
    let next = scan.next_at(at + 1);
    if next < space && !is_digest(scan, next + 1) && b"(t/u[".contains(&scan.byte(next + 1)) {
        at = next;
    }
    let user = scan.word(word);
    let is_address = ["tcp(", "unix(", "(", "/"].iter().any(|it| scan.follows(at + 1, it));
    if is_address {
        return (scan.before(at) != b':').then_some(word.start..at);
    }
    let host = scan.byte(at + 1);
    let is_host = host.is_ascii_alphanumeric() || b"[_$%".contains(&host) || !host.is_ascii();
    let is_number = user.iter().all(u8::is_ascii_digit);
    let password = &scan.bytes[start..at];
    // `git@github.com:org/repo@v1`, but not `me@example.com:hunter2@imap.example.com`.
    let is_path = password.contains(&b'/') || !looks_secret(password);
    let after_at = scan.before(word.start) == b'@' && user.contains(&b'.') && is_path;
    // `10.0.0.1:6379@16379`: a node of a cluster.
    let is_number = is_number || (user.contains(&b'.') && password.iter().all(u8::is_ascii_digit));
    if !is_host || is_number || after_at || is_port(scan.ahead(start, 8)) || is_digest(scan, at + 1)
    {
        return None;
    }
    // `left-pad:1.3.0@latest`
    let is_package = is_release(password) && is_tag(scan.ahead(at + 1, 16));
    let is_mail = is_mail(scan, user, start..at);
    (!is_mail && !is_package && !is_version(scan, at + 1)).then_some(word.start..at)
}

/// `jdbc:oracle:thin:scott/tiger@//ora:1521/svc`
fn oracle(scan: &mut Scan<'_>, start: usize) -> Option<Range<usize>> {
    let kind = start + "oracle:".len();
    let name = scan.ahead(kind, 16).iter().position(|&byte| byte == b':')?;
    let (user, at) = (kind + name + 1, scan.next_at(kind));
    (user < at && at < scan.next_space(kind)).then_some(user..at)
}

/// Names before a colon that say whose address follows, and of packages: `From:ops@example.com`.
const NO_USERS: &[&str] = &[
    "from",
    "to",
    "cc",
    "bcc",
    "mailto",
    "contact",
    "email",
    "e-mail",
    "mail",
    "sender",
    "recipient",
    "reply-to",
    "replyto",
    "user",
    "username",
    "login",
    "owner",
    "author",
    "notify",
    "account",
    "acct",
    "sip",
    "sips",
    "xmpp",
    "ssh",
    "scp",
    "git",
    "npm",
    "yarn",
    "pkg",
    "crate",
    "package",
    "principal",
    "upn",
    "subject",
    "sub",
    "node",
    "error",
    "failed",
    "warning",
    "info",
    "at",
    "for",
    "file",
    "image",
    "by",
];

/// Names before an `@` that mailboxes have.
const MAILBOXES: &[&str] = &[
    "me",
    "you",
    "ops",
    "admin",
    "info",
    "support",
    "noreply",
    "no-reply",
    "alerts",
    "oncall",
    "postmaster",
    "help",
    "security",
    "team",
    "hello",
    "contact",
    "sre",
    "user",
    "webmaster",
    "abuse",
    "sales",
    "billing",
];

fn is_mail(scan: &Scan<'_>, user: &[u8], password: Range<usize>) -> bool {
    let is_in = |table: &[&str], word: &[u8]| {
        table.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()))
    };
    let host = scan.ahead(password.end + 1, 64);
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || b".-".contains(byte);
    let name = &host[..host.iter().take_while(is_name).count()];
    // Mail goes to a domain, without port or path.
    let is_address = host.get(name.len()).is_some_and(|byte| b":/[".contains(byte));
    let password = &scan.bytes[password];
    if is_in(NO_USERS, user) {
        return !(is_address && password.len() >= 12 && looks_secret(password));
    }
    if password.len() > 128 {
        return false;
    }
    let mut parts = password.rsplit(|byte| b",;:=".contains(byte));
    let mailbox = parts.next().unwrap_or_default();
    if parts.next().is_some_and(|label| is_in(NO_USERS, label)) {
        return true;
    }
    let has_dot = name.contains(&b'.');
    let is_upper =
        name.iter().any(u8::is_ascii_uppercase) && !name.iter().any(u8::is_ascii_lowercase);
    // A realm of Kerberos, or a mailbox.
    has_dot && (is_upper || (!is_address && is_in(MAILBOXES, mailbox)))
}

/// `8080/...`: what stands before the colon is a host.
fn is_port(text: &[u8]) -> bool {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    (1..=5).contains(&digits) && text.get(digits).is_some_and(|byte| b"/?#,;".contains(byte))
}

/// `@sha256:...` names an image.
fn is_digest(scan: &Scan<'_>, at: usize) -> bool {
    ["sha256", "sha512", "sha384", "sha1", "md5"].iter().any(|name| scan.follows(at, name))
}

/// `@4.17.21`, `@^1`, `@v2`: of a package. An address has four numbers.
fn is_version(scan: &Scan<'_>, at: usize) -> bool {
    let ahead = scan.ahead(at, 32);
    let ahead = ahead.strip_prefix(b"v").unwrap_or(ahead);
    let version = ahead.iter().take_while(|&&byte| byte.is_ascii_digit() || byte == b'.').count();
    let dots = ahead[..version].split(|&byte| byte == b'.').count() - 1;
    let ends = ahead.get(version).is_none_or(|byte| !byte.is_ascii_alphanumeric() && *byte != b':');
    version > 0 && (1..=2).contains(&dots) && ends
}

/// `1.3.0`
fn is_release(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'.');
    text.len() <= 32
        && parts.clone().count() == 3
        && parts.all(|part| !part.is_empty() && part.iter().all(u8::is_ascii_digit))
}

/// What a package's newest release is called, and what ends such a name.
fn is_tag(ahead: &[u8]) -> bool {
    let length = ahead.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    let (tag, rest) = ahead.split_at(length);
    let tags = ["latest", "next", "stable", "beta", "alpha", "canary", "rc", "lts", "edge"];
    tags.iter().any(|it| tag.eq_ignore_ascii_case(it.as_bytes()))
        && match rest {
            // The end of a sentence, or of a label.
            [b'.', next, ..] => !next.is_ascii_alphanumeric(),
            [next, ..] => !b":/-_".contains(next),
            [] => true,
        }
}

/// `db`, `db:5432`, `[::1]:80`, or nothing, as in `file:///`.
fn is_host(text: &[u8]) -> bool {
    if text.starts_with(b"[") {
        return true;
    }
    let colon = text.iter().position(|&byte| byte == b':').unwrap_or(text.len());
    let (name, port) = text.split_at(colon);
    let is_port = port.iter().skip(1).take_while(|byte| byte.is_ascii_digit()).count();
    // What follows a port is of the sentence: `http://a:80,`, `http://a:80)`.
    let rest = port.get(1 + is_port..).unwrap_or_default();
    let is_end = rest.iter().all(|byte| b",;:.)]}>'".contains(byte));
    is_end && (!name.is_empty() || port.is_empty())
}

/// A host that cannot be the end of a password: with a dot, a port, or brackets.
fn is_evident_host(host: &[u8]) -> bool {
    let name = host
        .iter()
        .take_while(|&&byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
        .count();
    let has_dot = host[..name].iter().skip(1).any(|&byte| byte == b'.');
    let has_port =
        host.get(name) == Some(&b':') && host.get(name + 1).is_some_and(u8::is_ascii_digit);
    host.starts_with(b"[") || (name > 0 && (has_dot || has_port || host.starts_with(b"localhost")))
}
