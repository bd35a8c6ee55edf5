//! Text from elsewhere, on its way to a person.

use std::fmt::{self, Display, Write};

/// Text in which no character ends a line, moves a terminal's cursor or turns the direction of
/// writing.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for char in self.0.chars() {
            if char.is_control() || turns_or_breaks(char) {
                write!(f, "{}", char.escape_default())?;
            } else {
                f.write_char(char)?;
            }
        }
        Ok(())
    }
}

/// Line separators and the marks that make text run the other way.
fn turns_or_breaks(char: char) -> bool {
    matches!(char, '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        let hostile = "a\u{1b}[2Jb\nc\rd\te\u{7}f\u{9b}31mg\u{202e}h\u{2028}i\0j\u{7f}";
        let clean = Escaped(hostile).to_string();
        assert_eq!(clean, r"a\u{1b}[2Jb\nc\rd\te\u{7}f\u{9b}31mg\u{202e}h\u{2028}i\u{0}j\u{7f}");
        assert_eq!(Escaped("größer als 100 ° – ok").to_string(), "größer als 100 ° – ok");
    }
}
