//! A revocation, and the CRL and the OCSP answer that follow it. One caller asks for both after each revocation and must see it in
//! both; many callers ask for OCSP only, and the lists follow by themselves, as they do for a fleet.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::json;

use super::bare::Bare;
use super::ocsp::{Responder, Subject};
use super::{CALLERS, TENANT, goal};
use crate::credentials::rest::Rest;
use crate::credentials::server::Server;
use crate::report::{Figures, head, millis};

/// Certificates that one caller revokes.
const ALONE: usize = 300;
/// Certificates that many callers revoke.
const TOGETHER: usize = 3_200;
/// In what time every list has followed: two rounds of the publisher.
const FOLLOW: Duration = Duration::from_secs(2);

/// Prints the figures; gives the CPU of one revocation among many, in µs.
pub(crate) async fn run(what: &str, server: &Server, rest: &Rest, bare: &Bare) -> Result<f64> {
    println!("Revocations {what}, on SQLite; limit is the bare signature.\n{}", head());
    let responder = Responder::of(server, rest).await?;
    let subjects = responder.subjects(rest, ALONE + TOGETHER).await?;
    let (alone, together) = subjects.split_at_checked(ALONE).context("enough certificates")?;
    // The delegate is made, and every connection is open.
    responder.status(alone.first().context("a certificate")?).await?;

    let (started, cpu) = (Instant::now(), server.cpu()?);
    let mut latencies = Vec::with_capacity(ALONE);
    for subject in alone {
        let asked = Instant::now();
        revoke(rest, subject).await?;
        anyhow::ensure!(responder.lists(subject).await?, "the CRL that was asked for after the revocation does not list it");
        anyhow::ensure!(responder.status(subject).await? == "revoked", "OCSP does not say revoked");
        latencies.push(asked.elapsed());
    }
    let figures = Figures::new(started.elapsed(), server.cpu()? - cpu, latencies);
    println!("{}", figures.line_of("  1 caller, a CRL and OCSP after each", Some(bare.sign), server.peak_mib()));

    let (started, cpu) = (Instant::now(), server.cpu()?);
    let together: Arc<[Subject]> = together.to_vec().into();
    let tasks: Vec<_> = (0..CALLERS)
        .map(|caller| {
            let (rest, responder, together) = (rest.clone(), responder.clone(), Arc::clone(&together));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                for subject in together.iter().skip(caller).step_by(CALLERS) {
                    let asked = Instant::now();
                    revoke(&rest, subject).await?;
                    latencies.push(asked.elapsed());
                    anyhow::ensure!(responder.status(subject).await? == "revoked", "OCSP does not say revoked");
                }
                anyhow::Ok(latencies)
            })
        })
        .collect();
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    let elapsed = started.elapsed();
    // The lists of the last second follow; their cost belongs to the revocations, that of looking at them does not.
    tokio::time::sleep(FOLLOW).await;
    let figures = Figures::new(elapsed, server.cpu()? - cpu, latencies);
    for subject in together.iter() {
        anyhow::ensure!(responder.lists(subject).await?, "the CRL did not follow");
    }
    println!("{}", figures.line_of(&format!("  {CALLERS} callers, CRLs following, OCSP after each"), Some(bare.sign), server.peak_mib()));
    let cost = figures.cpu_per_operation().as_secs_f64() * 1e6;
    goal("CPU per revocation with CRL and OCSP, µs", 150.0, cost);
    goal("p99, ms", 10.0, millis(figures.percentile(0.99)));
    println!();
    Ok(cost)
}

async fn revoke(rest: &Rest, subject: &Subject) -> Result<()> {
    let path = format!("/api/v1/tenants/{TENANT}/credentials/{}/revoke", subject.id);
    rest.post(&path, &json!({ "reason": "superseded" })).await?;
    Ok(())
}

/// Inserts a million revoked certificates in 1,000 partitions by hand, with their credentials, while no server runs.
pub(crate) fn insert(folder: &Path) -> Result<()> {
    let started = Instant::now();
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    let far = "(SELECT max(not_after) FROM certificate)";
    connection.execute_batch(&format!(
        "BEGIN;
         CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 999999) SELECT i FROM n;
         INSERT INTO crl_partition (tenant, generation, number, certificates, changed, published, crl_number, created_at, version)
         SELECT '{TENANT}', 1, 1000000 + i, 1000, 0, 0, 0, 0, 1 FROM n WHERE i < 1000;
         INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since,
                                  revocation_reason, subject, common_name, spki_sha256, not_before, not_after, intended_at, issued_at, version)
         SELECT '{TENANT}', '0old' || printf('%016d', i), 1, 'CN={TENANT}', '9' || printf('%030d', i), unhex('7f' || printf('%030x', i)),
                1000000 + i / 1000, 'device', 'Revoked', i, 'superseded', 'CN=old-' || i, 'old-' || i,
                randomblob(32), 0, {far}, i, i, 2 FROM n;
         INSERT INTO credential (tenant, id, kind, state, issuer_dn, serial_decimal, common_name, not_before, not_after,
                                 created_at, updated_at, version)
         SELECT tenant, id, 'x509', state, issuer_dn, serial_decimal, common_name, not_before, not_after, intended_at, intended_at, 2
         FROM certificate WHERE id LIKE '0old%';
         DROP TABLE n;
         COMMIT;"
    ))?;
    println!("1,000,000 revoked certificates inserted by hand in {:.0} s.", started.elapsed().as_secs_f64());
    Ok(())
}
