//! Takes over what the Tenant Manager says: again and again, and at once where an event asks for it. When it is away, or says
//! what cannot be, the last known state holds.
//!
//! A tenant is made, enabled or disabled here when what the Manager says of it *changes*: what an operator does to a tenant by
//! hand is not undone by the next refresh. One that is no longer listed is only told of; what ends a tenant is the event.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use parking_lot::Mutex;
use signet_model::{Refusal, TenantId};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::client::ManagerClient;
use super::directory::{Directory, ManagedTenant};
use super::status::Status;
use super::store::Store;
use super::wire::Listed;

/// First and longest pause after a failure.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// Tenants that are taken over at once.
const AT_ONCE: usize = 16;
/// Tenants that are asked about one by one; when more wait, the whole list is asked for instead.
const MOST_WANTED: usize = 16;
/// Tenants that a log line names.
const MOST_NAMED: usize = 10;

/// What the tasks share.
pub(super) struct Sync {
    pub(super) client: ManagerClient,
    pub(super) directory: Arc<Directory>,
    pub(super) store: Store,
    pub(super) status: Status,
    wanted: Mutex<BTreeSet<TenantId>>,
    wake: Notify,
    /// Tenants that were unregistered since the running refresh began: what it read may be older than that.
    gone: Mutex<HashSet<TenantId>>,
    /// Tenants that were not listed last time, so that they are told of once.
    missing: Mutex<BTreeSet<TenantId>>,
}

/// What became of one tenant.
enum Taken {
    Known(ManagedTenant),
    New(ManagedTenant),
    Gone,
    Failed,
}

impl Sync {
    pub(super) fn new(client: ManagerClient, store: Store) -> Self {
        Self {
            client,
            directory: Arc::default(),
            store,
            status: Status::default(),
            wanted: Mutex::default(),
            wake: Notify::new(),
            gone: Mutex::default(),
            missing: Mutex::default(),
        }
    }

    /// Puts what the database knows into the directory.
    pub(super) async fn load(&self) -> Result<(), Refusal> {
        self.directory.update(self.store.all().await?, &[]);
        self.status.knows(self.directory.len());
        Ok(())
    }

    /// Asks for this tenant soon.
    pub(super) fn want(&self, tenant: TenantId) {
        let mut wanted = self.wanted.lock();
        // One more than can be asked for singly means all of them, whichever they are.
        if wanted.len() <= MOST_WANTED {
            wanted.insert(tenant);
        }
        drop(wanted);
        self.wake.notify_one();
    }

    /// Refreshes every `interval`, and when an event asks for it, until it is dropped.
    pub(super) async fn run(self: Arc<Self>, interval: Duration) {
        let mut loaded = self.directory.len() > 0;
        let mut pause = FIRST_PAUSE;
        let mut next = Instant::now();
        loop {
            let whole = tokio::select! {
                () = tokio::time::sleep_until(next) => true,
                () = self.wake.notified() => false,
            };
            let wanted = std::mem::take(&mut *self.wanted.lock());
            let outcome = async {
                if !loaded {
                    self.load().await?;
                    loaded = true;
                }
                if whole || wanted.len() > MOST_WANTED { self.refresh_all().await } else { self.refresh_these(&wanted).await }
            };
            let wait = match outcome.await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    interval
                }
                Err(refusal) => {
                    self.status.failed(&refusal);
                    let again = pause.min(interval);
                    pause = pause.saturating_mul(2).min(LONGEST_PAUSE);
                    tracing::warn!(
                        event = "tenant-manager.failed",
                        reason = refusal.reason.code,
                        detail = %refusal.detail,
                        known = self.directory.len(),
                        again_in_ms = u64::try_from(again.as_millis()).unwrap_or(u64::MAX),
                    );
                    again
                }
            };
            let now = Instant::now();
            // An event that was dealt with does not put off the next whole refresh, and one that failed brings it forward.
            next = if whole || wait < interval { now.checked_add(wait).unwrap_or(now) } else { next };
        }
    }

    /// The whole list.
    async fn refresh_all(&self) -> Result<(), Refusal> {
        self.gone.lock().clear();
        let tenants = self.client.all().await?;
        let told: HashSet<TenantId> = tenants.listed.iter().map(|listed| listed.tenant.clone()).collect();
        let (listed, contradictory) = without_contradictions(tenants.listed);
        let (changed, failed) = self.take_over(listed).await;
        let missing: BTreeSet<TenantId> =
            self.directory.all().into_iter().map(|known| known.tenant).filter(|tenant| !told.contains(tenant)).collect();
        if *self.missing.lock() != missing {
            let names: Vec<&str> = missing.iter().take(MOST_NAMED).map(TenantId::as_str).collect();
            tracing::warn!(event = "tenant-manager.no-longer-listed", tenants = missing.len(), names = %names.join(" "));
            *self.missing.lock() = missing;
        }
        if tenants.unusable > 0 || contradictory > 0 || self.directory.contested() > 0 {
            tracing::warn!(
                event = "tenant-manager.unusable",
                without_name = tenants.unusable,
                told_twice = contradictory,
                issuers_of_two = self.directory.contested(),
            );
        }
        let news = self.status.refreshed(failed);
        self.status.knows(self.directory.len());
        if news || changed > 0 {
            tracing::info!(event = "tenant-manager.refreshed", tenants = told.len(), changed, failed);
        }
        Ok(())
    }

    /// Only these. Where the Manager's filter does not find one, the whole list is read.
    async fn refresh_these(&self, wanted: &BTreeSet<TenantId>) -> Result<(), Refusal> {
        for name in wanted {
            let known = self.directory.named(name);
            let realm = known.as_ref().and_then(|known| known.realm.clone()).unwrap_or_else(|| name.clone());
            let found = self.client.named(realm.as_str()).await?;
            let meant = |listed: &Listed| listed.tenant == *name || listed.realm.as_ref() == Some(name);
            let listed: Vec<Listed> = found.listed.into_iter().filter(meant).collect();
            if listed.is_empty() {
                return self.refresh_all().await;
            }
            let (changed, _) = self.take_over(without_contradictions(listed).0).await;
            tracing::info!(event = "tenant-manager.asked", tenant = %name, changed);
        }
        self.status.knows(self.directory.len());
        Ok(())
    }

    /// Takes these over; how many were changed, and how many could not be.
    async fn take_over(&self, tenants: Vec<ManagedTenant>) -> (usize, usize) {
        let taken: Vec<Taken> = stream::iter(tenants).map(|tenant| self.take(tenant)).buffer_unordered(AT_ONCE).collect().await;
        let (mut put, mut changed, mut failed) = (Vec::new(), 0_usize, 0_usize);
        for outcome in taken {
            match outcome {
                Taken::Known(tenant) => put.push(tenant),
                Taken::New(tenant) => {
                    changed = changed.saturating_add(1);
                    put.push(tenant);
                }
                Taken::Failed => failed = failed.saturating_add(1),
                Taken::Gone => {}
            }
        }
        // Under the lock, so that a tenant which is unregistered at this moment does not come back.
        let gone = self.gone.lock();
        put.retain(|tenant| !gone.contains(&tenant.tenant));
        self.directory.update(put, &[]);
        (changed, failed)
    }

    async fn take(&self, tenant: ManagedTenant) -> Taken {
        if self.gone.lock().contains(&tenant.tenant) {
            return Taken::Gone;
        }
        match self.apply(&tenant).await {
            Ok(true) => Taken::New(tenant),
            Ok(false) => Taken::Known(tenant),
            Err(refusal) => {
                tracing::warn!(event = "tenant-manager.not-applied", tenant = %tenant.tenant, reason = refusal.reason.code, detail = %refusal.detail);
                Taken::Failed
            }
        }
    }

    /// Brings registry and database to what was told; whether anything of it is new.
    async fn apply(&self, tenant: &ManagedTenant) -> Result<bool, Refusal> {
        let room = &self.store.room;
        let scope = room.scope_of(tenant.tenant.clone());
        if tenant.available {
            room.ensure_managed_tenant(&scope).await?;
        }
        // By the database and not by memory: another replica may have taken this over already.
        let known = self.store.known(&scope).await?;
        if known.as_ref().is_some_and(|known| known.same_as(tenant)) {
            return Ok(false);
        }
        match (known.map(|known| known.available), tenant.available) {
            (Some(false), true) => {
                room.set_tenant_enabled(&scope, true).await?;
            }
            // Also one that is heard of for the first time: it may stand here from before, or not at all.
            (None | Some(true), false) => {
                if room.tenant(&scope).await?.is_some() {
                    room.set_tenant_enabled(&scope, false).await?;
                }
            }
            (None | Some(true), true) | (Some(false), false) => {}
        }
        self.store.remember(&scope, tenant).await?;
        Ok(true)
    }

    /// Ends a tenant: its credentials are revoked, and what was known of it is forgotten.
    pub(super) async fn unregister(&self, name: &TenantId) -> Result<(), Refusal> {
        let tenant = self.directory.named(name).map_or_else(|| name.clone(), |known| known.tenant);
        let scope = self.store.room.scope_of(tenant.clone());
        let changed = self.store.room.unregister_tenant(&scope).await?;
        self.store.forget(&scope).await?;
        {
            let mut gone = self.gone.lock();
            gone.insert(tenant.clone());
            self.directory.update(Vec::new(), std::slice::from_ref(&tenant));
        }
        self.status.knows(self.directory.len());
        tracing::info!(event = "tenant-manager.unregistered", tenant = %tenant, changed);
        Ok(())
    }
}

/// Drops tenants that are told of twice in different words, of whom nothing is known then; and how many those were.
fn without_contradictions(listed: Vec<Listed>) -> (Vec<ManagedTenant>, usize) {
    let mut first: HashMap<TenantId, ManagedTenant> = HashMap::new();
    let mut contradictory = HashSet::new();
    let mut kept = Vec::with_capacity(listed.len());
    for row in listed {
        let tenant = ManagedTenant::of(row);
        match first.get(&tenant.tenant) {
            Some(before) if before.same_as(&tenant) => {}
            Some(_) => {
                contradictory.insert(tenant.tenant);
            }
            None => {
                first.insert(tenant.tenant.clone(), tenant.clone());
                kept.push(tenant);
            }
        }
    }
    kept.retain(|tenant| !contradictory.contains(&tenant.tenant));
    (kept, contradictory.len())
}
