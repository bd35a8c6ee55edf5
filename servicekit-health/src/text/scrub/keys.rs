//! Which names say that their value is secret.
//!
//! A name is taken apart at `_`, `-`, `.` and where a capital follows a small letter. Its last
//! parts decide: `DB_PASSWORD` and `clientSecret` are secret, `password_length` and `SecretName`
//! are not. To teach it a name, add to one of the tables.

/// How sure a name makes that its value is secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `password` and its like, which are about little else.
    Password,
    /// A name of several parts, `api_key`, `X-Vault-Token`: made by a program.
    Secret,
    /// A word that sentences also hold: `token`, `secret`, `signature`.
    Word,
    /// `key`, `code`, `sig`, `session_id`: secret in the query of a URL, or where the value looks
    /// random.
    Query,
    /// `authorization`: a scheme, then credentials.
    Authorization,
    /// `cookie`, `set-cookie`: pairs up to the end of the line.
    Cookie,
    /// `userinfo`: secret where it is a user and a password.
    UserInfo,
}

/// Ends of names, whatever stands before: `PGPASSWORD`, `mypwd`.
const PASSWORDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "passwort",
    "kennwort",
    "pwd",
    "wachtwoord",
    "contraseña",
    "contrasena",
    "senha",
    "parola",
    "heslo",
    "hasło",
    "lösenord",
    "motdepasse",
    "密码",
    "密碼",
    "パスワード",
    // As `look` leaves it.
    "пapoль",
];

/// Whole parts that mean a password.
const PASSWORD_PARTS: &[&str] =
    &["requirepass", "masterauth", "sshpass", "dbpass", "userpass", "pw"];

/// Words that sentences also hold.
const WORDS: &[&str] = &[
    "token",
    "secret",
    "credential",
    "credentials",
    "signature",
    "pass",
    "auth",
    "otp",
    "creds",
    "jwt",
    "bearer",
    "hmac",
];

/// Ends of parts that are words of [`WORDS`], as in `authtoken`, `appsecret`.
const WORD_ENDS: &[&str] = &["token", "secret"];

/// What makes a `key` secret: `api_key`, `AccountKey`, `apikey`.
const KEY_OWNERS: &[&str] = &[
    "api",
    "access",
    "secret",
    "private",
    "account",
    "shared",
    "auth",
    "encryption",
    "signing",
    "subscription",
    "functions",
    "function",
    "master",
    "storage",
    "admin",
    "service",
    "session",
    "webhook",
    "license",
    "app",
    "application",
    "client",
    "server",
    "integration",
    "ingest",
    "write",
    "read",
    "deploy",
    "host",
    "ssh",
    "aes",
    "hmac",
    "jwt",
    "rsa",
    "tls",
    "crypto",
    "cipher",
    "data",
];

/// Names that are secret only in a query or by their value.
const QUERY: &[&str] = &[
    "key",
    "code",
    "sig",
    "sid",
    "session",
    "sessionid",
    "phpsessid",
    "jsessionid",
    "sessid",
    "ticket",
];

/// What may follow a secret part: `password_new`, `PASSWORD_1`, `secretValue`.
const SUFFIXES: &[&str] = &[
    "value",
    "hash",
    "base",
    "string",
    "box",
    "base64",
    "b64",
    "plain",
    "plaintext",
    "text",
    "new",
    "old",
    "current",
    "confirm",
    "confirmation",
    "again",
    "repeat",
    "default",
    "prod",
    "production",
    "dev",
    "staging",
    "test",
    "primary",
    "secondary",
    "backup",
];

/// Names, as parts, and ends of names, that the other tables miss.
const NAMES: &[&str] = &["basic_auth_user_info", "mot_de_passe"];

/// Names that end like a secret and are none.
const INNOCENT: &[&str] = &["jsonwebtoken"];

/// The longest name that is looked at; of a longer one, its end.
const MAX_NAME: usize = 96;

/// What the name of a value says of it.
pub(super) fn kind(name: &[u8]) -> Option<Kind> {
    if name.is_ascii() && name.len() > 3 && !name.windows(3).any(is_hint) {
        return None;
    }
    let mut end = &name[name.len().saturating_sub(MAX_NAME)..];
    // Not within a character.
    while end.first().is_some_and(|byte| (0x80..0xc0).contains(byte)) {
        end = &end[1..];
    }
    let name = std::str::from_utf8(end).ok()?;
    let parts = in_parts(name);
    let is_or_ends = |name: &&str| {
        parts.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with('_'))
    };
    if NAMES.iter().any(is_or_ends) {
        return Some(Kind::Secret);
    }
    let mut parts = parts.rsplit('_').filter(|part| !part.is_empty());
    let mut last = parts.next()?;
    while SUFFIXES.contains(&last) || last.bytes().all(|byte| byte.is_ascii_digit()) {
        last = parts.next()?;
    }
    let last = last.trim_end_matches(|char: char| char.is_ascii_digit());
    let owner = parts.next();
    if INNOCENT.contains(&last) {
        return None;
    }
    if PASSWORDS.iter().any(|word| last.ends_with(word)) || PASSWORD_PARTS.contains(&last) {
        return Some(Kind::Password);
    }
    if last == "authorization" {
        return Some(Kind::Authorization);
    }
    if matches!(last, "cookie" | "cookies") {
        return Some(Kind::Cookie);
    }
    if last == "userinfo" || (last == "info" && owner == Some("user")) {
        return Some(Kind::UserInfo);
    }
    if WORDS.contains(&last) {
        return Some(if owner.is_some() { Kind::Secret } else { Kind::Word });
    }
    if let Some(before) = last.strip_suffix("key").filter(|before| !before.is_empty()) {
        return KEY_OWNERS.iter().any(|it| before.ends_with(it)).then_some(Kind::Secret);
    }
    if last == "key" && owner.is_some_and(|owner| KEY_OWNERS.contains(&owner)) {
        return Some(Kind::Secret);
    }
    if QUERY.contains(&last) && (owner.is_none() || last == "sig") {
        return Some(Kind::Query);
    }
    let is_session = owner.is_some_and(|owner| owner.ends_with("session")) && last == "id";
    if is_session || (owner == Some("connect") && last == "sid") {
        return Some(Kind::Query);
    }
    WORD_ENDS.iter().any(|word| last.ends_with(word)).then_some(Kind::Secret)
}

/// Three letters of each name in the tables: a word without any is not taken apart.
const HINTS: &[&[u8; 3]] = &[
    b"pas", b"pwd", b"_pw", b"ken", b"cht", b"ras", b"enh", b"rol", b"esl", b"tde", b"tok", b"sec",
    b"cre", b"sig", b"aut", b"otp", b"jwt", b"bea", b"hma", b"key", b"cod", b"sid", b"ses", b"tic",
    b"coo", b"nfo",
];

/// [`HINTS`], to be looked up by the low five bits of each letter, which small letters and
/// capitals share.
static HINT_BITS: [[u32; 32]; 32] = {
    let mut bits = [[0; 32]; 32];
    let mut at = 0;
    while at < HINTS.len() {
        let [first, second, third] = *HINTS[at];
        bits[(first & 31) as usize][(second & 31) as usize] |= 1 << (third & 31);
        at += 1;
    }
    bits
};

fn is_hint(letters: &[u8]) -> bool {
    let low = |at: usize| usize::from(letters[at] & 31);
    HINT_BITS[low(0)][low(1)] >> low(2) & 1 == 1
}

/// Whether `word` makes a secret of the word `key` behind it: `api key: x`.
pub(super) fn owns_key(word: &[u8]) -> bool {
    let owners = ["api", "access", "secret", "private", "account", "encryption", "signing", "auth"];
    owners.iter().any(|owner| word.eq_ignore_ascii_case(owner.as_bytes()))
}

/// A name in small letters as they look, with a `_` between its parts.
fn in_parts(name: &str) -> String {
    let mut parts = String::with_capacity(name.len() + 8);
    let (mut after_small, mut capitals) = (false, 0);
    let mut chars = name.chars().peekable();
    while let Some(char) = chars.next() {
        if matches!(char, '_' | '-' | '.') {
            parts.push('_');
            (after_small, capitals) = (false, 0);
            continue;
        }
        // `clientSecret`, and `XMLToken`, where the last capital begins the next part.
        let begins_word = capitals > 1 && chars.peek().is_some_and(|next| next.is_lowercase());
        if char.is_uppercase() && (after_small || begins_word) {
            parts.push('_');
            capitals = 0;
        }
        after_small = char.is_lowercase();
        capitals = if char.is_uppercase() { capitals + 1 } else { 0 };
        parts.extend(char.to_lowercase().map(look));
    }
    parts
}

/// The Latin letter that `char`, a small one, looks like: full-width and Cyrillic ones are written
/// by mistake, or to hide.
fn look(char: char) -> char {
    match char {
        'а' => 'a',
        'с' => 'c',
        'ԁ' => 'd',
        'е' => 'e',
        'һ' => 'h',
        'і' => 'i',
        'к' => 'k',
        'о' => 'o',
        'р' => 'p',
        'ѕ' => 's',
        'т' => 't',
        'у' => 'y',
        'х' => 'x',
        'ԝ' => 'w',
        'ａ'..='ｚ' => {
            char::from(b'a' + u8::try_from(u32::from(char) - 0xff41).unwrap_or_default())
        }
        _ => char,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_of_the_tables_is_found() {
        for name in PASSWORDS.iter().chain(PASSWORD_PARTS) {
            assert_eq!(kind(name.as_bytes()), Some(Kind::Password), "{name}");
        }
        for name in WORDS {
            assert_eq!(kind(name.as_bytes()), Some(Kind::Word), "{name}");
        }
        for name in QUERY {
            assert_eq!(kind(name.as_bytes()), Some(Kind::Query), "{name}");
        }
        for name in NAMES {
            assert_eq!(kind(name.as_bytes()), Some(Kind::Secret), "{name}");
        }
        for owner in KEY_OWNERS {
            for name in [format!("{owner}_key"), format!("{owner}key"), format!("{owner}Key")] {
                assert_eq!(kind(name.as_bytes()), Some(Kind::Secret), "{name}");
            }
        }
        for suffix in SUFFIXES {
            assert_eq!(kind(format!("password_{suffix}").as_bytes()), Some(Kind::Password));
        }
    }

    #[test]
    fn the_last_part_of_a_name_decides() {
        for (name, expected) in [
            ("DB_PASSWORD", Some(Kind::Password)),
            ("spring.datasource.password", Some(Kind::Password)),
            ("PGPASSWORD2", Some(Kind::Password)),
            ("pаsswоrd", Some(Kind::Password)),
            ("ｐａｓｓｗｏｒｄ", Some(Kind::Password)),
            ("пароль", Some(Kind::Password)),
            ("X-Vault-Token", Some(Kind::Secret)),
            ("AWS_SECRET_ACCESS_KEY", Some(Kind::Secret)),
            ("clientSecret", Some(Kind::Secret)),
            ("authtoken", Some(Kind::Secret)),
            ("Proxy-Authorization", Some(Kind::Authorization)),
            ("set-cookie", Some(Kind::Cookie)),
            ("session_id", Some(Kind::Query)),
            ("schema_registry_basic_auth_user_info", Some(Kind::Secret)),
            ("motDePasse", Some(Kind::Secret)),
            ("db_mot_de_passe", Some(Kind::Secret)),
            ("userInfo", Some(Kind::UserInfo)),
            ("info", None),
            ("user_info_endpoint", None),
            ("password_length", None),
            ("SharedAccessKeyName", None),
            ("secretName", None),
            ("token_type", None),
            ("max_tokens", None),
            ("partition_key", None),
            ("error_code", None),
            ("bypass", None),
            ("monkey", None),
        ] {
            assert_eq!(kind(name.as_bytes()), expected, "{name}");
        }
    }
}
