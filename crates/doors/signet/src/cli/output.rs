//! Data on stdout, notes on stderr. A reader of stdout that has left ends the command quietly; any other failure to write is an
//! error (field case H18).

use std::io::{ErrorKind, IsTerminal as _, Write as _};

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;
use signet_model::{Timestamp, kinds, log_text};

use super::failure::{Failure, OUTPUT_FAILED};
use super::globals::Format;

/// Longest text of one cell.
const LONGEST_CELL: usize = 300;

/// Where a command writes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    /// How data is written.
    pub(crate) format: Format,
    /// Whether notes are left out.
    pub(crate) quiet: bool,
}

impl Output {
    /// Writes one value: as JSON in one line, or as the text that `table` makes of it.
    pub(crate) fn data<T: Serialize>(&self, value: &T, table: impl FnOnce(&T) -> String) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let mut line = serde_json::to_string(value).map_err(|e| Failure::new(&kinds::INTERNAL, format!("output: {e}")))?;
                line.push('\n');
                print(&line)
            }
            Format::Table => print(&table(value)),
        }
    }

    /// Says something on stderr, for people.
    pub(crate) fn note(&self, text: &str) {
        if !self.quiet && self.format == Format::Table {
            // Nothing is lost with a note when stderr takes nothing.
            let _ = writeln!(anstream::stderr(), "{text}");
        }
    }

    /// Whether long work may show its progress.
    pub(crate) fn progress(&self) -> bool {
        !self.quiet && self.format == Format::Table && std::io::stderr().is_terminal()
    }
}

/// Writes text to stdout as it is.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Ok(()) => Ok(()),
        Err(e) if e.kind() == ErrorKind::BrokenPipe => Ok(()),
        Err(e) => Err(Failure::new(&OUTPUT_FAILED, format!("stdout: {e}"))),
    }
}

/// Rows under a header, aligned by spaces; nothing is wrapped, so that ids can be copied.
pub(crate) fn table(header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header.to_vec());
    for row in rows {
        table.add_row(row.into_iter().map(|cell| log_text(&cell, LONGEST_CELL)).collect::<Vec<_>>());
    }
    let lines: Vec<String> = table.lines().map(|line| line.trim().to_owned()).collect();
    format!("{}\n", lines.join("\n"))
}

/// Name and value, one pair a line.
pub(crate) fn pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, String)>) -> String {
    let pairs: Vec<(&str, String)> = pairs.into_iter().collect();
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    pairs.iter().map(|(name, value)| format!("{name:width$}  {}\n", log_text(value, LONGEST_CELL))).collect()
}

/// A list as a table, and how to go on when there is more.
pub(crate) fn listing(table: String, next: Option<&str>) -> String {
    match next {
        Some(next) => format!("{table}(more: add `--after {next}`)\n"),
        None => table,
    }
}

/// A time as RFC 3339 and in words.
pub(crate) fn when(time: Timestamp, now: Timestamp) -> String {
    let (span, ahead) = if time > now { (time.since(now), true) } else { (now.since(time), false) };
    let seconds = span.as_secs();
    let (count, unit) = match seconds {
        0..=59 => (seconds, "second"),
        60..=3_599 => (seconds / 60, "minute"),
        3_600..=86_399 => (seconds / 3_600, "hour"),
        86_400..=5_183_999 => (seconds / 86_400, "day"),
        _ => (seconds / 2_592_000, "month"),
    };
    let plural = if count == 1 { "" } else { "s" };
    let words = if ahead { format!("in {count} {unit}{plural}") } else { format!("{count} {unit}{plural} ago") };
    format!("{time} ({words})")
}

/// The same for a time that may be missing.
pub(crate) fn when_or(time: Option<Timestamp>, now: Timestamp, otherwise: &str) -> String {
    time.map_or_else(|| otherwise.to_owned(), |time| when(time, now))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn tables_align_and_hold_no_control_characters() {
        let text = table(&["ID", "NAME"], [vec!["a".to_owned(), "x\u{1b}[2Jy".to_owned()], vec!["bbbb".to_owned(), "ü".to_owned()]]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[1].contains("x\u{fffd}[2Jy") && !text.contains('\u{1b}'), "{text:?}");
        assert_eq!(pairs([("id", "1".to_owned()), ("state", "x".to_owned())]), "id     1\nstate  x\n");
    }

    #[test]
    fn times_are_told_in_words_too() {
        let now = Timestamp::from_millis(1_000_000_000_000);
        assert!(when(now.plus(Duration::from_secs(90 * 86_400)), now).ends_with("(in 3 months)"));
        assert!(when(Timestamp::from_millis(999_999_999_000), now).ends_with("(1 second ago)"));
        assert_eq!(when_or(None, now, "never"), "never");
    }
}
