//! What a server leans on outside of itself: file system, database with its schema, message bus, certificate.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::Duration;

use signet_bus::BusState;
use signet_db::{Db, DbError, Statement, params};
use signet_pki::{LeafFacts, pem};

use super::{Check, Patient};
use crate::config::DatabaseUrl;
use crate::{database, message_bus};

/// For the first connection to the message bus.
const BUS_DEADLINE: Duration = Duration::from_secs(3);

pub(super) async fn all(patient: &Patient<'_>) -> Vec<Check> {
    let mut checks = Vec::new();
    if patient.settings.database.url == DatabaseUrl::Sqlite {
        checks.push(file_system(patient.data_dir));
    }
    checks.extend(database(patient).await);
    checks.push(bus(patient).await);
    checks.push(certificate(patient));
    checks
}

fn file_system(dir: &Path) -> Check {
    const NAME: &str = "file system";
    match signet_db::sqlite::examine_filesystem(dir) {
        None => Check::fine(NAME, "it can hold a database"),
        Some(concern) => {
            let detail = format!("data-dir.network-filesystem: {concern}");
            let fix = "Move the data directory to a local disk (`--data-dir DIR`), or use PostgreSQL with `signet serve`.";
            if concern.refused { Check::failed(NAME, detail, fix) } else { Check::warning(NAME, detail, fix) }
        }
    }
}

async fn database(patient: &Patient<'_>) -> Vec<Check> {
    const NAME: &str = "database";
    let settings = patient.settings;
    if settings.database.url == DatabaseUrl::Sqlite {
        let file = database::sqlite_file(patient.data_dir);
        match std::fs::metadata(&file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return vec![Check::warning(
                    NAME,
                    format!("{} does not exist", file.display()),
                    "It is made at the first start of a server.",
                )];
            }
            Err(e) => return vec![Check::failed(NAME, format!("{}: {e}", file.display()), "Give this user access to the data directory.")],
            // Another user's look could leave files beside the database that its owner cannot open.
            Ok(meta) if meta.uid() != rustix::process::geteuid().as_raw() => {
                let detail = format!("{} belongs to user {}, so it is not opened", file.display(), meta.uid());
                return vec![Check::warning(NAME, detail, "Run `signet doctor` as that user to look into the database.")];
            }
            Ok(_) => {}
        }
    }
    let db = match database::open(settings, patient.data_dir).await {
        Ok(db) => db,
        Err(error) => return vec![Check::failed(NAME, error.to_string(), fix_of(&error))],
    };
    let answers = match db.ping().await {
        Ok(()) => vec![Check::fine(NAME, db.place()), schema(&db).await],
        Err(error) => vec![Check::failed(NAME, seen_at(&db.place(), &error), fix_of(&error))],
    };
    db.close().await;
    answers
}

/// Where and what, each once: most errors name their place already.
fn seen_at(place: &str, error: &DbError) -> String {
    let text = error.to_string();
    if text.contains(place) { text } else { format!("{place}: {text}") }
}

/// What mends it. The reason's own advice sends a caller to this very check.
fn fix_of(error: &DbError) -> &'static str {
    match error {
        DbError::Unavailable(_) | DbError::Timeout => {
            "Start PostgreSQL, or correct `database.url`, its user or its password; `psql URL` from this machine shows the same. A running Signet connects again by itself."
        }
        DbError::Busy => "Another writer holds the database: look for a program beside Signet that has it open.",
        error => error.reason().fix,
    }
}

/// Whether the tables are those of this program.
async fn schema(db: &Db) -> Check {
    const NAME: &str = "schema";
    let mut seen = Vec::new();
    for owner in database::migrations() {
        let known = owner.steps.last().map_or(0, |step| step.version);
        let statement = Statement::new("SELECT coalesce(max(version), 0) FROM schema_version WHERE owner = $1", params![owner.owner]);
        let found = match db.query_optional(statement).await.and_then(|row| row.map_or(Ok(0), |row| row.int(0))) {
            Ok(found) => found,
            Err(_) => {
                return Check::warning(NAME, "the database holds no tables of Signet", "They are made at the first start of a server.");
            }
        };
        if found > known {
            let detail = format!("tables of `{}` have version {found}, this program knows {known}", owner.owner);
            return Check::failed(NAME, detail, "Use the version of Signet that last ran on this database, or a newer one.");
        }
        if found < known {
            let detail = format!("tables of `{}` have version {found}, this program brings them to {known}", owner.owner);
            return Check::warning(NAME, detail, "The next start of a server does it.");
        }
        seen.push(format!("{} {found}", owner.owner));
    }
    Check::fine(NAME, seen.join(", "))
}

async fn bus(patient: &Patient<'_>) -> Check {
    const NAME: &str = "nats";
    let Some(config) = message_bus::configuration(patient.settings, None) else {
        return Check::fine("bus", "inside the process (no [nats] url)");
    };
    let url = patient.settings.nats.url.as_ref().map(|url| url.0.masked()).unwrap_or_default();
    let bus = match signet_bus::Bus::nats(config).await {
        Ok(bus) => bus,
        Err(error) => return Check::failed(NAME, format!("{url}: {error}"), error.reason().fix),
    };
    let mut state = bus.state();
    let connecting = tokio::time::timeout(BUS_DEADLINE, state.wait_for(|state| *state == BusState::Connected));
    // Only the answer is kept: what `wait_for` returns locks the state, and the drain below has to change it.
    let connected = connecting.await.is_ok_and(|state| state.is_ok());
    let check = if connected {
        Check::fine(NAME, format!("{url} answers"))
    } else {
        let why = bus.last_fault().unwrap_or_else(|| "no answer".to_owned());
        Check::failed(
            NAME,
            format!("{url}: {why}"),
            "Start the NATS server, or correct section [nats]; a running Signet connects again by itself.",
        )
    };
    bus.drain().await;
    check
}

fn certificate(patient: &Patient<'_>) -> Check {
    const NAME: &str = "certificate";
    let own = patient.data_dir.join("tls/api.pem");
    let (path, fix) = match &patient.settings.tls.cert_file {
        Some(path) => (path.clone(), "Put a renewed certificate in its place, then send SIGHUP (`systemctl reload signet`)."),
        None => (own, "A running server renews it by itself; start one."),
    };
    let bytes = std::fs::read(&path);
    let absent = matches!(&bytes, Err(e) if e.kind() == std::io::ErrorKind::NotFound);
    let read = bytes.map_err(|e| e.to_string());
    let facts = read.and_then(|text| {
        let chain = pem::certificates(&text).map_err(|e| e.to_string())?;
        let leaf = chain.first().ok_or_else(|| "no certificate in it".to_owned())?;
        LeafFacts::read(leaf).map_err(|e| e.to_string())
    });
    let now = crate::clock::now();
    match facts {
        Err(_) if patient.settings.tls.cert_file.is_none() && absent => {
            Check::warning(NAME, format!("{} does not exist", path.display()), "It is made at the first start of a server.")
        }
        Err(why) => Check::failed(NAME, format!("{}: {why}", path.display()), "Name a readable PEM file by `tls.cert_file`."),
        Ok(facts) if facts.not_after <= now || facts.not_before > now => {
            Check::failed(NAME, format!("{} is valid from {} to {}, not now", path.display(), facts.not_before, facts.not_after), fix)
        }
        Ok(facts) if patient.settings.tls.cert_file.is_some() && facts.needs_renewal(now) => {
            Check::warning(NAME, format!("{} ends at {}: less than a third of its life is left", path.display(), facts.not_after), fix)
        }
        Ok(facts) => {
            let detail = format!("{} is valid until {}", path.display(), facts.not_after);
            if patient.settings.tls.cert_file.is_none() && !patient.settings.listen.api.host.starts_with("127.") {
                return Check::warning(
                    NAME,
                    format!("{detail}; it is signed by this data directory's own authority"),
                    "Give clients tls/ca.pem, or name a certificate by `tls.cert_file` and `tls.key_file`.",
                );
            }
            Check::fine(NAME, detail)
        }
    }
}
