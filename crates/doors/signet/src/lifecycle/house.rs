//! The rooms and what they stand on, wired together: the only place where rooms meet (design 5).

use std::sync::Arc;
use std::time::Duration;

use signet_bus::Bus;
use signet_crypto::Sealer;
use signet_db::Db;
use signet_http::{HealthBoard, HealthSource, Management};
use signet_ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks};
use signet_model::Refusal;

use super::api::{Api, Sites};
use super::boot::{Foundation, Waiting};
use super::certificates::{self, Certificates};
use super::listeners::{API, HTTP, MANAGEMENT, REVOCATION};
use super::{Launch, readings, watch};
use crate::config::Role;

/// How often dependencies are looked at for `/health`.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the start waits until every part says that it is well. When one does not, such as a bus that is away, the server is
/// ready all the same and `/health` says what is missing.
const WELL_WITHIN: Duration = Duration::from_secs(3);
/// What runs until the end.
pub(crate) struct House {
    db: Db,
    bus: Bus,
    ledger_tasks: LedgerTasks,
    api: Option<Api>,
    /// Of a process without the role `api`; else the API holds them.
    _worker_certificates: Option<Certificates>,
    board: HealthBoard,
}

/// What the rooms stand on.
pub(super) struct Ground<'a> {
    pub(super) launch: &'a Launch,
    pub(super) foundation: &'a Foundation,
    pub(super) waiting: &'a Waiting<'a>,
    pub(super) ledger: &'a Ledger,
    pub(super) sealer: &'a Arc<dyn Sealer>,
    pub(super) bus: &'a Bus,
    pub(super) db: &'a Db,
}

impl House {
    /// Wires everything, opens the sites, and waits a moment until every part says that it is well.
    pub(crate) async fn assemble(
        launch: &Launch,
        foundation: &Foundation,
        waiting: &Waiting<'_>,
        sealer: Arc<dyn Sealer>,
        bus: Bus,
        db: Db,
    ) -> Result<Self, Refusal> {
        let settings = &launch.settings;
        let worker = settings.process.roles.has(Role::Worker);
        let parts = || LedgerParts {
            db: db.clone(),
            bus: bus.clone(),
            sealer: Arc::clone(&sealer),
            clock: Arc::clone(&foundation.clock),
            entropy: Arc::clone(&foundation.entropy),
            data_dir: Some(foundation.data_dir().to_path_buf()),
            worker,
        };
        let (ledger, ledger_tasks) = waiting.until_there(|| LedgerRuntime::start(parts())).await?;
        let mut registry = foundation.take_registry();
        readings::of_ledger(&ledger).register(&mut registry);
        let board = HealthBoard::start(watch::checks(&db, &bus), CHECK_EVERY, &foundation.shutdown);
        let mut sources = vec![foundation.listeners.health(), Arc::new(board.clone()) as Arc<dyn HealthSource>, watch::of_ledger(&ledger)];
        let ground = Ground { launch, foundation, waiting, ledger: &ledger, sealer: &sealer, bus: &bus, db: &db };
        let (api, worker_certificates, sites) = if settings.process.roles.has(Role::Api) {
            let (api, sites) = Api::open(&ground, &mut registry, &mut sources).await?;
            (Some(api), None, sites)
        } else {
            let certificates = certificates::open(&ground, None, &mut registry).await?;
            sources.extend(certificates.as_ref().map(Certificates::health));
            (None, certificates, Sites::default())
        };
        foundation.health.running(sources);
        let management = Management { health: Arc::new(foundation.health.clone()), registry: Arc::new(registry) };
        open_sites(foundation, management, sites);
        foundation.health.well_within(WELL_WITHIN).await;
        Ok(Self { db, bus, ledger_tasks, api, _worker_certificates: worker_certificates, board })
    }

    /// Ends everything, from the outside in: no new requests, then no new changes, then no new messages.
    pub(crate) async fn stop(self, foundation: Foundation, drain_deadline: Duration) {
        foundation.health.stopping();
        if let Some(api) = self.api {
            api.stop().await;
        }
        foundation.listeners.drain(drain_deadline).await;
        self.ledger_tasks.shutdown().await;
        foundation.shutdown.cancel();
        self.board.stopped().await;
        self.bus.drain().await;
        self.db.close().await;
    }
}

/// Puts everything where this process listens for it.
fn open_sites(foundation: &Foundation, management: Management, sites: Sites) {
    let site = |name| foundation.listeners.site(name);
    if let (Some(site), Some(revocation)) = (site(REVOCATION), sites.revocation) {
        site.open(revocation);
    }
    match (site(HTTP), site(MANAGEMENT), site(API), sites.api) {
        (Some(one), _, _, Some(api)) => one.open(management.beside(api)),
        (Some(one), _, _, None) => one.open(management.into_router()),
        (None, management_site, api_site, api) => {
            if let (Some(site), Some(api)) = (api_site, api) {
                site.open(api);
            }
            if let Some(site) = management_site {
                site.open(management.into_router());
            }
        }
    }
}
