//! The operator token: one for the whole house, above all tenants. Making a new one needs the database and no server, so that
//! who lost it is not locked out; the old one is out as soon as the views have heard.

use std::time::Duration;

use signet_crypto::token::{BearerToken, TokenKind};
use signet_db::Db;
use signet_ledger::{Change, Decided, Expect, Ledger, StandingEntry};
use signet_model::{AuditRecord, Caller, Clock, Entropy, Refusal, StandingSubject, Timestamp, TraceId};

use crate::sql;

/// The longest life of an operator token: ten years, as of an API token.
pub const LONGEST_OPERATOR_TOKEN_LIFETIME: Duration = Duration::from_secs(10 * 366 * 86_400);
/// How long an operator token works unless told otherwise.
pub const OPERATOR_TOKEN_LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// A new operator token.
#[derive(Debug)]
pub struct RotatedOperatorToken {
    /// Its text, for the one file that keeps it.
    pub token: BearerToken,
    /// When it ends.
    pub expires_at: Timestamp,
    /// How many there have been, this one counted.
    pub generation: i64,
}

/// What making an operator token needs.
#[derive(Clone, Copy)]
pub struct OperatorTokenParts<'a> {
    /// Where the token is read.
    pub db: &'a Db,
    /// Where it is written.
    pub ledger: &'a Ledger,
    /// The time.
    pub clock: &'a dyn Clock,
    /// Where the token comes from.
    pub entropy: &'a dyn Entropy,
    /// Who does it, for the audit log.
    pub caller: &'a Caller,
    /// How long the token works.
    pub lifetime: Duration,
}

/// Makes a new operator token in place of the one before.
///
/// # Errors
/// The database cannot be read or written, or others rotated at the same time again and again.
pub async fn rotate_operator_token(parts: OperatorTokenParts<'_>) -> Result<RotatedOperatorToken, Refusal> {
    parts.ledger.decide(|| async move { parts.replace(parts.stored().await?) }).await
}

/// Makes the first operator token, unless there is one: then none. Called once at every start.
///
/// # Errors
/// The database cannot be read or written.
pub async fn first_operator_token(parts: OperatorTokenParts<'_>) -> Result<Option<RotatedOperatorToken>, Refusal> {
    parts
        .ledger
        .decide(|| async move {
            if parts.stored().await?.is_some() {
                return Ok(Decided::Same(None));
            }
            match parts.replace(None)? {
                Decided::Commit(change, made) => Ok(Decided::Commit(change, Some(made))),
                Decided::Same(made) => Ok(Decided::Same(Some(made))),
                Decided::Refuse(refusal) => Ok(Decided::Refuse(refusal)),
            }
        })
        .await
}

impl OperatorTokenParts<'_> {
    async fn stored(&self) -> Result<Option<sql::operator_token::Stored>, Refusal> {
        sql::one(self.db, sql::operator_token::find(), sql::operator_token::read).await
    }

    fn replace(&self, stored: Option<sql::operator_token::Stored>) -> Result<Decided<RotatedOperatorToken>, Refusal> {
        let now = self.clock.now();
        let token = BearerToken::generate(TokenKind::Operator, self.entropy);
        let expires_at = now.plus(self.lifetime);
        let (write, generation) = match stored {
            None => (sql::operator_token::insert(&token.hash(), now, expires_at), 1),
            Some(old) => {
                let write = sql::operator_token::replace(old.generation, &token.hash(), now, expires_at);
                (write, old.generation.saturating_add(1))
            }
        };
        let record = AuditRecord {
            tenant: None,
            time: now,
            actor: self.caller.to_string(),
            action: "operator-token.rotate",
            object: StandingSubject::OperatorToken.to_string(),
            reason: None,
            trace_id: TraceId::generate(self.entropy),
            detail: [("generation", generation.to_string()), ("expires_at", expires_at.to_string())].into(),
        };
        // The standing is good again and again: what counts is that it changed, so that every cache looks anew.
        let change = Change::new(record).expecting(Expect::write(write, 1)).standing(StandingEntry {
            subject: StandingSubject::OperatorToken,
            good: true,
            reason: None,
        });
        Ok(Decided::commit(change, RotatedOperatorToken { token, expires_at, generation }))
    }
}
