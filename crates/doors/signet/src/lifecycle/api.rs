//! What the role `api` has: the rooms with their routes, the providers on the message bus, and the view that all of them ask.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use signet_credentials::{BusProvider, CredentialMetrics, CredentialsRoom, Parts, TenantManager};
use signet_http::HealthSource;
use signet_model::{Refusal, ReplicaId, kinds};
use signet_standing::{View, ViewConfig, ViewTasks};
use tokio_util::task::AbortOnDropHandle;

use super::certificates::{self, Certificates};
use super::house::Ground;
use super::{callers, credentials, first_start, readings, tenant_manager, watch};

/// How long a request may take until it is answered 503; longer than the database's own deadline.
const REQUEST_DEADLINE: Duration = Duration::from_secs(10);

/// What only the role `api` has.
pub(super) struct Api {
    _view_tasks: ViewTasks,
    _counting: AbortOnDropHandle<()>,
    _sweeping: AbortOnDropHandle<()>,
    cap: BusProvider,
    /// None unless this is the service for endpoint tokens.
    ecap: Option<BusProvider>,
    /// None where the tenants are kept here.
    tenant_manager: Option<TenantManager>,
    /// None where there are no certificates.
    _certificates: Option<Certificates>,
}

/// What the listeners of the role serve.
#[derive(Default)]
pub(super) struct Sites {
    /// REST.
    pub(super) api: Option<Router>,
    /// Revocation lists and OCSP.
    pub(super) revocation: Option<Router>,
}

impl Api {
    /// Opens the rooms, adds what they say of their health, and gives what their listeners serve.
    pub(super) async fn open(
        ground: &Ground<'_>,
        registry: &mut Registry,
        health: &mut Vec<Arc<dyn HealthSource>>,
    ) -> Result<(Self, Sites), Refusal> {
        let Ground { launch, foundation, ledger, sealer, bus, db, .. } = *ground;
        let settings = &launch.settings;
        let view = view_of(ground);
        let view_tasks = ViewTasks::start(view.clone(), bus.clone()).map_err(|e| Refusal::new(e.reason(), e.to_string()))?;
        readings::of_view(&view).register(registry);
        health.push(watch::of_view(&view));
        health.extend(callers::shout(settings));
        let room = CredentialsRoom::new(Parts {
            db: db.clone(),
            ledger: ledger.clone(),
            view,
            clock: Arc::clone(&foundation.clock),
            entropy: Arc::clone(&foundation.entropy),
            replica: replica_of(ground),
            metrics: CredentialMetrics::register(registry),
            config: credentials::config(settings)?,
        })
        .map_err(credentials::refusal)?;
        let certificates = certificates::open(ground, Some(&room), registry).await?;
        first_start::furnish(&launch.shape, foundation, ledger, db, &room).await?;
        room.know_callers(callers::Asked::of(settings));
        let client_secret = launch.shape.tenant_manager_secret.as_ref();
        let tenant_manager = tenant_manager::follow(&settings.tenant_manager, client_secret, &room, bus, sealer).await?;
        health.extend(tenant_manager.as_ref().map(TenantManager::health));
        let issuers = tenant_manager.as_ref().map(TenantManager::issuers);
        let people = callers::admitted(settings, foundation, &room, issuers, registry).await?;
        let authority = certificates.as_ref().map(|certificates| &certificates.room);
        health.extend(certificates.as_ref().map(Certificates::health));
        let api = crate::api::table(ledger, &room, authority)
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
        let sites = Sites { api: Some(api), revocation: authority.map(|room| room.revocation_router()) };
        let cap = room.start_cap(bus).await.map_err(credentials::refusal)?;
        let ecap = room.start_ecap(bus).await.map_err(credentials::refusal)?;
        let api = Self {
            _view_tasks: view_tasks,
            _counting: room.start_counting(),
            _sweeping: room.start_sweeping(),
            cap,
            ecap,
            tenant_manager,
            _certificates: certificates,
        };
        Ok((api, sites))
    }

    /// Ends what asks and answers on the message bus.
    pub(super) async fn stop(self) {
        drop(self.tenant_manager);
        self.cap.stop().await;
        if let Some(ecap) = self.ecap {
            ecap.stop().await;
        }
    }
}

fn view_of(ground: &Ground<'_>) -> View {
    let foundation = ground.foundation;
    View::new(ViewConfig {
        reasons: crate::reasons::all().collect(),
        ..ViewConfig::new(
            ground.ledger.public_keys().feed,
            ground.launch.settings.standing.reconcile_interval.0,
            Arc::clone(&foundation.clock),
            Arc::clone(&foundation.entropy),
        )
    })
}

fn replica_of(ground: &Ground<'_>) -> ReplicaId {
    let foundation = ground.foundation;
    let named = ground.launch.shape.replica.clone();
    named.unwrap_or_else(|| ReplicaId::generate(foundation.clock.now(), foundation.entropy.as_ref()))
}
