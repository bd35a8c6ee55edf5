//! The terminal that the table is drawn on: ANSI escape codes for its second screen.

use std::env;
use std::io::{self, IsTerminal, Stdout, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};

use super::styled::Line;

/// The second screen, without cursor and line wrapping; and back.
const ENTER: &str = "\x1b[?1049h\x1b[?25l\x1b[?7l";
const LEAVE: &str = "\x1b[?7h\x1b[?25h\x1b[?1049l";

const HOME: &str = "\x1b[H";
const ERASE_LINE: &str = "\x1b[2K";
const ERASE_BELOW: &str = "\x1b[J";

/// Where the terminal does not say.
const DEFAULT_SIZE: Size = Size { columns: 80, rows: 24 };

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Size {
    pub(super) columns: usize,
    pub(super) rows: usize,
}

/// Whether stdout is a terminal that can move its cursor.
pub(super) fn is_usable() -> bool {
    // Windows has no such variable.
    let moves_cursor = env::var_os("TERM").map_or(cfg!(windows), |term| term != "dumb");
    io::stdout().is_terminal() && moves_cursor
}

/// Stdout for lines alone, with colors where they are wanted: never on a terminal that would print
/// their codes, also where `CI` asks for colors.
pub(super) fn lines() -> AutoStream<Stdout> {
    let is_dumb = env::var_os("TERM").is_some_and(|term| term == "dumb");
    if is_dumb { AutoStream::never(io::stdout()) } else { AutoStream::auto(io::stdout()) }
}

/// A terminal in use. When dropped, it is as before, with the last lines printed.
pub(super) struct Terminal {
    out: AutoStream<Stdout>,
    has_color: bool,
    last: Vec<Line>,
}

impl Terminal {
    pub(super) fn open() -> io::Result<Self> {
        let stdout = io::stdout();
        let has_color = AutoStream::choice(&stdout) != ColorChoice::Never;
        // Cursor movements are wanted also where colors are not.
        let mut terminal =
            Self { out: AutoStream::always_ansi(stdout), has_color, last: Vec::new() };
        terminal.write(ENTER)?;
        Ok(terminal)
    }

    /// Draws what `render` returns for the present size.
    pub(super) fn draw(&mut self, render: impl FnOnce(Size) -> Vec<Line>) -> io::Result<()> {
        let size = size();
        self.last = render(size);
        let mut text = HOME.to_owned();
        for (index, line) in self.last.iter().enumerate() {
            if index > 0 {
                text.push_str("\r\n");
            }
            text.push_str(ERASE_LINE);
            text.push_str(&self.styled(line));
        }
        if self.last.len() < size.rows {
            text.push_str("\r\n");
            text.push_str(ERASE_BELOW);
        }
        self.write(&text)
    }

    /// Leaves nothing to be printed at the end.
    pub(super) fn clear(&mut self) {
        self.last.clear();
    }

    fn styled(&self, line: &Line) -> String {
        let text = line.to_string();
        if self.has_color { text } else { strip_str(&text).to_string() }
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let mut text = LEAVE.to_owned();
        for line in &self.last {
            text.push_str(&self.styled(line));
            text.push('\n');
        }
        // A closed terminal needs no restoring.
        let _ = self.write(&text);
    }
}

fn size() -> Size {
    let size = terminal_size::terminal_size_of(io::stdout());
    match size.map(|(columns, rows)| (columns.0, rows.0)) {
        Some((columns, rows)) if columns > 0 && rows > 0 => {
            Size { columns: columns.into(), rows: rows.into() }
        }
        _ => DEFAULT_SIZE,
    }
}
