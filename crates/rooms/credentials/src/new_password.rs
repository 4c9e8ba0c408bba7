//! Another password for a credential that keeps its id, its state and its sessions.

use signet_crypto::password::Password;
use signet_ledger::{Change, Decided, Expect};
use signet_model::{AuditRecord, CredentialKind, CredentialState, Refusal, Scope};

use crate::CredentialsRoom;
use crate::credential::{Credential, Meant};
use crate::password_pool::HASH_DEADLINE;
use crate::reasons::{CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NO_PASSWORD};
use crate::sql;

impl CredentialsRoom {
    /// Sets another password. Sessions that lean on the credential stay: what they proved was true when they proved it. The
    /// version grows, so that whoever remembers a verdict on the old password does not keep it.
    ///
    /// # Errors
    /// No such credential; one that is Revoked or has no password; another version than the one that was meant; too many
    /// passwords waiting to be hashed.
    pub(crate) async fn set_password(&self, scope: &Scope, meant: impl Into<Meant<'_>>, password: Password) -> Result<Credential, Refusal> {
        let meant = meant.into();
        // Hashing costs more than everything else here, so what is refused anyway is refused before.
        takes_a_password(&self.meant(scope, meant).await?)?;
        let hash = self.pool.hash(password, HASH_DEADLINE).await?;
        self.ledger
            .decide(|| async {
                let credential = self.meant(scope, meant).await?;
                takes_a_password(&credential)?;
                let now = scope.now();
                let record = AuditRecord::new(scope, "credential.set-password", credential.id.as_str());
                let write = sql::credential::set_password(&scope.tenant, &credential, &hash, now);
                let change = Change::new(record).expecting(Expect::write(write, 1));
                let version = credential.version.saturating_add(1);
                Ok(Decided::commit(change, Credential { updated_at: now, version, ..credential }))
            })
            .await
    }
}

fn takes_a_password(credential: &Credential) -> Result<(), Refusal> {
    match credential.kind {
        CredentialKind::Basic => {}
        CredentialKind::X509 | CredentialKind::PublicKey | CredentialKind::EndpointToken => {
            let detail = format!("credential `{}` is of kind {}", credential.id, credential.kind);
            return Err(Refusal::new(&CREDENTIAL_NO_PASSWORD, detail));
        }
    }
    match credential.state {
        CredentialState::Inactive | CredentialState::Active | CredentialState::Suspended => Ok(()),
        CredentialState::Revoked => {
            let detail = format!("credential `{}` is Revoked, which is final; another password does not bring it back", credential.id);
            Err(Refusal::new(&CREDENTIAL_ILLEGAL_TRANSITION, detail)
                .with_fix("Create another credential: `signet credential create basic NAME --password-stdin`."))
        }
    }
}
