//! What is found out about a username and a password, and how a refusal explains itself.

use serde::Serialize;
use signet_model::{CredentialId, CredentialState, Decision, Enabled, IdentityId, Reason, Refusal, TenantId, log_text};

use crate::reasons::{
    CREDENTIAL_EXPIRED, CREDENTIAL_REVOKED, CREDENTIAL_SUSPENDED, CREDENTIAL_UNKNOWN, CREDENTIAL_WRONG_PASSWORD, IDENTITY_DISABLED,
    TENANT_DISABLED,
};
use crate::sql::credential::KnownUser;

/// What was found out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Verdict {
    /// The password is right, and nothing stands against the credential.
    Allowed,
    /// There is no such tenant.
    UnknownTenant,
    /// The tenant has no such username.
    UnknownUsername,
    /// The password is another one. Nothing is said of the state.
    WrongPassword,
    /// The password is right, the credential suspended.
    Suspended,
    /// The password is right, the credential revoked.
    Revoked,
    /// The certificate's validity is over.
    Expired,
    /// The password is right, the identity disabled.
    IdentityDisabled,
    /// The password is right, the tenant disabled.
    TenantDisabled,
}

impl Verdict {
    /// The reason of a refusal.
    pub(crate) const fn reason(self) -> Option<&'static Reason> {
        match self {
            Self::Allowed => None,
            Self::UnknownTenant | Self::UnknownUsername => Some(&CREDENTIAL_UNKNOWN),
            Self::WrongPassword => Some(&CREDENTIAL_WRONG_PASSWORD),
            Self::Suspended => Some(&CREDENTIAL_SUSPENDED),
            Self::Revoked => Some(&CREDENTIAL_REVOKED),
            Self::Expired => Some(&CREDENTIAL_EXPIRED),
            Self::IdentityDisabled => Some(&IDENTITY_DISABLED),
            Self::TenantDisabled => Some(&TENANT_DISABLED),
        }
    }

    /// The word in metrics.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::UnknownTenant | Self::UnknownUsername => "unknown",
            Self::WrongPassword => "wrong_password",
            Self::Suspended => "suspended",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::IdentityDisabled | Self::TenantDisabled => "disabled",
        }
    }
}

/// A verdict on a user who gave the right password, by what was read after that.
pub(crate) fn judge(tenant: Enabled, identity: Option<Enabled>, state: CredentialState) -> Verdict {
    match (state, identity, tenant) {
        (CredentialState::Revoked, _, _) => Verdict::Revoked,
        (CredentialState::Suspended, _, _) => Verdict::Suspended,
        (CredentialState::Inactive | CredentialState::Active, Some(Enabled::Disabled), _) => Verdict::IdentityDisabled,
        (CredentialState::Inactive | CredentialState::Active, Some(Enabled::Enabled) | None, Enabled::Disabled) => Verdict::TenantDisabled,
        (CredentialState::Inactive | CredentialState::Active, Some(Enabled::Enabled) | None, Enabled::Enabled) => Verdict::Allowed,
    }
}

/// A verdict and whom it is about; nobody unless the password was right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Checked {
    pub(crate) verdict: Verdict,
    pub(crate) user: Option<CheckedUser>,
}

/// Who proved to know the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CheckedUser {
    pub(crate) credential: CredentialId,
    pub(crate) identity: Option<IdentityId>,
    pub(crate) state: CredentialState,
}

impl Checked {
    pub(crate) fn nobody(verdict: Verdict) -> Self {
        Self { verdict, user: None }
    }

    pub(crate) fn user(verdict: Verdict, user: KnownUser) -> Self {
        let identity = user.identity.map(|(id, _)| id);
        Self { verdict, user: Some(CheckedUser { credential: user.id, identity, state: user.state }) }
    }
}

/// What a decision is about.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Evidence {
    pub(crate) credential: Option<CredentialId>,
    pub(crate) state: Option<CredentialState>,
    pub(crate) username: String,
    pub(crate) tenant: TenantId,
}

impl Checked {
    /// The verdict as a decision that explains itself.
    pub(crate) fn decision(&self, tenant: &TenantId, username: &str) -> Decision<Evidence> {
        let evidence = Evidence {
            credential: self.user.as_ref().map(|user| user.credential.clone()),
            state: self.user.as_ref().map(|user| user.state),
            username: log_text(username, 255),
            tenant: tenant.clone(),
        };
        match self.refusal(tenant, username) {
            None => Decision::allow(evidence),
            Some(refusal) => Decision::refuse(&refusal, evidence),
        }
    }

    /// Why it is refused. Commands in a fix hold ids only: a username may hold what a shell would run.
    fn refusal(&self, tenant: &TenantId, username: &str) -> Option<Refusal> {
        let reason = self.verdict.reason()?;
        let name = log_text(username, 64);
        let id = self.user.as_ref().map(|user| user.credential.to_string()).unwrap_or_default();
        let identity = self.user.as_ref().and_then(|user| user.identity.as_ref()).map(ToString::to_string).unwrap_or_default();
        let (detail, fix) = match self.verdict {
            Verdict::Allowed => return None,
            Verdict::UnknownTenant => (format!("there is no tenant `{tenant}`"), "Check the tenant behind the `@`.".to_owned()),
            Verdict::UnknownUsername => (
                format!("tenant `{tenant}` has no credential with the username `{name}`"),
                format!("Look for it with `signet credential list --tenant {tenant}`."),
            ),
            Verdict::WrongPassword => {
                (format!("the password given for `{name}` of tenant `{tenant}` is not its password"), reason.fix.to_owned())
            }
            Verdict::Suspended => {
                (format!("credential `{id}` is Suspended"), format!("Resume it: `signet credential resume {id} --tenant {tenant}`."))
            }
            Verdict::Revoked => (
                format!("credential `{id}` is Revoked, which is final"),
                format!("Create another with another username: `signet credential create basic NAME --password-stdin --tenant {tenant}`."),
            ),
            Verdict::Expired => (format!("credential `{id}` has expired"), reason.fix.to_owned()),
            Verdict::IdentityDisabled => (
                format!("identity `{identity}` of credential `{id}` is disabled"),
                format!("Enable it: `signet identity enable {identity} --tenant {tenant}`."),
            ),
            Verdict::TenantDisabled => (format!("tenant `{tenant}` is disabled"), reason.fix.to_owned()),
        };
        Some(Refusal::new(reason, detail).with_fix(fix))
    }
}

#[cfg(test)]
mod tests {
    use Enabled::{Disabled, Enabled as On};

    use super::*;
    use crate::transition::{Outcome, Request, transition};

    #[test]
    fn only_a_usable_credential_of_what_is_enabled_is_allowed() {
        for state in CredentialState::ALL {
            for identity in [None, Some(On), Some(Disabled)] {
                for tenant in [On, Disabled] {
                    let allowed = state.usable() && identity != Some(Disabled) && tenant == On;
                    let verdict = judge(tenant, identity, *state);
                    assert_eq!(verdict == Verdict::Allowed, allowed, "{state} {identity:?} {tenant}");
                    // What is allowed can be used by the state machine's own word too.
                    if allowed {
                        assert_ne!(transition(*state, Request::FirstUse, false), Outcome::Illegal);
                    }
                }
            }
        }
        assert_eq!(judge(Disabled, Some(Disabled), CredentialState::Revoked), Verdict::Revoked);
        assert_eq!(judge(Disabled, Some(Disabled), CredentialState::Active), Verdict::IdentityDisabled);
    }

    #[test]
    fn every_refusal_says_why_and_what_helps_and_never_holds_a_username_in_a_command() {
        let tenant: TenantId = "acme".parse().unwrap();
        let user = CheckedUser {
            credential: "br7si8mg10l7an82que0".parse().unwrap(),
            identity: Some(format!("idn_{}", "0".repeat(32)).parse().unwrap()),
            state: CredentialState::Suspended,
        };
        let hostile = "bob`rm -rf`$(x)";
        for (verdict, code, fix) in [
            (Verdict::UnknownTenant, "credential.unknown", "Check the tenant"),
            (Verdict::UnknownUsername, "credential.unknown", "signet credential list --tenant acme"),
            (Verdict::WrongPassword, "credential.wrong-password", "right password"),
            (Verdict::Suspended, "credential.suspended", "signet credential resume br7si8mg10l7an82que0 --tenant acme"),
            (Verdict::Revoked, "credential.revoked", "signet credential create basic NAME"),
            (Verdict::IdentityDisabled, "identity.disabled", "signet identity enable idn_0000"),
            (Verdict::TenantDisabled, "tenant.disabled", "enable the tenant"),
        ] {
            let decision = Checked { verdict, user: Some(user.clone()) }.decision(&tenant, hostile);
            assert!(!decision.allowed);
            assert_eq!(decision.reason, Some(code));
            let told = decision.fix.unwrap();
            assert!(told.contains(fix) && !told.contains("$("), "{told}");
        }
        assert!(Checked { verdict: Verdict::Allowed, user: Some(user) }.decision(&tenant, "bob").allowed);
    }
}
