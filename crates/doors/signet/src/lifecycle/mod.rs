//! A server's life, the same for `up` and `serve`: hold the data directory, bind, wait for the database, wire the rooms, say that
//! it is ready, run, drain.

mod api;
mod boot;
mod callers;
mod certificates;
mod credentials;
mod custody;
mod data_dir;
mod files;
mod first_start;
mod hardening;
mod health;
mod house;
mod listeners;
mod logs;
mod metrics;
mod notify;
mod pair;
mod ports;
mod readings;
mod reasons;
mod seal;
mod shape;
mod signals;
mod tenant_manager;
mod tls;
mod watch;

use std::time::Instant;

use signet_client::Endpoint;
use signet_model::{Refusal, kinds};

use crate::cli::Output;
use crate::config::Settings;

pub(crate) use boot::{Trouble, seal_key_file};
pub(crate) use callers::outbound as issuers_client;
#[cfg(test)]
pub(crate) use certificates::unopened as unopened_authority;
pub(crate) use custody::{ClientCertificate, vault};
pub(crate) use data_dir::{holder, make as make_data_dir, mode_for_others};
pub(crate) use first_start::keep as keep_operator_token;
pub(crate) use hardening::may_lock_all;
pub(crate) use ports::ListenFlag;
pub(crate) use reasons::REASONS;
pub(crate) use seal::{missing as seal_key_missing, open_seal_key};
pub(crate) use shape::{AuthoritySeal, SealPlace, Shape};
pub(crate) use tls::check_files as check_listener_files;

use signals::{Signals, Wish};

/// What to start.
pub(crate) struct Launch {
    /// The settings, all layers but the flags below.
    pub(crate) settings: Settings,
    /// `--listen`.
    pub(crate) flags: Vec<ListenFlag>,
    /// `--any-port`.
    pub(crate) any_port: bool,
    /// What sets it apart from `up` and `serve`.
    pub(crate) shape: Shape,
    /// What was odd in the configuration and is told when the log is open.
    pub(crate) warnings: Vec<String>,
    /// Where the ready line goes.
    pub(crate) out: Output,
}

/// Starts a server and stays until it has ended in good order.
pub(crate) fn launch(launch: Launch) -> Result<(), Refusal> {
    let started = Instant::now();
    logs::start(launch.settings.log.format, launch.settings.log.level)?;
    for detail in &launch.warnings {
        tracing::warn!(event = "config.odd", detail);
    }
    let hardened = hardening::harden();
    if !hardened.no_core_dumps || !hardened.memory_locked {
        tracing::debug!(event = "process.hardening", no_core_dumps = hardened.no_core_dumps, memory_locked = hardened.memory_locked);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_name("signet")
        .build()
        .map_err(|e| Refusal::new(&kinds::INTERNAL, format!("cannot start the runtime: {e}")))?;
    let outcome = runtime.block_on(live(&launch, started));
    // What still runs on blocking threads has nothing left to write.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    outcome
}

async fn live(launch: &Launch, started: Instant) -> Result<(), Refusal> {
    let mut signals = Signals::listen()?;
    let notifier = notify::Notifier::from_environment();
    let foundation = boot::lay(launch).await?;
    let house = tokio::select! {
        house = boot::build(launch, &foundation, &notifier) => house?,
        () = signals.end() => {
            tracing::info!(event = "server.stopped-while-starting");
            notifier.stopping();
            return Ok(());
        }
    };
    let endpoint = foundation.endpoint(started);
    announce(launch, &endpoint, &foundation)?;
    notifier.ready(&format!("listening on {}", endpoint.listeners.values().cloned().collect::<Vec<_>>().join(", ")));
    while signals.next().await == Wish::Reload {
        notifier.reloading();
        foundation.reload();
        notifier.ready("files read again");
    }
    tracing::info!(event = "server.stopping");
    notifier.stopping();
    remove(&foundation);
    house.stop(foundation, launch.shape.drain_deadline).await;
    tracing::info!(event = "server.stopped");
    Ok(())
}

/// The ready line, and the same object in the data directory, which is there first: whoever reads the line may use it.
fn announce(launch: &Launch, endpoint: &Endpoint, foundation: &boot::Foundation) -> Result<(), Refusal> {
    let path = Endpoint::path(foundation.data_dir());
    let json = serde_json::to_vec(endpoint).map_err(|e| Refusal::new(&kinds::INTERNAL, format!("endpoint: {e}")))?;
    files::write_atomically(&path, &json)
        .map_err(|e| Refusal::new(&reasons::DATA_DIR_UNUSABLE, format!("{} cannot be written: {e}", path.display())))?;
    let said = launch.out.data(endpoint, |e| {
        let listeners: Vec<String> = e.listeners.iter().map(|(name, address)| format!("  {name:<10} {address}\n")).collect();
        format!(
            "signet {} is ready after {} ms (process {}, data in {})\n{}",
            e.version,
            e.elapsed_ms,
            e.pid,
            e.data_dir,
            listeners.concat()
        )
    });
    if said.is_err() {
        // A server whose stdout takes nothing serves all the same; the endpoint file says what the line would.
        tracing::warn!(event = "server.ready-line-lost");
    }
    tracing::info!(event = "server.ready", version = %endpoint.version, elapsed_ms = endpoint.elapsed_ms, listeners = ?endpoint.listeners);
    Ok(())
}

fn remove(foundation: &boot::Foundation) {
    let path = Endpoint::path(foundation.data_dir());
    if let Err(error) = std::fs::remove_file(&path) {
        tracing::warn!(event = "endpoint.not-removed", %error);
    }
}
