//! The last known state in the database, so that a start without the Tenant Manager is no start without tenants. The clients'
//! secrets are sealed there.

use std::sync::Arc;

use signet_crypto::Sealer;
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope, TenantId, log_text};

use super::directory::ManagedTenant;
use crate::CredentialsRoom;
use crate::sql::managed_tenant::{self as table, ManagedRow};
use crate::{internal, sql};

/// Rows read at once.
const PAGE: u32 = 1_000;
/// Characters of an issuer that an audit record holds.
const LONGEST_NOTED: usize = 256;

pub(super) struct Store {
    pub(super) room: Arc<CredentialsRoom>,
    pub(super) sealer: Arc<dyn Sealer>,
}

impl Store {
    /// Everything that is known.
    pub(super) async fn all(&self) -> Result<Vec<ManagedTenant>, Refusal> {
        let mut all = Vec::new();
        let mut after = String::new();
        loop {
            let rows = sql::all(&self.room.db, table::after(&after, PAGE), table::read).await?;
            let Some(last) = rows.last() else { return Ok(all) };
            last.tenant.as_str().clone_into(&mut after);
            all.extend(rows.into_iter().map(|row| self.opened(row)));
        }
    }

    /// What is known of the tenant that `scope` names.
    pub(super) async fn known(&self, scope: &Scope) -> Result<Option<ManagedTenant>, Refusal> {
        Ok(sql::one(&self.room.db, table::find(&scope.tenant), table::read).await?.map(|row| self.opened(row)))
    }

    /// Keeps what was told of the tenant that `scope` names; nothing is written when it is known already.
    pub(super) async fn remember(&self, scope: &Scope, tenant: &ManagedTenant) -> Result<(), Refusal> {
        let ledger = &self.room.ledger;
        ledger
            .decide(|| async {
                let stored = sql::one(&self.room.db, table::find(&scope.tenant), table::read).await?;
                let before = stored.as_ref().map(|row| row.version);
                if stored.map(|row| self.opened(row)).is_some_and(|known| known.same_as(tenant)) {
                    return Ok(Decided::Same(()));
                }
                let row = self.sealed(tenant, before.unwrap_or(0).saturating_add(1))?;
                let statement = match before {
                    Some(before) => table::replace(&row, before, scope.now()),
                    None => table::insert(&row, scope.now()),
                };
                let issuer = tenant.issuer.as_deref().map_or("none".to_owned(), |issuer| log_text(issuer, LONGEST_NOTED));
                let record = AuditRecord::new(scope, "tenant-manager.learn", tenant.tenant.as_str())
                    .with("issuer", issuer)
                    .with("available", tenant.available.to_string());
                Ok(Decided::commit(Change::new(record).expecting(Expect::write(statement, 1)), ()))
            })
            .await
    }

    /// Forgets the tenant that `scope` names.
    pub(super) async fn forget(&self, scope: &Scope) -> Result<(), Refusal> {
        let ledger = &self.room.ledger;
        ledger
            .decide(|| async {
                let Some(row) = sql::one(&self.room.db, table::find(&scope.tenant), table::read).await? else {
                    return Ok(Decided::Same(()));
                };
                let record = AuditRecord::new(scope, "tenant-manager.forget", scope.tenant.as_str());
                let change = Change::new(record).expecting(Expect::write(table::remove(&scope.tenant, row.version), 1));
                Ok(Decided::commit(change, ()))
            })
            .await
    }

    fn sealed(&self, tenant: &ManagedTenant, version: i64) -> Result<ManagedRow, Refusal> {
        let seal = |secret: &Arc<signet_crypto::Secret>| self.sealer.seal(&purpose(&tenant.tenant), secret.expose());
        Ok(ManagedRow {
            tenant: tenant.tenant.clone(),
            realm: tenant.realm.clone(),
            issuer: tenant.issuer.clone(),
            client_id: tenant.client_id.clone(),
            sealed_secret: tenant.client_secret.as_ref().map(seal).transpose().map_err(|error| internal(&error))?,
            available: tenant.available,
            version,
        })
    }

    /// A secret that does not open is as good as none; the Tenant Manager tells it again.
    fn opened(&self, row: ManagedRow) -> ManagedTenant {
        let secret = row.sealed_secret.and_then(|sealed| match self.sealer.open(&purpose(&row.tenant), &sealed) {
            Ok(secret) => Some(Arc::new(secret)),
            Err(error) => {
                tracing::warn!(event = "tenant-manager.secret-lost", tenant = %row.tenant, %error);
                None
            }
        });
        ManagedTenant {
            tenant: row.tenant,
            realm: row.realm,
            issuer: row.issuer,
            client_id: row.client_id,
            client_secret: secret,
            available: row.available,
        }
    }
}

/// What a tenant's secret is sealed for.
fn purpose(tenant: &TenantId) -> String {
    format!("tenant-manager:{tenant}")
}
