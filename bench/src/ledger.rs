//! `bench ledger`: durable Changes per second with audit, outbox and standing rows over 50,000 credentials, beside *bare*: the
//! same statements in the same batch size without the ledger; and the time from a commit to an applied view.

mod bare;
mod subject;
mod view;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use signet_db::Db;
use signet_ledger::Ledger;
use signet_testkit::{PostgresOptions, TestPostgres};

use crate::report::{Figures, Meter, head};
use subject::Fleet;

/// How long one figure is measured.
const RUN: Duration = Duration::from_secs(5);

/// Measures both databases.
pub(crate) async fn run() -> Result<()> {
    println!("Changes: one compare-and-set, one audit record, one outbox row, one standing row. Limit = bare, same batch size.\n");
    let folder = tempfile::tempdir().context("a temporary directory")?;
    let sqlite = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    measure("SQLite", &sqlite("signet.db"), &sqlite("bare.db")).await?;
    let options = PostgresOptions { durable: true, ..PostgresOptions::default() };
    let postgres = TestPostgres::start(options).context("PostgreSQL with fsync on")?;
    measure("PostgreSQL", &postgres.fresh_database().await, &postgres.fresh_database().await).await
}

async fn measure(name: &str, url: &str, bare_url: &str) -> Result<()> {
    println!("{name}\n{}", head());
    let mut fastest: f64 = 0.0;
    for callers in [1_usize, 64, 256] {
        let bare = bare::run(bare_url, callers, RUN).await?;
        println!("{}", bare.line(&format!("  bare, {callers} in a batch"), None));
        for tenants in [1_usize, 64] {
            let house = subject::House::open(url).await?;
            let fleet = Arc::new(Fleet::new(&house.db, tenants).await?);
            let figures = load(&house.ledger, &fleet, callers).await?;
            println!("{}", figures.line(&format!("  ledger, {callers} callers, {tenants} tenant(s)"), Some(bare.rate())));
            fastest = fastest.max(figures.rate());
            house.close().await;
        }
    }
    let house = subject::House::open(url).await?;
    let fleet = Arc::new(Fleet::new(&house.db, 1).await?);
    view::run(&house, &fleet, fastest / 2.0).await?;
    house.close().await;
    println!();
    Ok(())
}

/// `callers` tasks that each commit one Change after the other.
async fn load(ledger: &Ledger, fleet: &Arc<Fleet>, callers: usize) -> Result<Figures> {
    let stop = Arc::new(AtomicBool::new(false));
    let meter = Meter::start();
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (ledger, fleet, stop) = (ledger.clone(), Arc::clone(fleet), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                let mut own = fleet.part(caller, callers);
                while !stop.load(Ordering::Relaxed) {
                    let change = own.next_change();
                    let started = Instant::now();
                    ledger.commit(change).await.map_err(|error| anyhow::anyhow!("{error}"))?;
                    latencies.push(started.elapsed());
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    tokio::time::sleep(RUN).await;
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(meter.stop(latencies))
}

/// Opens a database with the ledger's and the room's tables.
async fn open(url: &str) -> Result<Db> {
    let db = Db::open(&signet_db::DatabaseConfig::new(url)).await?;
    db.migrate(&[signet_ledger::migrations(), signet_credentials::migrations()]).await?;
    Ok(db)
}

/// Where the key that seals a database's signing keys lies: beside it, or for PostgreSQL in the system's temporary folder.
fn seal_key(url: &str) -> String {
    match url.strip_prefix("sqlite:") {
        Some(path) => format!("{path}.seal"),
        None => {
            let name: String = url.rsplit('/').next().unwrap_or_default().chars().filter(char::is_ascii_alphanumeric).collect();
            std::env::temp_dir().join(format!("signet-bench-{}-{name}.seal", std::process::id())).display().to_string()
        }
    }
}
