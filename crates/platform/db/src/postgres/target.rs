//! Where the server is and how it is reached: the URL, taken apart.

use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::tls::{self, Trust};
use crate::{DatabaseConfig, DbError};

/// A silent peer is probed after this time without traffic, then in these intervals, so often.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(5);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(2);
const KEEPALIVE_RETRIES: u32 = 3;
/// What was sent and is not acknowledged for so long breaks the connection.
const UNACKNOWLEDGED: Duration = Duration::from_secs(8);

pub(super) struct Target {
    pub(super) config: Config,
    /// None with `sslmode=disable`.
    pub(super) tls: Option<MakeRustlsConnect>,
    /// For messages; holds no password.
    pub(super) place: String,
    pub(super) deadline: Duration,
}

impl Target {
    pub(super) fn parse(config: &DatabaseConfig) -> Result<Self, DbError> {
        let Parts { url, mode, ca_file } = Parts::of(&config.url)?;
        let mut parsed = parsed(&url)?;
        let ca_file = config.ca_file.clone().or(ca_file);
        let mode = match (mode, &ca_file) {
            (Some(mode), _) => mode,
            (None, Some(_)) => Mode::VerifyFull,
            (None, None) => Mode::Prefer,
        };
        let trust = match (mode, &ca_file) {
            (Mode::Disable, _) => None,
            // As libpq: without authorities these two encrypt and check nothing.
            (Mode::Prefer | Mode::Require, None) => Some(Trust::Anyone),
            (Mode::VerifyCa | Mode::Prefer | Mode::Require, _) => Some(Trust::Chain),
            (Mode::VerifyFull, _) => Some(Trust::ChainAndName),
        };
        parsed.ssl_mode(match mode {
            Mode::Disable => SslMode::Disable,
            Mode::Prefer => SslMode::Prefer,
            Mode::Require | Mode::VerifyCa | Mode::VerifyFull => SslMode::Require,
        });
        parsed
            .connect_timeout(config.deadline)
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED);
        let place = place(&parsed);
        if matches!(mode, Mode::Require) && ca_file.is_none() {
            tracing::warn!(place, "database.certificate-unchecked: sslmode=require encrypts but trusts any server; use verify-full");
        }
        let tls = trust.map(|trust| tls::connector(trust, ca_file.as_deref())).transpose()?;
        Ok(Self { config: parsed, tls, place, deadline: config.deadline })
    }
}

/// Whether a URL can be used, as far as it alone shows.
pub(crate) fn check_url(url: &str) -> Result<(), DbError> {
    parsed(&Parts::of(url)?.url).map(|_| ())
}

fn parsed(url: &str) -> Result<Config, DbError> {
    let parsed: Config = url.parse().map_err(|_| {
        // The parser's own text could quote the URL.
        DbError::InvalidUrl("database.url is not of the form postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…".to_owned())
    })?;
    if parsed.get_hosts().is_empty() { Err(DbError::InvalidUrl("database.url names no host".to_owned())) } else { Ok(parsed) }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

/// The URL without what only we understand.
struct Parts {
    url: String,
    mode: Option<Mode>,
    ca_file: Option<PathBuf>,
}

impl Parts {
    fn of(url: &str) -> Result<Self, DbError> {
        let Some((base, query)) = url.split_once('?') else {
            return Ok(Self { url: url.to_owned(), mode: None, ca_file: None });
        };
        let mut parts = Self { url: base.to_owned(), mode: None, ca_file: None };
        let mut lead = '?';
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("sslmode", mode) => parts.mode = Some(Mode::parse(mode)?),
                ("sslrootcert" | "ca_file", path) => parts.ca_file = Some(PathBuf::from(percent_decoded(path)?)),
                _ => {
                    parts.url.push(lead);
                    parts.url.push_str(pair);
                    lead = '&';
                }
            }
        }
        Ok(parts)
    }
}

impl Mode {
    fn parse(text: &str) -> Result<Self, DbError> {
        Ok(match text {
            "disable" => Self::Disable,
            "prefer" => Self::Prefer,
            "require" => Self::Require,
            "verify-ca" => Self::VerifyCa,
            "verify-full" => Self::VerifyFull,
            other => {
                let shown: String = other.chars().take(32).collect();
                let known = "disable, prefer, require, verify-ca, verify-full";
                return Err(DbError::InvalidUrl(format!("database.url: sslmode `{shown}` is not one of {known}")));
            }
        })
    }
}

fn percent_decoded(text: &str) -> Result<String, DbError> {
    let fault = || DbError::InvalidUrl("database.url: sslrootcert is not a percent-encoded path".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        if *first == b'%' {
            let [high, low, tail @ ..] = rest else { return Err(fault()) };
            let digit = |byte: &u8| char::from(*byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
            let (Some(high), Some(low)) = (digit(high), digit(low)) else { return Err(fault()) };
            bytes.push((high << 4) | low);
            rest = tail;
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).map_err(|_| fault())
}

fn place(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) if name.contains(':') => format!("[{name}]:{port}"),
            Host::Tcp(name) => format!("{name}:{port}"),
            Host::Unix(path) => format!("{}/.s.PGSQL.{port}", path.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    let user = config.get_user().unwrap_or("(the system's)");
    let database = config.get_dbname().unwrap_or(user);
    format!("PostgreSQL at {}, database {database}, user {user}", hosts.join(" or "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(url: &str) -> Result<Target, DbError> {
        Target::parse(&DatabaseConfig::new(url))
    }

    #[test]
    fn a_target_is_named_without_its_password() {
        let place = |url: &str| target(url).map(|target| target.place).unwrap();
        assert_eq!(place("postgres://u:secret@h:1/d?sslmode=disable"), "PostgreSQL at h:1, database d, user u");
        assert_eq!(place("postgres://u@[::1]/d?sslmode=disable"), "PostgreSQL at [::1]:5432, database d, user u");
        assert_eq!(
            place("postgres://u@%2Frun%2Fpg:6/d?sslmode=disable&connect_timeout=3"),
            "PostgreSQL at /run/pg/.s.PGSQL.6, database d, user u"
        );
        assert_eq!(place("postgresql:///d?host=/run/pg&user=u&sslmode=disable"), "PostgreSQL at /run/pg/.s.PGSQL.5432, database d, user u");
    }

    #[test]
    fn the_modes_are_those_of_libpq() {
        let mode = |url: &str| target(url).map(|target| (target.config.get_ssl_mode(), target.tls.is_some()));
        assert_eq!(mode("postgres://u@h/d").unwrap(), (SslMode::Prefer, true));
        assert_eq!(mode("postgres://u@h/d?sslmode=disable").unwrap(), (SslMode::Disable, false));
        for strict in ["require", "verify-ca", "verify-full"] {
            assert_eq!(mode(&format!("postgres://u@h/d?sslmode={strict}")).unwrap(), (SslMode::Require, true));
        }
        assert!(mode("postgres://u:secret@h/d?sslmode=allow").unwrap_err().to_string().contains("`allow` is not one of"));
    }

    #[test]
    fn what_cannot_be_used_is_told_without_the_password() {
        for bad in ["postgres://", "postgres://u:secret@h:port/d", "postgres://u:secret@h/d?colour=red", "postgres:///d"] {
            let error = target(bad).err().unwrap();
            assert_eq!(error.reason().code, "config.database-url", "{bad}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
        let error = target("postgres://u:secret@h/d?sslrootcert=%2Fno%20where").err().unwrap();
        assert!(error.to_string().contains("/no where") && !error.to_string().contains("secret"), "{error}");
    }
}
