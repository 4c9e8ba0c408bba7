//! May this username and password connect? One decision for REST and for the bus: cheap checks, one read, bcrypt, then the state
//! is read again, so that what was taken back in the middle stays taken back. The first success activates.

use std::time::Duration;

use serde::Serialize;
use signet_crypto::Secret;
use signet_crypto::password::{BcryptHash, Cost};
use signet_ledger::{Change, Decided, Expect, Upkeep};
use signet_model::{
    AuditRecord, CredentialId, CredentialKind, CredentialState, Decision, Enabled, IdentityId, Reason, Refusal, Scope, TenantId, Username,
    kinds, log_text,
};
use tokio::time::Instant;

use crate::password_pool::{Offered, Strengthened, deadline};
use crate::reasons::{
    CREDENTIAL_REVOKED, CREDENTIAL_SUSPENDED, CREDENTIAL_UNKNOWN, CREDENTIAL_WRONG_PASSWORD, IDENTITY_DISABLED, PASSWORD_QUEUE_FULL,
    TENANT_DISABLED,
};
use crate::sql::{
    self,
    credential::{KnownTenant, KnownUser},
};
use crate::transition::{Outcome, Request, transition};
use crate::{CredentialsRoom, internal};

/// How long a check may take when the caller names no end.
pub(crate) const CHECK_DEADLINE: Duration = Duration::from_secs(5);
/// How often a check starts anew because the stored hash changed while it ran.
const MOST_RESTARTS: usize = 3;

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
    fn nobody(verdict: Verdict) -> Self {
        Self { verdict, user: None }
    }

    fn user(verdict: Verdict, user: KnownUser) -> Self {
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
            Verdict::IdentityDisabled => (
                format!("identity `{identity}` of credential `{id}` is disabled"),
                format!("Enable it: `signet identity enable {identity} --tenant {tenant}`."),
            ),
            Verdict::TenantDisabled => (format!("tenant `{tenant}` is disabled"), reason.fix.to_owned()),
        };
        Some(Refusal::new(reason, detail).with_fix(fix))
    }
}

/// How a check goes on after the second reading.
enum Settled {
    /// It is decided.
    Done(Checked),
    /// Another hash is stored than the one that was verified: start again.
    HashMoved,
}

impl CredentialsRoom {
    /// Checks a username and a password, counts and logs what came of it. The work is the same for a user that exists and one
    /// that does not.
    pub(crate) async fn check(&self, scope: &Scope, name: &str, password: Secret, deadline: Instant) -> Result<Checked, Refusal> {
        let started = Instant::now();
        let outcome = self.decide(scope, name, password, deadline).await;
        self.count(&outcome, started);
        let credential = outcome.as_ref().ok().and_then(|checked| checked.user.as_ref()).map(|user| user.credential.as_str());
        let reason = match &outcome {
            Ok(checked) => checked.verdict.reason(),
            Err(refusal) => Some(refusal.reason),
        };
        let (tenant, trace) = (&scope.tenant, &scope.trace);
        tracing::info!(event = "credential.check", %tenant, credential, reason = reason.map(|reason| reason.code), trace_id = %trace);
        outcome
    }

    fn count(&self, outcome: &Result<Checked, Refusal>, started: Instant) {
        let word = match outcome {
            Ok(checked) => checked.verdict.word(),
            Err(refusal) if refusal.reason == &PASSWORD_QUEUE_FULL => "overloaded",
            Err(_) => "error",
        };
        self.metrics.decided(CredentialKind::Basic, word);
        self.metrics.took(CredentialKind::Basic, started.elapsed());
    }

    async fn decide(&self, scope: &Scope, name: &str, password: Secret, deadline: Instant) -> Result<Checked, Refusal> {
        let mut offered = Offered::new(password)?;
        // What no username can be is nobody's, and no database needs to see it.
        let Ok(username) = name.parse::<Username>() else {
            self.pool.verify(offered, None, deadline).await?;
            return Ok(Checked::nobody(Verdict::UnknownUsername));
        };
        for _ in 0..=MOST_RESTARTS {
            let known = self.look_up(scope, &username).await?;
            let unknown = if known.is_some() { Verdict::UnknownUsername } else { Verdict::UnknownTenant };
            let Some(user) = known.and_then(|tenant| tenant.user) else {
                self.pool.verify(offered, None, deadline).await?;
                return Ok(Checked::nobody(unknown));
            };
            let hash = BcryptHash::parse_up_to(&user.password_hash, Cost::CEILING).map_err(|error| internal(&error))?;
            let verified = self.pool.verify(offered, Some((hash, self.strengthen(scope, &user))), deadline).await?;
            if !verified.right {
                return Ok(Checked::nobody(Verdict::WrongPassword));
            }
            match self.settle(scope, &username, &user.password_hash).await? {
                Settled::Done(checked) => return Ok(checked),
                Settled::HashMoved => offered = verified.offered,
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "the stored password changed again and again while it was checked"))
    }

    /// Does what a check costs, for a tenant whose very name is none.
    pub(crate) async fn check_nobody(&self, password: Secret, deadline: Instant) -> Result<Checked, Refusal> {
        let started = Instant::now();
        let outcome = match Offered::new(password) {
            Ok(offered) => self.pool.verify(offered, None, deadline).await.map(|_| Checked::nobody(Verdict::UnknownTenant)),
            Err(refusal) => Err(refusal),
        };
        self.count(&outcome, started);
        outcome
    }

    async fn look_up(&self, scope: &Scope, username: &Username) -> Result<Option<KnownTenant>, Refusal> {
        sql::one(&self.db, sql::credential::look_up(&scope.tenant, username), sql::credential::read_look_up).await
    }

    fn strengthen(&self, scope: &Scope, user: &KnownUser) -> Strengthened {
        let (ledger, tenant, id, old) = (self.ledger.clone(), scope.tenant.clone(), user.id.clone(), user.password_hash.clone());
        Box::new(move |stronger| ledger.upkeep(Upkeep { statement: sql::credential::rehash(&tenant, &id, &old, &stronger) }))
    }

    /// The password is right: judge by what stands there now, and activate where it is the first use.
    async fn settle(&self, scope: &Scope, username: &Username, verified: &str) -> Result<Settled, Refusal> {
        let (settled, activated) = self
            .ledger
            .decide(|| async {
                let Some(known) = self.look_up(scope, username).await? else {
                    return Ok(Decided::Same((Settled::Done(Checked::nobody(Verdict::UnknownTenant)), None)));
                };
                let Some(user) = known.user else {
                    return Ok(Decided::Same((Settled::Done(Checked::nobody(Verdict::UnknownUsername)), None)));
                };
                if user.password_hash != verified {
                    return Ok(Decided::Same((Settled::HashMoved, None)));
                }
                let verdict = judge(known.state, user.identity.as_ref().map(|(_, state)| *state), user.state);
                let next = transition(user.state, Request::FirstUse, self.config.strict_fsm);
                match (verdict, next) {
                    (Verdict::Allowed, Outcome::Transition { to }) => {
                        let now = scope.now();
                        let record = AuditRecord::new(scope, "credential.activate", user.id.as_str())
                            .with("from", user.state.as_str())
                            .with("to", to.as_str());
                        let change = Change::new(record).expecting(Expect::write(sql::credential::activate(&scope.tenant, &user, now), 1));
                        let user = KnownUser { state: to, ..user };
                        Ok(Decided::commit(change, (Settled::Done(Checked::user(verdict, user.clone())), Some(user.id))))
                    }
                    (Verdict::Allowed, Outcome::NoChange) => {
                        self.note_last_use(scope, &user);
                        Ok(Decided::Same((Settled::Done(Checked::user(verdict, user)), None)))
                    }
                    // The state machine has the last word: what it does not let pass is refused.
                    (Verdict::Allowed, Outcome::Illegal) => {
                        Ok(Decided::Same((Settled::Done(Checked::user(Verdict::Suspended, user)), None)))
                    }
                    (_, _) => Ok(Decided::Same((Settled::Done(Checked::user(verdict, user)), None))),
                }
            })
            .await?;
        if let Some(id) = activated {
            self.metrics.moved(CredentialKind::Basic, Some(CredentialState::Inactive), CredentialState::Active);
            self.last_use.noted(&id, scope.now());
        }
        Ok(settled)
    }

    /// Writes the last use as upkeep, at most once a minute for each credential.
    fn note_last_use(&self, scope: &Scope, user: &KnownUser) {
        let now = scope.now();
        if self.last_use.due(&user.id, user.last_used_at, now) {
            self.ledger.upkeep(Upkeep { statement: sql::credential::touch(&scope.tenant, &user.id, now) });
        }
    }

    /// The end of a check that names none.
    pub(crate) fn check_deadline() -> Instant {
        deadline(CHECK_DEADLINE)
    }
}

#[cfg(test)]
mod tests {
    use Enabled::{Disabled, Enabled as On};

    use super::*;

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
