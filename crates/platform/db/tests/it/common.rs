//! A fresh database of each kind.

use signet_db::{DatabaseConfig, Db, Migration, Migrations, Statement, Value};
use signet_testkit::TestPostgres;
use tempfile::TempDir;

/// A fresh database; an SQLite file goes with it.
pub(crate) struct Fresh {
    pub(crate) db: Db,
    pub(crate) url: String,
    _directory: Option<TempDir>,
}

impl Fresh {
    pub(crate) async fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", directory.path().join("signet.db").display());
        Self { db: Db::open(&DatabaseConfig::new(&url)).await.unwrap(), url, _directory: Some(directory) }
    }

    pub(crate) async fn postgres() -> Self {
        Self::on(TestPostgres::shared()).await
    }

    /// On a cluster whose default collation is not that of bytes.
    pub(crate) async fn postgres_icu() -> Self {
        Self::on(TestPostgres::shared_icu()).await
    }

    async fn on(cluster: &TestPostgres) -> Self {
        let url = cluster.fresh_database().await;
        Self { db: Db::open(&DatabaseConfig::new(&url)).await.unwrap(), url, _directory: None }
    }

    /// Writes as the ledger does: over the writer, or over a session.
    pub(crate) async fn write(&self, statement: Statement) -> Result<u64, signet_db::DbError> {
        match &self.db {
            Db::Sqlite(sqlite) => sqlite.writer().transaction(move |connection| signet_db::sqlite::execute(connection, &statement)).await,
            Db::Postgres(postgres) => postgres.dedicated("test").await?.execute(&statement).await,
        }
    }

    /// With a table `item(key, number, note, body)`.
    pub(crate) async fn with_items(self) -> Self {
        self.db.migrate(&[ITEMS]).await.unwrap();
        self
    }

    pub(crate) async fn insert(&self, key: &str, number: i64) {
        let sql = "INSERT INTO item (key, number) VALUES ($1, $2)";
        assert_eq!(self.write(Statement::new(sql, signet_db::params![key, number])).await.unwrap(), 1);
    }
}

pub(crate) const ITEMS: Migrations = Migrations {
    owner: "items",
    steps: &[Migration {
        version: 1,
        name: "items",
        sql: "CREATE TABLE item (key {text_c} PRIMARY KEY, number {int8} NOT NULL, note {text_c}, body {bytes}) {strict};
              CREATE INDEX item_by_number ON item (number)",
    }],
};

/// One test for each kind of database: `name::on_sqlite`, `name::on_postgres`, `name::on_postgres_with_icu_collation`.
macro_rules! on_every_database {
    ($(#[doc = $doc:literal])* async fn $name:ident($fresh:ident: Fresh) $body:block) => {
        mod $name {
            use super::*;

            $(#[doc = $doc])*
            async fn test($fresh: $crate::common::Fresh) $body

            #[tokio::test(flavor = "multi_thread")]
            async fn on_sqlite() {
                test($crate::common::Fresh::sqlite().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres() {
                test($crate::common::Fresh::postgres().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn on_postgres_with_icu_collation() {
                test($crate::common::Fresh::postgres_icu().await).await;
            }
        }
    };
}

/// The first column of every row.
pub(crate) fn texts(rows: &[signet_db::Row]) -> Vec<String> {
    rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect()
}

/// All values of a row.
pub(crate) fn values(row: &signet_db::Row) -> Vec<Value> {
    (0..row.width()).filter_map(|column| row.value(column).cloned()).collect()
}
