//! SQLite and PostgreSQL behind one statement type, typed rows and migrations.
//!
//! A statement has one text for both databases, its parameters are numbered `$1` to `$n`:
//!
//! ```no_run
//! # async fn example() -> Result<(), signet_db::DbError> {
//! use signet_db::{DatabaseConfig, Db, Statement, params};
//!
//! let db = Db::open(&DatabaseConfig::new("sqlite:signet.db")).await?;
//! let found = db.query_optional(Statement::new("SELECT state FROM tenant WHERE id = $1", params!["acme"])).await?;
//! # Ok(()) }
//! ```
//!
//! This crate reads. Writes go through the ledger, which drives [`SqliteWriter`] and [`PgSession`].

mod config;
mod db;
pub mod domain;
mod error;
mod migrate;
mod postgres;
mod row;
pub mod sqlite;
mod statement;
mod value;

pub use config::DatabaseConfig;
pub use db::Db;
pub use error::*;
pub use migrate::{Migration, Migrations};
pub use postgres::{PgSession, Postgres};
pub use row::Row;
pub use sqlite::{FilesystemConcern, Sqlite, SqliteWriter};
pub use statement::{Sql, Statement};
pub use value::Value;
