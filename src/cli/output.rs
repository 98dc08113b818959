//! How does an answer reach the reader? People get lines and tables, in colours only on a terminal; machines get the
//! JSON as the desk sent it.

use anstream::ColorChoice;
use anstyle::{AnsiColor, Style};
use bytes::Bytes;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;
use std::io::{self, IsTerminal as _, Write};

pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
pub(crate) const WEAK: Style = AnsiColor::Yellow.on_default();
pub(crate) const QUIET: Style = Style::new().dimmed();
pub(crate) const STRONG: Style = Style::new().bold();

/// A terminal that claims to be narrower does not know its width.
const NARROWEST: u16 = 40;

/// Where a command writes to.
pub(crate) struct Output<'a> {
    /// For machines.
    pub(crate) json: bool,
    to: &'a mut dyn Write,
    colours: bool,
    /// Columns of the terminal; none when there is no terminal.
    width: Option<u16>,
}

impl std::fmt::Debug for Output<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Output").field("json", &self.json).field("width", &self.width).finish_non_exhaustive()
    }
}

impl<'a> Output<'a> {
    /// Standard output, locked by the caller.
    pub(crate) fn terminal(json: bool, to: &'a mut dyn Write) -> Self {
        let stdout = io::stdout();
        let colours = anstream::AutoStream::choice(&stdout) != ColorChoice::Never;
        let width = stdout.is_terminal().then(|| Table::new().width()).flatten().filter(|width| *width >= NARROWEST);
        Self { json, to, colours, width }
    }

    /// Without colours and without a width: a file, a pipe, a test.
    #[cfg(test)]
    pub(crate) fn plain(json: bool, to: &'a mut dyn Write) -> Self {
        Self { json, to, colours: false, width: None }
    }

    pub(crate) fn line(&mut self, line: &str) -> io::Result<()> {
        writeln!(self.to, "{line}")?;
        self.to.flush()
    }

    /// As it came.
    pub(crate) fn raw(&mut self, json: &Bytes) -> io::Result<()> {
        self.to.write_all(json)?;
        self.line("")
    }

    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.colours { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// Columns by spaces, so that a reader may cut and grep.
    pub(crate) fn table(&mut self, header: &[&str], rows: Vec<Vec<String>>) -> io::Result<()> {
        let mut table = Table::new();
        table.load_style(presets::NOTHING).force_no_tty().set_header(header.iter().copied());
        if let Some(width) = self.width {
            table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
        }
        table.add_rows(rows);
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for (index, line) in table.lines().enumerate() {
            let line = line.trim_end();
            let line = if index == 0 { self.paint(STRONG, line) } else { line.to_owned() };
            writeln!(self.to, "{line}")?;
        }
        self.to.flush()
    }
}

/// A text of the desk, safe for a terminal: what customers typed must not move the cursor. Empty when there is none.
pub(crate) fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect(),
        other => other.to_string(),
    }
}

/// A moment to the second: `2026-11-21 20:15:00Z`.
pub(crate) fn moment(value: &Value) -> String {
    match value.as_str() {
        Some(at) if at.is_ascii() && at.len() >= 20 => format!("{} {}Z", &at[..10], &at[11..19]),
        _ => text(value),
    }
}

/// `1 line`, `2 lines`.
pub(crate) fn count(number: usize, of: &str) -> String {
    if number == 1 { format!("1 {of}") } else { format!("{number} {of}s") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_table_is_plain_columns() {
        let mut to = Vec::new();
        let rows = vec![vec!["demo-form".to_owned(), "3".to_owned()], vec!["b".to_owned(), String::new()]];
        Output::plain(false, &mut to).table(&["channel", "accepted"], rows).unwrap();
        insta::assert_snapshot!(String::from_utf8(to).unwrap(), @r"
        channel    accepted
        demo-form  3
        b
        ");
    }

    #[test]
    fn what_customers_typed_cannot_move_the_cursor() {
        assert_eq!(text(&json!("a\u{1b}[2Jb\nc")), "a [2Jb c");
        assert_eq!(text(&json!(null)), "");
        assert_eq!(text(&json!(3)), "3");
    }

    #[test]
    fn a_moment_is_short_and_what_is_none_stays() {
        assert_eq!(moment(&json!("2026-11-21T20:15:00.123Z")), "2026-11-21 20:15:00Z");
        assert_eq!(moment(&json!("soon")), "soon");
        assert_eq!(moment(&json!(null)), "");
    }
}
