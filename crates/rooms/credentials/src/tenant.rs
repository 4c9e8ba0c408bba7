//! Tenants: the wall between customers. They are made and never unmade here.

use futures_util::future::BoxFuture;
use signet_http::TenantExists;
use signet_ledger::{Change, Decided, Expect, IdempotencyEntry};
use signet_model::{AuditRecord, Caller, Enabled, Refusal, Scope, TenantId, Timestamp};

use crate::CredentialsRoom;
use crate::reasons::TENANT_EXISTS;
use crate::sql::{self, Cursor};

/// A tenant as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// Its name, which is its id.
    pub(crate) id: TenantId,
    /// Whether what leans on it works.
    pub(crate) state: Enabled,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it last changed.
    pub(crate) updated_at: Timestamp,
    /// Grows with each change.
    pub(crate) version: i64,
}

/// What to keep for a repetition of the request, given what was made.
pub(crate) type Remember<'a, T> = &'a (dyn Fn(&T) -> Result<Option<IdempotencyEntry>, Refusal> + Send + Sync);

impl CredentialsRoom {
    /// Makes the tenant that `scope` names.
    pub(crate) async fn create_tenant(&self, scope: &Scope, remember: Remember<'_, Tenant>) -> Result<Tenant, Refusal> {
        let made = self.ensure_tenant_once(scope, remember).await?;
        made.ok_or_else(|| Refusal::new(&TENANT_EXISTS, format!("tenant `{}` exists already", scope.tenant)))
    }

    /// Makes the tenant that `scope` names unless it is there; whether it was made. `up` and `serve` call it for `default`.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn ensure_tenant(&self, scope: &Scope) -> Result<bool, Refusal> {
        Ok(self.ensure_tenant_once(scope, &|_| Ok(None)).await?.is_some())
    }

    async fn ensure_tenant_once(&self, scope: &Scope, remember: Remember<'_, Tenant>) -> Result<Option<Tenant>, Refusal> {
        self.ledger
            .decide(|| async {
                if sql::one(&self.db, sql::tenant::find(&scope.tenant), sql::tenant::read).await?.is_some() {
                    return Ok(Decided::Same(None));
                }
                let now = scope.now();
                let tenant = Tenant { id: scope.tenant.clone(), state: Enabled::Enabled, created_at: now, updated_at: now, version: 1 };
                let record = AuditRecord::new(scope, "tenant.create", tenant.id.as_str());
                let change = Change::new(record).expecting(Expect::write(sql::tenant::insert(&tenant), 1)).idempotent(remember(&tenant)?);
                Ok(Decided::commit(change, Some(tenant)))
            })
            .await
    }

    /// The tenant that `scope` names, if there is one.
    pub(crate) async fn tenant(&self, scope: &Scope) -> Result<Option<Tenant>, Refusal> {
        sql::one(&self.db, sql::tenant::find(&scope.tenant), sql::tenant::read).await
    }

    /// The tenants that `caller` may see, newest first: all of them from above, one's own from inside.
    pub(crate) async fn tenants(&self, caller: &Caller, after: &Cursor, limit: u32) -> Result<Vec<Tenant>, Refusal> {
        match caller {
            Caller::OperatorToken | Caller::PlatformToken { .. } | Caller::System(_) => {
                sql::all(&self.db, sql::tenant::newest(after, limit), sql::tenant::read).await
            }
            // One row and no page behind it, so a cursor can only come from another caller's list.
            Caller::ApiToken { tenant, .. } | Caller::Person { tenant, .. } => {
                let own = sql::one(&self.db, sql::tenant::find(tenant), sql::tenant::read).await?;
                Ok(own.into_iter().filter(|_| *after == Cursor::start()).collect())
            }
            Caller::Bus => Ok(Vec::new()),
        }
    }
}

/// Tenants are never unmade, so one that was seen once is there for good.
impl TenantExists for CredentialsRoom {
    fn tenant_exists<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if self.tenants_seen.get(tenant).is_some() {
                return Ok(true);
            }
            let exists = sql::one(&self.db, sql::tenant::find(tenant), sql::tenant::read).await?.is_some();
            if exists {
                self.tenants_seen.insert(tenant.clone(), ());
            }
            Ok(exists)
        })
    }
}
