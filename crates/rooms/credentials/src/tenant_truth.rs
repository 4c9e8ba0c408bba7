//! The page of truth of a tenant: what it holds, what it asks of those who connect, and what somebody should look after.
//!
//! Counting is the only part whose cost grows with the tenant: an index is read, no further than [`MOST_COUNTED`] credentials. Of
//! one tenant one count runs at a time on a replica, and its result stands for [`COUNT_SHARE`] times as long as it took, so that
//! whoever asks again and again takes a small part of one connection and no more.

use std::sync::Arc;
use std::time::Duration;

use quick_cache::sync::Cache;
use signet_ledger::Upkeep;
use signet_model::{ApiTokenId, CredentialKind, CredentialState, Refusal, Scope, TenantId, TenantState, Timestamp};
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::CredentialsRoom;
use crate::ports::Callers;
use crate::sql;
use crate::sweep::Sweep;
use crate::tenant::Tenant;

/// Most credentials of a tenant that are counted.
pub(crate) const MOST_COUNTED: u32 = 2_000_000;
/// A count may take this part of the time.
const COUNT_SHARE: u32 = 20;
/// Tenants whose last count is remembered.
const MOST_REMEMBERED: usize = 1_000;
/// An API token that ends within this is told of.
const SOON: Duration = Duration::from_secs(14 * 86_400);
/// Most tokens that are told of one by one, and most that are looked through for them, the newest first.
const MOST_TOKENS: (u32, u32) = (10, 10_000);
/// A credential that was not used since it was made so long ago is told of.
const LONG_UNUSED_MICROS: i64 = 30 * 86_400 * 1_000_000;
/// Most of them that are counted.
const MOST_UNUSED: u32 = 10_000;
/// Shortest time between two writes of a tenant's last use.
const USE_SPACING: Duration = Duration::from_secs(60);

/// So many credentials of a kind are in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) kind: CredentialKind,
    pub(crate) state: CredentialState,
    pub(crate) number: i64,
}

/// What was counted, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) at: Timestamp,
    pub(crate) counts: Vec<Count>,
    /// Whether it is all of them.
    pub(crate) complete: bool,
}

/// What the tenant asks of those who connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Required {
    pub(crate) strict_fsm: bool,
    pub(crate) bcrypt_cost: u32,
    pub(crate) issuer: Option<String>,
}

/// Something that somebody should look after.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Warning {
    /// A word from a closed set.
    pub(crate) code: &'static str,
    /// What it is about.
    pub(crate) detail: String,
}

/// Everything on the page.
#[derive(Clone, Debug)]
pub(crate) struct Truth {
    pub(crate) tenant: Tenant,
    pub(crate) counted: Counted,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) required: Required,
    pub(crate) sweep: Option<Sweep>,
    pub(crate) warnings: Vec<Warning>,
}

/// The last count of one tenant and until when it stands; held while it is counted anew.
type Slot = Arc<Mutex<Option<(Instant, Counted)>>>;

/// What the room remembers for it.
pub(crate) struct Remembered {
    counts: Cache<TenantId, Slot>,
    uses: Cache<TenantId, Timestamp>,
    callers: std::sync::OnceLock<Arc<dyn Callers>>,
}

impl Remembered {
    pub(crate) fn new() -> Self {
        Self { counts: Cache::new(MOST_REMEMBERED), uses: Cache::new(MOST_REMEMBERED), callers: std::sync::OnceLock::new() }
    }
}

impl CredentialsRoom {
    /// Tells the room what the house asks of callers. Only the first word counts.
    pub fn know_callers(&self, callers: Arc<dyn Callers>) {
        let _ = self.truth.callers.set(callers);
    }

    /// Notes that a credential of the tenant was used; written as upkeep, at most once a minute.
    pub(crate) fn note_use_of_tenant(&self, tenant: &TenantId, now: Timestamp) {
        if self.truth.uses.get(tenant).is_some_and(|earlier| now.since(earlier) < USE_SPACING) {
            return;
        }
        self.truth.uses.insert(tenant.clone(), now);
        self.ledger.upkeep(Upkeep { statement: sql::tenant_truth::used(tenant, now) });
    }

    /// The page of truth of the tenant that `scope` names.
    pub(crate) async fn tenant_truth(&self, scope: &Scope) -> Result<Truth, Refusal> {
        let tenant = self.existing_tenant(scope).await?;
        let counted = self.counted(scope).await?;
        let last_used_at = sql::one(&self.db, sql::tenant_truth::last_use(&tenant.id), |row| row.time(0)).await?;
        let sweep = self.sweep_of(scope, None).await?;
        let callers = self.truth.callers.get();
        let required = Required {
            strict_fsm: self.config.strict_fsm,
            bcrypt_cost: self.config.bcrypt_cost,
            issuer: match callers.and_then(|callers| callers.issuer_of(&tenant.id)) {
                Some(listed) => Some(listed),
                None => self.managed_issuer(&tenant).await?,
            },
        };
        let now = scope.now();
        let mut warnings = of_state(&tenant, sweep.as_ref());
        if callers.is_some_and(|callers| callers.security_off()) {
            warnings.push(Warning { code: "security-off", detail: "anybody may call without a token".to_owned() });
        }
        let soon = sql::tenant_truth::tokens_ending(&tenant.id, now, now.plus(SOON), MOST_TOKENS);
        for (id, ends_at) in sql::all(&self.db, soon, sql::tenant_truth::read_ending).await? {
            warnings.push(token_ends(&id, ends_at));
        }
        let long_ago = Timestamp::from_micros(now.micros().saturating_sub(LONG_UNUSED_MICROS));
        let unused = sql::tenant_truth::unused_since(&tenant.id, long_ago, MOST_UNUSED.saturating_add(1));
        let unused = sql::one(&self.db, unused, |row| row.int(0)).await?.unwrap_or(0);
        if unused > 0 {
            let number = if unused > i64::from(MOST_UNUSED) { format!("more than {MOST_UNUSED}") } else { unused.to_string() };
            let detail = format!("{number} credentials made more than 30 days ago were never used");
            warnings.push(Warning { code: "never-used", detail });
        }
        Ok(Truth { tenant, counted, last_used_at, required, sweep, warnings })
    }

    async fn managed_issuer(&self, tenant: &Tenant) -> Result<Option<String>, Refusal> {
        if !tenant.managed {
            return Ok(None);
        }
        let read = |row: &signet_db::Row| Ok(row.opt_text(0)?.map(str::to_owned));
        Ok(sql::one(&self.db, sql::tenant_truth::managed_issuer(&tenant.id), read).await?.flatten())
    }

    async fn counted(&self, scope: &Scope) -> Result<Counted, Refusal> {
        let slot = match self.truth.counts.get(&scope.tenant) {
            Some(slot) => slot,
            None => {
                let slot = Arc::new(Mutex::new(None));
                self.truth.counts.insert(scope.tenant.clone(), Arc::clone(&slot));
                slot
            }
        };
        let mut held = slot.lock().await;
        if let Some((valid_until, counted)) = held.as_ref()
            && Instant::now() < *valid_until
        {
            return Ok(counted.clone());
        }
        let started = Instant::now();
        let at = scope.now();
        let statement = sql::tenant_truth::counts(&scope.tenant, MOST_COUNTED.saturating_add(1));
        let counts = sql::all(&self.db, statement, sql::tenant_truth::read_count).await?;
        let total = counts.iter().fold(0_i64, |sum, count| sum.saturating_add(count.number));
        let counted = Counted { at, counts, complete: total <= i64::from(MOST_COUNTED) };
        let now = Instant::now();
        let valid_until = now.checked_add(started.elapsed().saturating_mul(COUNT_SHARE)).unwrap_or(now);
        *held = Some((valid_until, counted.clone()));
        Ok(counted)
    }
}

fn of_state(tenant: &Tenant, sweep: Option<&Sweep>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    match (tenant.state, tenant.purge_at) {
        (TenantState::Enabled, _) => {}
        (TenantState::Deleting, Some(purge_at)) => {
            let detail =
                format!("everything of it is removed at {purge_at}; until then `signet tenant enable {}` takes it back", tenant.id);
            warnings.push(Warning { code: "deleting", detail });
        }
        (TenantState::Disabled | TenantState::Deleting, _) => {
            warnings.push(Warning { code: "disabled", detail: "everything that leans on it is refused".to_owned() });
        }
    }
    if tenant.unregistered {
        let detail = "it was unregistered: its credentials are revoked, and stay so if it comes back";
        warnings.push(Warning { code: "unregistered", detail: detail.to_owned() });
    }
    if let Some(sweep) = sweep {
        let detail = format!("{} credentials so far, since {}", sweep.told, sweep.started_at);
        warnings.push(Warning { code: sweep.work.under_way(), detail });
    }
    warnings
}

fn token_ends(id: &ApiTokenId, ends_at: Timestamp) -> Warning {
    Warning { code: "token-ends", detail: format!("API token `{id}` ends at {ends_at}") }
}
