//! Turns bearer tokens into callers. Of a token of ours the hash is looked up once and then known from memory, until the view of
//! what is withdrawn says that something about it changed; its end and the view's age are looked at on every call. Who comes
//! with another token, or with none, is a matter of [`People`].

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use signet_crypto::token::{self, TokenKind};
use signet_db::Db;
use signet_http::oidc::Oidc;
use signet_http::reasons::{AUTH_EXPIRED, AUTH_INVALID};
use signet_http::{Authenticate, BearerToken, TenantExists};
use signet_model::{Caller, Clock, PersonSubject, Refusal, Rights, StandingChange, StandingSubject, TenantId, Timestamp};
use signet_standing::View;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::api_token::Owner;
use crate::reasons::{API_TOKEN_REVOKED, BEARER_TENANT_UNKNOWN};
use crate::sql;

/// Tokens that are known from memory.
const MOST_KNOWN: usize = 10_000;

type Hash = [u8; 32];

/// How the caller is called that everybody is when security is off.
const NOBODY_IN_PARTICULAR: &str = "security-off";
/// What that caller may do.
const EVERYTHING_IN_THE_TENANT: &str = "signet:owner";

/// Who is a caller besides the holders of our own tokens.
pub enum People {
    /// Nobody.
    Nobody,
    /// Whom the tenants' own issuers vouch for.
    Issuers(Arc<Oidc>),
    /// Everybody, with or without a token, as an owner of this tenant: security is off. Our own tokens keep their meaning, so
    /// that what stands above the tenants stays with the operator, and a token that is out of use is still told so.
    Everybody(TenantId),
}

/// A token that was looked up.
#[derive(Clone)]
struct Known {
    caller: Caller,
    /// What it leans on.
    subjects: Arc<[StandingSubject]>,
    expires_at: Timestamp,
}

/// The authenticator of the API.
pub struct Authenticator {
    db: Db,
    view: View,
    clock: Arc<dyn Clock>,
    people: People,
    /// Knows the tenants of people; of our own tokens the tenant was looked up with the token.
    tenants: Option<Arc<dyn TenantExists>>,
    known: Cache<Hash, Known>,
    /// Grows whenever something is dropped, so that a look-up which began before is not kept after.
    dropped: AtomicU64,
    changes: Mutex<Receiver<Arc<[StandingChange]>>>,
}

impl Authenticator {
    pub(crate) fn new(db: Db, view: View, clock: Arc<dyn Clock>) -> Self {
        Self::with(db, view, clock, People::Nobody, None)
    }

    /// Another one on the same ground that takes these people too.
    pub(crate) fn beside(&self, people: People, tenants: Arc<dyn TenantExists>) -> Self {
        Self::with(self.db.clone(), self.view.clone(), Arc::clone(&self.clock), people, Some(tenants))
    }

    fn with(db: Db, view: View, clock: Arc<dyn Clock>, people: People, tenants: Option<Arc<dyn TenantExists>>) -> Self {
        let changes = Mutex::new(view.changes());
        Self { db, view, clock, people, tenants, known: Cache::new(MOST_KNOWN), dropped: AtomicU64::new(0), changes }
    }

    /// Forgets every token that something was said about since the last call. Done on the caller's own time, so that a change
    /// which the view has applied is never met by an older memory.
    fn forget_changed(&self) {
        let mut changes = self.changes.lock();
        loop {
            match changes.try_recv() {
                Ok(changed) => {
                    let tokens: Vec<&StandingSubject> =
                        changed.iter().map(|change| &change.subject).filter(|s| concerns_tokens(s)).collect();
                    if !tokens.is_empty() {
                        self.dropped.fetch_add(1, Ordering::SeqCst);
                        self.known.retain(|_, known| !known.subjects.iter().any(|subject| tokens.contains(&subject)));
                    }
                }
                Err(TryRecvError::Lagged(_)) => {
                    self.dropped.fetch_add(1, Ordering::SeqCst);
                    self.known.clear();
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    async fn caller(&self, token: &BearerToken) -> Result<Caller, Refusal> {
        let text = token.expose();
        if TokenKind::ALL.iter().any(|kind| text.starts_with(kind.prefix())) {
            return self.holder(token).await;
        }
        match &self.people {
            // A text of other than three parts is no token of an issuer's, and its sender may have meant one of ours.
            People::Issuers(oidc) if text.split('.').count() == 3 => self.in_its_tenant(oidc.verify(token).await?).await,
            People::Nobody | People::Issuers(_) => Err(invalid("it is no token of Signet's")),
            People::Everybody(tenant) => self.in_its_tenant(everybody(tenant)).await,
        }
    }

    /// The person, if its tenant is here and enabled.
    async fn in_its_tenant(&self, person: Caller) -> Result<Caller, Refusal> {
        if let (Some(tenant), Some(tenants)) = (person.tenant(), &self.tenants) {
            if !tenants.tenant_exists(tenant).await? {
                return Err(Refusal::new(&BEARER_TENANT_UNKNOWN, format!("tenant `{tenant}` of this token's issuer does not exist here")));
            }
            self.view.check(&[StandingSubject::Tenant(tenant.clone())])?;
        }
        Ok(person)
    }

    /// The caller that holds one of our own tokens.
    async fn holder(&self, token: &BearerToken) -> Result<Caller, Refusal> {
        let kind = token::BearerToken::parse(token.expose()).map_err(|_| invalid("it is no token of Signet's"))?.kind();
        let hash = token::hash(token.expose());
        self.forget_changed();
        let known = match self.known.get(&hash) {
            Some(known) => known,
            None => self.look_up(kind, hash).await?,
        };
        if known.expires_at <= self.clock.now() {
            let expired = Refusal::new(&AUTH_EXPIRED, format!("the token ended at {}", known.expires_at));
            return Err(match known.caller {
                Caller::OperatorToken => expired
                    .with_fix("Make a new one on the server's machine: `signet operator rotate`; it needs the database and no token."),
                Caller::PlatformToken { .. } => expired
                    .with_fix("Who holds the operator token makes a new one: `signet api-token create --role platform --expires 90d`."),
                Caller::ApiToken { .. } | Caller::Person { .. } | Caller::Bus | Caller::System(_) => {
                    expired.with_fix("An owner of the tenant makes a new one: `signet api-token create --role ROLE --expires 90d`.")
                }
            });
        }
        self.view.check(&known.subjects)?;
        Ok(known.caller)
    }

    async fn look_up(&self, kind: TokenKind, hash: Hash) -> Result<Known, Refusal> {
        let dropped = self.dropped.load(Ordering::SeqCst);
        let known = match kind {
            TokenKind::Operator => self.operator(&hash).await?,
            TokenKind::Api => self.api(&hash).await?,
        };
        self.known.insert(hash, known.clone());
        if self.dropped.load(Ordering::SeqCst) != dropped {
            self.known.remove(&hash);
        }
        Ok(known)
    }

    async fn operator(&self, hash: &Hash) -> Result<Known, Refusal> {
        let stored = sql::one(&self.db, sql::operator_token::by_hash(hash), sql::operator_token::read).await?;
        let stored = stored.ok_or_else(|| {
            invalid("it is not the operator token of this server").with_fix(
                "Use the file `operator.token` of the data directory, or make a new one on the server's machine: `signet operator rotate`.",
            )
        })?;
        Ok(Known { caller: Caller::OperatorToken, subjects: [StandingSubject::OperatorToken].into(), expires_at: stored.expires_at })
    }

    async fn api(&self, hash: &Hash) -> Result<Known, Refusal> {
        let found = sql::one(&self.db, sql::api_token::by_hash(hash), sql::api_token::read_with_owner).await?;
        let (token, owner) = found.ok_or_else(|| invalid("no API token of this server"))?;
        if let Some(revoked_at) = token.revoked_at {
            return Err(Refusal::new(&API_TOKEN_REVOKED, format!("API token `{}` was revoked at {revoked_at}", token.id)));
        }
        let subject = owner.subject(&token.id);
        let (caller, subjects) = match owner {
            Owner::Platform => (Caller::PlatformToken { id: token.id }, [subject].into()),
            Owner::Tenant(tenant) => {
                let subjects = [subject, StandingSubject::Tenant(tenant.clone())].into();
                (Caller::ApiToken { id: token.id, tenant, role: token.role }, subjects)
            }
        };
        Ok(Known { caller, subjects, expires_at: token.expires_at })
    }
}

fn invalid(why: &str) -> Refusal {
    Refusal::new(&AUTH_INVALID, format!("the bearer token is not known: {why}"))
}

/// Whether a change of this subject can concern a token that is kept.
fn concerns_tokens(subject: &StandingSubject) -> bool {
    match subject {
        StandingSubject::ApiToken(..) | StandingSubject::PlatformToken(_) | StandingSubject::OperatorToken | StandingSubject::Tenant(_) => {
            true
        }
        StandingSubject::Identity(..) | StandingSubject::Credential(..) => false,
    }
}

impl Authenticate for Authenticator {
    fn authenticate<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(self.caller(token))
    }

    fn without_token(&self) -> BoxFuture<'_, Option<Result<Caller, Refusal>>> {
        Box::pin(async move {
            match &self.people {
                People::Everybody(tenant) => Some(self.in_its_tenant(everybody(tenant)).await),
                People::Nobody | People::Issuers(_) => None,
            }
        })
    }

    fn permits<'a>(
        &'a self,
        token: &'a BearerToken,
        caller: &'a Caller,
        resource: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            match (&self.people, caller) {
                (People::Issuers(oidc), Caller::Person { .. }) => oidc.permits(token, resource, scope).await,
                (People::Nobody | People::Everybody(_), _)
                | (
                    People::Issuers(_),
                    Caller::OperatorToken | Caller::PlatformToken { .. } | Caller::ApiToken { .. } | Caller::Bus | Caller::System(_),
                ) => Ok(false),
            }
        })
    }
}

/// The caller that everybody is when security is off.
fn everybody(tenant: &TenantId) -> Caller {
    let rights = Rights::new([EVERYTHING_IN_THE_TENANT.to_owned()], []);
    Caller::Person { tenant: tenant.clone(), subject: PersonSubject::new(NOBODY_IN_PARTICULAR), rights: Arc::new(rights) }
}
