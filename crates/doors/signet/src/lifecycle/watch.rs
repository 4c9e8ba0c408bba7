//! What the parts of the house say of their health: what has to be asked is asked once a second, the rest is read when it is wanted.

use std::sync::Arc;
use std::time::Duration;

use signet_bus::{Bus, BusState};
use signet_db::Db;
use signet_http::{HealthCheck, HealthLine, HealthSource};
use signet_ledger::Ledger;
use signet_standing::View;

use super::health::Told;

/// A bus that is away for less than this is no illness (`kaa.md` 17.4).
const BUS_PATIENCE: Duration = Duration::from_secs(5);

/// What is looked at once a second.
pub(super) fn checks(db: &Db, bus: &Bus) -> Vec<HealthCheck> {
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
pub(super) fn of_ledger(ledger: &Ledger) -> Arc<dyn HealthSource> {
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
pub(super) fn of_view(view: &View) -> Arc<dyn HealthSource> {
    let view = view.clone();
    Arc::new(Told(move || {
        let wrong = view.check(&[]).err().map(|refusal| format!("{}: {}", refusal.reason.code, refusal.reason.title.trim()));
        vec![HealthLine { name: "standing", ok: wrong.is_none(), detail: wrong.unwrap_or_default() }]
    }))
}
