//! The limit: the same statements in the same batch size, on one connection, with nothing around them.

use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rusqlite::Connection;

use crate::report::{Figures, Meter};

const UPDATE: &str =
    "UPDATE credential SET state = $4, updated_at = $5, version = version + 1 WHERE id = $1 AND tenant = $2 AND version = $3";
const AUDIT: &str = "INSERT INTO audit (position, tenant, object, record) VALUES ($1, $2, $3, $4)";
const OUTBOX: &str = "INSERT INTO outbox (position, number, id, subject, payload, created_at) VALUES ($1, 0, $2, $3, $4, $5)";
const STANDING: &str = "INSERT INTO standing (position, subject, good, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) \
                        DO UPDATE SET position = excluded.position, good = excluded.good, reason = excluded.reason";
const SUBJECT: &str = "kaa.v1.events.ccm.client-credentials.basic.revoked";

/// Commits batches of `batch` changes for `time` in a database of its own at `url`, so that no sequencer folds its rows.
pub(crate) async fn run(url: &str, batch: usize, time: Duration) -> Result<Figures> {
    let db = super::open(url).await?;
    super::subject::Fleet::new(&db, 1).await?;
    drop(db);
    match url.strip_prefix("sqlite:") {
        Some(path) => tokio::task::block_in_place(|| sqlite(path, batch, time)),
        None => postgres(url, batch, time).await,
    }
}

fn record(position: i64, id: &str) -> String {
    format!(
        "{{\"position\":{position},\"v\":1,\"time\":\"2026-01-01T00:00:00.000000Z\",\"tenant\":\"t0\",\"actor\":\"operator-token\",\
         \"action\":\"credential.suspend\",\"object\":\"{id}\",\"reason\":null,\"trace_id\":\"00000000000000000000000000000001\",\"detail\":{{}}}}"
    )
}

/// The credential of the n-th change, and its version before it: every credential once in each round, in no order.
fn visit(number: usize) -> (String, i64) {
    let fleet = super::subject::FLEET;
    (format!("{:020}", number.wrapping_mul(7_919) % fleet), (number / fleet) as i64)
}

fn sqlite(path: &str, batch: usize, time: Duration) -> Result<Figures> {
    let connection = Connection::open(path)?;
    connection.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON; PRAGMA cache_size=-65536")?;
    connection.set_prepared_statement_cache_capacity(256);
    let mut position: i64 = connection.query_row("SELECT coalesce(max(position), 0) FROM audit", [], |row| row.get(0))?;
    // SQLite takes `$1` for a name and numbers it by where it first stands; `?1` is the number.
    let [update, audit, outbox, standing] = [UPDATE, AUDIT, OUTBOX, STANDING].map(|text| text.replace('$', "?"));
    let (mut latencies, mut number) = (Vec::new(), 0_usize);
    let meter = Meter::start();
    while meter.elapsed() < time {
        let started = Instant::now();
        connection.execute_batch("BEGIN IMMEDIATE")?;
        for _ in 0..batch {
            position += 1;
            let (id, version) = visit(number);
            number += 1;
            let changed = connection.prepare_cached(&update)?.execute(rusqlite::params![id, "t0", version, "Suspended", position])?;
            anyhow::ensure!(changed == 1, "the bare update missed credential {id} at version {version}");
            connection.prepare_cached(&audit)?.execute(rusqlite::params![position, "t0", id, record(position, &id)])?;
            connection.prepare_cached(&outbox)?.execute(rusqlite::params![
                position,
                format!("evt_{position:032x}"),
                SUBJECT,
                [0x5a_u8; 96],
                position
            ])?;
            connection.prepare_cached(&standing)?.execute(rusqlite::params![
                position,
                format!("credential/t0/{id}"),
                0,
                "credential.suspended"
            ])?;
        }
        connection.execute_batch("COMMIT")?;
        latencies.resize(latencies.len() + batch, started.elapsed());
    }
    Ok(meter.stop(latencies))
}

/// Pipelined on one connection: all statements of a batch are sent before the first answer is awaited.
async fn postgres(url: &str, batch: usize, time: Duration) -> Result<Figures> {
    let (client, connection) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.context("the bare connection")?;
    let driver = tokio::spawn(connection);
    let (update, audit) = (client.prepare(UPDATE).await?, client.prepare(AUDIT).await?);
    let (outbox, standing) = (client.prepare(OUTBOX).await?, client.prepare(STANDING).await?);
    let mut position: i64 = client.query_one("SELECT coalesce(max(position), 0) FROM audit", &[]).await?.get(0);
    let (mut latencies, mut number) = (Vec::new(), 0_usize);
    let meter = Meter::start();
    while meter.elapsed() < time {
        let started = Instant::now();
        client.batch_execute("BEGIN").await?;
        let rows: Vec<_> = (0..batch)
            .map(|_| {
                let (id, version) = visit(number);
                number += 1;
                position += 1;
                (position, version, record(position, &id), format!("evt_{position:032x}"), format!("credential/t0/{id}"), id)
            })
            .collect();
        let sent = rows.iter().map(|(position, version, record, event, subject, id)| {
            let (client, update, audit, outbox, standing) = (&client, &update, &audit, &outbox, &standing);
            async move {
                let (payload, good) = ([0x5a_u8; 96], 0_i64);
                futures_util::future::try_join4(
                    client.execute_raw(update, params(&[id, &"t0", version, &"Suspended", position])),
                    client.execute_raw(audit, params(&[position, &"t0", id, record])),
                    client.execute_raw(outbox, params(&[position, event, &SUBJECT, &payload.as_slice(), position])),
                    client.execute_raw(standing, params(&[position, subject, &good, &"credential.suspended"])),
                )
                .await
            }
        });
        for (changed, ..) in futures_util::future::try_join_all(sent).await? {
            anyhow::ensure!(changed == 1, "the bare update missed");
        }
        client.batch_execute("COMMIT").await?;
        latencies.resize(latencies.len() + batch, started.elapsed());
    }
    let figures = meter.stop(latencies);
    drop(client);
    driver.await??;
    Ok(figures)
}

type Param<'a> = &'a (dyn tokio_postgres::types::ToSql + Sync);

fn params<'a>(params: &'a [Param<'a>]) -> impl ExactSizeIterator<Item = Param<'a>> {
    params.iter().copied()
}
