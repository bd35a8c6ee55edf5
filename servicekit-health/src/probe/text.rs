//! Text from elsewhere, on its way to a terminal or a log.

use crate::escaped::Escaped;
use crate::evaluate::scrub::scrub;

/// The longest line, in bytes: Docker keeps 4096 of what a probe printed.
const LINE_LIMIT: usize = 4000;

/// One line without credentials and without anything that a terminal would obey.
pub(super) fn line(text: impl AsRef<str>) -> String {
    cut(Escaped(&scrub(text.as_ref())).to_string(), LINE_LIMIT)
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
    fn a_line_is_short_and_holds_no_password() {
        let long = line("ä".repeat(LINE_LIMIT));
        assert!(long.len() <= LINE_LIMIT + '…'.len_utf8());
        assert!(long.ends_with("ä…"));
        assert_eq!(line("http://me:secret@host/x"), "http://***@host/x");
    }
}
