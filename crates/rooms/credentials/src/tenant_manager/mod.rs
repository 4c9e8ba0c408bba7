//! Kaa's Tenant Manager (`kaa.md` 13.5, 13.6): which tenants there are, who their issuers are, and when one is gone. With it the
//! registry of tenants is a foreign one; without it the room keeps its own.
//!
//! `client` asks, `wire` reads what is said, `sync` takes it over, `store` keeps it for a start without the Manager, `directory`
//! hands it out, `events` listens to 21/TLE, `status` is the line of health.

mod client;
mod directory;
mod events;
mod status;
mod store;
mod sync;
mod token;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, Pattern};
use signet_crypto::Sealer;
use signet_http::HealthSource;
use signet_http::oidc::IssuerDirectory;
use signet_model::{Caller, Scope, TenantId, TraceId};
use signet_outbound::Outbound;
use tokio_util::task::AbortOnDropHandle;

use crate::{CredentialsError, CredentialsRoom};
use client::ManagerClient;
use status::Status;
use store::Store;
pub use token::ManagerLogin;
pub use wire::tenants_told;

/// Events that wait to be looked at; what comes beyond them is lost, and the next refresh finds it.
const READ_AHEAD: usize = 1_024;

/// What the connection to a Tenant Manager is made of.
pub struct TenantManagerParts {
    /// What asks. Its policy decides whether the Manager may be a neighbour, and its limit of a body how long a page may be.
    pub outbound: Outbound,
    /// Protects the secrets of the tenants' clients at rest.
    pub sealer: Arc<dyn Sealer>,
    /// Where the Manager is: `http://tenant-manager`, or with a path in front of `/api`.
    pub url: String,
    /// How Signet logs in there; none where the Manager asks nobody.
    pub login: Option<ManagerLogin>,
    /// How often the whole list is read.
    pub refresh_interval: Duration,
}

/// Follows a Tenant Manager until it is dropped.
pub struct TenantManager {
    directory: Arc<directory::Directory>,
    status: Status,
    _refreshing: AbortOnDropHandle<()>,
    _listening: AbortOnDropHandle<()>,
}

impl TenantManager {
    /// The issuers of the tenants, as they are now.
    pub fn issuers(&self) -> Arc<dyn IssuerDirectory> {
        Arc::<directory::Directory>::clone(&self.directory)
    }

    /// The line of health.
    pub fn health(&self) -> Arc<dyn HealthSource> {
        Arc::new(self.status.clone())
    }
}

impl CredentialsRoom {
    /// Follows the Tenant Manager, which need not be there yet: until then the last known state holds.
    ///
    /// # Errors
    /// A URL that cannot be asked; the bus does not take the subscription.
    pub async fn start_tenant_manager(self: &Arc<Self>, bus: &Bus, parts: TenantManagerParts) -> Result<TenantManager, CredentialsError> {
        let wrong = |what: &str, error: signet_outbound::OutboundError| CredentialsError::Configuration(format!("{what}: {error}"));
        parts.outbound.url(&parts.url).map_err(|error| wrong("the URL of the Tenant Manager", error))?;
        if let Some(login) = &parts.login {
            parts.outbound.url(&login.issuer).map_err(|error| wrong("the issuer for the Tenant Manager", error))?;
        }
        let pattern = Pattern::new(signet_kaa::subject::TENANT_LIFECYCLE).map_err(signet_bus::BusError::from)?;
        let client = ManagerClient::new(parts.outbound, &parts.url, parts.login);
        let store = Store { room: Arc::clone(self), sealer: parts.sealer };
        let sync = Arc::new(sync::Sync::new(client, store));
        // Every replica listens: each has a directory of its own, and unregistering twice is unregistering once.
        let events = bus.subscribe(&pattern, None, READ_AHEAD).await?;
        if let Err(refusal) = sync.load().await {
            tracing::warn!(event = "tenant-manager.not-loaded", reason = refusal.reason.code, detail = %refusal.detail);
        }
        Ok(TenantManager {
            directory: Arc::clone(&sync.directory),
            status: sync.status.clone(),
            _refreshing: AbortOnDropHandle::new(tokio::spawn(Arc::clone(&sync).run(parts.refresh_interval))),
            _listening: AbortOnDropHandle::new(tokio::spawn(events::listen(sync, events))),
        })
    }

    /// A scope for what happens to a tenant because the Tenant Manager says so.
    fn scope_of(&self, tenant: TenantId) -> Scope {
        Scope {
            tenant,
            caller: Caller::System("tenant-manager"),
            trace: TraceId::generate(self.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }
}
