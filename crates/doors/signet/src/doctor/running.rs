//! The server that runs here: its listeners, what it says of its own health, how fresh its view is, and the operator's token.

use std::time::Duration;

use signet_client::{Client, ClientError, Endpoint, PageRequest, probe};

use super::{Check, Patient};

/// For one question to the server.
const DEADLINE: Duration = Duration::from_secs(3);

pub(super) async fn all(patient: &Patient<'_>) -> Vec<Check> {
    let Some(endpoint) = &patient.endpoint else { return vec![without_server(patient)] };
    let mut checks = vec![process(patient, endpoint)];
    if let Some(address) = endpoint.listeners.get("management") {
        checks.push(health(address).await);
        checks.push(view(patient, address).await);
    }
    checks.push(token(patient).await);
    checks
}

/// Without a server only the ports can be looked at: whether a start would find them free.
fn without_server(patient: &Patient<'_>) -> Check {
    let taken: Vec<String> = [&patient.settings.listen.api, &patient.settings.listen.management, &patient.settings.listen.revocation]
        .into_iter()
        .filter(|address| {
            std::net::TcpListener::bind((address.host.as_str(), address.port)).is_err_and(|e| e.kind() == std::io::ErrorKind::AddrInUse)
        })
        .map(ToString::to_string)
        .collect();
    if taken.is_empty() {
        Check::warning("server", "no server runs on this data directory; its ports are free", "`signet up` starts one.")
    } else {
        Check::warning(
            "server",
            format!("no server runs on this data directory, and others hold {}", taken.join(", ")),
            "Start with `--any-port`, or free the ports (`ss -ltnp` names their holders).",
        )
    }
}

fn process(patient: &Patient<'_>, endpoint: &Endpoint) -> Check {
    let listeners: Vec<String> = endpoint.listeners.iter().map(|(name, address)| format!("{name} {address}")).collect();
    match crate::lifecycle::holder(patient.data_dir) {
        Some(_) => {
            Check::fine("server", format!("version {} runs as process {}: {}", endpoint.version, endpoint.pid, listeners.join(", ")))
        }
        None => Check::failed(
            "server",
            format!("endpoint.json names process {}, which does not run any more", endpoint.pid),
            "It ended without removing the file, so it was killed or crashed: read its log, then `signet up` or restart the service.",
        ),
    }
}

async fn health(address: &str) -> Check {
    const FIX: &str = "Each line names the part; mend it, and the server recovers by itself.";
    match probe(address, "/health", DEADLINE).await {
        Ok((200, _)) => Check::fine("health", "every part of the server says that it is well"),
        Ok((_, lines)) => Check::failed("health", lines.trim().replace('\n', "; "), FIX),
        Err(error) => {
            Check::failed("health", error.problem().detail, "Check that the server runs and that its management listener can be reached.")
        }
    }
}

/// The age of the view, from the metrics.
async fn view(patient: &Patient<'_>, address: &str) -> Check {
    let metrics = match probe(address, "/metrics", DEADLINE).await {
        Ok((200, text)) => text,
        Ok((status, _)) => return Check::failed("view age", format!("/metrics answered {status}"), "Read the server's log."),
        Err(error) => return Check::failed("view age", error.problem().detail, "Check that the management listener can be reached."),
    };
    let value = |name: &str| metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse::<f64>().ok());
    let Some(age) = value("signet_view_age_seconds") else {
        return Check::fine("view age", "this process keeps no view (it has no role that needs one)");
    };
    let interval = patient.settings.standing.reconcile_interval.0.as_secs_f64();
    let detail = format!("{age:.1} s, reconciled every {interval} s");
    if age > interval * 2.0 {
        Check::failed("view age", detail, "Check the message bus, and that one process with the role `worker` runs on this database.")
    } else {
        Check::fine("view age", detail)
    }
}

/// Whether the operator's token is still taken.
async fn token(patient: &Patient<'_>) -> Check {
    const NAME: &str = "operator token";
    let mut config = patient.globals.client_config();
    // The directory may be named in the file only.
    config.data_dir = patient.data_dir.to_path_buf();
    let asked = match Client::open(&config) {
        Ok(client) => client.tenants(&PageRequest { limit: Some(1), after: None }).await.map(|_| ()),
        Err(error) => Err(error),
    };
    match asked {
        Ok(()) => Check::fine(NAME, "the server takes it"),
        Err(ClientError::Refused(problem)) if matches!(problem.status, 401 | 403) => {
            Check::failed(NAME, format!("{}: {}", problem.reason, problem.detail), "Make a new one: `signet operator rotate`.")
        }
        Err(error) => {
            let problem = error.problem();
            Check::failed(NAME, format!("{}: {}", problem.reason, problem.detail), problem.fix.unwrap_or_default())
        }
    }
}
