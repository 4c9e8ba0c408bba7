//! What can go wrong with a database, sorted by who must act, and the reasons that go with it. Texts name what was tried (file,
//! or host, port, database and user), never a password and never a parameter's value.

use signet_model::{Reason, kinds};

signet_model::reasons! {
    /// The database was written by a newer version of Signet.
    STORAGE_SCHEMA_TOO_NEW = ("storage.schema-too-new", 503, "Start the version of Signet that last ran on this database, or a newer one.");
    /// The database, or what stands in front of it, does not offer what Signet needs.
    STORAGE_UNSUPPORTED = ("storage.unsupported", 503, "Change the database's set-up as the detail says, then start again.");
    /// The database refuses what this user wants to do.
    STORAGE_DENIED = ("storage.denied", 503, "Give Signet's user the rights that the detail names.");
    /// The database file is damaged, or is no database of Signet's.
    STORAGE_CORRUPT = ("storage.corrupt", 503, "Stop Signet, keep a copy of the file, and restore the last backup.");
    /// The data directory lies on a file system that cannot hold a database.
    DATA_DIR_NETWORK_FILESYSTEM =
        ("data-dir.network-filesystem", 503, "Move the data directory to a local disk (`--data-dir`), or use PostgreSQL with `signet serve`.");
    /// The database's URL in the configuration cannot be used.
    DATABASE_URL_INVALID = ("config.database-url", 400, "Write `sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=verify-full`.");
}

/// Why the database did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// It cannot be reached, or went away; the same request may work later.
    #[error("{0}")]
    Unavailable(String),
    /// It did not answer in time.
    #[error("the database did not answer in time")]
    Timeout,
    /// Its disk is full: reads go on, writes are refused until there is space.
    #[error("{0}")]
    Full(String),
    /// Another writer holds what the request needs; it may be repeated.
    #[error("the database is locked by another writer")]
    Busy,
    /// A constraint of the schema was violated, or a text parameter held a NUL.
    #[error("{0}")]
    Constraint(String),
    /// The schema is newer than this program.
    #[error("the tables of `{owner}` have schema version {found}; this version of Signet knows versions up to {known}")]
    SchemaTooNew {
        /// Whose tables.
        owner: String,
        /// The version in the database.
        found: i64,
        /// The newest version that this program knows.
        known: i64,
    },
    /// Something in the set-up can never work, such as a pooler in transaction mode or a server that is too old.
    #[error("{0}")]
    Unsupported(String),
    /// The data directory lies on a network file system.
    #[error("{0}")]
    NetworkFilesystem(String),
    /// Missing rights: the file's permissions, or the database user's.
    #[error("{0}")]
    Denied(String),
    /// The file is damaged or is not a database of Signet's.
    #[error("{0}")]
    Corrupt(String),
    /// The URL in the configuration cannot be used.
    #[error("{0}")]
    InvalidUrl(String),
    /// A fault of ours: a wrong statement, a wrong type.
    #[error("{0}")]
    Internal(String),
}

impl DbError {
    /// The reason to answer with.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Unavailable(_) | Self::Timeout | Self::Busy => &kinds::STORAGE_UNAVAILABLE,
            Self::Full(_) => &kinds::STORAGE_FULL,
            Self::SchemaTooNew { .. } => &STORAGE_SCHEMA_TOO_NEW,
            Self::Unsupported(_) => &STORAGE_UNSUPPORTED,
            Self::NetworkFilesystem(_) => &DATA_DIR_NETWORK_FILESYSTEM,
            Self::Denied(_) => &STORAGE_DENIED,
            Self::Corrupt(_) => &STORAGE_CORRUPT,
            Self::InvalidUrl(_) => &DATABASE_URL_INVALID,
            Self::Constraint(_) | Self::Internal(_) => &kinds::INTERNAL,
        }
    }

    /// Whether the same request may succeed later without anybody changing the set-up.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Unavailable(_) | Self::Timeout | Self::Full(_) | Self::Busy => true,
            Self::Constraint(_)
            | Self::SchemaTooNew { .. }
            | Self::Unsupported(_)
            | Self::NetworkFilesystem(_)
            | Self::Denied(_)
            | Self::Corrupt(_)
            | Self::InvalidUrl(_)
            | Self::Internal(_) => false,
        }
    }

    /// The same error with `place` in front of its text, where it has one.
    pub(crate) fn at(self, place: &str) -> Self {
        let with = |text: String| format!("{place}: {text}");
        match self {
            Self::Unavailable(text) => Self::Unavailable(with(text)),
            Self::Full(text) => Self::Full(with(text)),
            Self::Constraint(text) => Self::Constraint(with(text)),
            Self::Unsupported(text) => Self::Unsupported(with(text)),
            Self::NetworkFilesystem(text) => Self::NetworkFilesystem(with(text)),
            Self::Denied(text) => Self::Denied(with(text)),
            Self::Corrupt(text) => Self::Corrupt(with(text)),
            Self::InvalidUrl(text) => Self::InvalidUrl(with(text)),
            Self::Internal(text) => Self::Internal(with(text)),
            Self::Timeout | Self::Busy | Self::SchemaTooNew { .. } => self,
        }
    }
}
