//! What can go wrong, sorted by who must act, and the reasons that go with it.

use std::sync::Arc;

use signet_db::DbError;
use signet_model::{Reason, Refusal, kinds};

signet_model::reasons! {
    /// More changes are waiting than the ledger takes.
    STORAGE_OVERLOADED = ("storage.overloaded", 503, "Repeat the request a little later; `signet_ledger_*` metrics show the load.");
    /// The audit log contradicts what was signed over it; nothing more is signed.
    AUDIT_CONTRADICTED = ("audit.contradicted", 500, "Run `signet audit verify`, and keep database and data directory as they are: this may be evidence. If an older backup was restored on purpose, move `checkpoints.log` and `keys/log.pub` of every data directory aside and start again.");
    /// The idempotency key was used with another request body.
    IDEMPOTENCY_KEY_REUSED = ("idempotency.key-reused", 409, "Use a new Idempotency-Key for a new request.");
    /// The first request with this idempotency key is still running.
    IDEMPOTENCY_IN_PROGRESS = ("idempotency.in-progress", 409, "Wait for the first request's answer, then repeat if it did not come.");
    /// The repeated request's answer held a secret, which is shown once only.
    IDEMPOTENCY_SECRET_NOT_REPLAYABLE =
        ("idempotency.secret-not-replayable", 409, "The object exists under the named id; revoke it and create another if its secret was lost.");
}

/// Why a [`Change`](crate::Change) was not committed.
#[derive(Clone, Debug, thiserror::Error)]
pub enum CommitError {
    /// An expectation failed: somebody else was faster. Read again and decide again.
    #[error("an expectation of the change did not hold")]
    Conflict,
    /// The database refused or could not be reached; nothing was changed, unless the connection broke during the commit itself.
    #[error("the change was not committed: {0}")]
    Refused(Arc<DbError>),
    /// Too many changes are waiting; nothing was changed.
    #[error("too many changes are waiting")]
    Overloaded,
}

impl CommitError {
    pub(crate) fn closed() -> Self {
        DbError::Unavailable("the process is ending".to_owned()).into()
    }

    /// The reason to answer with.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Conflict => &kinds::STORAGE_CONTENTION,
            Self::Refused(error) => error.reason(),
            Self::Overloaded => &STORAGE_OVERLOADED,
        }
    }
}

impl From<DbError> for CommitError {
    fn from(error: DbError) -> Self {
        Self::Refused(Arc::new(error))
    }
}

impl From<CommitError> for Refusal {
    fn from(error: CommitError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

/// Why the ledger could not start or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// What is stored does not make sense; the operator must look.
    #[error("the ledger's own tables are damaged: {0}")]
    Damaged(String),
    /// The audit log is not the one that was signed.
    #[error("{0}")]
    Contradicted(String),
    /// A file of the data directory could not be written.
    #[error("{path}: {error}")]
    File {
        /// Which file.
        path: String,
        /// What the system said.
        error: std::io::Error,
    },
    /// Another replica leads by now; nothing was written.
    #[error("another replica leads in a newer term")]
    Deposed,
    /// A key could not be made or used.
    #[error("signing key: {0}")]
    Key(String),
}

impl LedgerError {
    /// The reason to answer with.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Db(error) => error.reason(),
            Self::Contradicted(_) => &AUDIT_CONTRADICTED,
            Self::Damaged(_) | Self::File { .. } | Self::Key(_) | Self::Deposed => &kinds::INTERNAL,
        }
    }
}

impl From<LedgerError> for Refusal {
    fn from(error: LedgerError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
