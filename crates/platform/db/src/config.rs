//! Where the database is and how it is used.

use std::path::PathBuf;
use std::time::Duration;

use crate::DbError;

/// How the database is reached.
#[derive(Clone)]
pub struct DatabaseConfig {
    /// `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`; a directory as host is a Unix socket's.
    pub url: String,
    /// At most so many PostgreSQL connections, of which up to four are shared by reads; at least 6 are allowed for.
    pub max_connections: usize,
    /// Certificate authorities that PostgreSQL's certificate is checked against; with it `sslmode` is `verify-full` unless the URL says otherwise.
    pub ca_file: Option<PathBuf>,
    /// Every read ends by then, and so does every wait for a place in a queue.
    pub deadline: Duration,
}

/// The URL may hold a password, so it is not shown.
impl std::fmt::Debug for DatabaseConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DatabaseConfig")
            .field("max_connections", &self.max_connections)
            .field("ca_file", &self.ca_file)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

impl DatabaseConfig {
    /// The deadline unless told otherwise.
    pub const DEADLINE: Duration = Duration::from_secs(5);
    /// The number of PostgreSQL connections unless told otherwise.
    pub const MAX_CONNECTIONS: usize = 16;

    /// A configuration with the defaults.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), max_connections: Self::MAX_CONNECTIONS, ca_file: None, deadline: Self::DEADLINE }
    }

    /// Whether the URL can be used at all, without looking at any file or host.
    ///
    /// # Errors
    /// [`DbError::InvalidUrl`].
    pub fn check(&self) -> Result<(), DbError> {
        match self.kind()? {
            Kind::Sqlite(_) => Ok(()),
            Kind::Postgres => crate::postgres::check_url(&self.url),
        }
    }

    pub(crate) fn kind(&self) -> Result<Kind, DbError> {
        if let Some(path) = self.url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path == ":memory:" || path.contains(['\0', '?']) {
                return Err(DbError::InvalidUrl("database.url: `sqlite:` must be followed by the path of a file".to_owned()));
            }
            return Ok(Kind::Sqlite(PathBuf::from(path)));
        }
        if self.url.starts_with("postgres://") || self.url.starts_with("postgresql://") {
            return Ok(Kind::Postgres);
        }
        // The rest of the URL may hold a password in a place that we do not know.
        let scheme = self.url.split(':').next().filter(|scheme| scheme.len() < 16).unwrap_or_default();
        Err(DbError::InvalidUrl(format!("database.url begins with `{scheme}`; it must begin with `sqlite:` or `postgres://`")))
    }
}

/// Which database.
#[derive(Debug)]
pub(crate) enum Kind {
    Sqlite(PathBuf),
    Postgres,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_names_its_database() {
        let kind = |url: &str| DatabaseConfig::new(url).kind().map(|kind| format!("{kind:?}"));
        assert_eq!(kind("sqlite:d/signet.db").unwrap(), "Sqlite(\"d/signet.db\")");
        assert_eq!(kind("sqlite:///var/lib/signet.db").unwrap(), "Sqlite(\"/var/lib/signet.db\")");
        assert!(kind("postgres://u@h/d").unwrap().starts_with("Postgres"));
        for bad in ["", "sqlite:", "sqlite::memory:", "mysql://u:secret@h/d", "signet.db"] {
            let error = kind(bad).unwrap_err();
            assert_eq!(error.reason().code, "config.database-url", "{bad}");
            assert!(!error.to_string().contains("secret"));
        }
    }

    #[test]
    fn a_configuration_does_not_show_its_password() {
        assert!(!format!("{:?}", DatabaseConfig::new("postgres://u:secret@h/d")).contains("secret"));
    }
}
