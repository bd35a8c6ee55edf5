//! Takes credentials out of texts that leave the process.
//!
//! It recognizes shapes, it does not know secrets: what only talks about passwords stays. Each rule
//! of [`RULES`] looks at one word of the text and what stands around it, and says what to mask. A
//! rule looks back and ahead by a bounded number of bytes; to search further it must mask what it
//! has read, or remember it in [`Scan`]: so a text is read a constant number of times.
//!
//! Something new to recognize is most often a line in a table: names of values in `keys`, words
//! of sentences in `prose`, shapes of tokens in `tokens`, programs in `cli`, schemes in `urls`.

mod cli;
mod keys;
mod pairs;
mod parameters;
mod phrases;
mod prose;
mod scan;
mod tokens;
mod urls;
mod values;

use std::borrow::Cow;
use std::ops::Range;

use keys::Kind;
use scan::{Scan, Word};

/// What stands in the place of a credential.
pub(crate) const MASK: &str = "***";

/// How often a text is searched anew: a mask can bring together what looks like a credential.
const MAX_ROUNDS: usize = 4;

/// One kind of credential.
struct Rule {
    /// What it recognizes.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and the test of the table"))]
    name: &'static str,
    /// A text before and after.
    #[cfg_attr(not(test), expect(dead_code, reason = "for readers, and the test of the table"))]
    example: (&'static str, &'static str),
    /// Around which words it is asked: bits of [`around`].
    around: u8,
    /// The range to mask, given a word of the text.
    find: fn(&mut Scan<'_>, Word) -> Option<Range<usize>>,
}

/// What stands around a word, so that most rules need not be asked.
mod around {
    use super::{Scan, Word};

    /// A `:` follows.
    pub(super) const COLON: u8 = 1;
    /// A `%` follows.
    pub(super) const PERCENT: u8 = 1 << 1;
    /// A `/` follows.
    pub(super) const SLASH: u8 = 1 << 2;
    /// A blank follows.
    pub(super) const BLANK: u8 = 1 << 3;
    /// Something else follows.
    pub(super) const OTHER: u8 = 1 << 4;
    /// A `-` stands before.
    pub(super) const DASH: u8 = 1 << 5;
    /// The word is as long as a token.
    pub(super) const LONG: u8 = 1 << 6;
    pub(super) const ANY: u8 = u8::MAX;

    pub(super) fn of(scan: &Scan<'_>, word: Word) -> u8 {
        let next = match scan.byte(word.end) {
            b':' => COLON,
            b'%' => PERCENT,
            b'/' => SLASH,
            b' ' => BLANK,
            _ => OTHER,
        };
        let dash = if scan.before(word.start) == b'-' { DASH } else { 0 };
        let long = if word.end - word.start >= 14 { LONG } else { 0 };
        next | dash | long
    }
}

/// In order of precedence: the first that finds something at a word decides.
static RULES: &[Rule] = &[
    Rule {
        name: "user and password of a URL",
        example: ("postgres://app:hunter2@db/app refused", "postgres://***@db/app refused"),
        around: around::COLON,
        find: urls::url,
    },
    Rule {
        name: "user and password of an encoded URL",
        example: ("url=postgres%3A%2F%2Fapp%3Ahunter2%40db", "url=postgres%3A%2F%2F***%40db"),
        around: around::PERCENT,
        find: urls::encoded_url,
    },
    Rule {
        name: "token with a known prefix",
        example: ("bad credentials ghp_16C7e42F292c6912E7710c83", "bad credentials ***"),
        around: around::LONG,
        find: tokens::prefixed,
    },
    Rule {
        name: "JSON web token",
        example: ("invalid token eyJhbGciOiJIUzI1NiJ9.e30.abc", "invalid token ***"),
        around: around::LONG,
        find: tokens::jwt,
    },
    Rule {
        name: "private key in PEM",
        example: (
            "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADAN\n-----END PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----***-----END PRIVATE KEY-----",
        ),
        around: around::BLANK,
        find: tokens::private_key,
    },
    Rule {
        name: "path of a webhook",
        example: (
            "POST https://hooks.slack.com/services/T0/B0/x1",
            "POST https://hooks.slack.com/services/***",
        ),
        around: around::SLASH,
        find: tokens::webhook,
    },
    Rule {
        name: "token of a Telegram bot",
        example: ("/bot110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw/getMe", "/bot***/getMe"),
        around: around::COLON,
        find: tokens::telegram,
    },
    Rule {
        name: "value of a secret name",
        example: ("{\"api_key\": \"hunter2\", \"n\": 1}", "{\"api_key\": \"***\", \"n\": 1}"),
        around: around::ANY,
        find: pairs::pair,
    },
    Rule {
        name: "secret argument of a command",
        example: ("mysqladmin --password hunter2 ping", "mysqladmin --password *** ping"),
        around: around::DASH,
        find: cli::secret_flag,
    },
    Rule {
        name: "secret flag of a known program",
        example: ("mysql -uroot -phunter2 -e 'select 1'", "mysql -uroot -p*** -e 'select 1'"),
        around: around::DASH | around::BLANK | around::OTHER,
        find: cli::program_flag,
    },
    Rule {
        name: "authentication scheme",
        example: ("server rejected Basic dXNlcjpodW50ZXIy", "server rejected Basic ***"),
        around: around::BLANK,
        find: phrases::scheme,
    },
    Rule {
        name: "password in a sentence or statement",
        example: ("ALTER USER app PASSWORD 'hunter2'", "ALTER USER app PASSWORD '***'"),
        around: around::BLANK,
        find: phrases::password,
    },
    Rule {
        name: "statement that sets a password",
        example: ("CREATE USER app IDENTIFIED BY 'hunter2'", "CREATE USER app IDENTIFIED BY '***'"),
        around: around::BLANK,
        find: phrases::statement,
    },
    Rule {
        name: "AUTH",
        example: ("ERR unknown command AUTH hunter2", "ERR unknown command AUTH ***"),
        around: around::BLANK | around::OTHER,
        find: phrases::auth,
    },
    Rule {
        name: "user and password before an address",
        example: ("dial app:hunter2@tcp(db:3306)/app", "dial ***@tcp(db:3306)/app"),
        around: around::COLON,
        find: urls::dsn,
    },
];

/// Whether `key` says that its value is secret. `text` is the value where it is not made of others:
/// what only says how a secret is, `"token": "expired"`, is none.
pub(super) fn is_secret_field(key: &str, text: Option<&str>) -> bool {
    let value = text.unwrap_or_default().as_bytes();
    match keys::kind(key.as_bytes()) {
        None => false,
        Some(Kind::Query) => prose::looks_secret(value),
        Some(Kind::UserInfo) => parameters::is_user_info(value),
        Some(Kind::Word) if value.len() <= 3 && text.is_some() => false,
        Some(_) => !prose::is_state(value) || text.is_none(),
    }
}

/// Replaces by `***` what looks like a credential; borrows where nothing does.
pub(crate) fn scrub(text: &str) -> Cow<'_, str> {
    scrub_start(text, text.len())
}

/// The same for the first `end` bytes; what stands behind is read, and left out.
pub(super) fn scrub_start(text: &str, end: usize) -> Cow<'_, str> {
    let mut clean = masked(text, end);
    for _ in 1..MAX_ROUNDS {
        match &clean {
            Cow::Owned(once) => match masked(once, once.len()) {
                Cow::Owned(again) => clean = Cow::Owned(again),
                Cow::Borrowed(_) => break,
            },
            Cow::Borrowed(_) => break,
        }
    }
    clean
}

/// `range`, as far as it cuts a character, up to that character's ends.
fn whole(text: &str, mut range: Range<usize>) -> Range<usize> {
    while !text.is_char_boundary(range.start) {
        range.start -= 1;
    }
    while !text.is_char_boundary(range.end) {
        range.end += 1;
    }
    range
}

/// One pass.
fn masked(text: &str, end: usize) -> Cow<'_, str> {
    let mut scan = Scan::new(text);
    let (mut clean, mut done, mut at) = (String::new(), 0, 0);
    while let Some(word) = scan.next_word(at).filter(|word| word.start < end) {
        at = word.end;
        let around = around::of(&scan, word);
        let mut rules = RULES.iter().filter(|rule| rule.around & around != 0);
        if let Some(mask) = rules.find_map(|rule| (rule.find)(&mut scan, word))
            && mask.start >= done
        {
            let mask = whole(text, mask);
            at = at.max(mask.end);
            if &text[mask.clone()] != MASK {
                clean.push_str(&text[done..mask.start]);
                clean.push_str(MASK);
                done = mask.end;
            }
        }
    }
    if done == 0 {
        return Cow::Borrowed(&text[..end]);
    }
    clean.push_str(text.get(done..end).unwrap_or_default());
    Cow::Owned(clean)
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
