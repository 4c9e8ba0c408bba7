//! What a credential leans on when it is made, given or taken away, and whether its loss has still to be told.
//!
//! A credential *can be used* while its own state lets it, its identity (if it has one) is enabled, and its tenant works. Exactly
//! one revoked event belongs to each change from that to the contrary. The change of a tenant or an identity concerns too many
//! credentials for one commit, so its events follow in a [sweep](crate::sweep); until the sweep has come by a credential, the
//! event is *owed*. Whoever takes such a credential away meanwhile tells it on the sweep's behalf, and the sweep, which passes
//! over what cannot be used by its own state, does not tell it again.

use signet_ledger::Expect;
use signet_model::{Enabled, IdentityId, Refusal, Scope};

use crate::CredentialsRoom;
use crate::reasons::{IDENTITY_NOT_FOUND, IDENTITY_SWEEP_UNDER_WAY};
use crate::sql;
use crate::sweep::Key;

/// What a credential leans on, as it was read.
pub(crate) struct Leaning {
    /// Whether tenant and identity work; then it tells, and it gives.
    pub(crate) works: bool,
    /// Whether the gateways must hear of it when the credential, which its own state lets be used, is taken away.
    pub(crate) tells: bool,
    /// Whether a credential may be made or given back.
    pub(crate) gives: Result<(), Refusal>,
    /// Must be part of the commit: that what was read still holds.
    pub(crate) guard: Expect,
}

impl CredentialsRoom {
    /// What the credential with this key leans on.
    ///
    /// # Errors
    /// The tenant does not exist, or the database cannot be read.
    pub(crate) async fn leaning(&self, scope: &Scope, identity: Option<&IdentityId>, key: &Key) -> Result<Leaning, Refusal> {
        let found = sql::one(&self.db, sql::leaning::find(&scope.tenant, identity, key), sql::leaning::read).await?;
        // The words of the refusal, also for a tenant that is gone, are those of the tenant.
        let Some(leant) = found else {
            return Err(self.existing_tenant(scope).await.err().unwrap_or_else(|| crate::internal(&"a tenant came back")));
        };
        let identity_works = identity.is_none() || leant.identity == Some(Enabled::Enabled);
        let tells = match (identity_works, leant.tenant) {
            (true, Enabled::Enabled) => true,
            (true, Enabled::Disabled) => leant.tenant_owes,
            (false, _) => leant.identity_owes,
        };
        let gives = if leant.tenant == Enabled::Disabled {
            self.working_tenant(scope).await
        } else if identity.is_some() && leant.identity.is_none() {
            Err(Refusal::new(&IDENTITY_NOT_FOUND, format!("tenant `{}` has no such identity", scope.tenant)))
        } else if leant.identity_owes {
            let detail = "its identity was disabled, and the gateways are being told of its credentials";
            Err(Refusal::new(&IDENTITY_SWEEP_UNDER_WAY, detail))
        } else {
            Ok(())
        };
        let guard = Expect::guard(sql::leaning::unmoved(&scope.tenant, identity, key, &leant), 1);
        let works = identity_works && leant.tenant == Enabled::Enabled;
        Ok(Leaning { works, tells, gives, guard })
    }
}
