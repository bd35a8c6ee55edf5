//! Text from a service, on its way to a terminal or a log.

use crate::text::escaped::Escaped;
use crate::text::scrub::scrub;

/// The longest line, in bytes: Docker keeps 4096 of the output of a health check.
const MAX_LINE_LEN: usize = 4000;

/// One line without credentials and without characters that control a terminal.
pub(super) fn line(text: impl AsRef<str>) -> String {
    cut(Escaped(&scrub(text.as_ref())).to_string(), MAX_LINE_LEN)
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
        let long = line("ä".repeat(MAX_LINE_LEN));
        assert!(long.len() <= MAX_LINE_LEN + '…'.len_utf8());
        assert!(long.ends_with("ä…"));
        assert_eq!(line("http://me:secret@host/x"), "http://***@host/x");
    }
}
