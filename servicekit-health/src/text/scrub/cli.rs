//! Credentials among the arguments of a command.

use std::ops::Range;

use super::keys::{Kind, kind};
use super::prose::{is_common, is_hollow};
use super::scan::{Scan, Word};
use super::values::{bare_end, is_quote, quoted, run};

/// How a flag takes its value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// `-phunter2`
    Attached,
    /// `-p hunter2`
    Next,
    /// `-u user:hunter2`
    UserAndPassword,
}

/// A client program whose flags carry secrets.
pub(super) struct Program {
    name: &'static str,
    flags: &'static [(&'static str, Takes)],
}

/// To teach it a program, add a line.
static PROGRAMS: &[Program] = &[
    Program { name: "mysql", flags: &[("p", Takes::Attached)] },
    Program { name: "mysqldump", flags: &[("p", Takes::Attached)] },
    Program { name: "mysqladmin", flags: &[("p", Takes::Attached)] },
    Program { name: "mariadb", flags: &[("p", Takes::Attached)] },
    Program { name: "mariadb-dump", flags: &[("p", Takes::Attached)] },
    Program { name: "sshpass", flags: &[("p", Takes::Attached), ("p", Takes::Next)] },
    Program { name: "redis-cli", flags: &[("a", Takes::Next)] },
    Program { name: "valkey-cli", flags: &[("a", Takes::Next)] },
    Program {
        name: "curl",
        flags: &[("u", Takes::UserAndPassword), ("user", Takes::UserAndPassword)],
    },
    Program { name: "mongo", flags: &[("p", Takes::Next)] },
    Program { name: "mongosh", flags: &[("p", Takes::Next)] },
    Program { name: "mongodump", flags: &[("p", Takes::Next)] },
    Program { name: "cqlsh", flags: &[("p", Takes::Next)] },
    Program { name: "ldapsearch", flags: &[("w", Takes::Next)] },
    Program { name: "ldapwhoami", flags: &[("w", Takes::Next)] },
    Program { name: "sqlcmd", flags: &[("P", Takes::Next), ("P", Takes::Attached)] },
    Program { name: "mosquitto_pub", flags: &[("P", Takes::Next)] },
    Program { name: "mosquitto_sub", flags: &[("P", Takes::Next)] },
    Program { name: "rabbitmqadmin", flags: &[("p", Takes::Next)] },
    Program { name: "smbclient", flags: &[("U", Takes::UserAndPassword)] },
];

/// The letters that begin the names of [`PROGRAMS`], by their low five bits.
const FIRST_LETTERS: u32 = {
    let (mut letters, mut at) = (0, 0);
    while at < PROGRAMS.len() {
        letters |= 1 << (PROGRAMS[at].name.as_bytes()[0] & 31);
        at += 1;
    }
    letters
};

/// How far from a program's name its flags are looked for, in bytes.
const REACH: usize = 512;

/// A flag of a program in the table.
pub(super) fn program_flag(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    let text = scan.word(word);
    if scan.before(word.start) != b'-' {
        let next = scan.byte(word.end);
        let begins = FIRST_LETTERS >> (text[0] & 31) & 1 == 1;
        if begins && text.len() >= 4 && (next == b' ' || is_quote(next)) {
            let program = PROGRAMS.iter().find(|program| program.name.as_bytes() == text);
            if let Some(program) = program {
                scan.program = Some((program, word.end));
            } else if text == b"sqlplus" {
                return user_slash_password(scan, word.end + 1);
            }
        }
        return None;
    }
    let (program, at) = scan.program.filter(|(_, at)| word.start - at < REACH)?;
    for (flag, takes) in program.flags {
        match takes {
            Takes::Attached => {
                if text == flag.as_bytes() && is_quote(scan.byte(word.end)) {
                    // `-p'hunter2'`, but not the end of an argument, `"-p"`.
                    let body = quoted(scan, word.end).filter(|body| !body.is_empty());
                    return body.filter(|_| !is_quote(scan.before(word.start - 1)));
                }
                let is_flag = text.starts_with(flag.as_bytes()) && text.len() > 1;
                if is_flag && scan.before(word.start - 1) != b'-' && word.start - 1 > at {
                    let start = word.start + flag.len();
                    return Some(start..bare_end(scan, start).max(word.end));
                }
            }
            Takes::Next if text == flag.as_bytes() => return argument(scan, word.end),
            Takes::UserAndPassword if text == flag.as_bytes() => {
                let value = argument(scan, word.end)?;
                return scan.bytes[value.clone()]
                    .iter()
                    .any(|byte| b":%".contains(byte))
                    .then_some(value);
            }
            _ => {}
        }
    }
    None
}

/// `sqlplus scott/tiger@orcl`
fn user_slash_password(scan: &Scan<'_>, start: usize) -> Option<Range<usize>> {
    let end = bare_end(scan, start);
    let argument = &scan.bytes[start..end];
    let at = argument.iter().position(|&byte| byte == b'@').unwrap_or(argument.len());
    argument[..at].contains(&b'/').then_some(start..start + at)
}

/// `--password hunter2`, in the quotes of an argument list too: `"--password" "hunter2"`.
pub(super) fn secret_flag(scan: &mut Scan<'_>, word: Word) -> Option<Range<usize>> {
    if scan.before(word.start) != b'-' {
        return None;
    }
    if matches!(scan.word(word), b"passin" | b"passout") {
        // openssl: `-passin pass:hunter2`
        let value = argument(scan, word.end)?;
        return scan.follows(value.start, "pass:").then_some(value.start + 5..value.end);
    }
    matches!(kind(scan.word(word))?, Kind::Password | Kind::Secret | Kind::Word).then_some(())?;
    let value = argument(scan, word.end)?;
    let text = &scan.bytes[value.clone()];
    let is_inner_name =
        text.iter().take(48).any(|byte| b"=<[".contains(byte)) && text.starts_with(b"<");
    (!is_common(&text[..text.len().min(48)]) && !is_inner_name && !is_hollow(text)).then_some(value)
}

/// The next argument behind a flag that ends at `at`.
fn argument(scan: &Scan<'_>, at: usize) -> Option<Range<usize>> {
    let mut next = at;
    let slashes = run(scan, next, b'\\');
    let is_quoted = is_quote(scan.byte(next + slashes));
    if is_quoted {
        next += slashes + 1;
        next += usize::from(scan.byte(next) == b',');
    }
    let value = scan.skip_blanks(next);
    if value == next && !is_quoted || scan.byte(value) == b'-' {
        return None;
    }
    if let Some(body) = quoted(scan, value) {
        return Some(body);
    }
    let end = bare_end(scan, value);
    (!is_quoted && end > value).then_some(value..end)
}
