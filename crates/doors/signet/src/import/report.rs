//! The file of rows that were left out: one JSON object a line, never with a hash. It is written anew by each run and exists
//! only when a row was left out.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use signet_credentials::{ForeignCredential, Skip};
use signet_model::Refusal;

use super::{IMPORT_REPORT, shown};

/// The report of one run.
pub(crate) struct Report {
    path: PathBuf,
    file: BufWriter<File>,
    lines: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    tenant: String,
    id: String,
    username: String,
    reason: &'a str,
    detail: &'a str,
    fix: &'a str,
}

impl Report {
    /// Makes the file, mode 0600, before the first row is read: a place that cannot be written ends the run before it began.
    pub(crate) fn create(path: &Path) -> Result<Self, Refusal> {
        let opened = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path);
        let file = opened.map_err(|error| unwritable(path, &error))?;
        Ok(Self { path: path.to_owned(), file: BufWriter::new(file), lines: 0 })
    }

    /// Tells of a row that was left out.
    pub(crate) fn skipped(&mut self, row: &ForeignCredential, skip: &Skip) -> Result<(), Refusal> {
        let line = Line {
            tenant: shown(&row.tenant),
            id: shown(&row.id),
            username: shown(&row.username),
            reason: skip.reason.code,
            detail: &skip.detail,
            fix: skip.reason.fix,
        };
        let json = serde_json::to_string(&line).map_err(|error| unwritable(&self.path, &error))?;
        writeln!(self.file, "{json}").map_err(|error| unwritable(&self.path, &error))?;
        self.lines = self.lines.saturating_add(1);
        Ok(())
    }

    /// Ends it; the file's name when it tells of anything.
    pub(crate) fn close(mut self) -> Result<Option<PathBuf>, Refusal> {
        self.file.flush().map_err(|error| unwritable(&self.path, &error))?;
        if self.lines > 0 {
            return Ok(Some(self.path));
        }
        // A device such as /dev/null cannot be removed, and need not be.
        if self.path.is_file() {
            std::fs::remove_file(&self.path).map_err(|error| unwritable(&self.path, &error))?;
        }
        Ok(None)
    }
}

fn unwritable(path: &Path, error: &dyn std::fmt::Display) -> Refusal {
    Refusal::new(&IMPORT_REPORT, format!("{}: {error}", path.display()))
}
