//! Migrations: each owner's tables in numbered steps, each step in a transaction of its own with its line in
//! `schema_version`, so that a kill leaves whole steps only. One text for both databases, by placeholders for the types.

use crate::{DbError, Statement, params};

/// One step of an owner's schema.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its number; steps count upwards.
    pub version: i64,
    /// What it does, in a few words.
    pub name: &'static str,
    /// Its statements, with the placeholders `{int8}`, `{bytes}`, `{text_c}` (a text that compares by bytes) and `{strict}`
    /// (behind the closing bracket of a table).
    pub sql: &'static str,
}

/// The steps of one owner of tables.
#[derive(Clone, Copy, Debug)]
pub struct Migrations {
    /// Whose tables, such as `ledger`.
    pub owner: &'static str,
    /// Its steps, oldest first.
    pub steps: &'static [Migration],
}

impl Migrations {
    /// Version 0 is an empty database.
    pub(crate) fn newest(&self) -> i64 {
        self.steps.last().map_or(0, |step| step.version)
    }

    pub(crate) fn check_order(&self) -> Result<(), DbError> {
        let rising = self.steps.iter().zip(self.steps.iter().skip(1)).all(|(one, next)| one.version < next.version);
        let positive = self.steps.first().is_none_or(|step| step.version > 0);
        if rising && positive { Ok(()) } else { Err(DbError::Internal(format!("the migrations of `{}` are out of order", self.owner))) }
    }

    /// The step that follows `present`, or none when all is done.
    pub(crate) fn next_after(&self, present: i64) -> Result<Option<&'static Migration>, DbError> {
        if present > self.newest() {
            return Err(DbError::SchemaTooNew { owner: self.owner.to_owned(), found: present, known: self.newest() });
        }
        Ok(self.steps.iter().find(|step| step.version > present))
    }
}

/// Which database a text is written for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

/// The text with its placeholders replaced.
pub(crate) fn rendered(text: &str, dialect: Dialect) -> String {
    let names = match dialect {
        Dialect::Sqlite => [("{int8}", "INTEGER"), ("{bytes}", "BLOB"), ("{text_c}", "TEXT"), ("{strict}", "STRICT")],
        Dialect::Postgres => [("{int8}", "bigint"), ("{bytes}", "bytea"), ("{text_c}", "text COLLATE \"C\""), ("{strict}", "")],
    };
    names.into_iter().fold(text.to_owned(), |text, (placeholder, name)| text.replace(placeholder, name))
}

pub(crate) const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (
    owner      {text_c} NOT NULL,
    version    {int8} NOT NULL,
    name       {text_c} NOT NULL,
    applied_at {int8} NOT NULL,
    PRIMARY KEY (owner, version)
) {strict}";

/// The version that an owner's tables have.
pub(crate) fn present(owner: &'static str) -> Statement {
    Statement::new("SELECT coalesce(max(version), 0) FROM schema_version WHERE owner = $1", params![owner])
}

/// The line of a step. The time is the database's: nothing but the reader of the table depends on it.
pub(crate) fn record(owner: &'static str, step: &Migration) -> Statement {
    let sql = crate::Sql::Pair {
        sqlite: "INSERT INTO schema_version (owner, version, name, applied_at) \
                 VALUES ($1, $2, $3, CAST(unixepoch('subsec') * 1000000 AS INTEGER))",
        postgres: "INSERT INTO schema_version (owner, version, name, applied_at) \
                   VALUES ($1, $2, $3, CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint))",
    };
    Statement::new(sql, params![owner, step.version, step.name])
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn step(version: i64) -> Migration {
        Migration { version, name: "a step", sql: "" }
    }

    #[test]
    fn the_next_step_follows_the_version_that_is_there() {
        const STEPS: &[Migration] = &[step(1), step(2), step(5)];
        let all = Migrations { owner: "room", steps: STEPS };
        let next = |present| all.next_after(present).map(|step| step.map(|step| step.version));
        assert_eq!((next(0), next(1), next(2), next(3), next(5)), (Ok(Some(1)), Ok(Some(2)), Ok(Some(5)), Ok(Some(5)), Ok(None)));
        let error = next(6).unwrap_err();
        assert_eq!(error.reason().code, "storage.schema-too-new");
        assert_eq!(error.to_string(), "the tables of `room` have schema version 6; this version of Signet knows versions up to 5");
    }

    #[test]
    fn steps_out_of_order_are_a_fault_of_ours() {
        const TWICE: &[Migration] = &[step(2), step(2)];
        const ZERO: &[Migration] = &[step(0)];
        assert!(Migrations { owner: "room", steps: TWICE }.check_order().is_err());
        assert!(Migrations { owner: "room", steps: ZERO }.check_order().is_err());
        assert!(Migrations { owner: "room", steps: &[] }.check_order().is_ok());
    }

    #[test]
    fn placeholders_become_the_types_of_each_database() {
        let text = "CREATE TABLE t (a {text_c} PRIMARY KEY, b {int8}, c {bytes}) {strict}";
        assert_eq!(rendered(text, Dialect::Sqlite), "CREATE TABLE t (a TEXT PRIMARY KEY, b INTEGER, c BLOB) STRICT");
        assert_eq!(rendered(text, Dialect::Postgres), "CREATE TABLE t (a text COLLATE \"C\" PRIMARY KEY, b bigint, c bytea) ");
    }
}
