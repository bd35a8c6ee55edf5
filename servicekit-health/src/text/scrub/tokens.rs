//! Credentials that can be told by their shape, whatever stands before.

use std::ops::Range;

use super::scan::{Scan, Word};

/// How a service's tokens begin, and how many letters, digits, `_`, `-` and `.` follow at least.
/// To teach it a token, add a line.
const PREFIXES: &[(&str, usize)] = &[
    // AWS: access keys, session tokens. Google: keys, OAuth.
    ("AKIA", 16),
    ("ASIA", 16),
    ("ABIA", 16),
    ("ACCA", 16),
    ("FwoGZXIvYXdz", 20),
    ("IQoJb3JpZ2lu", 20),
    ("AIza", 30),
    ("ya29.", 20),
    ("GOCSPX-", 20),
    // Source code and packages.
    ("ghp_", 20),
    ("gho_", 20),
    ("ghu_", 20),
    ("ghs_", 20),
    ("ghr_", 20),
    ("github_pat_", 20),
    ("glpat-", 16),
    ("gldt-", 16),
    ("glrt-", 16),
    ("glptt-", 16),
    ("glcbt-", 16),
    ("glsoat-", 16),
    ("npm_", 30),
    ("pypi-", 30),
    ("rubygems_", 30),
    ("dckr_pat_", 16),
    ("cio", 32),
    ("ATATT3", 20),
    ("ATCTT3", 20),
    ("ATBB", 24),
    // Messages.
    ("xoxb-", 10),
    ("xoxp-", 10),
    ("xoxa-", 10),
    ("xoxr-", 10),
    ("xoxs-", 10),
    ("xoxe-", 10),
    ("xoxc-", 10),
    ("xoxd-", 10),
    ("xoxe.", 10),
    ("xapp-", 10),
    ("SG.", 30),
    ("key-", 32),
    // Payments and shops.
    ("sk_live_", 10),
    ("sk_test_", 10),
    ("rk_live_", 10),
    ("rk_test_", 10),
    ("whsec_", 16),
    ("sq0csp-", 20),
    ("sq0atp-", 20),
    ("shpat_", 20),
    ("shpss_", 20),
    ("shpca_", 20),
    ("shppa_", 20),
    // Models.
    ("sk-ant-", 16),
    ("sk-proj-", 16),
    ("sk-", 20),
    ("hf_", 20),
    ("gsk_", 20),
    ("r8_", 20),
    ("xai-", 20),
    ("nvapi-", 20),
    ("pplx-", 20),
    // Infrastructure.
    ("hvs.", 20),
    ("hvb.", 20),
    ("dop_v1_", 20),
    ("doo_v1_", 20),
    ("dp.pt.", 20),
    ("dp.st.", 20),
    ("glsa_", 20),
    ("glc_", 20),
    ("sntrys_", 20),
    ("sntryu_", 20),
    ("pscale_tkn_", 16),
    ("pscale_pw_", 16),
    ("tskey-", 16),
    ("CFPAT-", 20),
    ("NRAK-", 20),
    ("PMAK-", 20),
    ("dapi", 32),
    ("sbp_", 20),
    ("lin_api_", 20),
    ("figd_", 20),
    ("AGE-SECRET-KEY-1", 20),
    ("ops_eyJ", 20),
    ("HRKU-", 20),
    ("pul-", 32),
];

/// `ghp_...`, `AKIA...`, `xoxb-...`
pub(super) fn prefixed(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let text = scan.word(word);
    if text.len() < 14 {
        return None;
    }
    let is_one = |&(prefix, least): &(&str, usize)| {
        let body = text.strip_prefix(prefix.as_bytes());
        // Words with hyphens are long too: `npm_lifecycle_script`, `key-value-store-of-the-service`.
        let is_random = |body: &[u8]| {
            body.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
        };
        body.is_some_and(|body| body.len() >= least && is_random(body))
    };
    let found = PREFIXES.iter().any(is_one);
    found.then(|| word.start..token_end(scan, word.end))
}

/// `eyJ...`: the JSON of a JWT or JWE in base64, and what is signed or encrypted behind dots.
pub(super) fn jwt(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let text = scan.word(word);
    let mut parts = text.strip_prefix(b"eyJ")?.split(|&byte| byte == b'.');
    let is_jwt = parts.next().is_some_and(|header| header.len() >= 6) && parts.next().is_some();
    (is_jwt || text.len() >= 40).then(|| word.start..token_end(scan, word.end))
}

/// What base64 adds to the characters of a word.
fn token_end(scan: &Scan<'_>, mut end: usize) -> usize {
    while scan.byte(end).is_ascii_alphanumeric() || b"_+/=-".contains(&scan.byte(end)) {
        end += 1;
    }
    end
}

/// `110201543:AAHdqTcv...`: a bot of Telegram, also behind `/bot`.
pub(super) fn telegram(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let text = scan.word(word);
    let id = text.strip_prefix(b"bot").unwrap_or(text);
    if scan.byte(word.end) != b':'
        || !(6..=12).contains(&id.len())
        || !id.iter().all(u8::is_ascii_digit)
    {
        return None;
    }
    let start = word.end + 1;
    let secret = scan.ahead(start, 64);
    let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"_-".contains(byte);
    let length = secret.iter().take_while(is_part).count();
    (length >= 30).then(|| word.end - id.len()..start + length)
}

/// The paths of incoming webhooks, which are all that a caller needs.
const WEBHOOKS: &[&str] =
    &["hooks.slack.com/services/", "discord.com/api/webhooks/", "discordapp.com/api/webhooks/"];

/// `hooks.slack.com/services/T0/B0/token`
pub(super) fn webhook(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.byte(word.end) != b'/' {
        return None;
    }
    let path = WEBHOOKS.iter().find(|path| scan.follows(word.start, path))?;
    let start = word.start + path.len();
    let mut end = start;
    while scan.byte(end).is_ascii_alphanumeric() || b"_-/".contains(&scan.byte(end)) {
        end += 1;
    }
    (end > start).then_some(start..end)
}

/// `-----BEGIN RSA PRIVATE KEY-----` and what follows, to its end or that of the text. Certificates
/// and public keys are no secrets.
pub(super) fn private_key(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.word(word) != b"BEGIN" || scan.before(word.start) != b'-' {
        return None;
    }
    let label = scan.ahead(word.end, 64);
    let dashes = label.windows(5).position(|it| it == b"-----")?;
    if !label[..dashes].windows(11).any(|it| it == b"PRIVATE KEY") {
        return None;
    }
    let start = word.end + dashes + 5;
    let mut body = start;
    // Line ends, escaped ones too.
    while scan.byte(body).is_ascii_whitespace() || scan.byte(body) == b'\\' {
        body +=
            if scan.byte(body) == b'\\' && b"nr".contains(&scan.byte(body + 1)) { 2 } else { 1 };
    }
    let base64 = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=-".contains(byte);
    let first = scan.ahead(body, 80);
    let first = &first[..first.iter().take_while(base64).count()];
    let has_headers =
        ["Version:", "Comment:", "Proc-Type:", "Hash:"].iter().any(|it| scan.follows(body, it));
    let is_key = has_headers
        || first.len() >= 8
            && first.iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
    if !is_key || first.starts_with(b"-----END") {
        return None;
    }
    let end = scan.text.get(body..)?.find("-----END").map_or(scan.bytes.len(), |end| body + end);
    Some(start..end)
}
