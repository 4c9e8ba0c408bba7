//! What a server must be before anything is trusted to it.

use tokio_postgres::Client;

use super::fault::{POOLER_DROPS_SETTINGS, TRANSACTION_POOLER, fault};
use super::link::{Link, Purpose};
use super::target::Target;
use crate::DbError;

/// The first version with `idle_session_timeout`, by which a leader that fell silent is told from one that lives.
const OLDEST: i64 = 140_000;

const FACTS: &str = "SELECT CAST(current_setting('server_version_num') AS bigint), current_setting('server_encoding'), \
                     pg_is_in_recovery(), current_setting('transaction_read_only'), CAST(pg_backend_pid() AS bigint), \
                     (SELECT setting FROM pg_settings WHERE name = 'statement_timeout')";

/// Refuses what cannot work; the server process behind the connection otherwise.
pub(super) async fn check(client: &Client, purpose: Purpose, target: &Target) -> Result<i64, DbError> {
    let words = |error| fault(&target.place, error);
    let row = client.query_one(FACTS, &[]).await.map_err(words)?;
    let text = |column: usize| row.try_get::<_, String>(column).map_err(words);
    let facts = Facts {
        version: row.try_get(0).map_err(words)?,
        encoding: text(1)?,
        standby: row.try_get(2).map_err(words)?,
        read_only: purpose == Purpose::Dedicated && text(3)? == "on",
        settings_taken: purpose.settings(target.deadline).contains(&("statement_timeout", text(5)?)),
    };
    facts.judge().map_err(|error| error.at(&target.place))?;
    row.try_get(4).map_err(words)
}

struct Facts {
    version: i64,
    encoding: String,
    standby: bool,
    read_only: bool,
    /// Whether the session has the limits that the connection was opened with.
    settings_taken: bool,
}

impl Facts {
    fn judge(&self) -> Result<(), DbError> {
        if self.version < OLDEST {
            let (major, oldest) = (self.version / 10_000, OLDEST / 10_000);
            return Err(DbError::Unsupported(format!("the server is PostgreSQL {major}; Signet needs {oldest} or newer")));
        }
        if self.encoding != "UTF8" {
            let encoding = &self.encoding;
            return Err(DbError::Unsupported(format!("the database's encoding is {encoding}; create it with ENCODING 'UTF8'")));
        }
        if self.standby {
            return Err(DbError::Unavailable("the server is a read-only standby; name the primary in database.url".to_owned()));
        }
        if self.read_only {
            let setting = "default_transaction_read_only is on for this server, database or user";
            return Err(DbError::Unavailable(format!("the database is read-only: {setting}")));
        }
        if !self.settings_taken {
            return Err(DbError::Unsupported(POOLER_DROPS_SETTINGS.to_owned()));
        }
        Ok(())
    }
}

/// Looks for a pooler that gives each transaction another server process. Two connections that stay open must have two server
/// processes, and each must keep its own while the other one's transaction holds the pooler's favourite.
pub(super) async fn refuse_transaction_pooler(first: &Link, target: &Target) -> Result<(), DbError> {
    let second = Link::open(target, Purpose::Shared, "signet-check").await?;
    let pooled = || DbError::Unsupported(format!("{}: {TRANSACTION_POOLER}", target.place));
    if second.backend == first.backend {
        return Err(pooled());
    }
    let words = |error| fault(&target.place, error);
    first.client.batch_execute("BEGIN").await.map_err(words)?;
    let held = second.ping().await;
    first.client.batch_execute("COMMIT").await.map_err(words)?;
    for answer in [held, second.ping().await, first.ping().await] {
        answer.map_err(|error| error.at(&target.place))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> Facts {
        Facts { version: 150_004, encoding: "UTF8".into(), standby: false, read_only: false, settings_taken: true }
    }

    #[test]
    fn a_server_that_cannot_work_is_refused_in_words() {
        assert_eq!(good().judge(), Ok(()));
        let rows = [
            (Facts { version: 120_019, ..good() }, "storage.unsupported", "PostgreSQL 12; Signet needs 14"),
            (Facts { encoding: "SQL_ASCII".into(), ..good() }, "storage.unsupported", "ENCODING 'UTF8'"),
            (Facts { standby: true, ..good() }, "storage.unavailable", "read-only standby"),
            (Facts { read_only: true, ..good() }, "storage.unavailable", "default_transaction_read_only"),
            (Facts { settings_taken: false, ..good() }, "storage.unsupported", "pooler"),
        ];
        for (facts, reason, words) in rows {
            let error = facts.judge().unwrap_err();
            assert_eq!(error.reason().code, reason);
            assert!(error.to_string().contains(words), "{error}");
        }
    }
}
