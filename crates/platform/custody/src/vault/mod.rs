//! Keys of CAs that are made inside Vault or OpenBao and never leave it: a client of the PKI engine over the one outbound client
//! (Vault's public HTTP API; Kaa's use of it is `kaa.md` 16.3).
//!
//! `config` says whom to ask and as whom, `transport` is one exchange, `session` the token with its login and renewal, `client` a
//! call with its retries; `engine` is a mount and its CA, `signing` what the CA signs, `lists` its revocation lists.
//!
//! Nothing is remembered of a server that was sealed, gone or slow: the next call finds out anew, so it works again by itself.

mod answer;
mod client;
mod config;
mod engine;
mod error;
mod lists;
mod secret_text;
mod session;
mod signing;
mod transport;

use std::sync::Arc;

use signet_model::Entropy;
use tokio_util::task::AbortOnDropHandle;

use client::Client;
pub use config::{SecretSource, VaultAuth, VaultConfig};
pub use engine::{CaRequest, IssuerUrls, Mount, RoleSpec};
pub use error::{
    CUSTODY_ANSWER_INVALID, CUSTODY_BAD_TOKEN_FILE, CUSTODY_BUSY, CUSTODY_CONFIG_INVALID, CUSTODY_DENIED, CUSTODY_LOGIN_REFUSED,
    CUSTODY_MISSING, CUSTODY_REDIRECT_REFUSED, CUSTODY_REFUSED, CUSTODY_SEALED, CUSTODY_STANDBY, CUSTODY_TIMEOUT, CUSTODY_UNAVAILABLE,
    CUSTODY_UNINITIALISED, CUSTODY_UNREACHABLE, REASONS, VaultError,
};
pub use lists::{ListEntry, RevocationList};
pub use signing::{SignOrder, Signed};

/// What the server says of itself, without a login (`sys/health`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VaultHealth {
    /// 200: it serves.
    Active,
    /// 429: a standby, which passes requests on or redirects them.
    Standby,
    /// 472: the secondary of a disaster recovery pair, which serves nothing.
    RecoverySecondary,
    /// 473: a performance standby, which serves what only reads and passes the rest on.
    PerformanceStandby,
    /// 501: it was never initialised.
    Uninitialised,
    /// 503: it is sealed.
    Sealed,
}

/// The PKI engine of one Vault or OpenBao, as one login. Dropping it ends the renewal of its token.
pub struct VaultPki {
    client: Client,
    mount_prefix: String,
    _renewal: AbortOnDropHandle<()>,
}

impl VaultPki {
    /// Checks the settings and begins to keep the token alive. Nothing is asked yet: a server that is down or sealed does not keep
    /// Signet from starting. `entropy` spreads renewals and retries. Must be called inside a runtime of tokio.
    ///
    /// # Errors
    /// [`VaultError::Config`], [`VaultError::TrustFile`].
    pub fn start(config: VaultConfig, entropy: Arc<dyn Entropy>) -> Result<Arc<Self>, VaultError> {
        let mount_prefix = config.checked_prefix()?;
        let (client, renewal) = Client::start(config, entropy)?;
        Ok(Arc::new(Self { client, mount_prefix, _renewal: renewal }))
    }

    /// What the server says of itself.
    ///
    /// # Errors
    /// [`VaultError::Unreachable`] and its like when it says nothing, [`VaultError::Answer`] for a status that `sys/health` does
    /// not have.
    pub async fn health(&self) -> Result<VaultHealth, VaultError> {
        self.client.health().await
    }

    /// Whether calls can be made now: the server serves, and a token is at hand or can be had.
    ///
    /// # Errors
    /// Why not.
    pub async fn check(&self) -> Result<(), VaultError> {
        match self.health().await? {
            VaultHealth::Active | VaultHealth::Standby | VaultHealth::PerformanceStandby => self.client.log_in().await,
            VaultHealth::RecoverySecondary => Err(VaultError::Standby),
            VaultHealth::Uninitialised => Err(VaultError::Uninitialised),
            VaultHealth::Sealed => Err(VaultError::Sealed),
        }
    }
}
