//! Lines of styled text, as wide as the terminal allows.

use std::fmt;

use anstyle::{AnsiColor, Style};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::model::HealthState;

pub(super) const PLAIN: Style = Style::new();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();
pub(super) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
pub(super) const ERROR: Style = AnsiColor::Red.on_default().bold();

pub(super) fn style_of(state: HealthState) -> Style {
    match state {
        HealthState::Healthy => AnsiColor::Green.on_default().bold(),
        HealthState::Degraded => WARNING,
        HealthState::Unhealthy => ERROR,
    }
}

/// One line. `Display` writes ANSI escape codes, which `anstream` removes where they are not wanted.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Line(Vec<(Style, String)>);

impl Line {
    pub(super) fn then(mut self, style: Style, text: impl Into<String>) -> Self {
        self.0.push((style, text.into()));
        self
    }

    pub(super) fn text(self, text: impl Into<String>) -> Self {
        self.then(PLAIN, text)
    }

    pub(super) fn state(self, state: HealthState) -> Self {
        self.then(style_of(state), state.as_str())
    }

    /// Text in a column of this width, followed by a gap.
    pub(super) fn column(self, style: Style, text: &str, width: usize) -> Self {
        let text = fit(text, width);
        let gap = width - text.width() + GAP;
        self.then(style, text).text(" ".repeat(gap))
    }

    /// The same with the text at the right.
    pub(super) fn right_column(self, style: Style, text: &str, width: usize) -> Self {
        let text = fit(text, width);
        self.text(" ".repeat(width - text.width())).then(style, text).text(" ".repeat(GAP))
    }

    pub(super) fn width(&self) -> usize {
        self.0.iter().map(|(_, text)| text.width()).sum()
    }

    /// Cuts what is wider than a terminal of this width.
    pub(super) fn fit(mut self, width: usize) -> Self {
        let mut left = width;
        for (_, text) in &mut self.0 {
            *text = fit(text, left);
            left -= text.width();
        }
        self
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(style, text)| write!(f, "{style}{text}{style:#}"))
    }
}

/// Between two columns.
pub(super) const GAP: usize = 2;

/// The text, cut to this many columns of a terminal.
fn fit(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut left = width.saturating_sub(1);
    let fits = |char: &char| {
        let width = char.width().unwrap_or_default();
        let fits = width <= left;
        left = left.saturating_sub(width);
        fits
    };
    let mut cut = text.chars().take_while(fits).collect::<String>();
    if width > 0 {
        cut.push('…');
    }
    cut
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_to_columns_not_to_characters() {
        assert_eq!(fit("database", 8), "database");
        assert_eq!(fit("database", 7), "databa…");
        assert_eq!(fit("数据库", 6), "数据库");
        assert_eq!(fit("数据库", 5), "数据…");
        assert_eq!(fit("数据库", 4), "数…");
        assert_eq!(fit("a", 0), "");
        assert_eq!(fit("ab", 1), "…");
    }

    #[test]
    fn a_line_is_cut_across_its_parts() {
        let line = Line::default().text("redis ").state(HealthState::Degraded).text(": slow");
        assert_eq!(line.width(), 20);
        let cut = line.fit(10).to_string();
        assert_eq!(anstream::adapter::strip_str(&cut).to_string(), "redis deg…");
        assert!(cut.contains("\u{1b}[33mdeg…\u{1b}[0m"), "{cut:?}");
    }
}
