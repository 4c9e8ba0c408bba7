//! `Idempotency-Key` on creating calls: the door's question answered from the ledger, and the entry that a handler puts into
//! its Change.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde::Serialize;
use signet_http::{Answer, IdempotencyStore, Idempotent, KeyState, KeyedRequest};
use signet_ledger::{
    IDEMPOTENCY_IN_PROGRESS, IDEMPOTENCY_KEY_REUSED, IDEMPOTENCY_SECRET_NOT_REPLAYABLE, IdempotencyEntry, IdempotencyKey, IdempotencyState,
    InProgress, Ledger, StoredAnswer, request_hash,
};
use signet_model::{Refusal, TenantId, Timestamp};

use crate::internal;

/// The keys that were used, as the ledger knows them. The mark that handlers get is the ledger's `InProgress`.
pub struct IdempotencyKeys {
    ledger: Ledger,
}

impl IdempotencyKeys {
    /// The keys in `ledger`.
    pub fn new(ledger: Ledger) -> Self {
        Self { ledger }
    }

    async fn state(&self, request: &KeyedRequest) -> Result<KeyState, Refusal> {
        let tenant = match &request.scope {
            Some(scope) => scope.tenant.clone(),
            // Routes above the tenants: their names differ from those inside, so no key of one can stand for the other.
            None => "platform".parse::<TenantId>().map_err(|error| internal(&error))?,
        };
        let key = IdempotencyKey::new(&tenant, &request.asker.caller, request.route, &request.key);
        match self.ledger.idempotency_begin(&key, request_hash(&request.key, &request.body)).await? {
            IdempotencyState::Fresh(mark) => Ok(KeyState::Fresh(Arc::new(mark))),
            IdempotencyState::Replay { status, body } => Ok(KeyState::Replay { status, body: body.into_bytes() }),
            IdempotencyState::KeyReused => Err(Refusal::new(&IDEMPOTENCY_KEY_REUSED, "this Idempotency-Key came with another body before")),
            IdempotencyState::InProgress => {
                Err(Refusal::new(&IDEMPOTENCY_IN_PROGRESS, "the first request with this Idempotency-Key is still running"))
            }
            IdempotencyState::SecretNotReplayable { id } => {
                let detail = format!("the first request made `{id}`, and its secret is shown once only");
                Err(Refusal::new(&IDEMPOTENCY_SECRET_NOT_REPLAYABLE, detail))
            }
        }
    }
}

impl IdempotencyStore for IdempotencyKeys {
    fn begin<'a>(&'a self, request: &'a KeyedRequest) -> BoxFuture<'a, Result<KeyState, Refusal>> {
        Box::pin(self.state(request))
    }
}

fn entry(key: Option<&Idempotent>, status: u16, answer: StoredAnswer, now: Timestamp) -> Result<Option<IdempotencyEntry>, Refusal> {
    let Some(key) = key else { return Ok(None) };
    let mark = key.mark::<InProgress>().ok_or_else(|| internal(&"the idempotency store makes other marks than the ledger's"))?;
    Ok(Some(mark.entry(request_hash(&key.request.key, &key.request.body), status, answer, now)))
}

/// The entry that repeats `answer` byte for byte.
pub(crate) fn repeating<T: Serialize>(
    key: Option<&Idempotent>,
    answer: &Answer<T>,
    now: Timestamp,
) -> Result<Option<IdempotencyEntry>, Refusal> {
    if key.is_none() {
        return Ok(None);
    }
    let body = answer.encode().map_err(|problem| problem.refusal().clone())?;
    let body = String::from_utf8(body).map_err(|error| internal(&error))?;
    entry(key, answer.status().as_u16(), StoredAnswer::Body(body), now)
}

/// The entry of an answer that held a secret: a repetition is refused with the id of what was made.
pub(crate) fn secret_of(key: Option<&Idempotent>, id: &str, now: Timestamp) -> Result<Option<IdempotencyEntry>, Refusal> {
    entry(key, 201, StoredAnswer::SecretOf(id.to_owned()), now)
}
