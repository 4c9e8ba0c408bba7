//! CAs that are made before anybody asks for them: of tenants that were just made, and at the start of those that have none. Also
//! the look for orphans, again and again. What is not made here is made at the first need.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use signet_model::{Refusal, TenantId};
use tokio::sync::Notify;
use tokio_util::task::AbortOnDropHandle;

use crate::sql::tenant_ca;
use crate::{AuthorityRoom, sql};

/// Tenants that wait for their CA, at most; the CA of one more is made at its first need.
const MOST_WAITING: usize = 10_000;
/// Tenants that are read in one go at the start.
const PAGE: u32 = 1_000;
/// Between two looks for orphans.
const LOOK_EVERY: Duration = Duration::from_secs(15);
/// Before a CA that could not be made is tried again.
const AGAIN_AFTER: Duration = Duration::from_secs(5);

/// The tenants that wait.
pub(crate) struct WantedCas {
    waiting: Mutex<Waiting>,
    told: Notify,
}

#[derive(Default)]
struct Waiting {
    tenants: BTreeSet<TenantId>,
    /// Who was last. The next one is behind it, so that one whose CA cannot be made never keeps the others waiting.
    last: Option<TenantId>,
}

impl WantedCas {
    pub(crate) fn new() -> Self {
        Self { waiting: Mutex::new(Waiting::default()), told: Notify::new() }
    }

    fn add(&self, tenant: TenantId) {
        let mut waiting = self.waiting.lock();
        if waiting.tenants.len() < MOST_WAITING {
            waiting.tenants.insert(tenant);
            self.told.notify_one();
        }
    }

    fn next(&self) -> Option<TenantId> {
        let mut waiting = self.waiting.lock();
        let from = waiting.last.as_ref().map_or(Bound::Unbounded, Bound::Excluded);
        let behind = waiting.tenants.range((from, Bound::Unbounded)).next();
        let tenant = behind.or_else(|| waiting.tenants.first()).cloned()?;
        waiting.tenants.remove(&tenant);
        waiting.last = Some(tenant.clone());
        Some(tenant)
    }
}

impl AuthorityRoom {
    /// A tenant was made or enabled: its CA is made soon. Does not block.
    pub fn tenant_made(&self, tenant: &TenantId) {
        self.wanted.add(tenant.clone());
    }

    /// Makes the CAs that are wanted, first those of tenants that have none, and turns what was left behind into orphans wherever
    /// `leads` says so; there it also keeps CRLs published, tells of certificates that end soon, and forgets those that ended long
    /// ago. Until the handle is dropped.
    pub fn start_tasks(self: &Arc<Self>, leads: impl Fn() -> bool + Send + Sync + 'static) -> AbortOnDropHandle<()> {
        let room = Arc::clone(self);
        AbortOnDropHandle::new(tokio::spawn(async move {
            tokio::join!(
                make_wanted(&room),
                look_for_orphans(&room, &leads),
                room.publish_again_and_again(&leads),
                room.tell_again_and_again(&leads),
                room.clean_again_and_again(&leads),
                room.tell_mounts_again_and_again(&leads),
                room.watch_custody(),
                room.close_again_and_again(),
            );
        }))
    }

    /// Adds every tenant that works and has no CA to those that wait.
    async fn want_missing(&self) -> Result<(), Refusal> {
        let mut after: Option<TenantId> = None;
        loop {
            let tenants = self.credentials.tenants(after.as_ref(), PAGE).await?;
            let Some(last) = tenants.last().cloned() else { return Ok(()) };
            let served =
                sql::all(&self.db, tenant_ca::tenants_served(after.as_ref(), &last), |row| sql::parsed::<TenantId>(row, 0)).await?;
            let served: HashSet<TenantId> = served.into_iter().collect();
            for tenant in tenants.into_iter().filter(|tenant| !served.contains(tenant)) {
                self.wanted.add(tenant);
            }
            after = Some(last);
        }
    }
}

async fn make_wanted(room: &AuthorityRoom) {
    while let Err(refusal) = room.want_missing().await {
        tracing::warn!(event = "ca.tenants-unread", reason = refusal.reason.code, detail = refusal.detail);
        tokio::time::sleep(AGAIN_AFTER).await;
    }
    loop {
        let Some(tenant) = room.wanted.next() else {
            room.wanted.told.notified().await;
            continue;
        };
        let scope = room.own_scope("authority", &tenant);
        if let Err(refusal) = room.active_or_made(&scope).await {
            let (reason, detail) = (refusal.reason, &refusal.detail);
            tracing::warn!(event = "ca.not-made", tenant = %tenant, reason = reason.code, detail);
            // A tenant that does not work gets its CA when it does; whatever cannot be reached now is tried again.
            if reason.status >= 500 {
                room.wanted.add(tenant);
                tokio::time::sleep(AGAIN_AFTER).await;
            }
        }
    }
}

/// Also for CAs whose end was not finished.
async fn look_for_orphans(room: &AuthorityRoom, leads: &(impl Fn() -> bool + Sync)) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        if leads()
            && let Err(refusal) = room.reconcile_all().await
        {
            tracing::warn!(event = "certificate.orphans-unread", reason = refusal.reason.code, detail = refusal.detail);
        }
        if leads()
            && let Err(refusal) = room.finish_retiring().await
        {
            tracing::warn!(event = "ca.retiring-unread", reason = refusal.reason.code, detail = refusal.detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tenant_whose_ca_cannot_be_made_keeps_no_other_waiting() {
        let wanted = WantedCas::new();
        let tenant = |name: &str| name.parse::<TenantId>().unwrap();
        for name in ["b", "a", "d", "c"] {
            wanted.add(tenant(name));
        }
        let mut served = Vec::new();
        for _ in 0..8 {
            let next = wanted.next().unwrap();
            if next == tenant("b") || next == tenant("d") {
                wanted.add(next.clone());
            }
            served.push(next.to_string());
        }
        assert_eq!(served, ["a", "b", "c", "d", "b", "d", "b", "d"]);
    }
}
