//! API tokens: what programs call the API with, those of one tenant or, with role `platform`, those of whoever runs all of them.
//! Only the hash is kept; the text is shown once.
//!
//! A platform token may do what the operator token may, and can be ended by itself: a gateway, a dashboard or a script gets one of
//! its own. It does not make operator tokens, for which one has to hold the database.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use signet_crypto::token::{BearerToken, TokenKind};
use signet_http::Asker;
use signet_ledger::{Change, Decided, Expect, StandingEntry};
use signet_model::{ApiTokenId, AuditRecord, NameError, Refusal, Role, StandingSubject, TenantId, Timestamp, kinds};

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
    /// What it may do: in its tenant, or above all of them.
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
    /// A token of one tenant.
    pub(crate) fn checked(name: Option<String>, role: Role, expires_at: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
        match role {
            Role::Auditor | Role::Operator | Role::Owner => Self::of_role(name, role, expires_at, now),
            Role::Platform => {
                let detail = "`role`: wanted owner, operator or auditor; nothing of a tenant stands above the tenants";
                Err(Refusal::new(&kinds::INPUT_INVALID, detail))
            }
        }
    }

    /// A token above all tenants.
    pub(crate) fn platform(name: Option<String>, expires_at: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
        Self::of_role(name, Role::Platform, expires_at, now)
    }

    fn of_role(name: Option<String>, role: Role, expires_at: Timestamp, now: Timestamp) -> Result<Self, Refusal> {
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

/// Whose a token is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Owner {
    /// One tenant's.
    Tenant(TenantId),
    /// Nobody's below the platform.
    Platform,
}

/// What stands in place of a tenant's name; no tenant can be named so.
const PLATFORM_COLUMN: &str = "*";

impl Owner {
    /// The text in the database.
    pub(crate) fn column(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.as_str(),
            Self::Platform => PLATFORM_COLUMN,
        }
    }

    /// What a token of this owner leans on.
    pub(crate) fn subject(&self, id: &ApiTokenId) -> StandingSubject {
        match self {
            Self::Tenant(tenant) => StandingSubject::ApiToken(tenant.clone(), id.clone()),
            Self::Platform => StandingSubject::PlatformToken(id.clone()),
        }
    }

    fn tenant(&self) -> Option<TenantId> {
        match self {
            Self::Tenant(tenant) => Some(tenant.clone()),
            Self::Platform => None,
        }
    }
}

impl FromStr for Owner {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if text == PLATFORM_COLUMN { Ok(Self::Platform) } else { text.parse().map(Self::Tenant) }
    }
}

/// The words of a refusal.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tenant(tenant) => write!(f, "tenant `{tenant}`"),
            Self::Platform => f.write_str("the platform"),
        }
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
        asker: &Asker,
        owner: &Owner,
        new: &NewApiToken,
        remember: Remember<'_, ApiToken>,
    ) -> Result<MadeApiToken, Refusal> {
        self.ledger
            .decide(|| async {
                let now = asker.clock.now();
                let text = BearerToken::generate(TokenKind::Api, asker.entropy.as_ref());
                let token = ApiToken {
                    id: ApiTokenId::generate(now, asker.entropy.as_ref()),
                    name: new.name.clone(),
                    role: new.role,
                    created_at: now,
                    created_by: asker.caller.to_string(),
                    expires_at: new.expires_at,
                    revoked_at: None,
                    version: 1,
                };
                let record = record(asker, owner, "api-token.create", &token)
                    .with("role", token.role.as_str())
                    .with("expires_at", token.expires_at.to_string());
                let mut change = Change::new(record)
                    .expecting(Expect::write(sql::api_token::insert(owner, &token, &text.hash()), 1))
                    .idempotent(remember(&token)?);
                if let Owner::Tenant(tenant) = owner {
                    self.working_tenant(&asker.scope(tenant.clone())).await?;
                    change = change.expecting(Expect::guard(sql::tenant::enabled(tenant), 1));
                }
                Ok(Decided::commit(change, MadeApiToken { token, text }))
            })
            .await
    }

    pub(crate) async fn api_tokens(&self, owner: &Owner, after: &Cursor, limit: u32) -> Result<Vec<ApiToken>, Refusal> {
        sql::all(&self.db, sql::api_token::newest(owner, after, limit), sql::api_token::read).await
    }

    async fn api_token(&self, owner: &Owner, id: &str) -> Result<ApiToken, Refusal> {
        let absent = || Refusal::new(&API_TOKEN_NOT_FOUND, format!("{owner} has no such API token"));
        let Ok(id) = id.parse() else { return Err(absent()) };
        sql::one(&self.db, sql::api_token::find(owner, &id), sql::api_token::read).await?.ok_or_else(absent)
    }

    /// Ends a token; every replica refuses it as soon as its view has heard.
    pub(crate) async fn revoke_api_token(
        &self,
        asker: &Asker,
        owner: &Owner,
        id: &str,
        reason: Option<&str>,
    ) -> Result<RevokedApiToken, Refusal> {
        self.ledger
            .decide(|| async {
                let token = self.api_token(owner, id).await?;
                if token.revoked_at.is_some() {
                    return Ok(Decided::Same(RevokedApiToken { token, changed: false }));
                }
                let now = asker.clock.now();
                let record = record(asker, owner, "api-token.revoke", &token).because(reason.map(str::to_owned));
                let change =
                    Change::new(record).expecting(Expect::write(sql::api_token::revoke(owner, &token, now), 1)).standing(StandingEntry {
                        subject: owner.subject(&token.id),
                        good: false,
                        reason: Some(API_TOKEN_REVOKED.code.to_owned()),
                    });
                let version = token.version.saturating_add(1);
                let token = ApiToken { revoked_at: Some(now), version, ..token };
                Ok(Decided::commit(change, RevokedApiToken { token, changed: true }))
            })
            .await
    }
}

fn record(asker: &Asker, owner: &Owner, action: &'static str, token: &ApiToken) -> AuditRecord {
    AuditRecord {
        tenant: owner.tenant(),
        time: asker.clock.now(),
        actor: asker.caller.to_string(),
        action,
        object: token.id.to_string(),
        reason: None,
        trace_id: asker.trace.clone(),
        detail: BTreeMap::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_tenant_can_be_named_as_the_platform_is() {
        assert_eq!("*".parse(), Ok(Owner::Platform));
        assert!("*".parse::<TenantId>().is_err());
        for owner in [Owner::Platform, Owner::Tenant("acme".parse().unwrap())] {
            assert_eq!(owner.column().parse(), Ok(owner));
        }
    }

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
        assert_eq!(NewApiToken::platform(None, later, now).unwrap().role, Role::Platform);
        assert_eq!(NewApiToken::platform(None, now, now).map_err(|refusal| refusal.reason.code).unwrap_err(), "api-token.invalid-expiry");
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
