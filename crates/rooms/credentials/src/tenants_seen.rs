//! Which tenants there are, from memory where it can be: every request with a tenant in its path asks. What a view hears about a
//! tenant drops it here, so that a name which was given up is asked for anew.

use futures_util::future::BoxFuture;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use signet_http::TenantExists;
use signet_model::{Refusal, StandingChange, StandingSubject, TenantId};
use signet_standing::View;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;

use crate::{CredentialsRoom, sql};

/// Tenants whose existence is known from memory.
const MOST_SEEN: usize = 100_000;

/// The tenants that were found lately.
pub(crate) struct TenantsSeen {
    seen: Cache<TenantId, ()>,
    /// Grows whenever something is dropped, so that a look-up which began before is not kept after.
    dropped: AtomicU64,
    changes: Mutex<Receiver<Arc<[StandingChange]>>>,
}

impl TenantsSeen {
    pub(crate) fn new(view: &View) -> Self {
        Self { seen: Cache::new(MOST_SEEN), dropped: AtomicU64::new(0), changes: Mutex::new(view.changes()) }
    }

    fn forget_changed(&self) {
        let mut changes = self.changes.lock();
        loop {
            match changes.try_recv() {
                Ok(changed) => {
                    for change in changed.iter() {
                        if let StandingSubject::Tenant(tenant) = &change.subject {
                            self.dropped.fetch_add(1, Ordering::SeqCst);
                            self.seen.remove(tenant);
                        }
                    }
                }
                Err(TryRecvError::Lagged(_)) => {
                    self.dropped.fetch_add(1, Ordering::SeqCst);
                    self.seen.clear();
                }
                Err(TryRecvError::Empty | TryRecvError::Closed) => return,
            }
        }
    }

    fn knows(&self, tenant: &TenantId) -> bool {
        self.forget_changed();
        self.seen.get(tenant).is_some()
    }

    fn drops(&self) -> u64 {
        self.dropped.load(Ordering::SeqCst)
    }

    fn found(&self, tenant: &TenantId, drops_before: u64) {
        self.seen.insert(tenant.clone(), ());
        if self.drops() != drops_before {
            self.seen.remove(tenant);
        }
    }
}

impl TenantExists for CredentialsRoom {
    fn tenant_exists<'a>(&'a self, tenant: &'a TenantId) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(async move {
            if self.tenants_seen.knows(tenant) {
                return Ok(true);
            }
            let drops = self.tenants_seen.drops();
            let exists = sql::one(&self.db, sql::tenant::find(tenant), sql::tenant::read).await?.is_some();
            if exists {
                self.tenants_seen.found(tenant, drops);
            }
            Ok(exists)
        })
    }
}
