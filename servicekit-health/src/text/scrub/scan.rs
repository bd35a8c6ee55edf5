//! A text under search: its words, and what repeated searches have already learned of it.

use std::ops::Range;

use super::cli::Program;

/// A run of letters, digits, `_`, and of `-` and `.` within.
#[derive(Clone, Copy)]
pub(super) struct Word {
    pub(super) start: usize,
    pub(super) end: usize,
}

/// What the rules share during one pass.
pub(super) struct Scan<'a> {
    pub(super) text: &'a str,
    pub(super) bytes: &'a [u8],
    /// The last client program named, and where: its flags follow.
    pub(super) program: Option<(&'static Program, usize)>,
    /// Up to here, a search of a URL for the end of its user info has found none.
    pub(super) searched: usize,
    /// Up to here stands a URL without user info, whose path may hold `a:b@c`.
    pub(super) plain: usize,
    next_at: Next,
    next_quote: Next,
    next_space: Next,
}

impl<'a> Scan<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self {
            text,
            bytes: text.as_bytes(),
            program: None,
            searched: 0,
            plain: 0,
            next_at: Next::default(),
            next_quote: Next::default(),
            next_space: Next::default(),
        }
    }

    /// The first word at or behind `at`. An escape of a URL such as `%3D` belongs to no word.
    pub(super) fn next_word(&self, mut at: usize) -> Option<Word> {
        loop {
            match CLASSES[usize::from(*self.bytes.get(at)?)] {
                Class::Letter => break,
                Class::Percent if self.bytes.get(at + 1..at + 3).is_some_and(is_hex) => at += 3,
                Class::Wide => {
                    let char = self.char_at(at)?;
                    if char.is_alphanumeric() {
                        break;
                    }
                    at += char.len_utf8();
                }
                Class::Inner | Class::Percent | Class::Other => at += 1,
            }
        }
        let (start, mut end) = (at, at);
        while let Some(&byte) = self.bytes.get(at) {
            match CLASSES[usize::from(byte)] {
                Class::Letter => at += 1,
                Class::Inner => {
                    at += 1;
                    continue;
                }
                Class::Wide => match self.char_at(at) {
                    Some(char) if char.is_alphanumeric() => at += char.len_utf8(),
                    _ => break,
                },
                Class::Percent | Class::Other => break,
            }
            end = at;
        }
        Some(Word { start, end })
    }

    fn char_at(&self, at: usize) -> Option<char> {
        self.text.get(at..)?.chars().next()
    }

    pub(super) fn word(&self, word: Word) -> &'a [u8] {
        &self.bytes[word.start..word.end]
    }

    /// The byte at `at`, 0 beyond the end.
    pub(super) fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or_default()
    }

    /// The byte before `at`, 0 at the start.
    pub(super) fn before(&self, at: usize) -> u8 {
        at.checked_sub(1).map_or(0, |at| self.bytes[at])
    }

    /// Whether `what` stands at `at`, letters in either case.
    pub(super) fn follows(&self, at: usize, what: &str) -> bool {
        let found = self.bytes.get(at..at + what.len());
        found.is_some_and(|found| found.eq_ignore_ascii_case(what.as_bytes()))
    }

    /// At most `limit` bytes from `at`, within the line.
    pub(super) fn ahead(&self, at: usize, limit: usize) -> &'a [u8] {
        let end = self.bytes.len().min(at.saturating_add(limit));
        let ahead = self.bytes.get(at..end).unwrap_or_default();
        let line = ahead.iter().position(|&byte| byte == b'\n').unwrap_or(ahead.len());
        &ahead[..line]
    }

    /// Behind the blanks at `at`, those of the line.
    pub(super) fn skip_blanks(&self, mut at: usize) -> usize {
        while matches!(self.byte(at), b' ' | b'\t') {
            at += 1;
        }
        at
    }

    /// Behind the white space at `at`.
    pub(super) fn skip_space(&self, mut at: usize) -> usize {
        while self.byte(at).is_ascii_whitespace() {
            at += 1;
        }
        at
    }

    /// The word that ends at `end`, and blanks before `end`; at most `limit` bytes of it.
    pub(super) fn word_before(&self, end: usize, limit: usize) -> &'a [u8] {
        let mut end = end;
        while matches!(self.before(end), b' ' | b'\t') {
            end -= 1;
        }
        let mut start = end;
        while end - start < limit && self.before(start).is_ascii_alphanumeric() {
            start -= 1;
        }
        &self.bytes[start..end]
    }

    /// Where the next `@` stands, from `at` on; the length of the text where none does.
    pub(super) fn next_at(&mut self, at: usize) -> usize {
        self.next_at.find(self.bytes, at, |byte| byte == b'@')
    }

    /// Where the next double quote or backtick stands.
    pub(super) fn next_quote(&mut self, at: usize) -> usize {
        self.next_quote.find(self.bytes, at, |byte| matches!(byte, b'"' | b'`'))
    }

    /// Where the next white space stands.
    pub(super) fn next_space(&mut self, at: usize) -> usize {
        self.next_space.find(self.bytes, at, |byte| byte.is_ascii_whitespace())
    }

    /// Where `byte` stands last in `range`.
    pub(super) fn last(&self, range: Range<usize>, byte: u8) -> Option<usize> {
        let found = self.bytes.get(range.clone())?.iter().rposition(|&it| it == byte)?;
        Some(range.start + found)
    }
}

/// The next of some bytes, remembered until the search passes it: all searches together read the
/// text once.
#[derive(Default)]
struct Next {
    from: usize,
    found: Option<usize>,
}

impl Next {
    fn find(&mut self, bytes: &[u8], at: usize, is_it: impl Fn(u8) -> bool) -> usize {
        if let Some(found) = self.found
            && (self.from..=found).contains(&at)
        {
            return found;
        }
        let ahead = bytes.get(at..).unwrap_or_default();
        let found = ahead.iter().position(|&byte| is_it(byte)).map_or(bytes.len(), |it| at + it);
        (self.from, self.found) = (at, Some(found));
        found
    }
}

/// What a byte is to a word.
#[derive(Clone, Copy)]
enum Class {
    /// A letter, a digit, `_`.
    Letter,
    /// `-` and `.`, which begin and end no word.
    Inner,
    Percent,
    /// A byte of a character beyond ASCII.
    Wide,
    Other,
}

static CLASSES: [Class; 256] = {
    let mut classes = [Class::Other; 256];
    let mut byte: u8 = 0;
    loop {
        classes[byte as usize] = match byte {
            b'-' | b'.' => Class::Inner,
            b'%' => Class::Percent,
            _ if byte.is_ascii_alphanumeric() || byte == b'_' => Class::Letter,
            _ if !byte.is_ascii() => Class::Wide,
            _ => Class::Other,
        };
        if byte == u8::MAX {
            break classes;
        }
        byte += 1;
    }
};

fn is_hex(bytes: &[u8]) -> bool {
    bytes.iter().all(u8::is_ascii_hexdigit)
}
