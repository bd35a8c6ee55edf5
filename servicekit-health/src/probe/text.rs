//! Text from elsewhere, on its way to a terminal or a log.

use std::fmt::Write;

use crate::evaluate::scrub::scrub;

/// The longest line, in bytes: Docker keeps 4096 of what a probe printed.
const LINE_LIMIT: usize = 4000;

/// One line without credentials and without anything that a terminal would obey.
pub(super) fn line(text: impl AsRef<str>) -> String {
    cut(printable(&scrub(text.as_ref())), LINE_LIMIT)
}

/// Escapes what can end a line, move a cursor or turn the direction of writing.
pub(super) fn printable(text: &str) -> String {
    let mut printable = String::with_capacity(text.len());
    for char in text.chars() {
        if char.is_control() || turns_or_breaks(char) {
            write!(printable, "{}", char.escape_default()).expect("a string takes every text");
        } else {
            printable.push(char);
        }
    }
    printable
}

/// Line separators and the marks that make text run the other way.
fn turns_or_breaks(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

fn cut(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        let end = (0..=limit).rev().find(|&end| text.is_char_boundary(end));
        text.truncate(end.unwrap_or_default());
        text.push('…');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[2Jb\nc\rd\te\u{7}f\u{9b}31mg\u{202e}h\u{2028}i\0j\u{7f}";
        let clean = line(hostile);
        assert_eq!(clean, r"a\u{1b}[2Jb\nc\rd\te\u{7}f\u{9b}31mg\u{202e}h\u{2028}i\u{0}j\u{7f}");
        assert!(!clean.chars().any(char::is_control));
        assert_eq!(line("größer als 100 ° – ok"), "größer als 100 ° – ok");
    }

    #[test]
    fn a_line_is_short_and_holds_no_password() {
        let long = line("ä".repeat(LINE_LIMIT));
        assert!(long.len() <= LINE_LIMIT + '…'.len_utf8());
        assert!(long.ends_with("ä…"));
        assert_eq!(line("http://me:secret@host/x"), "http://***@host/x");
    }
}
