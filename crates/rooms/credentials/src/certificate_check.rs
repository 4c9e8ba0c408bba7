//! May the client with this certificate connect? One decision for REST and for the bus (`kaa.md` 14.4): one read by issuer and serial
//! number, and the first success activates in the commit that answers. No cryptography here: whoever asks has verified the
//! certificate, and nothing of it is trusted but its two names.

use serde::Serialize;
use signet_ledger::{Change, Decided, Expect, Upkeep};
use signet_model::{
    AuditRecord, CredentialId, CredentialKind, CredentialState, Decision, IdentityId, Refusal, Scope, TenantId, Timestamp, log_text,
};
use signet_pki::{IssuerName, Serial};
use tokio::time::Instant;

use crate::CredentialsRoom;
use crate::certificate::LONGEST_ISSUER;
use crate::ports::MovedCertificate;
use crate::reasons::CREDENTIAL_UNKNOWN;
use crate::sql::certificate::KnownCertificate;
use crate::sql::{self, certificate as rows};
use crate::transition::{Outcome, Request, transition};
use crate::verdict::{Verdict, judge};

/// By what a certificate is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CertificateName {
    pub(crate) issuer: IssuerName,
    pub(crate) serial: Serial,
}

/// Who asks, and for which tenants the answer may be.
#[derive(Clone, Copy)]
pub(crate) enum Asking<'a> {
    /// A gateway: the tenant is an output.
    Bus,
    /// A caller inside of a tenant: the certificates of others are as good as absent.
    Inside(&'a Scope),
    /// A caller above the tenants; gives the scope of its request in a tenant.
    Above(&'a (dyn Fn(TenantId) -> Scope + Send + Sync)),
}

/// What is known of a certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CheckedCertificate {
    /// Nobody has it.
    Unknown,
    /// It is this one's; whether it may be used is the verdict.
    Known {
        tenant: TenantId,
        credential: CredentialId,
        state: CredentialState,
        identity: Option<IdentityId>,
        not_after: Timestamp,
        /// Any but those on passwords.
        verdict: Verdict,
    },
}

impl CheckedCertificate {
    fn of(known: KnownCertificate, verdict: Verdict) -> Self {
        let KnownCertificate { tenant, id, state, identity, not_after, .. } = known;
        Self::Known { tenant, credential: id, state, identity: identity.map(|(id, _)| id), not_after, verdict }
    }

    /// Whether nobody has it.
    pub(crate) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown)
    }

    /// The word in metrics.
    fn word(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Known { verdict, .. } => verdict.word(),
        }
    }
}

/// A verdict by what was read: what is taken back by its own state is called so, also when it has expired besides.
fn judge_certificate(known: &KnownCertificate, now: Timestamp) -> Verdict {
    match judge(known.tenant_state, known.identity.as_ref().map(|(_, state)| *state), known.state) {
        taken_back @ (Verdict::Suspended | Verdict::Revoked) => taken_back,
        // The last instant of its validity is the first of which it does not hold any more (`kaa.md` 14.4).
        _ if now >= known.not_after => Verdict::Expired,
        verdict => verdict,
    }
}

impl CredentialsRoom {
    /// Checks a certificate, counts and logs what came of it.
    pub(crate) async fn check_certificate(&self, asking: Asking<'_>, name: &CertificateName) -> Result<CheckedCertificate, Refusal> {
        let started = Instant::now();
        let outcome = self.decide_on_certificate(asking, name).await;
        let (word, reason) = match &outcome {
            Ok(checked) => (checked.word(), checked.reason().map(|reason| reason.code)),
            Err(refusal) => ("error", Some(refusal.reason.code)),
        };
        self.metrics.decided(CredentialKind::X509, word);
        self.metrics.took(CredentialKind::X509, started.elapsed());
        let known = match &outcome {
            Ok(CheckedCertificate::Known { tenant, credential, .. }) => Some((tenant.as_str(), credential.as_str())),
            Ok(CheckedCertificate::Unknown) | Err(_) => None,
        };
        let (tenant, credential) = known.unzip();
        // A fleet that comes back asks for each of its certificates: what is let in is told at the level of details only.
        if word == Verdict::Allowed.word() {
            tracing::debug!(event = "certificate.check", tenant, credential);
        } else {
            let (issuer, serial) = (log_text(name.issuer.as_str(), 128), name.serial.decimal());
            tracing::info!(event = "certificate.check", tenant, credential, issuer, serial, result = word, reason);
        }
        outcome
    }

    async fn decide_on_certificate(&self, asking: Asking<'_>, name: &CertificateName) -> Result<CheckedCertificate, Refusal> {
        let (issuer, serial) = (name.issuer.as_str(), name.serial.decimal());
        // What no row can have is nobody's, and no database needs to see it.
        if issuer.len() > LONGEST_ISSUER {
            return Ok(CheckedCertificate::Unknown);
        }
        let (checked, activated) = self
            .ledger
            .decide(|| async {
                let found = sql::one(&self.db, rows::look_up(issuer, &serial), rows::read_look_up).await?;
                let Some(known) = found.filter(|known| asking.may_see(&known.tenant)) else {
                    return Ok(Decided::Same((CheckedCertificate::Unknown, None)));
                };
                let now = self.clock.now();
                let verdict = judge_certificate(&known, now);
                match (verdict, transition(known.state, Request::FirstUse, self.config.strict_fsm)) {
                    (Verdict::Allowed, Outcome::Transition { to }) => {
                        let scope = self.scope_of_check(asking, &known.tenant);
                        let change = self.first_use(&scope, &known, (issuer, &serial), to, now);
                        let (id, tenant) = (known.id.clone(), known.tenant.clone());
                        let known = KnownCertificate { state: to, ..known };
                        Ok(Decided::commit(change, (CheckedCertificate::of(known, verdict), Some((id, tenant, now)))))
                    }
                    (Verdict::Allowed, Outcome::NoChange) => {
                        self.note_last_use_of_certificate(&known, now);
                        Ok(Decided::Same((CheckedCertificate::of(known, verdict), None)))
                    }
                    // The state machine has the last word: what it does not let pass is refused.
                    (Verdict::Allowed, Outcome::Illegal) => Ok(Decided::Same((CheckedCertificate::of(known, Verdict::Suspended), None))),
                    (_, _) => Ok(Decided::Same((CheckedCertificate::of(known, verdict), None))),
                }
            })
            .await?;
        if let Some((id, tenant, now)) = activated {
            self.metrics.moved(CredentialKind::X509, Some(CredentialState::Inactive), CredentialState::Active);
            self.last_use.noted(&id, now);
            self.note_use_of_tenant(&tenant, now);
        }
        Ok(checked)
    }

    /// The change of a first use, with what the register writes beside it.
    fn first_use(
        &self,
        scope: &Scope,
        known: &KnownCertificate,
        (issuer, serial): (&str, &str),
        to: CredentialState,
        now: Timestamp,
    ) -> Change {
        let record =
            AuditRecord::new(scope, "credential.activate", known.id.as_str()).with("from", known.state.as_str()).with("to", to.as_str());
        let mut change = Change::new(record).expecting(Expect::write(rows::activate(known, now), 1));
        let moved = MovedCertificate { id: &known.id, issuer, serial, spki_sha256: &known.spki_sha256, from: known.state };
        change.effect = self.beside_moves(scope, &[moved], to, None, now);
        change
    }

    fn scope_of_check(&self, asking: Asking<'_>, tenant: &TenantId) -> Scope {
        match asking {
            Asking::Bus => self.bus_scope(tenant.clone()),
            Asking::Inside(scope) => scope.clone(),
            Asking::Above(scope) => scope(tenant.clone()),
        }
    }

    fn note_last_use_of_certificate(&self, known: &KnownCertificate, now: Timestamp) {
        if self.last_use.due(&known.id, known.last_used_at, now) {
            self.ledger.upkeep(Upkeep { statement: sql::credential::touch(&known.tenant, &known.id, now) });
            self.note_use_of_tenant(&known.tenant, now);
        }
    }

    /// For a serial number of plain digits that nobody has: whether one of the same digits, read as hexadecimal, is there.
    pub(crate) async fn would_match_as_hexadecimal(&self, asking: Asking<'_>, issuer: &IssuerName, text: &str) -> Result<bool, Refusal> {
        let Some(serial) = Serial::hexadecimal_reading(text) else { return Ok(false) };
        if issuer.as_str().len() > LONGEST_ISSUER {
            return Ok(false);
        }
        let found = sql::one(&self.db, rows::look_up(issuer.as_str(), &serial.decimal()), rows::read_look_up).await?;
        Ok(found.is_some_and(|known| asking.may_see(&known.tenant)))
    }
}

impl Asking<'_> {
    fn may_see(&self, tenant: &TenantId) -> bool {
        match self {
            Self::Bus | Self::Above(_) => true,
            Self::Inside(scope) => scope.tenant == *tenant,
        }
    }
}

/// What a decision is about.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct CertificateEvidence {
    pub(crate) credential: Option<CredentialId>,
    pub(crate) state: Option<CredentialState>,
    pub(crate) issuer: String,
    pub(crate) serial: String,
    pub(crate) tenant: Option<TenantId>,
}

impl CheckedCertificate {
    /// Why it is refused, in general.
    pub(crate) fn reason(&self) -> Option<&'static signet_model::Reason> {
        match self {
            Self::Unknown => Some(&CREDENTIAL_UNKNOWN),
            Self::Known { verdict, .. } => verdict.reason(),
        }
    }

    /// The verdict as a decision that explains itself. `as_hexadecimal`: an unknown one would be known if its digits were meant so.
    pub(crate) fn decision(&self, name: &CertificateName, as_hexadecimal: bool) -> Decision<CertificateEvidence> {
        let (credential, state, tenant) = match self {
            Self::Unknown => (None, None, None),
            Self::Known { credential, state, tenant, .. } => (Some(credential.clone()), Some(*state), Some(tenant.clone())),
        };
        let (issuer, serial) = (log_text(name.issuer.as_str(), LONGEST_ISSUER), name.serial.decimal());
        let evidence = CertificateEvidence { credential, state, issuer, serial, tenant };
        match self.refusal(name, as_hexadecimal) {
            None => Decision::allow(evidence),
            Some(refusal) => Decision::refuse(&refusal, evidence),
        }
    }

    /// Commands in a fix hold ids and numbers only: a name may hold what a shell would run.
    fn refusal(&self, name: &CertificateName, as_hexadecimal: bool) -> Option<Refusal> {
        let reason = self.reason()?;
        let Self::Known { tenant, credential, identity, not_after, verdict, .. } = self else {
            let serial = name.serial.decimal();
            let detail = format!("there is no certificate with serial number {serial} of `{}`", log_text(name.issuer.as_str(), 128));
            let fix = if as_hexadecimal {
                format!("Digits alone are decimal. There is one whose number has these digits in hexadecimal: write `0x{serial}`.")
            } else {
                format!("Look for the number with `signet cert list --serial {serial}`, and compare the issuer.")
            };
            return Some(Refusal::new(reason, detail).with_fix(fix));
        };
        let identity = identity.as_ref().map(ToString::to_string).unwrap_or_default();
        let (detail, fix) = match verdict {
            Verdict::Allowed => return None,
            Verdict::Suspended => (
                format!("credential `{credential}` is Suspended"),
                format!("Resume it: `signet cert resume {credential} --tenant {tenant}`."),
            ),
            Verdict::Revoked => (
                format!("credential `{credential}` is Revoked, which is final"),
                format!("Issue another certificate: `signet cert issue --csr FILE --tenant {tenant}`."),
            ),
            Verdict::Expired => {
                (format!("the certificate of credential `{credential}` was valid until {not_after}"), reason.fix.to_owned())
            }
            Verdict::IdentityDisabled => (
                format!("identity `{identity}` of credential `{credential}` is disabled"),
                format!("Enable it: `signet identity enable {identity} --tenant {tenant}`."),
            ),
            Verdict::TenantDisabled => (format!("tenant `{tenant}` is disabled"), reason.fix.to_owned()),
            // Verdicts on passwords, which nothing here gives.
            Verdict::UnknownTenant | Verdict::UnknownUsername | Verdict::WrongPassword => (reason.title.to_owned(), reason.fix.to_owned()),
        };
        Some(Refusal::new(reason, detail).with_fix(fix))
    }
}

#[cfg(test)]
mod tests {
    use Enabled::{Disabled, Enabled as On};
    use signet_model::Enabled;

    use super::*;

    fn known(state: CredentialState, identity: Option<Enabled>, tenant_state: Enabled) -> KnownCertificate {
        KnownCertificate {
            tenant: "acme".parse().unwrap(),
            tenant_state,
            id: "br7si8mg10l7an82que0".parse().unwrap(),
            state,
            spki_sha256: [7; 32],
            not_after: Timestamp::from_millis(1_000),
            identity: identity.map(|state| (format!("idn_{}", "0".repeat(32)).parse().unwrap(), state)),
            last_used_at: None,
            version: 1,
        }
    }

    #[test]
    fn only_a_usable_certificate_of_what_is_enabled_is_allowed_and_only_before_its_end() {
        for state in CredentialState::ALL {
            for identity in [None, Some(On), Some(Disabled)] {
                for tenant in [On, Disabled] {
                    for (at, ended) in [(0, false), (999, false), (1_000, true), (1_001, true)] {
                        let verdict = judge_certificate(&known(*state, identity, tenant), Timestamp::from_millis(at));
                        let allowed = state.usable() && identity != Some(Disabled) && tenant == On && !ended;
                        assert_eq!(verdict == Verdict::Allowed, allowed, "{state} {identity:?} {tenant} {at}");
                        assert_eq!(verdict == Verdict::Expired, state.usable() && ended, "{state} {identity:?} {tenant} {at}");
                    }
                }
            }
        }
    }

    #[test]
    fn every_refusal_says_why_and_what_helps_and_never_holds_a_name_in_a_command() {
        let hostile = IssuerName::common("bob`rm -rf`$(x)");
        let name = CertificateName { issuer: hostile, serial: Serial::parse_text("1234").unwrap() };
        for (verdict, code, fix) in [
            (Verdict::Suspended, "credential.suspended", "signet cert resume br7si8mg10l7an82que0 --tenant acme"),
            (Verdict::Revoked, "credential.revoked", "signet cert issue"),
            (Verdict::Expired, "credential.expired", "signet cert issue"),
            (Verdict::IdentityDisabled, "identity.disabled", "signet identity enable idn_0000"),
            (Verdict::TenantDisabled, "tenant.disabled", "enable the tenant"),
        ] {
            let known = known(CredentialState::Active, Some(Disabled), Disabled);
            let decision = CheckedCertificate::of(known, verdict).decision(&name, false);
            assert!(!decision.allowed);
            assert_eq!(decision.reason, Some(code));
            let told = decision.fix.unwrap();
            assert!(told.contains(fix) && !told.contains("$("), "{told}");
        }
        let unknown = |hexadecimal| CheckedCertificate::Unknown.decision(&name, hexadecimal);
        assert_eq!(unknown(false).reason, Some("credential.unknown"));
        assert!(unknown(false).fix.unwrap().contains("signet cert list --serial 1234"));
        assert!(unknown(true).fix.unwrap().contains("`0x1234`"));
        assert_eq!(unknown(true).evidence.tenant, None);
        let allowed = CheckedCertificate::of(known(CredentialState::Active, None, On), Verdict::Allowed).decision(&name, false);
        assert!(allowed.allowed && allowed.evidence.tenant.is_some());
    }
}
