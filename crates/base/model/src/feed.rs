//! The feed: committed changes in commit order, as the sequencer publishes them and every view reads them (design 6).
//!
//! A message is JSON inside a signed envelope. The signature covers the envelope's purpose and the payload's exact bytes,
//! and nothing of the payload is parsed before it verifies, so whoever can publish on the bus can restore nothing.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::{StandingSubject, Timestamp};

/// Subject of live batches.
pub const FEED_SUBJECT: &str = "signet.v1.feed";
/// Subject of requests for "what came after position P"; workers answer in a queue group.
pub const FEED_AFTER_SUBJECT: &str = "signet.v1.feed.after";

/// The place of a committed change in the one ordered feed. The first change has position 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(i64);

impl Position {
    /// Before the first change.
    pub const ZERO: Self = Self(0);

    /// From its number.
    pub const fn new(value: i64) -> Self {
        Self(value)
    }

    /// Its number.
    pub const fn value(self) -> i64 {
        self.0
    }

    /// The position behind this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which history positions belong to: a random id made with the database, made anew when a backup is restored.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lineage(pub String);

impl fmt::Display for Lineage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One subject's new standing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingChange {
    /// Where it was committed.
    pub position: Position,
    /// Whose standing changed.
    pub subject: StandingSubject,
    /// Whether serving it may go on.
    pub good: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// A live batch: everything in `from < position <= to`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedBatch {
    /// The history that the positions belong to.
    pub lineage: Lineage,
    /// The leader's term.
    pub term: i64,
    /// The position before the first one covered.
    pub from: Position,
    /// The last position covered.
    pub to: Position,
    /// When the leader signed it.
    pub time: Timestamp,
    /// The standings that changed in between.
    pub changes: Vec<StandingChange>,
}

impl FeedBatch {
    /// What the signature of a live batch is bound to.
    pub const PURPOSE: &'static str = "signet.v1.feed";
}

/// A view's question: what came after `after`?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterRequest {
    /// Random, at least 128 bits as hex, never used twice; the answer signs it.
    pub nonce: String,
    /// The last position that the view has applied.
    pub after: Position,
    /// Whose feed is meant, as [`feed_name`] names it: several installations may share one message bus. Absent in questions of
    /// older views, which anybody answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feed: Option<String>,
}

/// The public name of a feed: the first 16 hex digits of the key that signs it. A name only; what is trusted is the signature.
pub fn feed_name(public_key: &[u8; 32]) -> String {
    public_key.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The answer: compacted, one row per subject, in the order of positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AfterAnswer {
    /// The history that the positions belong to.
    pub lineage: Lineage,
    /// The nonce of the request.
    pub nonce: String,
    /// The position of the request.
    pub after: Position,
    /// Everything up to here is in `changes`; less than `head` where the answer was cut: ask again.
    pub to: Position,
    /// The last committed position.
    pub head: Position,
    /// When it was signed.
    pub time: Timestamp,
    /// The last standing of each subject that changed in `after < position <= to`.
    pub changes: Vec<StandingChange>,
}

impl AfterAnswer {
    /// What the signature of an answer is bound to.
    pub const PURPOSE: &'static str = "signet.v1.feed.after";
    /// Most rows in one answer, so that it fits NATS's default `max_payload` of 1 MiB.
    pub const MOST_CHANGES: usize = 2_000;
}

/// A payload with its signature; the payload is still untrusted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedMessage {
    /// The exact bytes that were signed (JSON text).
    pub payload: String,
    /// Ed25519 signature over [`SignedMessage::signing_input`].
    pub signature: Vec<u8>,
}

/// A message that is no signed envelope, or a payload of another form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedFormatError(pub String);

impl fmt::Display for FeedFormatError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "feed message: {}", self.0)
    }
}
impl std::error::Error for FeedFormatError {}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    payload: String,
    signature: String,
}

impl SignedMessage {
    /// Largest message that is looked at, in bytes.
    pub const LONGEST: usize = 1 << 20;

    /// The bytes that are signed: purpose, a zero byte, the payload.
    pub fn signing_input(purpose: &str, payload: &str) -> Vec<u8> {
        [purpose.as_bytes(), &[0], payload.as_bytes()].concat()
    }

    /// The message's bytes on the bus.
    pub fn encode(&self) -> Vec<u8> {
        let envelope = Envelope { payload: self.payload.clone(), signature: STANDARD.encode(&self.signature) };
        serde_json::to_vec(&envelope).unwrap_or_default() // two strings: cannot fail
    }

    /// Takes the envelope apart; verifies nothing.
    pub fn decode(bytes: &[u8]) -> Result<Self, FeedFormatError> {
        if bytes.len() > Self::LONGEST {
            return Err(FeedFormatError(format!("{} bytes, more than {}", bytes.len(), Self::LONGEST)));
        }
        let envelope: Envelope = serde_json::from_slice(bytes).map_err(|e| FeedFormatError(e.to_string()))?;
        let signature = STANDARD.decode(&envelope.signature).map_err(|e| FeedFormatError(e.to_string()))?;
        Ok(Self { payload: envelope.payload, signature })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelopes_read_back_and_garbage_is_refused() {
        let message = SignedMessage { payload: "{\"a\":1}".to_owned(), signature: vec![1, 2, 3] };
        assert_eq!(SignedMessage::decode(&message.encode()), Ok(message));
        for bad in [&b""[..], b"{}", b"null", b"{\"payload\":\"\",\"signature\":\"!\"}", b"{\"payload\":\"\",\"signature\":\"\",\"x\":1}"] {
            assert!(SignedMessage::decode(bad).is_err());
        }
        assert!(SignedMessage::decode(&vec![b' '; SignedMessage::LONGEST.saturating_add(1)]).is_err());
    }
}
