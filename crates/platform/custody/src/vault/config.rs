//! Whom to ask and as whom.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use signet_crypto::Secret;
use signet_outbound::{AddressPolicy, ClientIdentity};

use super::VaultError;

/// Longest prefix of mounts and longest name of a login, in bytes.
const LONGEST_PATH: usize = 128;

/// Where a secret comes from. A file is read anew at every login, so that it can be exchanged while the server runs.
#[derive(Clone)]
pub enum SecretSource {
    /// A file; blanks and line ends around the secret are trimmed.
    File(PathBuf),
    /// Given with the settings.
    Given(Arc<Secret>),
}

impl fmt::Debug for SecretSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "File({})", path.display()),
            Self::Given(_) => f.write_str("Given(..)"),
        }
    }
}

/// How a token is had.
#[derive(Clone, Debug)]
pub enum VaultAuth {
    /// A token as it is, such as the one that Vault Agent writes.
    Token {
        /// The token.
        token: SecretSource,
    },
    /// AppRole: a role id and a secret id.
    AppRole {
        /// Where the method is mounted, usually `approle`.
        mount: String,
        /// The role's id, which is no secret.
        role_id: String,
        /// The secret id.
        secret_id: SecretSource,
    },
    /// Kubernetes: the service account of the pod.
    Kubernetes {
        /// Where the method is mounted, usually `kubernetes`.
        mount: String,
        /// The role.
        role: String,
        /// The pod's token, usually `/var/run/secrets/kubernetes.io/serviceaccount/token`. Read whatever its mode is, since
        /// Kubernetes presents it with 0644.
        jwt_file: PathBuf,
    },
}

/// How the PKI engine is reached.
#[derive(Clone, Debug)]
pub struct VaultConfig {
    /// The server, such as `https://vault.example:8200`.
    pub url: String,
    /// How to log in.
    pub auth: VaultAuth,
    /// Below this path each tenant has its mount, such as `pki/signet`.
    pub mount_prefix: String,
    /// The namespace, where the server has such.
    pub namespace: Option<String>,
    /// PEM file of the authorities of the server's certificate; none means the system's.
    pub ca_file: Option<PathBuf>,
    /// Shown to a server that asks for a client certificate. It proves who connects; the login is asked for all the same.
    pub identity: Option<ClientIdentity>,
    /// Which addresses may be reached.
    pub policy: AddressPolicy,
    /// Other hosts of the cluster that a standby may redirect to; the token is sent to nobody else.
    pub cluster_hosts: Vec<String>,
    /// For one exchange. A whole call with its login and its retries gets three times as much.
    pub exchange_timeout: Duration,
}

impl VaultConfig {
    /// The usual settings: https to public addresses, no namespace, 10 s for an exchange.
    pub fn new(url: impl Into<String>, auth: VaultAuth, mount_prefix: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            auth,
            mount_prefix: mount_prefix.into(),
            namespace: None,
            ca_file: None,
            identity: None,
            policy: AddressPolicy::deny_by_default(),
            cluster_hosts: Vec::new(),
            exchange_timeout: Duration::from_secs(10),
        }
    }

    /// The prefix of mounts without slashes around it.
    pub(super) fn checked_prefix(&self) -> Result<String, VaultError> {
        checked_path("mount_prefix", &self.mount_prefix)
    }
}

/// A path of one or more plain parts, which can stand in a URL as it is.
pub(super) fn checked_path(what: &'static str, text: &str) -> Result<String, VaultError> {
    let path = text.trim_matches('/');
    let plain = |part: &str| {
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    };
    if path.len() <= LONGEST_PATH && path.split('/').all(plain) {
        return Ok(path.to_owned());
    }
    Err(VaultError::Config(format!("{what} is not a path of letters, digits, `-`, `_`, `.` and `/` of at most {LONGEST_PATH} characters")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_only_what_needs_no_escape_in_a_url() {
        for (text, path) in [("pki/signet", "pki/signet"), ("/pki/", "pki"), ("a.b-c_d", "a.b-c_d")] {
            assert_eq!(checked_path("x", text).unwrap(), path);
        }
        for bad in ["", "/", "a//b", "a/../b", "a b", "a?b", "a%2f", "ä", &"a".repeat(129)] {
            assert!(checked_path("x", bad).is_err(), "{bad}");
        }
    }
}
