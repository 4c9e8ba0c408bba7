//! Reading the log. Each reader names the tenant whose records it may see; none stands for all, which only a platform caller may ask.

use signet_db::{Db, Row, Sql, Statement, Value};
use signet_model::{AuditEntry, Position, TenantId};

use crate::LedgerError;

/// Most records in one page.
pub(crate) const LONGEST_PAGE: u32 = 1_000;

/// Records after `after`, oldest first.
pub(crate) async fn page(
    db: &Db,
    tenant: Option<&TenantId>,
    object: Option<&str>,
    after: Position,
    limit: u32,
) -> Result<Vec<AuditEntry>, LedgerError> {
    let text = |value: &str| Value::Text(value.to_owned());
    let (after, limit) = (Value::Int(after.value()), Value::Int(i64::from(limit.clamp(1, LONGEST_PAGE))));
    // One text for each case, so that each uses its index.
    let statement = match (tenant, object) {
        (None, None) => Statement {
            sql: Sql::Same("SELECT record FROM audit WHERE position > $1 ORDER BY position LIMIT $2"),
            params: vec![after, limit],
        },
        (Some(tenant), None) => Statement {
            sql: Sql::Same("SELECT record FROM audit WHERE tenant = $1 AND position > $2 ORDER BY position LIMIT $3"),
            params: vec![text(tenant.as_str()), after, limit],
        },
        (None, Some(object)) => Statement {
            sql: Sql::Same("SELECT record FROM audit WHERE object = $1 AND position > $2 ORDER BY position LIMIT $3"),
            params: vec![text(object), after, limit],
        },
        (Some(tenant), Some(object)) => Statement {
            sql: Sql::Same("SELECT record FROM audit WHERE object = $1 AND tenant = $2 AND position > $3 ORDER BY position LIMIT $4"),
            params: vec![text(object), text(tenant.as_str()), after, limit],
        },
    };
    db.query(statement).await?.iter().map(entry).collect()
}

/// The record at `position`, if this tenant may see it.
pub(crate) async fn at(db: &Db, tenant: Option<&TenantId>, position: Position) -> Result<Option<AuditEntry>, LedgerError> {
    let statement = match tenant {
        None => Statement { sql: Sql::Same("SELECT record FROM audit WHERE position = $1"), params: vec![Value::Int(position.value())] },
        Some(tenant) => Statement {
            sql: Sql::Same("SELECT record FROM audit WHERE position = $1 AND tenant = $2"),
            params: vec![Value::Int(position.value()), Value::Text(tenant.as_str().to_owned())],
        },
    };
    db.query_optional(statement).await?.as_ref().map(entry).transpose()
}

/// The last committed position.
pub(crate) async fn head(db: &Db) -> Result<Position, LedgerError> {
    let row = db.query_optional(Statement { sql: Sql::Same("SELECT coalesce(max(position), 0) FROM audit"), params: Vec::new() }).await?;
    Ok(Position::new(row.map(|row| row.int(0)).transpose()?.unwrap_or(0)))
}

fn entry(row: &Row) -> Result<AuditEntry, LedgerError> {
    let record = row.text(0)?;
    serde_json::from_str(record)
        .map_err(|e| LedgerError::Damaged(format!("an audit record cannot be read ({e}): run `signet audit verify`")))
}
