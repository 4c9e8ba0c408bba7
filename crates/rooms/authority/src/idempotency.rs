//! The entry that a handler puts into its Change, so that the answer can be repeated under its `Idempotency-Key`.

use serde::Serialize;
use signet_http::{Answer, Idempotent};
use signet_ledger::{IdempotencyEntry, InProgress, StoredAnswer, request_hash};
use signet_model::{Refusal, Timestamp};

use crate::internal;

fn entry(key: Option<&Idempotent>, status: u16, answer: StoredAnswer, now: Timestamp) -> Result<Option<IdempotencyEntry>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    let mark = key.mark::<InProgress>().ok_or_else(|| internal(&"the idempotency store makes other marks than the ledger's"))?;
    Ok(Some(mark.entry(request_hash(&key.request.key, &key.request.body), status, answer, now)))
}

/// The entry that repeats `answer` byte for byte; it is made only where there is a key.
pub(crate) fn repeating<T: Serialize>(
    key: Option<&Idempotent>,
    answer: impl FnOnce() -> Answer<T>,
    now: Timestamp,
) -> Result<Option<IdempotencyEntry>, Refusal> {
    if key.is_none() {
        return Ok(None);
    }
    let answer = answer();
    let body = answer.encode().map_err(|problem| problem.refusal().clone())?;
    let body = String::from_utf8(body).map_err(|error| internal(&error))?;
    entry(key, answer.status().as_u16(), StoredAnswer::Body(body), now)
}

/// The entry of an answer that held a secret: a repetition is refused with the id of what was made.
pub(crate) fn secret_of(key: Option<&Idempotent>, id: &str, now: Timestamp) -> Result<Option<IdempotencyEntry>, Refusal> {
    entry(key, 201, StoredAnswer::SecretOf(id.to_owned()), now)
}
