//! What only talks about secrets: words that stand where a value would.

/// Values that say how a secret is, not what it is.
const STATES: &[&str] = &[
    // Absent, as languages print it.
    "none",
    "null",
    "nil",
    "undefined",
    "empty",
    "unset",
    "absent",
    "nothing",
    "n/a",
    "na",
    "notpresent",
    "true",
    "false",
    "yes",
    "no",
    "ok",
    "on",
    "off",
    "set",
    "unknown",
    "present",
    "default",
    "anonymous",
    // Hidden already.
    "redacted",
    "hidden",
    "masked",
    "filtered",
    "sensitive",
    "secret([redacted",
    "protected",
    // What is wrong with it, or done to it.
    "expired",
    "invalid",
    "missing",
    "required",
    "mismatch",
    "mismatched",
    "incorrect",
    "wrong",
    "rejected",
    "denied",
    "revoked",
    "malformed",
    "failed",
    "failure",
    "error",
    "bad",
    "unauthorized",
    "unauthenticated",
    "forbidden",
    "valid",
    "optional",
    "disabled",
    "enabled",
    "changed",
    "rotated",
    "refreshed",
    "accepted",
    "timeout",
    "refused",
    "unavailable",
    "unsupported",
    "unexpected",
    "reset",
    "read",
    "write",
    "skipped",
    "loaded",
    "updated",
    "ignored",
    "blank",
    // How it is made, or checked, and what parsers call one.
    "md5",
    "sha1",
    "sha256",
    "sha512",
    "sha-256",
    "scram-sha-1",
    "scram-sha-256",
    "scram-sha-512",
    "bcrypt",
    "argon2",
    "argon2id",
    "pbkdf2",
    "oauth",
    "oauth2",
    "basic",
    "bearer",
    "digest",
    "plain",
    "ldap",
    "kerberos",
    "base64",
    "utf8",
    "utf-8",
    "hs256",
    "rs256",
    "es256",
    "ed25519",
    "v1",
    "v2",
    "eof",
    "ident",
    "identifier",
    "number",
    "string",
    "integer",
    "literal",
    "iam",
    "sasl",
    "peer",
    "trust",
];

/// Words that begin or fill a sentence about a secret.
const COMMON: &[&str] = &[
    "a",
    "an",
    "the",
    "this",
    "that",
    "it",
    "its",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "being",
    "has",
    "have",
    "had",
    "must",
    "may",
    "should",
    "shall",
    "can",
    "cannot",
    "can't",
    "could",
    "couldn't",
    "will",
    "would",
    "do",
    "does",
    "doesn't",
    "did",
    "didn't",
    "don't",
    "isn't",
    "not",
    "no",
    "or",
    "and",
    "but",
    "for",
    "from",
    "to",
    "of",
    "in",
    "into",
    "on",
    "at",
    "by",
    "with",
    "without",
    "when",
    "while",
    "if",
    "as",
    "than",
    "too",
    "only",
    "already",
    "please",
    "expected",
    "found",
    "given",
    "provided",
    "got",
    "requires",
    "require",
    "contains",
    "needs",
    "need",
    "neither",
    "either",
    "unable",
    "cause",
    "caused",
    "because",
    "after",
    "before",
    "via",
    "using",
    "field",
    "flag",
    "option",
    "argument",
    "parameter",
    "authentication",
    "validation",
    "connection",
    "permission",
    "verification",
    "try",
    "exceeds",
    "length",
    "characters",
    "such",
    "end",
    "there",
    "invalid",
    "missing",
    "failed",
    "denied",
    "required",
    "expired",
    "error",
    "lookup",
    "quota",
    "limit",
    "rate",
    "minimum",
    "maximum",
    "policy",
    "rotation",
    "service",
    "all",
    "more",
    // Statements, as behind the name of a column.
    "select",
    "insert",
    "update",
    "delete",
    "alter",
    "create",
    "drop",
];

/// Words before a secret's name that make it a part of a grammar or an inventory:
/// `unexpected token: "x"`.
const BEFORE_NAME: &[&str] = &[
    "unexpected",
    "expected",
    "expecting",
    "next",
    "illegal",
    "stray",
    "unrecognized",
    "unknown",
    "missing",
    "no",
    "such",
    "required",
    "undefined",
    "parse",
    "syntax",
];

/// Whether `word` says a state, not a value; for `none,` and `YES)` too.
pub(super) fn is_state(word: &[u8]) -> bool {
    let word = bare(word);
    is_in(STATES, word) || starts_like_error(word)
}

fn starts_like_error(word: &[u8]) -> bool {
    let is_name = word.len() > 6 && word.iter().all(u8::is_ascii_alphabetic);
    is_name
        && ["Not", "Missing", "Invalid", "Expired", "Bad", "Unknown", "Empty", "Unexpected"]
            .iter()
            .any(|start| {
                let rest = word.strip_prefix(start.as_bytes());
                rest.is_some_and(|rest| rest.first().is_some_and(u8::is_ascii_uppercase))
            })
}

/// Whether a name of several words is that of an error: `ExpiredToken`.
pub(super) fn is_error_name(name: &[u8]) -> bool {
    [
        "Expired",
        "Invalid",
        "Bad",
        "Missing",
        "Unknown",
        "Unexpected",
        "Unrecognized",
        "No",
        "Wrong",
        "Malformed",
    ]
    .iter()
    .any(|start| name.starts_with(start.as_bytes()))
        || starts_like_error(name)
}

/// Whether the word before a name makes it no name of a value.
pub(super) fn precedes_no_name(word: &[u8]) -> bool {
    is_in(BEFORE_NAME, word)
}

/// Whether `word` is of a sentence.
pub(super) fn is_common(word: &[u8]) -> bool {
    let word = bare(word);
    is_in(COMMON, word) || is_in(STATES, word)
}

/// Whether `line`, what follows `password: `, is a sentence about the password.
pub(super) fn is_sentence(line: &[u8]) -> bool {
    let mut words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return true };
    if is_common(first) || first.starts_with(b"`") {
        return true;
    }
    // `signature: BadSignature: leaf`
    if first.ends_with(b":") && is_word(first) {
        return true;
    }
    let Some(second) = words.next() else { return false };
    // `password: 8 characters`
    if first.len() <= 3 && first.iter().all(u8::is_ascii_digit) && is_common(second) {
        return true;
    }
    is_word(first)
        && [Some(second), words.next(), words.next(), words.next()]
            .into_iter()
            .flatten()
            .any(|word| is_in(COMMON, bare(word)) || is_in(STATES, bare(word)))
}

/// Letters as in a sentence or in a name of a program: capitals alone, or each before small letters.
fn is_word(word: &[u8]) -> bool {
    let word = bare(word);
    let is_capital = |byte: &u8| !byte.is_ascii_lowercase();
    let humps =
        word.windows(2).all(|pair| !pair[0].is_ascii_uppercase() || pair[1].is_ascii_lowercase());
    let letters = word.iter().all(|&byte| byte.is_ascii_alphabetic() || b"'-".contains(&byte));
    letters && (humps || word.iter().all(is_capital))
}

/// Whether a value where sentences also stand is one: letters and digits mixed, long, or with the
/// beginning of a token.
pub(super) fn looks_secret(value: &[u8]) -> bool {
    let value = bare(value);
    if is_state(value) || value.windows(3).any(|part| part == b"://") {
        return false;
    }
    let marks = ["tok_", "tok-", "sk_", "sk-", "pat_", "pat-", "key_", "key-", "sec_", "hvs."];
    if value.len() >= 8 && marks.iter().any(|mark| value.starts_with(mark.as_bytes())) {
        return true;
    }
    let has = |is: fn(&u8) -> bool| value.iter().any(is);
    let is_place = value.starts_with(b"/") || value.contains(&b'[');
    let mixed = has(u8::is_ascii_digit) && has(u8::is_ascii_alphabetic) && !is_place;
    (value.len() >= 6 && mixed) || (value.len() >= 24 && has(u8::is_ascii_uppercase) && !is_place)
}

/// Whether nothing in `value` can be secret: no letter and no digit, or what hides one already.
pub(super) fn is_hollow(value: &[u8]) -> bool {
    let start = &value[..value.len().min(48)];
    let hides = start.windows(8).any(|part| part.eq_ignore_ascii_case(b"redacted"));
    hides || !value.iter().any(|&byte| byte.is_ascii_alphanumeric() || !byte.is_ascii())
}

/// Without the punctuation around a word.
fn bare(mut word: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = word
        && b"\"'`([{<*".contains(first)
    {
        word = rest;
    }
    while let [rest @ .., last] = word
        && b"\"'`)]}>,;:.!?*\\".contains(last)
    {
        word = rest;
    }
    word
}

fn is_in(table: &[&str], word: &[u8]) -> bool {
    table.iter().any(|it| word.eq_ignore_ascii_case(it.as_bytes()))
}
