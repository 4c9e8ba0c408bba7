//! The rooms and what they stand on, wired together: the only place where rooms meet (design 5).

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use prometheus_client::registry::Registry;
use signet_bus::{Bus, BusState};
use signet_credentials::{
    BusProvider, CredentialMetrics, CredentialsConfig, CredentialsError, CredentialsRoom, LimitConfig, Parts, Quota, TenantManager,
    VerdictConfig,
};
use signet_crypto::Sealer;
use signet_db::Db;
use signet_http::{HealthBoard, HealthCheck, HealthLine, HealthSource, Management};
use signet_ledger::{Ledger, LedgerParts, LedgerRuntime, LedgerTasks};
use signet_model::{Refusal, ReplicaId, kinds};
use signet_standing::{View, ViewConfig, ViewTasks};
use tokio_util::task::AbortOnDropHandle;

use super::boot::{Foundation, Waiting};
use super::health::Told;
use super::listeners::{API, HTTP, MANAGEMENT};
use super::metrics::Readings;
use super::{Launch, callers, first_start, tenant_manager};
use crate::config::{Limits, Role, Settings};

/// How often dependencies are looked at for `/health`.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// A bus that is away for less than this is no illness (`kaa.md` 17.4).
const BUS_PATIENCE: Duration = Duration::from_secs(5);
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
        readings(&ledger).register(&mut registry);
        let board = HealthBoard::start(checks(&db, &bus), CHECK_EVERY, &foundation.shutdown);
        let mut sources = vec![foundation.listeners.health(), Arc::new(board.clone()) as Arc<dyn HealthSource>, of_ledger(&ledger)];
        let (api, router) = if settings.process.roles.has(Role::Api) {
            let (api, view, router) = Self::open_api(launch, foundation, &ledger, &sealer, &bus, &db, &mut registry).await?;
            sources.push(of_view(&view));
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
        view_readings(&view).register(registry);
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
            config: credentials_config(settings)?,
        })
        .map_err(room_refusal)?;
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
        let cap = room.start_cap(bus).await.map_err(room_refusal)?;
        let ecap = room.start_ecap(bus).await.map_err(room_refusal)?;
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

fn credentials_config(settings: &Settings) -> Result<CredentialsConfig, Refusal> {
    let instance = |name: &str, key| name.parse().map_err(|e| Refusal::new(&kinds::INTERNAL, format!("kaa.{key}: {e}")));
    let count = |n: u32| usize::try_from(n).unwrap_or(usize::MAX);
    Ok(CredentialsConfig {
        bcrypt_cost: settings.password.bcrypt_cost.0,
        strict_fsm: settings.kaa.strict_fsm,
        cap_concurrency: count(settings.kaa.cap_concurrency.0),
        cap_queue_length: count(settings.kaa.cap_queue_length.0),
        cm_enabled: settings.kaa.cm_enabled,
        ep_token_length: count(settings.kaa.ep_token_length.0),
        verdicts: VerdictConfig { lifetime: settings.password.remember_for.0, most: count(settings.password.remember_most.0) },
        limits: limit_config(&settings.limits),
        ..CredentialsConfig::new(
            instance(&settings.kaa.ccm_instance.0, "ccm_instance")?,
            instance(&settings.kaa.cm_instance.0, "cm_instance")?,
        )
    })
}

fn limit_config(limits: &Limits) -> LimitConfig {
    let quota = |burst: u32, refill: Duration| Quota { burst, refill };
    LimitConfig {
        credential: quota(limits.credential_burst.0, limits.credential_refill.0),
        tenant: quota(limits.tenant_burst.0, limits.tenant_refill.0),
        source: quota(limits.source_burst.0, limits.source_refill.0),
    }
}

pub(super) fn room_refusal(error: CredentialsError) -> Refusal {
    let reason = match &error {
        CredentialsError::Configuration(_) => &crate::config::CONFIG_VALUE,
        CredentialsError::Threads(_) => &kinds::INTERNAL,
        CredentialsError::Bus(bus) => bus.reason(),
    };
    Refusal::new(reason, error.to_string())
}

/// What is looked at once a second.
fn checks(db: &Db, bus: &Bus) -> Vec<HealthCheck> {
    let db = db.clone();
    let database = HealthCheck::new("database", move || {
        let db = db.clone();
        async move { db.ping().await.map_err(|error| error.reason().title.trim().to_owned()) }
    });
    let state = bus.state();
    let bus = HealthCheck::new("bus", move || {
        let state = *state.borrow();
        async move {
            match state {
                BusState::Connected => Ok(()),
                BusState::Disconnected { since } if since.elapsed() < BUS_PATIENCE => Ok(()),
                BusState::Disconnected { since } => Err(format!("no connection for {} s", since.elapsed().as_secs())),
            }
        }
    });
    vec![database, bus]
}

/// What the ledger says of itself. Its details name nothing that a stranger may not know.
fn of_ledger(ledger: &Ledger) -> Arc<dyn HealthSource> {
    let ledger = ledger.clone();
    Arc::new(Told(move || {
        let line = |line: signet_ledger::HealthLine| {
            let wrong = |line: &signet_ledger::HealthLine| match line.reason {
                Some(reason) => format!("{}: {}", reason.code, reason.title.trim()),
                None => line.detail.clone(),
            };
            let detail = if line.ok { String::new() } else { wrong(&line) };
            HealthLine { name: line.name, ok: line.ok, detail }
        };
        ledger.health().into_iter().map(line).collect()
    }))
}

/// Whether the view may be relied on.
fn of_view(view: &View) -> Arc<dyn HealthSource> {
    let view = view.clone();
    Arc::new(Told(move || {
        let wrong = view.check(&[]).err().map(|refusal| format!("{}: {}", refusal.reason.code, refusal.reason.title.trim()));
        vec![HealthLine { name: "standing", ok: wrong.is_none(), detail: wrong.unwrap_or_default() }]
    }))
}

/// The ledger's numbers, read when asked.
fn readings(ledger: &Ledger) -> Readings {
    let (head, leads, outbox) = (ledger.clone(), ledger.clone(), ledger.clone());
    let (committed, conflicts, dropped) = (ledger.clone(), ledger.clone(), ledger.clone());
    Readings::default()
        .gauge("signet_feed_position", "Last position that this process has seen committed", move || Some(number(head.head().value())))
        .gauge("signet_ledger_leader", "1 while this process orders, signs and publishes", move || {
            Some(f64::from(u8::from(leads.stats().leader())))
        })
        .gauge("signet_ledger_outbox", "Events that wait for the message bus; of the leader", move || Some(number(outbox.stats().outbox())))
        .counter("signet_ledger_committed", "Changes committed", move || Some(count(committed.stats().committed())))
        .counter("signet_ledger_conflicts", "Changes whose expectations failed", move || Some(count(conflicts.stats().conflicts())))
        .counter("signet_ledger_upkeep_dropped", "Upkeep statements dropped, since the queue or the storage was full", move || {
            Some(count(dropped.stats().upkeep_dropped()))
        })
}

/// The view's numbers, read when asked.
fn view_readings(view: &View) -> Readings {
    let (position, age) = (view.clone(), view.clone());
    Readings::default()
        .gauge("signet_view_position", "Last position that the view has applied", move || Some(number(position.position().value())))
        .gauge("signet_view_age_seconds", "Time since the view was last proven fresh", move || Some(age.age()?.as_secs_f64()))
}

/// Metrics are floating point: exact up to 2^53, more positions than there will be.
#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn number(value: i64) -> f64 {
    value as f64
}

#[expect(clippy::cast_precision_loss, reason = "exact up to 2^53")]
fn count(value: u64) -> f64 {
    value as f64
}
