//! The database of a process: how the settings name it, and the tables of everything in it.

use std::path::Path;

use signet_db::{DatabaseConfig, Db, DbError, Migrations};

use crate::config::{DatabaseUrl, Settings};

/// How the settings say the database is reached.
pub(crate) fn configuration(settings: &Settings, data_dir: &Path) -> DatabaseConfig {
    let url = match &settings.database.url {
        DatabaseUrl::Sqlite => format!("sqlite:{}", sqlite_file(data_dir).display()),
        DatabaseUrl::Postgres(url) => url.0.clone(),
    };
    DatabaseConfig {
        max_connections: usize::try_from(settings.database.max_connections.0).unwrap_or(DatabaseConfig::MAX_CONNECTIONS),
        ca_file: settings.database.ca_file.clone(),
        ..DatabaseConfig::new(url)
    }
}

/// The file of the embedded database.
pub(crate) fn sqlite_file(data_dir: &Path) -> std::path::PathBuf {
    data_dir.join("signet.db")
}

/// Opens it; PostgreSQL need not be there yet.
pub(crate) async fn open(settings: &Settings, data_dir: &Path) -> Result<Db, DbError> {
    Db::open(&configuration(settings, data_dir)).await
}

/// The tables of the ledger and of every room.
pub(crate) fn migrations() -> [Migrations; 3] {
    [signet_ledger::migrations(), signet_credentials::migrations(), signet_authority::migrations()]
}

/// Brings all tables to what this program knows.
pub(crate) async fn migrate(db: &Db) -> Result<(), DbError> {
    db.migrate(&migrations()).await
}
