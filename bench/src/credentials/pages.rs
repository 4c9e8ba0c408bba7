//! A page of 50 out of a million credentials, on SQLite.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::{Value, json};
use signet_crypto::SystemEntropy;
use signet_crypto::password::{Cost, Password, hash};

use super::rest::Rest;
use super::server::Server;
use crate::report::{Figures, head};

/// The tenant of the many.
pub(super) const TENANT: &str = "million";
/// How many they are.
pub(super) const MANY: usize = 1_000_000;
/// Pages read for one figure.
const PAGES: usize = 2_000;

/// Makes the tenant, as long as the server runs.
pub(crate) async fn prepare(rest: &Rest) -> Result<()> {
    rest.post("/api/v1/tenants", &json!({ "id": TENANT })).await?;
    Ok(())
}

/// Inserts the rows by hand, all with one hash, while no server runs.
pub(crate) fn insert(folder: &Path) -> Result<()> {
    let started = Instant::now();
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    let hash = hash(&Password::new(super::PASSWORD)?, Cost::DEFAULT, &SystemEntropy);
    let rows = connection.execute(
        "INSERT INTO credential (tenant, id, kind, state, username, password_hash, created_at, updated_at, version)
         WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)
         SELECT ?2, lower(hex(randomblob(10))), 'basic', 'Active', 'user-' || i, ?3, i * 1000, i * 1000, 0 FROM n",
        rusqlite::params![MANY as i64, TENANT, hash.as_str()],
    )?;
    println!("{rows} credentials inserted by hand in {:.0} s.", started.elapsed().as_secs_f64());
    Ok(())
}

/// Prints the figures of three ways to a page.
pub(crate) async fn run(server: &Server, rest: &Rest) -> Result<()> {
    println!("A page of 50 out of {MANY} credentials, one caller.\n{}", head());
    let list = format!("/api/v1/tenants/{TENANT}/credentials?limit=50");
    let some = |number: usize| number.wrapping_mul(7_919 * 31) % MANY;
    figure(server, rest, "  newest first", 50, |_| list.clone()).await?;
    figure(server, rest, "  by username", 1, |number| format!("{list}&username=user-{}", some(number))).await?;
    figure(server, rest, "  in the middle, anywhere", 50, |number| {
        // At least a page below the oldest end.
        let behind = json!({ "created_at": some(number).max(1_000) * 1_000, "id": "" });
        format!("{list}&after={}", signet_http::cursor(&behind))
    })
    .await
}

async fn figure(server: &Server, rest: &Rest, name: &str, items: usize, path: impl Fn(usize) -> String) -> Result<()> {
    let (started, cpu) = (Instant::now(), server.cpu()?);
    let mut latencies = Vec::with_capacity(PAGES);
    let mut last = Vec::new();
    for number in 0..PAGES {
        let path = path(number);
        let asked = Instant::now();
        last = rest.get(&path).await?;
        latencies.push(asked.elapsed());
    }
    let figures = Figures::new(started.elapsed(), server.cpu()? - cpu, latencies);
    let page: Value = serde_json::from_slice(&last)?;
    let seen = page["items"].as_array().context("a page")?.len();
    anyhow::ensure!(seen == items, "{name}: {seen} rows in place of {items}");
    println!("{}", figures.line_of(name, None, server.peak_mib()));
    Ok(())
}
