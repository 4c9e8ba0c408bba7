//! The vocabulary of Signet (design 3): what every floor above may name without knowing any other room.
//!
//! Values here cannot be wrong: a [`TenantId`] was checked when it was made. No I/O, no clock, no randomness: both
//! are arguments ([`Clock`], [`Entropy`]).

mod audit;
mod caller;
mod checkpoint;
mod correlation;
mod decision;
mod feed;
mod id;
mod log_text;
mod name;
mod reason;
mod rights;
mod scope;
mod standing;
mod state;
mod time;

pub use audit::{AuditEntry, AuditRecord};
pub use caller::{Caller, Role};
pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use correlation::{CorrelationFormatError, CorrelationId};
pub use decision::Decision;
pub use feed::{
    AfterAnswer, AfterRequest, FEED_AFTER_SUBJECT, FEED_SUBJECT, FeedBatch, FeedFormatError, Lineage, Position, SignedMessage,
    StandingChange, feed_name,
};
pub use id::{AnchorId, ApiTokenId, CredentialId, EventId, IdFormatError, IdentityId, ReplicaId, TraceId};
pub use log_text::log_text;
pub use name::{ApplicationName, EndpointId, IdentityName, NameError, TenantId, Username};
pub use reason::{ExitCode, Reason, Refusal, kinds};
pub use rights::{PersonSubject, Rights, TENANT_RESOURCE};
pub use scope::{Entropy, Scope};
pub use standing::StandingSubject;
pub use state::{CredentialKind, CredentialState, Enabled, IdentityKind, TenantState};
pub use time::{Clock, TimeFormatError, Timestamp};
