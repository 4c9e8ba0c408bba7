//! Why a call came to nothing, sorted by who must act. What the server said is quoted, shortened; tokens never are.

use std::path::PathBuf;

use signet_model::{Reason, Refusal};
use signet_outbound::OutboundError;

use crate::CustodyError;

signet_model::reasons! {
    /// Vault or OpenBao is sealed.
    CUSTODY_SEALED = ("custody.sealed", 503, "Unseal it (`bao operator unseal`); Signet goes on by itself.");
    /// Vault or OpenBao has no active node that serves.
    CUSTODY_STANDBY = ("custody.standby", 503, "See which node is active (`bao operator raft list-peers`), and point `custody.url` at it or at the balancer before all.");
    /// Vault or OpenBao was never initialised.
    CUSTODY_UNINITIALISED = ("custody.uninitialised", 503, "Initialise it (`bao operator init`), then unseal it.");
    /// Vault or OpenBao cannot be reached.
    CUSTODY_UNREACHABLE = ("custody.unreachable", 503, "Check `custody.url`, `custody.ca_file`, that the server runs, and that its name resolves from this machine.");
    /// Vault or OpenBao does not answer in time.
    CUSTODY_TIMEOUT = ("custody.timeout", 504, "Look at the load and the storage of the server; what must be repeated is repeated by itself.");
    /// Vault or OpenBao has a fault of its own.
    CUSTODY_UNAVAILABLE = ("custody.unavailable", 503, "Look into the server's log.");
    /// Too many calls to Vault or OpenBao are under way.
    CUSTODY_BUSY = ("custody.busy", 503, "Try again a little later; the server answers more slowly than it is asked, or limits the rate.");
    /// The policy of Signet's token does not allow a call.
    CUSTODY_DENIED = ("custody.denied", 503, "Give the token's policy the right to the path that is named; deploy/vault-policy.hcl has all that are needed.");
    /// Vault or OpenBao refuses Signet's login.
    CUSTODY_LOGIN_REFUSED = ("custody.login-refused", 503, "Renew the token or secret id, or correct the role; the file is read anew at every login.");
    /// Vault or OpenBao cannot do what it is asked.
    CUSTODY_REFUSED = ("custody.refused", 502, "Read what the server said, and look whether somebody changed the mount, its role or its issuer.");
    /// A mount, issuer or role is not there.
    CUSTODY_MISSING = ("custody.missing", 502, "Check `custody.mount_prefix` and `custody.namespace`; a mount that was removed took its CA's key with it: rotate the tenant's CA.");
    /// Vault or OpenBao answers with what cannot be understood.
    CUSTODY_ANSWER_INVALID = ("custody.answer-invalid", 502, "Check that `custody.url` names a Vault or OpenBao, and which release runs there.");
    /// A standby redirects to a host that is not of the cluster.
    CUSTODY_REDIRECT_REFUSED = ("custody.redirect-refused", 502, "Point `custody.url` at the active node or at a balancer before all nodes, or let standbys pass requests on instead of redirecting.");
    /// A file with a token, secret id or JWT holds no such thing.
    CUSTODY_BAD_TOKEN_FILE = ("custody.bad-token-file", 503, "Write the bare token into the file, and nothing else; a line end behind it does not matter.");
    /// The settings of Vault or OpenBao cannot be used.
    CUSTODY_CONFIG_INVALID = ("custody.config-invalid", 400, "Correct the section `[custody]`.");
}

/// Why Vault or OpenBao did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    // who runs Signet
    /// A setting cannot be used.
    #[error("{0}")]
    Config(String),
    /// The file of authorities, or the system's store, cannot be used.
    #[error("{0}")]
    TrustFile(String),
    /// A file with a secret has no secret that can be sent.
    #[error("{}: {what}", path.display())]
    BadTokenFile {
        /// The file.
        path: PathBuf,
        /// What is wrong, without the value.
        what: &'static str,
    },
    /// A file with a secret cannot be read.
    #[error("{text}")]
    SecretFile {
        /// What and why.
        text: String,
        /// Its reason.
        reason: &'static Reason,
    },
    /// A redirect to somebody else.
    #[error("the server redirects to {host}, which is neither the host asked nor one of its cluster")]
    Redirect {
        /// The other host.
        host: String,
    },
    // who runs the server
    /// It is sealed.
    #[error("the server is sealed")]
    Sealed,
    /// It was never initialised.
    #[error("the server is not initialised")]
    Uninitialised,
    /// It is a standby, and there is no active node behind it.
    #[error("the server is a standby without an active node")]
    Standby,
    /// It refused the login or the token.
    #[error("the login is refused ({how}): {said}")]
    LoginRefused {
        /// Which login.
        how: &'static str,
        /// What the server said.
        said: String,
    },
    /// The token is good and may not do this.
    #[error("{call}: permission denied on {path}")]
    Denied {
        /// What was to be done.
        call: &'static str,
        /// The path that the policy does not allow.
        path: String,
    },
    /// It cannot do this.
    #[error("{call} is refused: {said}")]
    Refused {
        /// What was to be done.
        call: &'static str,
        /// What the server said.
        said: String,
    },
    /// There is no such path.
    #[error("{call}: nothing at {path}: {said}")]
    Missing {
        /// What was to be done.
        call: &'static str,
        /// The path.
        path: String,
        /// What the server said.
        said: String,
    },
    /// A fault of its own, or of a proxy before it.
    #[error("{call}: the server answered {status}: {said}")]
    Unavailable {
        /// What was to be done.
        call: &'static str,
        /// The status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// The answer is not what Vault's API gives.
    #[error("{call}: the answer cannot be used: {why}")]
    Answer {
        /// What was to be done.
        call: &'static str,
        /// What is wrong with it.
        why: String,
    },
    // the network, the load
    /// Nobody answers.
    #[error("{0}")]
    Unreachable(String),
    /// The connection ended before the answer did; what was asked may have been done.
    #[error("{call}: {why}")]
    Interrupted {
        /// What was to be done.
        call: &'static str,
        /// What ended it.
        why: String,
    },
    /// Not in time; what was asked may have been done.
    #[error("{call}: no answer within the time allowed")]
    Timeout {
        /// What was to be done.
        call: &'static str,
    },
    /// Too many at once, here or there.
    #[error("{0}")]
    Busy(&'static str),
}

impl VaultError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::Config(_) | Self::TrustFile(_) => &CUSTODY_CONFIG_INVALID,
            Self::BadTokenFile { .. } => &CUSTODY_BAD_TOKEN_FILE,
            Self::SecretFile { reason, .. } => reason,
            Self::Redirect { .. } => &CUSTODY_REDIRECT_REFUSED,
            Self::Sealed => &CUSTODY_SEALED,
            Self::Uninitialised => &CUSTODY_UNINITIALISED,
            Self::Standby => &CUSTODY_STANDBY,
            Self::LoginRefused { .. } => &CUSTODY_LOGIN_REFUSED,
            Self::Denied { .. } => &CUSTODY_DENIED,
            Self::Refused { .. } => &CUSTODY_REFUSED,
            Self::Missing { .. } => &CUSTODY_MISSING,
            Self::Unavailable { .. } => &CUSTODY_UNAVAILABLE,
            Self::Answer { .. } => &CUSTODY_ANSWER_INVALID,
            Self::Unreachable(_) | Self::Interrupted { .. } => &CUSTODY_UNREACHABLE,
            Self::Timeout { .. } => &CUSTODY_TIMEOUT,
            Self::Busy(_) => &CUSTODY_BUSY,
        }
    }

    /// Whether what was asked may have been done all the same, the answer being lost.
    pub fn may_be_done(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::Timeout { .. } | Self::Unavailable { .. } | Self::Answer { .. } => true,
            Self::Config(_)
            | Self::TrustFile(_)
            | Self::BadTokenFile { .. }
            | Self::SecretFile { .. }
            | Self::Redirect { .. }
            | Self::Sealed
            | Self::Uninitialised
            | Self::Standby
            | Self::LoginRefused { .. }
            | Self::Denied { .. }
            | Self::Refused { .. }
            | Self::Missing { .. }
            | Self::Unreachable(_)
            | Self::Busy(_) => false,
        }
    }

    /// What the outbound client says, in the terms of this one. Told at `call`.
    pub(super) fn of_outbound(error: OutboundError, call: &'static str) -> Self {
        match error {
            OutboundError::TrustFile(text) => Self::TrustFile(text),
            OutboundError::Identity(_) => Self::Config(error.to_string()),
            OutboundError::Timeout { phase: "connecting", .. } | OutboundError::Unreachable { .. } | OutboundError::Untrusted { .. } => {
                Self::Unreachable(error.to_string())
            }
            OutboundError::Timeout { .. } => Self::Timeout { call },
            OutboundError::Busy => Self::Busy("too many calls to the server are under way"),
            OutboundError::Url(_) | OutboundError::Address { .. } => Self::Config(format!("url: {error}")),
            // A server that wants another client certificate, or one at all, says so after its own part of the handshake; it has
            // read nothing of the request.
            OutboundError::Answer { ref why, .. } if why.contains("received fatal alert") => Self::Unreachable(error.to_string()),
            // The outbound client tells a broken connection from a broken answer in words only.
            OutboundError::Answer { ref why, .. } if why.contains("connection") => Self::Interrupted { call, why: error.to_string() },
            OutboundError::TooLarge { .. } | OutboundError::Answer { .. } | OutboundError::Status { .. } | OutboundError::Request(_) => {
                Self::Answer { call, why: error.to_string() }
            }
        }
    }
}

impl From<CustodyError> for VaultError {
    fn from(error: CustodyError) -> Self {
        Self::SecretFile { text: error.to_string(), reason: error.reason() }
    }
}

impl From<VaultError> for Refusal {
    fn from(error: VaultError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_certificate_that_is_refused_was_no_call_that_may_have_been_done() {
        let of = |why: &str| VaultError::of_outbound(OutboundError::Answer { host: "v".to_owned(), why: why.to_owned() }, "signing");
        let refused = of("connection error: received fatal alert: CertificateRequired");
        assert_eq!(refused.reason().code, "custody.unreachable");
        assert!(matches!(&refused, VaultError::Unreachable(text) if text.contains("CertificateRequired")), "{refused}");
        assert!(matches!(of("connection closed before message completed"), VaultError::Interrupted { .. }));
    }
}
