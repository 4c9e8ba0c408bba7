//! API tokens: what programs of one tenant call the API with. Only the hash is kept; the text is shown once.

use std::time::Duration;

use signet_crypto::token::{BearerToken, TokenKind};
use signet_ledger::{Change, Decided, Expect, StandingEntry};
use signet_model::{ApiTokenId, AuditRecord, Refusal, Role, Scope, StandingSubject, Timestamp, kinds};

use crate::CredentialsRoom;
use crate::reasons::{API_TOKEN_INVALID_EXPIRY, API_TOKEN_NOT_FOUND, API_TOKEN_REVOKED};
use crate::sql::{self, Cursor};
use crate::tenant::Remember;

/// Longest life of a token.
const LONGEST_LIFE: Duration = Duration::from_secs(10 * 366 * 86_400);
/// Longest name of a token, in characters.
const LONGEST_NAME: usize = 128;

/// An API token as stored; its text is known only to who holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiToken {
    /// Its id.
    pub(crate) id: ApiTokenId,
    /// What it is for, in the words of who made it.
    pub(crate) name: Option<String>,
    /// What it may do in its tenant; never `platform`.
    pub(crate) role: Role,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// Who made it, as in audit records.
    pub(crate) created_by: String,
    /// When it ends by itself.
    pub(crate) expires_at: Timestamp,
    /// When it was revoked.
    pub(crate) revoked_at: Option<Timestamp>,
    /// Grows with each change.
    pub(crate) version: i64,
}

/// What a new token is to be; checked by [`NewApiToken::checked`].
#[derive(Clone, Debug)]
pub(crate) struct NewApiToken {
    name: Option<String>,
    role: Role,
    expires_at: Timestamp,
}

impl NewApiToken {
    pub(crate) fn checked(name: Option<String>, role: Role, expires_at: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
        match role {
            Role::Auditor | Role::Operator | Role::Owner => {}
            Role::Platform => {
                let detail = "`role`: wanted owner, operator or auditor; nothing of a tenant stands above the tenants";
                return Err(Refusal::new(&kinds::INPUT_INVALID, detail));
            }
        }
        if expires_at <= now || expires_at > now.plus(LONGEST_LIFE) {
            return Err(Refusal::new(&API_TOKEN_INVALID_EXPIRY, format!("`expires_at` is {expires_at}, and now is {now}")));
        }
        if let Some(name) = &name
            && (!(1..=LONGEST_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control))
        {
            let detail = format!("`name`: wanted 1 to {LONGEST_NAME} characters, none of them a control character");
            return Err(Refusal::new(&kinds::INPUT_INVALID, detail));
        }
        Ok(Self { name, role, expires_at })
    }
}

/// A token that was just made, with its text.
#[derive(Debug)]
pub(crate) struct MadeApiToken {
    pub(crate) token: ApiToken,
    pub(crate) text: BearerToken,
}

/// What became of a revocation.
#[derive(Clone, Debug)]
pub(crate) struct RevokedApiToken {
    pub(crate) token: ApiToken,
    pub(crate) changed: bool,
}

impl CredentialsRoom {
    pub(crate) async fn create_api_token(
        &self,
        scope: &Scope,
        new: &NewApiToken,
        remember: Remember<'_, ApiToken>,
    ) -> Result<MadeApiToken, Refusal> {
        self.ledger
            .decide(|| async {
                self.working_tenant(scope).await?;
                let now = scope.now();
                let text = BearerToken::generate(TokenKind::Api, scope.entropy.as_ref());
                let token = ApiToken {
                    id: ApiTokenId::generate(now, scope.entropy.as_ref()),
                    name: new.name.clone(),
                    role: new.role,
                    created_at: now,
                    created_by: scope.caller.to_string(),
                    expires_at: new.expires_at,
                    revoked_at: None,
                    version: 1,
                };
                let record = AuditRecord::new(scope, "api-token.create", token.id.as_str())
                    .with("role", token.role.as_str())
                    .with("expires_at", token.expires_at.to_string());
                let change = Change::new(record)
                    .expecting(Expect::write(sql::api_token::insert(&scope.tenant, &token, &text.hash()), 1))
                    .expecting(Expect::guard(sql::tenant::enabled(&scope.tenant), 1))
                    .idempotent(remember(&token)?);
                Ok(Decided::commit(change, MadeApiToken { token, text }))
            })
            .await
    }

    pub(crate) async fn api_tokens(&self, scope: &Scope, after: &Cursor, limit: u32) -> Result<Vec<ApiToken>, Refusal> {
        sql::all(&self.db, sql::api_token::newest(&scope.tenant, after, limit), sql::api_token::read).await
    }

    async fn api_token(&self, scope: &Scope, id: &str) -> Result<ApiToken, Refusal> {
        let absent = || Refusal::new(&API_TOKEN_NOT_FOUND, format!("tenant `{}` has no such API token", scope.tenant));
        let Ok(id) = id.parse() else { return Err(absent()) };
        sql::one(&self.db, sql::api_token::find(&scope.tenant, &id), sql::api_token::read).await?.ok_or_else(absent)
    }

    /// Ends a token; every replica refuses it as soon as its view has heard.
    pub(crate) async fn revoke_api_token(&self, scope: &Scope, id: &str, reason: Option<&str>) -> Result<RevokedApiToken, Refusal> {
        self.ledger
            .decide(|| async {
                let token = self.api_token(scope, id).await?;
                if token.revoked_at.is_some() {
                    return Ok(Decided::Same(RevokedApiToken { token, changed: false }));
                }
                let now = scope.now();
                let record = AuditRecord::new(scope, "api-token.revoke", token.id.as_str()).because(reason.map(str::to_owned));
                let change = Change::new(record).expecting(Expect::write(sql::api_token::revoke(&scope.tenant, &token, now), 1)).standing(
                    StandingEntry {
                        subject: StandingSubject::ApiToken(scope.tenant.clone(), token.id.clone()),
                        good: false,
                        reason: Some(API_TOKEN_REVOKED.code.to_owned()),
                    },
                );
                let version = token.version.saturating_add(1);
                let token = ApiToken { revoked_at: Some(now), version, ..token };
                Ok(Decided::commit(change, RevokedApiToken { token, changed: true }))
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_ends_in_the_future_and_never_stands_above_its_tenant() {
        let now = Timestamp::from_micros(1_767_225_600_000_000);
        let check = |name: Option<&str>, role, expires_at| {
            NewApiToken::checked(name.map(str::to_owned), role, expires_at, now).map_err(|refusal| refusal.reason.code)
        };
        let (second, later) = (Duration::from_secs(1), now.plus(Duration::from_secs(90 * 86_400)));
        for role in [Role::Auditor, Role::Operator, Role::Owner] {
            assert!(check(None, role, later).is_ok());
        }
        assert_eq!(check(None, Role::Platform, later).unwrap_err(), "input.invalid");
        assert!(check(None, Role::Owner, now.plus(LONGEST_LIFE)).is_ok());
        for bad in [now, Timestamp::EPOCH, now.plus(LONGEST_LIFE).plus(second)] {
            assert_eq!(check(None, Role::Owner, bad).unwrap_err(), "api-token.invalid-expiry");
        }
        for bad in ["", "a\u{7}", &"x".repeat(129)] {
            assert_eq!(check(Some(bad), Role::Owner, later).unwrap_err(), "input.invalid");
        }
        assert!(check(Some("CI"), Role::Owner, later).is_ok());
    }
}
