//! The rooms and what they stand on, wired together: the only place where rooms meet (design 5).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use signet_bus::Bus;
use signet_credentials::{BusProvider, CredentialMetrics, CredentialsRoom, Parts, TenantManager};
use signet_crypto::Sealer;
use signet_db::Db;
use signet_http::{HealthBoard, HealthSource, Management};
use signet_ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks};
use signet_model::{Refusal, ReplicaId, kinds};
use signet_standing::{View, ViewConfig, ViewTasks};
use tokio_util::task::AbortOnDropHandle;

use super::boot::{Foundation, Waiting};
use super::listeners::{API, HTTP, MANAGEMENT};
use super::{Launch, callers, credentials, first_start, readings, tenant_manager, watch};
use crate::config::Role;

/// How often dependencies are looked at for `/health`.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// How long the start waits until every part says that it is well. When one does not, such as a bus that is away, the server is
/// ready all the same and `/health` says what is missing.
const WELL_WITHIN: Duration = Duration::from_secs(3);
/// How long a request may take until it is answered 503; longer than the database's own deadline.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// What runs until the end.
pub(crate) struct House {
    db: Db,
    bus: Bus,
    ledger_tasks: LedgerTasks,
    api: Option<Api>,
    board: HealthBoard,
}

/// What only the role `api` has.
struct Api {
    _view_tasks: ViewTasks,
    _counting: AbortOnDropHandle<()>,
    _sweeping: AbortOnDropHandle<()>,
    cap: BusProvider,
    /// None unless this is the service for endpoint tokens.
    ecap: Option<BusProvider>,
    /// None where the tenants are kept here.
    tenant_manager: Option<TenantManager>,
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
        let (api, router) = if settings.process.roles.has(Role::Api) {
            let (api, view, router) = Self::open_api(launch, foundation, &ledger, &sealer, &bus, &db, &mut registry).await?;
            sources.push(watch::of_view(&view));
            sources.extend(callers::shout(settings));
            sources.extend(api.tenant_manager.as_ref().map(TenantManager::health));
            (Some(api), Some(router))
        } else {
            (None, None)
        };
        foundation.health.running(sources);
        let management = Management { health: Arc::new(foundation.health.clone()), registry: Arc::new(registry) };
        open_sites(foundation, management, router);
        foundation.health.well_within(WELL_WITHIN).await;
        Ok(Self { db, bus, ledger_tasks, api, board })
    }

    async fn open_api(
        launch: &Launch,
        foundation: &Foundation,
        ledger: &Ledger,
        sealer: &Arc<dyn Sealer>,
        bus: &Bus,
        db: &Db,
        registry: &mut Registry,
    ) -> Result<(Api, View, Router), Refusal> {
        let settings = &launch.settings;
        let view = View::new(ViewConfig {
            reasons: crate::reasons::all().collect(),
            ..ViewConfig::new(
                ledger.public_keys().feed,
                settings.standing.reconcile_interval.0,
                Arc::clone(&foundation.clock),
                Arc::clone(&foundation.entropy),
            )
        });
        let view_tasks = ViewTasks::start(view.clone(), bus.clone()).map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        readings::of_view(&view).register(registry);
        let room = CredentialsRoom::new(Parts {
            db: db.clone(),
            ledger: ledger.clone(),
            view: view.clone(),
            clock: Arc::clone(&foundation.clock),
            entropy: Arc::clone(&foundation.entropy),
            replica: launch
                .shape
                .replica
                .clone()
                .unwrap_or_else(|| ReplicaId::generate(foundation.clock.now(), foundation.entropy.as_ref())),
            metrics: CredentialMetrics::register(registry),
            config: credentials::config(settings)?,
        })
        .map_err(credentials::refusal)?;
        first_start::furnish(&launch.shape, foundation, ledger, db, &room).await?;
        room.know_callers(callers::Asked::of(settings));
        let client_secret = launch.shape.tenant_manager_secret.as_ref();
        let tenant_manager = tenant_manager::follow(&settings.tenant_manager, client_secret, &room, bus, sealer).await?;
        let issuers = tenant_manager.as_ref().map(TenantManager::issuers);
        let people = callers::admitted(settings, foundation, &room, issuers, registry).await?;
        let router = crate::api::table(ledger, &room)
            .into_router(signet_http::Parts {
                auth: room.authenticator_for(people),
                tenants: room.tenant_register(),
                idempotency: room.idempotency_keys(),
                clock: Arc::clone(&foundation.clock),
                entropy: Arc::clone(&foundation.entropy),
                metrics: foundation.http_metrics.clone(),
                request_deadline: REQUEST_DEADLINE,
            })
            .map_err(|e| Refusal::new(&kinds::INTERNAL, e.to_string()))?;
        let cap = room.start_cap(bus).await.map_err(credentials::refusal)?;
        let ecap = room.start_ecap(bus).await.map_err(credentials::refusal)?;
        let (counting, sweeping) = (room.start_counting(), room.start_sweeping());
        Ok((Api { _view_tasks: view_tasks, _counting: counting, _sweeping: sweeping, cap, ecap, tenant_manager }, view, router))
    }

    /// Ends everything, from the outside in: no new requests, then no new changes, then no new messages.
    pub(crate) async fn stop(self, foundation: Foundation, drain_deadline: Duration) {
        foundation.health.stopping();
        if let Some(api) = self.api {
            drop(api.tenant_manager);
            api.cap.stop().await;
            if let Some(ecap) = api.ecap {
                ecap.stop().await;
            }
        }
        foundation.listeners.drain(drain_deadline).await;
        self.ledger_tasks.shutdown().await;
        foundation.shutdown.cancel();
        self.board.stopped().await;
        self.bus.drain().await;
        self.db.close().await;
    }
}

/// Puts API and management where this process listens for them.
fn open_sites(foundation: &Foundation, management: Management, api: Option<Router>) {
    let site = |name| foundation.listeners.site(name);
    match (site(HTTP), site(MANAGEMENT), site(API), api) {
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
