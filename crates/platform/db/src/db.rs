//! The one face of both databases.

use crate::config::Kind;
use crate::statement::at_most_one;
use crate::{DatabaseConfig, DbError, Migrations, Postgres, Row, Sqlite, Statement, postgres, sqlite};

/// A database. Clones share its connections and threads.
#[derive(Clone)]
pub enum Db {
    /// The embedded one.
    Sqlite(Sqlite),
    /// A server.
    Postgres(Postgres),
}

impl Db {
    /// Opens the database. SQLite's file is opened or made; PostgreSQL need not be there yet.
    pub async fn open(config: &DatabaseConfig) -> Result<Self, DbError> {
        match config.kind()? {
            Kind::Sqlite(path) => Sqlite::open(&path, config.deadline).await.map(Self::Sqlite),
            Kind::Postgres => Postgres::open(config).map(Self::Postgres),
        }
    }

    /// Where it is, in words; without a password.
    pub fn place(&self) -> String {
        match self {
            Self::Sqlite(sqlite) => format!("SQLite at {}", sqlite.path().display()),
            Self::Postgres(postgres) => postgres.place().to_owned(),
        }
    }

    /// Runs a read; ends by the deadline. How many rows may come is the statement's `LIMIT`.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(statement).await,
            Self::Postgres(postgres) => postgres.query(statement).await,
        }
    }

    /// Runs a read that finds one row or none; several are an error.
    pub async fn query_optional(&self, statement: Statement) -> Result<Option<Row>, DbError> {
        at_most_one(self.query(statement).await?)
    }

    /// Whether the database answers, by the deadline.
    pub async fn ping(&self) -> Result<(), DbError> {
        match self {
            // Reads the file, not only the parser.
            Self::Sqlite(sqlite) => sqlite.query(Statement::new("SELECT count(*) FROM sqlite_schema", Vec::new())).await.map(drop),
            Self::Postgres(postgres) => postgres.ping().await,
        }
    }

    /// Brings each owner's tables to the newest version that this program knows. Any number of processes may do so at once.
    ///
    /// # Errors
    /// [`DbError::SchemaTooNew`] when a newer program was here; nothing of that owner is changed then.
    pub async fn migrate(&self, all: &[Migrations]) -> Result<(), DbError> {
        match self {
            Self::Sqlite(sqlite) => sqlite::migrate::migrate(sqlite, all).await,
            Self::Postgres(postgres) => postgres::migrate::migrate(postgres, all).await,
        }
    }

    /// Closes it after what runs has ended.
    pub async fn close(&self) {
        match self {
            Self::Sqlite(sqlite) => sqlite.close().await,
            Self::Postgres(postgres) => postgres.close(),
        }
    }
}
