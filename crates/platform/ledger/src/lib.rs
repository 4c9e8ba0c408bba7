//! Writes are values (design 6): a room reads, decides purely and submits one [`Change`]; the [`Ledger`] commits many
//! together, gives each its [`Position`](signet_model::Position), and one leader among the replicas folds the audit records into
//! the Merkle log, signs the feed and relays the outbox. Nobody else opens a writing transaction.
//!
//! Where to look: what is submitted `change`; how it is committed `batch` with `sqlite`, `postgres` and `compose`; what follows
//! a commit `leader`, `sequencer`, `relay`, `feed_source`; the log `merkle`, `checkpoint`, `verify`.

mod audit;
mod batch;
mod change;
mod checkpoint;
mod compose;
mod decide;
mod direct;
mod error;
mod feed;
mod feed_source;
mod files;
mod health;
mod history;
mod idempotency;
mod keys;
mod leader;
mod ledger;
mod merkle;
mod pipeline;
mod postgres;
mod postgres_single;
mod recovery;
mod relay;
mod schema;
mod sequencer;
mod sqlite;
mod stats;
pub mod verify;

pub use change::{Change, Committed, Expect, OutboxRow, StandingEntry, Upkeep};
pub use decide::Decided;
pub use error::{
    AUDIT_CONTRADICTED, CommitError, IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_SECRET_NOT_REPLAYABLE, LedgerError,
    REASONS, STORAGE_OVERLOADED,
};
pub use health::HealthLine;
pub use idempotency::{IdempotencyEntry, IdempotencyKey, IdempotencyState, InProgress, StoredAnswer, request_hash};
pub use keys::{PublicKeys, SHARED_SEAL_KEY_LEN, holds_sealed_keys, shared_seal_key};
pub use ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks};
pub use schema::migrations;
pub use stats::{LATENCY_BOUNDS, Latency, Stats};
