//! Read, decide, commit, and again when somebody else was faster: the one loop that every room writes through.

use signet_model::{Refusal, kinds};

use crate::{Change, CommitError, Ledger};

/// Readings behind the first one.
const MOST_RE_READS: usize = 3;

/// What a room has decided on what it read.
pub enum Decided<T> {
    /// Commit this, then answer that.
    Commit(Box<Change>, T),
    /// Nothing has to change; answer that.
    Same(T),
    /// Refuse; nothing changes.
    Refuse(Refusal),
}

impl<T> Decided<T> {
    /// Commit `change`, then answer `value`.
    pub fn commit(change: Change, value: T) -> Self {
        Self::Commit(Box::new(change), value)
    }
}

impl Ledger {
    /// Runs `attempt`, which reads and decides, and commits what it decided. On a conflict it is run again, at most three times.
    ///
    /// # Errors
    /// What `attempt` refuses; `storage.contention` when it always lost; what the commit was refused with.
    pub async fn decide<T, F>(&self, mut attempt: impl FnMut() -> F) -> Result<T, Refusal>
    where
        F: Future<Output = Result<Decided<T>, Refusal>>,
    {
        for _ in 0..=MOST_RE_READS {
            match attempt().await? {
                Decided::Same(value) => return Ok(value),
                Decided::Refuse(refusal) => return Err(refusal),
                Decided::Commit(change, value) => match self.commit(*change).await {
                    Ok(_) => return Ok(value),
                    Err(CommitError::Conflict) => {}
                    Err(error) => return Err(error.into()),
                },
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, format!("other writers were faster {} times", MOST_RE_READS.saturating_add(1))))
    }
}
