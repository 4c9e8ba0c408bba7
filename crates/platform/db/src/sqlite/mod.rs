//! SQLite: one writer thread, a few reader threads, one file in WAL mode with `synchronous=FULL`.
//!
//! Every commit is on disk before it is answered. Readers see the last commit and never wait for the writer.

mod connection;
mod fault;
mod filesystem;
pub(crate) mod migrate;
mod readers;
mod run;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

pub use filesystem::{FilesystemConcern, examine_filesystem};
pub use run::{execute, query};
pub use writer::SqliteWriter;

use crate::{DbError, Row, Statement};
use readers::Readers;

/// An open SQLite database. Clones share it; the threads end when the last one is dropped.
#[derive(Clone)]
pub struct Sqlite {
    shared: Arc<Shared>,
}

struct Shared {
    path: PathBuf,
    concern: Option<FilesystemConcern>,
    writer: SqliteWriter,
    readers: Readers,
}

impl Sqlite {
    /// Opens the file, or makes it with mode 0600. Its directory must exist.
    ///
    /// # Errors
    /// [`DbError::NetworkFilesystem`] on NFS and SMB, [`DbError::Corrupt`] for a file that is damaged or not ours,
    /// [`DbError::Denied`] for missing rights, [`DbError::Full`].
    pub async fn open(path: &Path, deadline: Duration) -> Result<Self, DbError> {
        let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let concern = match examine_filesystem(directory) {
            Some(concern) if concern.refused => return Err(DbError::NetworkFilesystem(concern.to_string())),
            other => other,
        };
        if let Some(concern) = &concern {
            tracing::warn!(filesystem = %concern.filesystem, directory = %concern.directory.display(), "data-dir.network-filesystem");
        }
        let writer = SqliteWriter::start(path, deadline).await?;
        let readers = Readers::start(path, deadline)?;
        Ok(Self { shared: Arc::new(Shared { path: path.to_owned(), concern, writer, readers }) })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.shared.path
    }

    /// What is doubtful about the file system that the file lies on, if anything; for `doctor` and the log.
    pub fn filesystem_concern(&self) -> Option<&FilesystemConcern> {
        self.shared.concern.as_ref()
    }

    /// The one writer.
    pub fn writer(&self) -> SqliteWriter {
        self.shared.writer.clone()
    }

    /// Runs a read on a reader thread.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        self.shared.readers.query(statement).await
    }

    /// Closes the file: waits for running work, and folds the write-ahead log into the file. Later work finds it unavailable.
    pub async fn close(&self) {
        self.shared.readers.close().await;
        self.shared.writer.close().await;
    }
}
