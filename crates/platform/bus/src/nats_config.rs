//! How to reach a NATS server: checked once at the start, so that what trying again cannot mend is refused at once with
//! the key, the value and what was seen.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use async_nats::{Auth, AuthError, ConnectOptions, ServerAddr};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use crate::{BusError, Subject};

/// Longest password or credentials file in bytes.
const LONGEST_SECRET: u64 = 16_384;
/// Most addresses in one URL list.
const MOST_ADDRESSES: usize = 16;

/// What a foreign configuration shows the server in so many words, where `signet.toml` names a file.
#[derive(Clone, PartialEq, Eq)]
pub enum NatsLogin {
    /// User name and password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token.
    Token(Zeroizing<String>),
}

/// Shows the user's name and no secret.
impl std::fmt::Debug for NatsLogin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
            Self::Token(_) => f.write_str("Token(..)"),
        }
    }
}

/// Section `[nats]` of the configuration. It names the files that hold secrets; only a [`NatsLogin`] is one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NatsConfig {
    /// `nats://host:port`, or `tls://…`; several parted by commas.
    pub url: String,
    /// User name; needs [`NatsConfig::password_file`].
    pub user: Option<String>,
    /// File with the password; one final line end is dropped. Read again at each connection, so a password can be
    /// changed without a restart.
    pub password_file: Option<PathBuf>,
    /// Instead of user, password file and credentials file: as a drop-in for a service whose NATS URL holds them.
    pub login: Option<NatsLogin>,
    /// A NATS credentials file (JWT and nkey seed) instead of user and password.
    pub creds_file: Option<PathBuf>,
    /// The authorities that the server's certificate may come from, PEM. Given, no other is trusted and TLS is required.
    pub ca_file: Option<PathBuf>,
    /// Our certificate chain, PEM; needs [`NatsConfig::key_file`], and TLS is required.
    pub cert_file: Option<PathBuf>,
    /// The key of [`NatsConfig::cert_file`], PEM.
    pub key_file: Option<PathBuf>,
    /// Name of the connection in the server's monitoring.
    pub name: String,
    /// Subject below which this process awaits answers and echoes. None: [`NatsConfig::INBOX_PREFIX`] and the user's
    /// name, as `deploy/nats/signet.conf` permits.
    pub inbox_prefix: Option<String>,
}

impl NatsConfig {
    /// What an inbox begins with, before the user's name.
    pub const INBOX_PREFIX: &'static str = "signet.v1.inbox";
    /// Stands for the user's name where there is none.
    pub const INBOX_OF_NOBODY: &'static str = "shared";

    /// A connection without credentials.
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), name: "signet".to_owned(), ..Self::default() }
    }

    pub(crate) fn inbox(&self) -> Result<Subject, BusError> {
        let (key, text) = match (&self.inbox_prefix, &self.user) {
            (Some(prefix), _) => ("nats.inbox_prefix", prefix.clone()),
            (None, Some(user)) => ("nats.user", format!("{}.{user}", Self::INBOX_PREFIX)),
            (None, None) => ("nats.inbox_prefix", format!("{}.{}", Self::INBOX_PREFIX, Self::INBOX_OF_NOBODY)),
        };
        Subject::new(&text).map_err(|error| BusError::Configuration(format!("{key}: {text:?} makes no inbox: {error}")))
    }

    pub(crate) fn addresses(&self) -> Result<Vec<ServerAddr>, BusError> {
        let fault = |text: &str| BusError::Configuration(format!("nats.url: {text}"));
        let parts: Vec<&str> = self.url.split(',').map(str::trim).collect();
        if parts.len() > MOST_ADDRESSES {
            return Err(fault(&format!("more than {MOST_ADDRESSES} addresses")));
        }
        parts
            .into_iter()
            .map(|part| {
                // The parts are not repeated in the fault: one may hold a password.
                let address: ServerAddr = part.parse().map_err(|_| fault("not nats://host:port or tls://host:port"))?;
                if address.username().is_some() || address.password().is_some() {
                    return Err(fault(
                        "holds a user or password, which would end up in process lists and logs: use nats.user and nats.password_file",
                    ));
                }
                if address.host().is_empty() {
                    return Err(fault("no host in it"));
                }
                match address.scheme() {
                    "nats" | "tls" => Ok(address),
                    other => Err(fault(&format!("scheme {other:?}, wanted nats or tls"))),
                }
            })
            .collect()
    }

    /// Whether the configuration makes sense at all, without looking at any file or host.
    ///
    /// # Errors
    /// [`BusError::Configuration`] with the key.
    pub fn check(&self) -> Result<(), BusError> {
        self.addresses()?;
        self.inbox()?;
        match (self.cert_file.is_some(), self.key_file.is_some()) {
            (true, false) => return Err(alone("nats.cert_file", "nats.key_file")),
            (false, true) => return Err(alone("nats.key_file", "nats.cert_file")),
            (true, true) | (false, false) => {}
        }
        match (self.user.is_some(), self.password_file.is_some(), self.creds_file.is_some()) {
            (true, false, false) => Err(alone("nats.user", "nats.password_file")),
            (false, true, _) => Err(alone("nats.password_file", "nats.user")),
            (true, _, true) => Err(creds_beside_user()),
            (true, true, false) | (false, false, _) => Ok(()),
        }
    }

    pub(crate) fn options(&self) -> Result<ConnectOptions, BusError> {
        let mut options = self.credentials()?;
        if let Some(path) = &self.ca_file {
            let found = certificates("nats.ca_file", path)?;
            tracing::debug!(path = %path.display(), found, "bus.authorities");
            options = options.add_root_certificates(path.clone());
        }
        match (&self.cert_file, &self.key_file) {
            (None, None) => {}
            (Some(cert), Some(key)) => {
                certificates("nats.cert_file", cert)?;
                warn_if_wide("nats.key_file", key);
                PrivateKeyDer::from_pem_file(key).map_err(|error| file_fault("nats.key_file", key, &format!("no private key: {error}")))?;
                options = options.add_client_certificate(cert.clone(), key.clone());
            }
            (Some(_), None) => return Err(alone("nats.cert_file", "nats.key_file")),
            (None, Some(_)) => return Err(alone("nats.key_file", "nats.cert_file")),
        }
        // With authorities or a certificate named, a server that offers no TLS is not the one that is meant.
        Ok(options.require_tls(self.ca_file.is_some() || self.cert_file.is_some()))
    }

    fn credentials(&self) -> Result<ConnectOptions, BusError> {
        match (&self.login, self.user.is_some() || self.password_file.is_some() || self.creds_file.is_some()) {
            (None, _) => {}
            (Some(NatsLogin::Password { user, password }), false) => {
                return Ok(ConnectOptions::with_user_and_password(user.clone(), String::clone(password)));
            }
            (Some(NatsLogin::Token(token)), false) => return Ok(ConnectOptions::with_token(String::clone(token))),
            (Some(_), true) => {
                let text = "nats.url: holds a login, beside which nats.user, nats.password_file and nats.creds_file cannot stand";
                return Err(BusError::Configuration(text.to_owned()));
            }
        }
        match (&self.user, &self.password_file, &self.creds_file) {
            (None, None, None) => Ok(ConnectOptions::new()),
            (Some(user), Some(path), None) => {
                warn_if_wide("nats.password_file", path);
                read_secret("nats.password_file", path)?;
                let (user, path) = (user.clone(), path.clone());
                Ok(ConnectOptions::with_auth_callback(move |_nonce| {
                    let auth = read_secret("nats.password_file", &path).map_err(AuthError::new).map(|password| {
                        let mut auth = Auth::new();
                        auth.username = Some(user.clone());
                        auth.password = Some(password);
                        auth
                    });
                    std::future::ready(auth)
                }))
            }
            (None, None, Some(path)) => {
                warn_if_wide("nats.creds_file", path);
                let text = read_secret("nats.creds_file", path)?;
                ConnectOptions::with_credentials(&text).map_err(|_| file_fault("nats.creds_file", path, "no user JWT and nkey seed in it"))
            }
            (Some(_), None, None) => Err(alone("nats.user", "nats.password_file")),
            (None, Some(_), _) => Err(alone("nats.password_file", "nats.user")),
            (Some(_), _, Some(_)) => Err(creds_beside_user()),
        }
    }
}

fn creds_beside_user() -> BusError {
    BusError::Configuration("nats.creds_file: cannot stand beside nats.user".to_owned())
}

fn alone(given: &str, missing: &str) -> BusError {
    BusError::Configuration(format!("{given}: needs {missing} beside it"))
}

fn file_fault(key: &str, path: &Path, seen: &str) -> BusError {
    BusError::Configuration(format!("{key}: {}: {seen}", path.display()))
}

fn certificates(key: &str, path: &Path) -> Result<usize, BusError> {
    let fault = |seen: &dyn std::fmt::Display| file_fault(key, path, &seen.to_string());
    let found = CertificateDer::pem_file_iter(path).map_err(|error| fault(&error))?;
    let found: Vec<_> = found.collect::<Result<_, _>>().map_err(|error| fault(&error))?;
    if found.is_empty() { Err(fault(&"no certificate in it")) } else { Ok(found.len()) }
}

fn read_secret(key: &str, path: &Path) -> Result<String, BusError> {
    let fault = |seen: &dyn std::fmt::Display| file_fault(key, path, &seen.to_string());
    let size = std::fs::metadata(path).map_err(|error| fault(&error))?.len();
    if size > LONGEST_SECRET {
        return Err(fault(&format_args!("{size} bytes, more than {LONGEST_SECRET}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fault(&error))?;
    let text = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if text.is_empty() { Err(fault(&"empty")) } else { Ok(text.to_owned()) }
}

/// Others' eyes on a secret are worth a warning, but the bus goes on: the file may be mounted by an orchestrator.
fn warn_if_wide(key: &str, path: &Path) {
    let Ok(metadata) = std::fs::metadata(path) else { return };
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        tracing::warn!(key, path = %path.display(), mode = %format_args!("{mode:04o}"), fix = "chmod 600", "bus.secret-file-is-wide");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(config: NatsConfig) -> String {
        match config.addresses().and_then(|_| config.inbox()).and_then(|_| config.options().map(drop)) {
            Err(BusError::Configuration(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_trying_again_cannot_mend_is_named_with_its_key() {
        let base = NatsConfig::to("nats://127.0.0.1:4222");
        for (config, wanted) in [
            (NatsConfig::to(""), "nats.url"),
            (NatsConfig::to("http://x:1"), "nats.url: not nats://"),
            (NatsConfig { user: Some("a".into()), ..base.clone() }, "nats.user: needs nats.password_file"),
            (NatsConfig { password_file: Some("/x".into()), ..base.clone() }, "nats.password_file: needs nats.user"),
            (
                NatsConfig { user: Some("a".into()), password_file: Some("/nonexistent/x".into()), ..base.clone() },
                "nats.password_file: /nonexistent/x: ",
            ),
            (NatsConfig { creds_file: Some("/nonexistent/x".into()), ..base.clone() }, "nats.creds_file: /nonexistent/x: "),
            (NatsConfig { ca_file: Some("/nonexistent/x".into()), ..base.clone() }, "nats.ca_file: /nonexistent/x: "),
            (NatsConfig { cert_file: Some("/x".into()), ..base.clone() }, "nats.cert_file: needs nats.key_file"),
            (NatsConfig { inbox_prefix: Some("a.*".into()), ..base.clone() }, "nats.inbox_prefix"),
            (NatsConfig { user: Some("a b".into()), ..base.clone() }, "nats.user"),
        ] {
            let seen = fault(config);
            assert!(seen.starts_with(wanted), "{seen}");
        }
    }

    #[test]
    fn a_password_in_the_url_is_refused_and_not_repeated() {
        let seen = fault(NatsConfig::to("nats://127.0.0.1:1,nats://user:hunter2@127.0.0.1:4222"));
        assert!(seen.contains("nats.password_file") && !seen.contains("hunter2"), "{seen}");
        assert!(!fault(NatsConfig::to("nats://user:hunter2@:::")).contains("hunter2"));
    }

    #[test]
    fn a_login_is_not_shown_and_stands_alone() {
        let login = NatsLogin::Password { user: "api".into(), password: Zeroizing::new("hunter2".into()) };
        let config = NatsConfig { login: Some(login), ..NatsConfig::to("nats://h:1") };
        assert!(config.options().is_ok() && !format!("{config:?}").contains("hunter2"));
        let token = NatsLogin::Token(Zeroizing::new("hunter2".into()));
        assert!(!format!("{token:?}").contains("hunter2"));
        assert!(fault(NatsConfig { user: Some("a".into()), ..config }).contains("cannot stand"));
    }

    #[test]
    fn the_inbox_is_the_users_own() {
        let inbox = |config: &NatsConfig| config.inbox().unwrap().to_string();
        let base = NatsConfig::to("nats://h:1");
        assert_eq!(inbox(&base), "signet.v1.inbox.shared");
        assert_eq!(inbox(&NatsConfig { user: Some("api".into()), ..base.clone() }), "signet.v1.inbox.api");
        assert_eq!(inbox(&NatsConfig { inbox_prefix: Some("_INBOX".into()), ..base }), "_INBOX");
    }

    #[test]
    fn one_final_line_end_of_a_password_is_dropped() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("p");
        for (text, wanted) in [("pw", "pw"), ("pw\n", "pw"), ("pw\r\n", "pw"), ("pw\n\n", "pw\n"), (" pw ", " pw ")] {
            std::fs::write(&path, text).unwrap();
            assert_eq!(read_secret("k", &path).unwrap(), wanted);
        }
        for text in ["".to_owned(), "\n".to_owned(), "x".repeat(20_000)] {
            std::fs::write(&path, text).unwrap();
            assert!(read_secret("k", &path).is_err());
        }
    }
}
