//! The table of Kaa's CCM in its PostgreSQL database, read through one cursor in one read-only transaction: every row once, as the
//! table was at the start, with as much memory on either side as a page needs.
//!
//! The original's layout is not published; ours is assumed (`kaa.md` 14.2) and every name can be given. Texts are read
//! as bytes, so that one row that is no UTF-8 does not end the whole.

use std::time::Duration;

use signet_credentials::ForeignCredential;
use signet_crypto::Secret;
use signet_db::{DatabaseConfig, DbError, PgSession, Postgres};
use signet_model::{Refusal, log_text};
use tokio_postgres::Row;
use tokio_postgres::types::Type;

use super::{IMPORT_LAYOUT, IMPORT_SOURCE};

/// The longest wait for a page; the first one may have to sort the table.
const LONGEST_FETCH: Duration = Duration::from_secs(600);
/// Connections of the source that are allowed for; one is used.
const CONNECTIONS: usize = 6;
/// Most names that a fault lists.
const MOST_NAMES: i64 = 40;

/// Where the credentials stand in the source.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// `TABLE` or `SCHEMA.TABLE`.
    pub(crate) table: String,
    /// The columns, in the order of [`NAMES`].
    pub(crate) columns: [String; 8],
    /// A `SELECT` whose columns have the names of [`NAMES`], instead of table and columns.
    pub(crate) query: Option<String>,
}

/// What the columns of a `--query` must be called.
pub(crate) const NAMES: [&str; 8] = ["tenant", "id", "username", "password_hash", "state", "created_at", "updated_at", "last_used_at"];
/// The first of them that are dates.
const FIRST_DATE: usize = 5;

impl Layout {
    /// The rows under the names of [`NAMES`].
    fn rows(&self) -> String {
        match &self.query {
            Some(query) => query.trim().trim_end_matches(';').to_owned(),
            None => {
                let columns = self.columns.iter().zip(NAMES).map(|(column, name)| format!("{} AS {name}", identifier(column)));
                format!("SELECT {} FROM {}", columns.collect::<Vec<_>>().join(", "), self.table_name())
            }
        }
    }

    fn table_name(&self) -> String {
        self.table.split('.').map(identifier).collect::<Vec<_>>().join(".")
    }
}

/// A quoted identifier.
fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// How a column of this type is read; none when it cannot be.
fn reading(column: usize, name: &str, of: &Type) -> Option<String> {
    if column >= FIRST_DATE {
        let date = [Type::TIMESTAMPTZ, Type::TIMESTAMP, Type::DATE].contains(of);
        // A timestamp without zone is UTC, as the original's API has it. Infinity is no date.
        return date.then(|| {
            format!("CASE WHEN isfinite(s.{name}) THEN CAST(round(CAST(extract(epoch FROM s.{name}) * 1000000 AS numeric)) AS bigint) END")
        });
    }
    match *of {
        Type::BYTEA => Some(format!("s.{name}")),
        _ => Some(format!("convert_to(CAST(s.{name} AS text), 'UTF8')")),
    }
}

/// An open source.
pub(crate) struct Source {
    session: PgSession,
    place: String,
    total: u64,
}

impl Source {
    /// Connects, checks the layout and opens the cursor.
    ///
    /// # Errors
    /// The server cannot be reached (7), or has no such table or column (6).
    pub(crate) async fn open(url: &str, layout: &Layout) -> Result<Self, Refusal> {
        let config = DatabaseConfig { max_connections: CONNECTIONS, ..DatabaseConfig::new(url) };
        let postgres = Postgres::open(&config).map_err(|error| named("--from", &error))?;
        let session = postgres.dedicated("signet-import").await.map_err(|error| unreachable(&error))?;
        let place = postgres.place().to_owned();
        let source = Self { session, place, total: 0 };
        // The session's own limits are those of short statements; a cursor lives as long as the import.
        source
            .batch(
                "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY",
            )
            .await?;
        let readings = source.readings(layout).await?;
        let rows = layout.rows();
        let total = source.query(&format!("SELECT count(*) FROM ({rows}) AS s")).await?;
        let total: i64 = total.first().and_then(|row| row.try_get(0).ok()).unwrap_or(0);
        // Doubles of a username stand side by side, and a run meets the rows in the same order as the one before.
        let order = "CAST(s.tenant AS text), CAST(s.username AS text), CAST(s.id AS text)";
        source
            .batch(&format!(
                "DECLARE signet_import NO SCROLL CURSOR FOR SELECT {} FROM ({rows}) AS s ORDER BY {order}",
                readings.join(", ")
            ))
            .await?;
        Ok(Self { total: u64::try_from(total).unwrap_or(0), ..source })
    }

    /// Where it is, in words; without a password.
    pub(crate) fn place(&self) -> &str {
        &self.place
    }

    /// How many rows there are.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The next rows; none at the end.
    pub(crate) async fn next(&mut self, count: usize) -> Result<Vec<ForeignCredential>, Refusal> {
        let rows = self.query(&format!("FETCH {count} FROM signet_import")).await?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(|error| unreachable(&self.session.fault(error)))
    }

    /// How each column is read, by its type.
    async fn readings(&self, layout: &Layout) -> Result<Vec<String>, Refusal> {
        let text = format!("SELECT {} FROM ({}) AS s", NAMES.map(|name| format!("s.{name}")).join(", "), layout.rows());
        let prepared = match self.session.client().prepare(&text).await {
            Ok(prepared) => prepared,
            Err(error) if error.as_db_error().is_some() => return Err(self.no_such_layout(layout, error).await),
            Err(error) => return Err(unreachable(&self.session.fault(error))),
        };
        let columns = prepared.columns().iter().zip(NAMES).enumerate();
        columns
            .map(|(number, (column, name))| {
                reading(number, name, column.type_()).ok_or_else(|| {
                    Refusal::new(
                        &IMPORT_LAYOUT,
                        format!("{}: `{name}` is of type {}; wanted a timestamp or a date", self.place, column.type_()),
                    )
                    .with_fix(format!("Write a `--query` that casts it, such as `to_timestamp(n / 1000.0) AS {name}`."))
                })
            })
            .collect()
    }

    /// What the source says to a table or column that is not there, and what it has instead.
    async fn no_such_layout(&self, layout: &Layout, error: tokio_postgres::Error) -> Refusal {
        let detail = format!("{}: {}", self.place, self.session.fault(error));
        // The failed statement has ended the transaction.
        let there = match self.batch("ROLLBACK").await {
            Ok(()) if layout.query.is_none() => self.names(layout).await.unwrap_or_default(),
            Ok(()) | Err(_) => String::new(),
        };
        Refusal::new(&IMPORT_LAYOUT, detail).with_fix(format!("{}{there}", IMPORT_LAYOUT.fix))
    }

    /// The columns of the table where it is there, else the tables.
    async fn names(&self, layout: &Layout) -> Result<String, Refusal> {
        let list = |rows: &[Row]| {
            let names: Vec<String> =
                rows.iter().filter_map(|row| row.try_get::<_, String>(0).ok()).map(|name| log_text(&name, 64)).collect();
            names.join(", ")
        };
        let table = layout.table_name().replace('\'', "''");
        let columns = format!(
            "SELECT CAST(attname AS text) FROM pg_attribute WHERE attrelid = to_regclass('{table}') AND attnum > 0 AND NOT attisdropped ORDER BY attnum LIMIT {MOST_NAMES}"
        );
        let columns = list(&self.query(&columns).await?);
        if !columns.is_empty() {
            return Ok(format!(" The table has the columns {columns}."));
        }
        let tables = format!(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1 LIMIT {MOST_NAMES}"
        );
        let tables = list(&self.query(&tables).await?);
        Ok(if tables.is_empty() { " The database has no tables.".to_owned() } else { format!(" The database has the tables {tables}.") })
    }

    async fn query(&self, text: &str) -> Result<Vec<Row>, Refusal> {
        self.within(self.session.client().query(text, &[])).await
    }

    async fn batch(&self, text: &str) -> Result<(), Refusal> {
        self.within(self.session.client().batch_execute(text)).await
    }

    async fn within<T>(&self, request: impl Future<Output = Result<T, tokio_postgres::Error>>) -> Result<T, Refusal> {
        match tokio::time::timeout(LONGEST_FETCH, request).await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => Err(unreachable(&self.session.fault(error))),
            Err(_) => {
                self.session.cut();
                Err(Refusal::new(&IMPORT_SOURCE, format!("{}: no answer within {LONGEST_FETCH:?}", self.place)))
            }
        }
    }
}

fn unreachable(error: &DbError) -> Refusal {
    Refusal::new(&IMPORT_SOURCE, error.to_string())
}

/// A URL that cannot be used, told with the option's name instead of the configuration's.
fn named(option: &str, error: &DbError) -> Refusal {
    Refusal::new(error.reason(), error.to_string().replace("database.url", option)).with_fix(format!("Correct the URL of `{option}`."))
}

fn read(row: &Row) -> Result<ForeignCredential, tokio_postgres::Error> {
    let bytes = |column: usize| Ok::<_, tokio_postgres::Error>(row.try_get::<_, Option<Vec<u8>>>(column)?.unwrap_or_default());
    Ok(ForeignCredential {
        tenant: bytes(0)?,
        id: bytes(1)?,
        username: bytes(2)?,
        password_hash: Secret::from(bytes(3)?),
        state: bytes(4)?,
        created_at: row.try_get(5)?,
        updated_at: row.try_get(6)?,
        last_used_at: row.try_get(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_and_a_query_stands_alone() {
        let mut layout = Layout { table: "ccm.basic\"x".to_owned(), columns: NAMES.map(str::to_owned), query: None };
        assert_eq!(layout.table_name(), "\"ccm\".\"basic\"\"x\"");
        assert!(layout.rows().starts_with("SELECT \"tenant\" AS tenant, \"id\" AS id,"), "{}", layout.rows());
        layout.query = Some(" SELECT 1; ".to_owned());
        assert_eq!(layout.rows(), "SELECT 1");
    }

    #[test]
    fn dates_must_be_dates_and_texts_may_be_anything() {
        assert!(reading(5, "created_at", &Type::INT8).is_none() && reading(5, "created_at", &Type::TEXT).is_none());
        assert!(reading(5, "created_at", &Type::TIMESTAMP).is_some());
        assert_eq!(reading(3, "password_hash", &Type::BYTEA).unwrap(), "s.password_hash");
        assert!(reading(1, "id", &Type::UUID).unwrap().contains("convert_to"));
    }
}
