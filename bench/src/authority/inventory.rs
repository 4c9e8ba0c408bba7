//! Questions to an inventory of a million certificates, on SQLite.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{TENANT, certificates, goal};
use crate::credentials::rest::Rest;
use crate::credentials::server::Server;
use crate::report::{Figures, head, millis};

/// Certificates in the inventory.
const MANY: usize = 1_000_000;
/// Questions for one figure.
const QUESTIONS: usize = 1_000;

/// Inserts the rows by hand, while no server runs: their ends lie in the next 500 days, one in ten is revoked.
pub(crate) fn insert(folder: &Path) -> Result<()> {
    let started = Instant::now();
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    let last = MANY - 1;
    connection.execute_batch(&format!(
        "BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {last}) SELECT i FROM n;
         INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since,
                                  subject, common_name, spki_sha256, fingerprint, der, not_before, not_after, intended_at, issued_at, version)
         SELECT '{TENANT}', '0inv' || printf('%016d', i), 1, 'CN={TENANT}', '6' || printf('%030d', i), unhex('5f' || printf('%030x', i)),
                2000000 + i / 1000, 'device', CASE i % 10 WHEN 0 THEN 'Revoked' ELSE 'Active' END, i,
                'CN=unit-' || i, 'unit-' || i, randomblob(32), unhex('aa' || printf('%062x', i)), randomblob(500), 0,
                (unixepoch() + (i * 7919) % (500 * 86400)) * 1000000, i, i, 2 FROM n;
         INSERT INTO certificate_name (tenant, id, kind, value, intended_at)
         SELECT '{TENANT}', '0inv' || printf('%016d', i), 'dns', 'unit-' || i || '.example', i FROM n;
         DROP TABLE n;
         COMMIT;"
    ))?;
    println!("{MANY} certificates inserted by hand in {:.0} s.", started.elapsed().as_secs_f64());
    Ok(())
}

/// Prints the figures of each way to ask.
pub(crate) async fn run(server: &Server, rest: &Rest) -> Result<()> {
    println!("An inventory of {MANY} certificates, one caller.\n{}", head());
    let list = format!("{}?limit=50", certificates());
    let some = |number: usize| number.wrapping_mul(7_919 * 31) % MANY;
    let one = |items: usize| move |answer: &Value| Ok(answer["items"].as_array().context("items")?.len() == items);
    let mut worst: f64 = 0.0;
    let mut figure =
        async |name: &str, questions: usize, path: &(dyn Fn(usize) -> String + Sync), right: &(dyn Fn(&Value) -> Result<bool> + Sync)| {
            let (started, cpu) = (Instant::now(), server.cpu()?);
            let mut latencies = Vec::with_capacity(questions);
            for number in 0..questions {
                let path = path(number);
                let asked = Instant::now();
                let answer = rest.get(&path).await?;
                latencies.push(asked.elapsed());
                let answer: Value = serde_json::from_slice(&answer)?;
                anyhow::ensure!(right(&answer)?, "{path}: {answer}");
            }
            let figures = Figures::new(started.elapsed(), server.cpu()? - cpu, latencies);
            println!("{}", figures.line_of(name, None, server.peak_mib()));
            worst = worst.max(millis(figures.percentile(0.99)));
            anyhow::Ok(())
        };
    figure("  newest first", QUESTIONS, &|_| list.clone(), &one(50)).await?;
    figure("  by common name", QUESTIONS, &|n| format!("{list}&subject=unit-{}", some(n)), &one(1)).await?;
    figure("  by alternative name", QUESTIONS, &|n| format!("{list}&name=unit-{}.example", some(n)), &one(1)).await?;
    figure("  by serial number", QUESTIONS, &|n| format!("{list}&serial=6{:030}", some(n)), &one(1)).await?;
    figure("  by fingerprint", QUESTIONS, &|n| format!("{list}&fingerprint=aa{:062x}", some(n)), &one(1)).await?;
    figure("  revoked ones", QUESTIONS, &|_| format!("{list}&state=Revoked"), &one(50)).await?;
    figure("  ending within 30 days", QUESTIONS, &|_| format!("{list}&expires_within=30d"), &one(50)).await?;
    let weeks = |answer: &Value| Ok(answer["weeks"].as_array().context("weeks")?.len() == 13);
    figure("  forecast of 13 weeks", QUESTIONS / 10, &|_| format!("{}/forecast", certificates()), &weeks).await?;
    goal("p99 of every question, ms", 50.0, worst);
    println!();
    Ok(())
}
