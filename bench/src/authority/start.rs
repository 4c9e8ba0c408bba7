//! How long a start takes with 10,000 tenants that each have a CA.

use std::path::Path;

use anyhow::Result;

use super::{TENANT, goal};
use crate::credentials::rest::Rest;
use crate::credentials::server::Server;

/// Tenants with a CA.
const MANY: i64 = 10_000;

/// Inserts them by hand, each CA a copy of the one that is there, while no server runs.
pub(crate) fn insert(folder: &Path) -> Result<()> {
    let connection = rusqlite::Connection::open(folder.join("d/signet.db"))?;
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?1 - 1)";
    let tenants = connection.execute(
        &format!(
            "INSERT INTO tenant (id, state, created_at, updated_at, version)
             {numbers} SELECT 'many-' || printf('%05d', i), 'enabled', i, i, 1 FROM n"
        ),
        [MANY],
    )?;
    let cas = connection.execute(
        &format!(
            "INSERT INTO tenant_ca (tenant, generation, state, subject, certificate, ski, serial_decimal, custody, key, mount,
                                    platform_generation, not_before, not_after, created_at, updated_at, version)
             {numbers} SELECT 'many-' || printf('%05d', n.i), 1, 'active', 'CN=many-' || printf('%05d', n.i), a.certificate, randomblob(20),
                       '8' || printf('%030d', n.i), a.custody, a.key, a.mount, a.platform_generation, a.not_before, a.not_after,
                       a.created_at, a.updated_at, 1 FROM n JOIN tenant_ca a ON a.tenant = '{TENANT}' AND a.generation = 1"
        ),
        [MANY],
    )?;
    anyhow::ensure!(tenants == cas && i64::try_from(cas)? == MANY, "{tenants} tenants and {cas} CAs inserted");
    Ok(())
}

/// Prints the time of the start that has just been.
pub(crate) async fn run(server: &Server, rest: &Rest) -> Result<()> {
    rest.get("/api/v1/tenants/many-09999/ca").await?;
    let took = server.started_in.as_secs_f64();
    println!("Start with {MANY} CAs of tenants: {took:.2} s until ready, {} MiB.", server.peak_mib());
    goal("start, s", 5.0, took);
    println!();
    Ok(())
}
