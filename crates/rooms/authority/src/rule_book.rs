//! The tenants' rules as they are stored, and remembered: what was applied is expected in the commit of the intent, so a rule that
//! was changed by another process is read anew.

use std::sync::Arc;

use quick_cache::sync::Cache;
use signet_db::{Db, DbError, Row, Statement, params};
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, Refusal, Scope, TenantId, kinds};

use crate::rules::IssuanceRule;
use crate::{AuthorityRoom, internal, sql};

/// Rules that are remembered.
const MOST_REMEMBERED: usize = 10_000;

/// A rule and its version; 0 where the tenant has none of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct KnownRule {
    pub(crate) rule: IssuanceRule,
    pub(crate) version: i64,
}

/// The rules that are remembered.
pub(crate) struct RuleBook(Cache<TenantId, Arc<KnownRule>>);

impl RuleBook {
    pub(crate) fn new() -> Self {
        Self(Cache::new(MOST_REMEMBERED))
    }

    pub(crate) async fn of(&self, db: &Db, tenant: &TenantId) -> Result<Arc<KnownRule>, Refusal> {
        self.0.get_or_insert_async(tenant, async { stored(db, tenant).await.map(Arc::new) }).await
    }

    pub(crate) fn forget(&self, tenant: &TenantId) {
        self.0.remove(tenant);
    }
}

impl AuthorityRoom {
    /// What may be certified in the tenant.
    ///
    /// # Errors
    /// The database.
    pub async fn rule(&self, scope: &Scope) -> Result<IssuanceRule, Refusal> {
        stored(&self.db, &scope.tenant).await.map(|known| known.rule)
    }

    /// Sets what may be certified in the tenant.
    ///
    /// # Errors
    /// It is no rule; the database.
    pub async fn set_rule(&self, scope: &Scope, rule: IssuanceRule) -> Result<IssuanceRule, Refusal> {
        if let Some(fault) = rule.fault() {
            return Err(Refusal::new(&kinds::INPUT_INVALID, format!("the rule: {fault}")));
        }
        let text = serde_json::to_string(&rule).map_err(|error| internal(&error))?;
        self.ledger
            .decide(|| async {
                let was = stored(&self.db, &scope.tenant).await?;
                if was.rule == rule {
                    return Ok(Decided::Same(()));
                }
                let record = AuditRecord::new(scope, "certificate-rule.set", scope.tenant.as_str()).with("rule", text.as_str());
                let write = Statement::new(
                    "INSERT INTO issuance_rule (tenant, rule, updated_at, version) SELECT $1, $2, $3, 1 WHERE {ok} \
                     ON CONFLICT (tenant) DO UPDATE SET rule = excluded.rule, updated_at = excluded.updated_at, \
                     version = issuance_rule.version + 1 WHERE issuance_rule.version = $4",
                    params![&scope.tenant, text.as_str(), scope.now(), was.version],
                );
                Ok(Decided::commit(Change::new(record).expecting(Expect::write(write, 1)), ()))
            })
            .await?;
        self.rules.forget(&scope.tenant);
        Ok(rule)
    }
}

async fn stored(db: &Db, tenant: &TenantId) -> Result<KnownRule, Refusal> {
    let select = Statement::new("SELECT rule, version FROM issuance_rule WHERE tenant = $1", params![tenant]);
    Ok(sql::one(db, select, read).await?.unwrap_or_default())
}

fn read(row: &Row) -> Result<KnownRule, DbError> {
    let rule = serde_json::from_str(row.text(0)?).map_err(|error| sql::damaged(0, &error))?;
    Ok(KnownRule { rule, version: row.int(1)? })
}
