//! Idempotency keys (design 9): a creating request that comes again under the same key gets the first one's answer. The entry
//! is written inside the Change that it answers; that a request is still running is known in the memory of its process.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signet_crypto::sha256_parts;
use signet_db::{Db, Sql, Statement, Value};
use signet_model::{Caller, TenantId, Timestamp};

use crate::LedgerError;

/// How long an answer is kept.
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);
/// Requests with a key that may run at once; one more is told to come again.
const MOST_RUNNING: usize = 10_000;

/// Whose key, and for what: the scope of design 9, hashed, so that no part can be mistaken for another.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// The key `key`, sent by `caller` in `tenant` to `route`.
    pub fn new(tenant: &TenantId, caller: &Caller, route: &str, key: &str) -> Self {
        let caller = caller.to_string();
        let parts = [tenant.as_str(), &caller, route, key];
        let lengths = parts.map(|part| u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        let framed: Vec<&[u8]> = lengths.iter().zip(parts).flat_map(|(length, part)| [length.as_slice(), part.as_bytes()]).collect();
        Self(sha256_parts(&framed).iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// What a request is known again by. The key goes in first: a body may hold a password, and whoever reads the table, where the key
/// itself is not kept, must not be able to try passwords against a plain hash.
pub fn request_hash(key: &str, body: &[u8]) -> [u8; 32] {
    let length = u64::try_from(key.len()).unwrap_or(u64::MAX).to_be_bytes();
    sha256_parts(&[&length, key.as_bytes(), body])
}

/// What to answer when the request comes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoredAnswer {
    /// The same body.
    Body(String),
    /// The body held a secret; only the id of what was made is kept.
    SecretOf(String),
}

/// An answer on its way into the ledger, as part of a Change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IdempotencyEntry {
    /// Whose key.
    pub key: IdempotencyKey,
    /// SHA-256 of the request's body.
    pub body_hash: [u8; 32],
    /// HTTP status of the answer.
    pub status: u16,
    /// The answer.
    pub answer: StoredAnswer,
    /// When it was given; it is kept for 24 hours.
    pub time: Timestamp,
}

impl IdempotencyEntry {
    /// The guard, which must find nothing, and the write.
    pub(crate) fn statements(self) -> (Statement, Statement) {
        let (answer, secret_of) = match self.answer {
            StoredAnswer::Body(body) => (Value::Text(body), Value::Null),
            StoredAnswer::SecretOf(id) => (Value::Null, Value::Text(id)),
        };
        let guard = Statement {
            sql: Sql::Same("SELECT 1 FROM idempotency WHERE scope = $1 AND expires_at > $2"),
            params: vec![Value::Text(self.key.0.clone()), Value::Int(self.time.micros())],
        };
        let write = Statement {
            sql: Sql::Same(
                "INSERT INTO idempotency (scope, body_hash, status, answer, secret_of, expires_at) \
                 SELECT $1, $2, $3, $4, $5, $6 WHERE {ok} ON CONFLICT (scope) DO UPDATE SET body_hash = excluded.body_hash, \
                 status = excluded.status, answer = excluded.answer, secret_of = excluded.secret_of, expires_at = excluded.expires_at",
            ),
            params: vec![
                Value::Text(self.key.0),
                Value::Bytes(self.body_hash.to_vec()),
                Value::Int(i64::from(self.status)),
                answer,
                secret_of,
                Value::Int(self.time.plus(LIFETIME).micros()),
            ],
        };
        (guard, write)
    }
}

/// How a request with an idempotency key goes on.
#[derive(Debug)]
pub enum IdempotencyState {
    /// It is the first: do it, and keep the mark until it is answered.
    Fresh(InProgress),
    /// It was done: answer the same.
    Replay {
        /// HTTP status.
        status: u16,
        /// The body, byte for byte.
        body: String,
    },
    /// Another body came under this key: refuse.
    KeyReused,
    /// The first one is still running: refuse for now.
    InProgress,
    /// It was done, and its answer held a secret.
    SecretNotReplayable {
        /// What was made.
        id: String,
    },
}

/// The requests that run in this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Running(Arc<Mutex<HashSet<IdempotencyKey>>>);

/// The mark of a running request; dropping it ends the request.
#[derive(Debug)]
pub struct InProgress {
    key: IdempotencyKey,
    running: Running,
}

impl InProgress {
    /// The entry to put into the Change.
    pub fn entry(&self, body_hash: [u8; 32], status: u16, answer: StoredAnswer, time: Timestamp) -> IdempotencyEntry {
        IdempotencyEntry { key: self.key.clone(), body_hash, status, answer, time }
    }
}

impl Drop for InProgress {
    fn drop(&mut self) {
        self.running.0.lock().remove(&self.key);
    }
}

impl Running {
    /// Marks `key` as running unless it is; none as well when too many run.
    fn mark(&self, key: &IdempotencyKey) -> Option<InProgress> {
        let mut running = self.0.lock();
        let marked = running.len() < MOST_RUNNING && running.insert(key.clone());
        marked.then(|| InProgress { key: key.clone(), running: self.clone() })
    }

    /// Finds out how the request goes on. The mark is set before the table is read, so of two equal requests in one process
    /// one waits for the other's row or is told so; in two processes the guard inside the Change decides.
    pub(crate) async fn begin(
        &self,
        db: &Db,
        key: &IdempotencyKey,
        body_hash: [u8; 32],
        now: Timestamp,
    ) -> Result<IdempotencyState, LedgerError> {
        let mark = self.mark(key);
        let stored = db
            .query_optional(Statement {
                sql: Sql::Same("SELECT body_hash, status, answer, secret_of FROM idempotency WHERE scope = $1 AND expires_at > $2"),
                params: vec![Value::Text(key.0.clone()), Value::Int(now.micros())],
            })
            .await?;
        let Some(row) = stored else {
            return Ok(mark.map_or(IdempotencyState::InProgress, IdempotencyState::Fresh));
        };
        if row.bytes(0)? != body_hash {
            return Ok(IdempotencyState::KeyReused);
        }
        if let Some(id) = row.opt_text(3)? {
            return Ok(IdempotencyState::SecretNotReplayable { id: id.to_owned() });
        }
        let status = u16::try_from(row.int(1)?).map_err(|_| LedgerError::Damaged("a kept status is out of range".to_owned()))?;
        Ok(IdempotencyState::Replay { status, body: row.opt_text(2)?.unwrap_or_default().to_owned() })
    }
}

/// Removes what has expired; run now and then by the worker.
pub(crate) fn forget_expired(now: Timestamp) -> Statement {
    Statement { sql: Sql::Same("DELETE FROM idempotency WHERE expires_at <= $1"), params: vec![Value::Int(now.micros())] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_scope_can_stand_for_another() {
        let key = |tenant: &str, route, key| IdempotencyKey::new(&tenant.parse().unwrap(), &Caller::OperatorToken, route, key);
        assert_ne!(key("a", "bc", "d"), key("ab", "c", "d"));
        assert_ne!(key("a", "b", "cd"), key("a", "bc", "d"));
        assert_eq!(key("a", "b", "c"), key("a", "b", "c"));
        let bus = IdempotencyKey::new(&"a".parse().unwrap(), &Caller::Bus, "b", "c");
        assert_ne!(bus, key("a", "b", "c"));
    }

    #[test]
    fn a_request_runs_once_until_its_mark_is_dropped() {
        let running = Running::default();
        let key = IdempotencyKey::new(&"a".parse().unwrap(), &Caller::OperatorToken, "r", "k");
        let mark = running.mark(&key);
        assert!(mark.is_some() && running.mark(&key).is_none());
        drop(mark);
        assert!(running.mark(&key).is_some());
    }
}
