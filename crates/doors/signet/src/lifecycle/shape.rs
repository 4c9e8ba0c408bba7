//! What sets a drop-in's process apart from `up` and `serve`, beyond the settings: everything else of the life is the same.

use std::time::Duration;

use signet_bus::NatsLogin;
use signet_crypto::Secret;
use signet_model::{ReplicaId, TenantId};

/// For exchanges that run when the end begins.
const DRAIN_DEADLINE: Duration = Duration::from_secs(20);
/// The tenant that is there from the start.
const FIRST_TENANT: &str = "default";

/// The form of one process.
pub(crate) struct Shape {
    /// REST and management share the one listener `http`, without TLS, instead of `api` and `management`.
    pub(crate) one_listener: bool,
    /// Whether there are certificates: authorities, and the listener of their revocation lists.
    pub(crate) certificates: bool,
    /// How long running exchanges have when the end begins.
    pub(crate) drain_deadline: Duration,
    /// The name of this replica in events; none: made anew.
    pub(crate) replica: Option<ReplicaId>,
    /// What NATS is shown.
    pub(crate) nats_login: Option<NatsLogin>,
    /// Where the seal key lies when no file is named.
    pub(crate) seal: SealPlace,
    /// What seals the keys of tenants' authorities in the database.
    pub(crate) authority_seal: AuthoritySeal,
    /// What is shown at the login of Vault, where the settings name no file of it.
    pub(crate) custody_secret: Option<Secret>,
    /// The tenant to make when it is not there.
    pub(crate) first_tenant: Option<TenantId>,
    /// The client's secret for the Tenant Manager, where the settings name no file of it.
    pub(crate) tenant_manager_secret: Option<Secret>,
    /// Whether the data directory is thrown away at the end.
    pub(crate) transient: bool,
}

/// Where a seal key lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SealPlace {
    /// `seal.key` of the data directory.
    DataDir,
    /// The database, beside what it seals.
    Database,
}

/// What seals the keys of tenants' authorities in the database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AuthoritySeal {
    /// The key that seals everything.
    House,
    /// A key that follows from that of the platform's authority, which all replicas hold.
    PlatformKey,
}

impl Shape {
    /// That of `up` and `serve`.
    pub(crate) fn own() -> Self {
        Self {
            one_listener: false,
            certificates: true,
            drain_deadline: DRAIN_DEADLINE,
            replica: None,
            nats_login: None,
            seal: SealPlace::DataDir,
            authority_seal: AuthoritySeal::House,
            custody_secret: None,
            first_tenant: FIRST_TENANT.parse().ok(),
            tenant_manager_secret: None,
            transient: false,
        }
    }
}
