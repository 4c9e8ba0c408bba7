//! One Change in a PostgreSQL transaction of its own, statement by statement: for what cannot be one statement, and to find the
//! culprit of a failed batch.

use signet_db::{Statement, Value};
use tokio_postgres::Client;

use crate::compose::{audit_params, filled, outbox_params, standing_params};
use crate::pipeline::{Failure, as_params, send};
use crate::postgres::COMMIT_LOCK;
use crate::{Change, Expect};

const AUDIT: &str = "INSERT INTO audit (position, tenant, object, record) \
                     SELECT h.p, $1::text, $2::text, '{\"position\":' || h.p || $3::text \
                     FROM (SELECT coalesce(max(position), 0) + 1 AS p FROM audit) h RETURNING position";
const OUTBOX: &str = "INSERT INTO outbox (position, number, id, subject, payload, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
const STANDING: &str = "INSERT INTO standing (position, subject, good, reason) VALUES ($1, $2, $3, $4) ON CONFLICT (subject) \
                        DO UPDATE SET position = excluded.position, good = excluded.good, reason = excluded.reason";
/// Statements sent before their answers are awaited.
const IN_FLIGHT: usize = 64;

/// The position, or none when an expectation failed.
pub(crate) async fn write(client: &Client, change: &Change) -> Result<Option<i64>, Failure> {
    let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({COMMIT_LOCK})");
    client.batch_execute(&begin).await.map_err(Failure::of)?;
    match write_inside(client, change).await.map_err(Failure::of) {
        Ok(Some(position)) => {
            client.batch_execute("COMMIT").await.map_err(Failure::of)?;
            Ok(Some(position))
        }
        Ok(None) => {
            client.batch_execute("ROLLBACK").await.map_err(Failure::of)?;
            Ok(None)
        }
        Err(Failure::Statement(error)) => {
            client.batch_execute("ROLLBACK").await.map_err(Failure::of)?;
            Err(Failure::Statement(error))
        }
        Err(Failure::Lost) => Err(Failure::Lost),
    }
}

async fn write_inside(client: &Client, change: &Change) -> Result<Option<i64>, tokio_postgres::Error> {
    for expect in &change.expect {
        let (touched, wanted) = match expect {
            Expect::Guard { statement, rows } => {
                let found = client.query(&text_of(statement), &as_params(&statement.params)).await?;
                (u64::try_from(found.len()).unwrap_or(u64::MAX), *rows)
            }
            Expect::Write { statement, rows } => (client.execute(&text_of(statement), &as_params(&statement.params)).await?, *rows),
        };
        if touched != wanted {
            return Ok(None);
        }
    }
    for effect in &change.effect {
        client.execute(&text_of(effect), &as_params(&effect.params)).await?;
    }
    let position: i64 = client.query_one(AUDIT, &as_params(&audit_params(change))).await?.try_get(0)?;
    let events = (0_i64..).zip(&change.events).map(|(number, event)| {
        let [id, subject, payload, created] = outbox_params(change, event);
        vec![Value::Int(position), Value::Int(number), id, subject, payload, created]
    });
    insert_all(client, OUTBOX, events.collect()).await?;
    let standings = change.standing.iter().map(|entry| {
        let [subject, good, reason] = standing_params(entry);
        vec![Value::Int(position), subject, good, reason]
    });
    insert_all(client, STANDING, standings.collect()).await?;
    Ok(Some(position))
}

async fn insert_all(client: &Client, text: &str, rows: Vec<Vec<Value>>) -> Result<(), tokio_postgres::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let statement = &client.prepare(text).await?;
    for chunk in rows.chunks(IN_FLIGHT) {
        let mut sent = Vec::with_capacity(chunk.len());
        for row in chunk {
            sent.push(send(async move { client.execute(statement, &as_params(row)).await }).await);
        }
        for answer in sent {
            answer.answer().await?;
        }
    }
    Ok(())
}

fn text_of(statement: &Statement) -> String {
    filled(statement.sql.postgres(), "TRUE", '$', 0)
}
