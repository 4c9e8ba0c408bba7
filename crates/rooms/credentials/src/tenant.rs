//! Tenants: the wall between customers. A tenant is enabled, disabled, or deleted with a grace in which it can be taken back.
//!
//! Whatever takes a tenant away is one commit: its row, its standing (so that every view cuts at once) and a
//! [sweep](crate::sweep) that tells Kaa's gateways of each credential in pages behind it. In a tenant that does not work things
//! can only be taken away: nothing is made, resumed or enabled there, so the sweep has nothing to run after.

use std::time::Duration;

use signet_ledger::{Change, Decided, Expect, IdempotencyEntry, StandingEntry};
use signet_model::{AuditRecord, Caller, Refusal, Scope, StandingSubject, TenantId, TenantState, Timestamp};

use crate::CredentialsRoom;
use crate::reasons::{
    TENANT_BEING_PURGED, TENANT_DISABLED, TENANT_EXISTS, TENANT_INVALID_GRACE, TENANT_MANAGED, TENANT_PROTECTED, TENANT_SWEEP_UNDER_WAY,
};
use crate::sql::{self, Cursor};
use crate::sweep::{Key, Sweep, Work};

/// How long a deleted tenant can be taken back unless told otherwise; also how long an unregistered one is kept (`kaa.md` 13.6).
pub const DELETION_GRACE: Duration = Duration::from_secs(86_400);
/// Longest grace.
const LONGEST_GRACE: Duration = Duration::from_secs(366 * 86_400);
/// The tenant that every start makes sure of, and that the command line means when none is named.
const FIRST_TENANT: &str = "default";

/// A tenant as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tenant {
    /// Its name, which is its id.
    pub(crate) id: TenantId,
    /// Whether what leans on it works.
    pub(crate) state: TenantState,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it last changed.
    pub(crate) updated_at: Timestamp,
    /// Grows with each change.
    pub(crate) version: i64,
    /// When everything of it is removed; only while it is being deleted.
    pub(crate) purge_at: Option<Timestamp>,
    /// Whether Kaa's Tenant Manager says which state it is in, rather than this registry.
    pub(crate) managed: bool,
    /// Whether it was unregistered there: its credentials are revoked then, and stay so.
    pub(crate) unregistered: bool,
}

/// What to keep for a repetition of the request, given what was made.
pub(crate) type Remember<'a, T> = &'a (dyn Fn(&T) -> Result<Option<IdempotencyEntry>, Refusal> + Send + Sync);

/// What became of an enable, a disable or a deletion.
#[derive(Clone, Debug)]
pub(crate) struct SwitchedTenant {
    pub(crate) tenant: Tenant,
    pub(crate) changed: bool,
}

/// What a deletion is to be.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Deletion {
    /// How long the tenant can be taken back; [`DELETION_GRACE`] where nothing was said.
    pub(crate) grace: Option<Duration>,
    /// Delete it here though the Tenant Manager keeps it.
    pub(crate) force: bool,
}

/// A new tenant, and what makes it.
pub(crate) fn new_tenant(scope: &Scope, managed: bool) -> (Tenant, Change) {
    let now = scope.now();
    let tenant = Tenant {
        id: scope.tenant.clone(),
        state: TenantState::Enabled,
        created_at: now,
        updated_at: now,
        version: 1,
        purge_at: None,
        managed,
        unregistered: false,
    };
    let record = AuditRecord::new(scope, "tenant.create", tenant.id.as_str());
    // One of this name may have been deleted before, and its standing is still bad.
    let change = Change::new(record).expecting(Expect::write(sql::tenant::insert(&tenant), 1)).standing(standing(&tenant));
    (tenant, change)
}

impl CredentialsRoom {
    /// Makes the tenant that `scope` names.
    pub(crate) async fn create_tenant(&self, scope: &Scope, remember: Remember<'_, Tenant>) -> Result<Tenant, Refusal> {
        let made = self.ensure_tenant_once(scope, false, remember).await?;
        made.ok_or_else(|| Refusal::new(&TENANT_EXISTS, format!("tenant `{}` exists already", scope.tenant)))
    }

    /// Makes the tenant that `scope` names unless it is there, in whatever state; whether it was made. `up` and `serve` call it
    /// for `default`.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn ensure_tenant(&self, scope: &Scope) -> Result<bool, Refusal> {
        Ok(self.ensure_tenant_once(scope, false, &|_| Ok(None)).await?.is_some())
    }

    /// The same for a tenant that Kaa's Tenant Manager keeps: it is made unless it is there, and marked as managed. Its state is
    /// left alone. Whether anything changed.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn ensure_managed_tenant(&self, scope: &Scope) -> Result<bool, Refusal> {
        if self.ensure_tenant_once(scope, true, &|_| Ok(None)).await?.is_some() {
            return Ok(true);
        }
        self.ledger
            .decide(|| async {
                let tenant = self.existing_tenant(scope).await?;
                if tenant.managed {
                    return Ok(Decided::Same(false));
                }
                let to = Tenant { managed: true, updated_at: scope.now(), ..tenant.clone() };
                let record = AuditRecord::new(scope, "tenant.adopt", tenant.id.as_str());
                Ok(Decided::commit(Change::new(record).expecting(Expect::write(sql::tenant::replace(tenant.version, &to), 1)), true))
            })
            .await
    }

    async fn ensure_tenant_once(&self, scope: &Scope, managed: bool, remember: Remember<'_, Tenant>) -> Result<Option<Tenant>, Refusal> {
        let made = self
            .ledger
            .decide(|| async {
                if self.tenant(scope).await?.is_some() {
                    return Ok(Decided::Same(None));
                }
                let (tenant, change) = new_tenant(scope, managed);
                Ok(Decided::commit(change.idempotent(remember(&tenant)?), Some(tenant)))
            })
            .await?;
        if made.is_some() {
            self.tenant_works(&scope.tenant);
        }
        Ok(made)
    }

    /// The tenant that `scope` names, if there is one.
    pub(crate) async fn tenant(&self, scope: &Scope) -> Result<Option<Tenant>, Refusal> {
        sql::one(&self.db, sql::tenant::find(&scope.tenant), sql::tenant::read).await
    }

    /// The tenant that `scope` names; refused in the guard's own words when it is gone.
    pub(crate) async fn existing_tenant(&self, scope: &Scope) -> Result<Tenant, Refusal> {
        self.tenant(scope).await?.ok_or_else(|| {
            let detail = format!("tenant `{}` does not exist, or this caller may not see it", scope.tenant);
            Refusal::new(&signet_http::reasons::TENANT_NOT_FOUND, detail)
        })
    }

    /// Refuses when the tenant does not work; for whatever makes or gives something. The commit must stand on
    /// [`sql::tenant::enabled`] besides.
    pub(crate) async fn working_tenant(&self, scope: &Scope) -> Result<(), Refusal> {
        let tenant = self.existing_tenant(scope).await?;
        if tenant.state.works() { Ok(()) } else { Err(tenant.does_not_work()) }
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

    /// Enables or disables the tenant that `scope` names, as the Tenant Manager says; whether anything changed. Enabling takes
    /// back a deletion, too, as long as its grace lasts.
    ///
    /// # Errors
    /// The tenant does not exist; `tenant.being-purged` and `tenant.sweep-under-way` for one that cannot be enabled (now); the
    /// database cannot be read or written.
    pub async fn set_tenant_enabled(&self, scope: &Scope, enabled: bool) -> Result<bool, Refusal> {
        let switched = if enabled { self.enable_tenant(scope, None).await? } else { self.disable_tenant(scope, None).await? };
        Ok(switched.changed)
    }

    /// Lets what leans on the tenant work again. Sends no event, and ends a telling that is under way: what it had not reached
    /// yet was never told of, and works again.
    pub(crate) async fn enable_tenant(&self, scope: &Scope, reason: Option<&str>) -> Result<SwitchedTenant, Refusal> {
        let switched = self
            .ledger
            .decide(|| async {
                let tenant = self.existing_tenant(scope).await?;
                if tenant.state.works() {
                    return Ok(Decided::Same(SwitchedTenant { tenant, changed: false }));
                }
                match self.sweep_of(scope, None).await?.map(|sweep| sweep.work) {
                    None | Some(Work::Announce) => {}
                    Some(Work::Revoke) => return Ok(Decided::Refuse(sweep_under_way(&tenant))),
                    Some(Work::Purge) => {
                        let detail = format!("the grace of tenant `{}` has passed, and what it held is being removed", tenant.id);
                        return Ok(Decided::Refuse(Refusal::new(&TENANT_BEING_PURGED, detail)));
                    }
                }
                let to = Tenant { state: TenantState::Enabled, purge_at: None, unregistered: false, ..tenant.clone() };
                // By work and not by version, so that no page which is passed at the same moment stands in the way. What revokes or
                // removes cannot have begun meanwhile: it moves the tenant's own row.
                let change = switch(scope, "tenant.enable", reason, &tenant, to.clone())
                    .effecting(sql::sweep::end_announcement(&scope.tenant, None));
                Ok(Decided::commit(change, SwitchedTenant { tenant: settled(scope, &tenant, to), changed: true }))
            })
            .await?;
        if switched.changed {
            self.tenant_works(&scope.tenant);
        }
        Ok(switched)
    }

    /// Refuses everything that leans on the tenant, until it is enabled again.
    pub(crate) async fn disable_tenant(&self, scope: &Scope, reason: Option<&str>) -> Result<SwitchedTenant, Refusal> {
        let switched = self
            .ledger
            .decide(|| async {
                let tenant = self.existing_tenant(scope).await?;
                if !tenant.state.works() {
                    return Ok(Decided::Same(SwitchedTenant { tenant, changed: false }));
                }
                let to = Tenant { state: TenantState::Disabled, ..tenant.clone() };
                let change = switch(scope, "tenant.disable", reason, &tenant, to.clone()).expecting(announced(scope));
                Ok(Decided::commit(change, SwitchedTenant { tenant: settled(scope, &tenant, to), changed: true }))
            })
            .await?;
        self.sweeps_wait.notify_one();
        Ok(switched)
    }

    /// Refuses everything that leans on the tenant, and removes it when the grace has passed. Until then
    /// [`enable_tenant`](Self::enable_tenant) takes it back as it was.
    pub(crate) async fn delete_tenant(&self, scope: &Scope, deletion: Deletion, reason: Option<&str>) -> Result<SwitchedTenant, Refusal> {
        let grace = deletion.grace.unwrap_or(DELETION_GRACE);
        if grace > LONGEST_GRACE {
            return Err(Refusal::new(&TENANT_INVALID_GRACE, format!("a grace of {} s", grace.as_secs())));
        }
        let switched = self
            .ledger
            .decide(|| async {
                let tenant = self.existing_tenant(scope).await?;
                if let Some(refusal) = cannot_be_deleted(&tenant, deletion.force) {
                    return Ok(Decided::Refuse(refusal));
                }
                let purge_at = scope.now().plus(grace);
                // A repetition does not push the end out; only who names a grace moves it.
                if tenant.state == TenantState::Deleting && (deletion.grace.is_none() || tenant.purge_at == Some(purge_at)) {
                    return Ok(Decided::Same(SwitchedTenant { tenant, changed: false }));
                }
                if self.sweep_of(scope, None).await?.is_some_and(|sweep| sweep.work == Work::Purge) {
                    return Ok(Decided::Same(SwitchedTenant { tenant, changed: false }));
                }
                let to = Tenant { state: TenantState::Deleting, purge_at: Some(purge_at), ..tenant.clone() };
                let mut change = switch(scope, "tenant.delete", reason, &tenant, to.clone());
                change.record.detail.insert("purge_at", purge_at.to_string());
                if tenant.state.works() {
                    change = change.expecting(announced(scope));
                }
                Ok(Decided::commit(change, SwitchedTenant { tenant: settled(scope, &tenant, to), changed: true }))
            })
            .await?;
        self.sweeps_wait.notify_one();
        Ok(switched)
    }

    /// Does what Kaa asks when a tenant is unregistered (`kaa.md` 13.6): refuses everything at once, revokes every credential for
    /// good, telling the gateways of those that could be used, and removes the tenant a day later. A tenant that is not known is
    /// none of ours. Whether anything changed.
    ///
    /// # Errors
    /// The database cannot be read or written.
    pub async fn unregister_tenant(&self, scope: &Scope) -> Result<bool, Refusal> {
        let changed = self
            .ledger
            .decide(|| async {
                let Some(tenant) = self.tenant(scope).await? else { return Ok(Decided::Same(false)) };
                let sweep = self.sweep_of(scope, None).await?;
                if tenant.unregistered || sweep.as_ref().is_some_and(|sweep| sweep.work != Work::Announce) {
                    return Ok(Decided::Same(false));
                }
                let latest = scope.now().plus(DELETION_GRACE);
                let purge_at = tenant.purge_at.map_or(latest, |earlier| earlier.min(latest));
                let to = Tenant { state: TenantState::Deleting, purge_at: Some(purge_at), unregistered: true, ..tenant.clone() };
                let mut change = switch(scope, "tenant.unregister", None, &tenant, to);
                change.record.detail.insert("purge_at", purge_at.to_string());
                // What a telling had passed is told; the revocation goes over all of them and tells the others. Where the telling
                // had come to its end, nothing is left to tell.
                let already_told = if tenant.state.works() { Key::start() } else { Key::end() };
                let change = change.effecting(sql::sweep::turn_to_revocation(&scope.tenant)).effecting(sql::sweep::insert(&Sweep {
                    work: Work::Revoke,
                    already_told,
                    ..Sweep::of_tenant(scope)
                }));
                Ok(Decided::commit(change, true))
            })
            .await?;
        self.sweeps_wait.notify_one();
        Ok(changed)
    }
}

impl Tenant {
    /// Why nothing can be made or given in it.
    pub(crate) fn does_not_work(&self) -> Refusal {
        let detail = match (self.state, self.purge_at) {
            (TenantState::Deleting, Some(purge_at)) => format!("tenant `{}` is being deleted, and is gone at {purge_at}", self.id),
            _ => format!("tenant `{}` is {}", self.id, self.state),
        };
        Refusal::new(&TENANT_DISABLED, detail)
    }
}

fn cannot_be_deleted(tenant: &Tenant, force: bool) -> Option<Refusal> {
    if tenant.id.as_str() == FIRST_TENANT {
        let detail = format!("`{FIRST_TENANT}` is the tenant of every start, which would make it anew");
        return Some(Refusal::new(&TENANT_PROTECTED, detail));
    }
    if tenant.managed && !force {
        let detail = format!("the Tenant Manager keeps tenant `{}`; it would come back from there", tenant.id);
        return Some(Refusal::new(&TENANT_MANAGED, detail));
    }
    None
}

fn sweep_under_way(tenant: &Tenant) -> Refusal {
    let detail = format!("tenant `{}` was unregistered, and its credentials are being revoked", tenant.id);
    Refusal::new(&TENANT_SWEEP_UNDER_WAY, detail)
}

/// The change of a tenant's row with its standing.
fn switch(scope: &Scope, action: &'static str, reason: Option<&str>, from: &Tenant, to: Tenant) -> Change {
    let to = Tenant { updated_at: scope.now(), ..to };
    let record = AuditRecord::new(scope, action, from.id.as_str())
        .because(reason.map(str::to_owned))
        .with("from", from.state.as_str())
        .with("to", to.state.as_str());
    Change::new(record).expecting(Expect::write(sql::tenant::replace(from.version, &to), 1)).standing(standing(&to))
}

/// The tenant as it is after [`switch`].
fn settled(scope: &Scope, from: &Tenant, to: Tenant) -> Tenant {
    Tenant { updated_at: scope.now(), version: from.version.saturating_add(1), ..to }
}

fn announced(scope: &Scope) -> Expect {
    Expect::write(sql::sweep::insert(&Sweep::of_tenant(scope)), 1)
}

fn standing(tenant: &Tenant) -> StandingEntry {
    let good = tenant.state.works();
    StandingEntry { subject: StandingSubject::Tenant(tenant.id.clone()), good, reason: (!good).then(|| TENANT_DISABLED.code.to_owned()) }
}
