//! Credentials: their birth and every move that the API makes. First use is in `check`.

use signet_crypto::password::Password;
use signet_ledger::{Change, Decided, Expect, StandingEntry};
use signet_model::{
    ApplicationName, AuditRecord, CredentialId, CredentialKind, CredentialState, EndpointId, IdentityId, Reason, Refusal, Scope,
    StandingSubject, Timestamp, Username, log_text,
};
use signet_pki::{IssuerName, Serial};

use crate::CredentialsRoom;
use crate::certificate::Certificate;
use crate::identity::IdentityRef;
use crate::password_pool::HASH_DEADLINE;
use crate::reasons::{
    CREDENTIAL_CHANGED, CREDENTIAL_ILLEGAL_TRANSITION, CREDENTIAL_NOT_FOUND, CREDENTIAL_REVOKED, CREDENTIAL_SUSPENDED,
    CREDENTIAL_USERNAME_TAKEN, USERNAME_INVALID,
};
use crate::revocation::Gone;
use crate::sql::{self, Cursor};
use crate::sweep::Key;
use crate::tenant::Remember;
use crate::transition::{Outcome, Request, takes_away, transition};

/// A credential as stored, without anything secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Credential {
    /// Its id, an xid.
    pub(crate) id: CredentialId,
    /// What it is.
    pub(crate) kind: CredentialKind,
    /// Where it stands in its life.
    pub(crate) state: CredentialState,
    /// The username of a basic credential.
    pub(crate) username: Option<String>,
    /// The application of an endpoint token.
    pub(crate) application: Option<String>,
    /// The endpoint of an endpoint token.
    pub(crate) endpoint: Option<String>,
    /// Of a certificate: what it is known by.
    pub(crate) certificate: Option<Box<Certificate>>,
    /// The identity that it proves; none for rows made on Kaa's paths.
    pub(crate) identity: Option<IdentityId>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When the API last changed it; the first use does not.
    pub(crate) updated_at: Timestamp,
    /// Its last successful use, to the minute.
    pub(crate) last_used_at: Option<Timestamp>,
    /// Grows with each change of state.
    pub(crate) version: i64,
}

impl Credential {
    /// What its revoked event tells.
    pub(crate) fn gone(&self) -> Gone {
        let endpoint = self.application.clone().zip(self.endpoint.clone());
        Gone { id: self.id.clone(), kind: self.kind, endpoint }
    }
}

/// Exact filters of the list.
#[derive(Clone, Debug, Default)]
pub(crate) struct CredentialFilter {
    pub(crate) kind: Option<CredentialKind>,
    pub(crate) state: Option<CredentialState>,
    pub(crate) username: Option<Username>,
    pub(crate) identity: Option<IdentityRef>,
    pub(crate) application: Option<ApplicationName>,
    pub(crate) endpoint: Option<EndpointId>,
    pub(crate) common_name: Option<String>,
    pub(crate) issuer: Option<IssuerName>,
    pub(crate) serial: Option<Serial>,
}

/// A credential as a caller means it: by its id, and where it matters by its kind and its version.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Meant<'a> {
    id: &'a str,
    kind: Option<CredentialKind>,
    versions: Option<&'a [i64]>,
}

impl<'a> From<&'a str> for Meant<'a> {
    fn from(id: &'a str) -> Self {
        Self { id, kind: None, versions: None }
    }
}

impl<'a> From<&'a String> for Meant<'a> {
    fn from(id: &'a String) -> Self {
        Self::from(id.as_str())
    }
}

impl<'a> Meant<'a> {
    /// The same, but one of another kind is as good as absent.
    pub(crate) fn of_kind(self, kind: CredentialKind) -> Self {
        Self { kind: Some(kind), ..self }
    }

    /// The same, but only in one of these versions; none: whatever its version.
    pub(crate) fn in_versions(self, versions: Option<&'a [i64]>) -> Self {
        Self { versions, ..self }
    }
}

/// What became of a move.
#[derive(Clone, Debug)]
pub(crate) struct Moved {
    pub(crate) credential: Credential,
    pub(crate) changed: bool,
}

/// A username, or why it is none.
pub(crate) fn username(text: &str) -> Result<Username, Refusal> {
    let invalid = |_| Refusal::new(&USERNAME_INVALID, format!("username `{}`: {}", log_text(text, 64), Username::RULE));
    text.parse().map_err(invalid)
}

/// The reason that the standing of a credential in this state carries.
pub(crate) fn standing_reason(state: CredentialState) -> Option<&'static Reason> {
    match state {
        CredentialState::Inactive | CredentialState::Active => None,
        CredentialState::Suspended => Some(&CREDENTIAL_SUSPENDED),
        CredentialState::Revoked => Some(&CREDENTIAL_REVOKED),
    }
}

impl CredentialsRoom {
    /// Makes a username and password. The password is hashed only when nothing cheaper stands in the way.
    pub(crate) async fn create_basic_credential(
        &self,
        scope: &Scope,
        username: &Username,
        password: Password,
        identity: Option<&IdentityRef>,
        remember: Remember<'_, Credential>,
    ) -> Result<Credential, Refusal> {
        let identity = match identity {
            Some(wanted) => Some(self.identity(scope, wanted).await?.id),
            None => None,
        };
        self.refuse_taken(scope, username).await?;
        self.working_tenant(scope).await?;
        let hash = self.pool.hash(password, HASH_DEADLINE).await?;
        let credential = self
            .ledger
            .decide(|| async {
                self.refuse_taken(scope, username).await?;
                let now = scope.now();
                let id = CredentialId::generate(now, scope.entropy.as_ref());
                let leaning = self.leaning(scope, identity.as_ref(), &Key::of(now, &id)).await?;
                leaning.gives?;
                let credential = Credential {
                    id,
                    kind: CredentialKind::Basic,
                    state: CredentialState::Inactive,
                    username: Some(username.as_str().to_owned()),
                    application: None,
                    endpoint: None,
                    certificate: None,
                    identity: identity.clone(),
                    created_at: now,
                    updated_at: now,
                    last_used_at: None,
                    version: 1,
                };
                let mut record = AuditRecord::new(scope, "credential.create", credential.id.as_str())
                    .with("kind", credential.kind.as_str())
                    .with("username", username.as_str());
                let insert = sql::credential::insert_basic(&scope.tenant, &credential, username, &hash);
                let expect = vec![Expect::write(insert, 1), leaning.guard];
                if let Some(identity) = &identity {
                    record = record.with("identity", identity.as_str());
                }
                let change = Change { expect, ..Change::new(record) }.idempotent(remember(&credential)?);
                Ok(Decided::commit(change, credential))
            })
            .await?;
        self.metrics.moved(credential.kind, None, credential.state);
        Ok(credential)
    }

    async fn refuse_taken(&self, scope: &Scope, username: &Username) -> Result<(), Refusal> {
        match sql::one(&self.db, sql::credential::username_taken(&scope.tenant, username), |_| Ok(())).await? {
            None => Ok(()),
            Some(()) => {
                let detail = format!("tenant `{}` has a credential with the username `{}`", scope.tenant, log_text(username.as_str(), 64));
                Err(Refusal::new(&CREDENTIAL_USERNAME_TAKEN, detail))
            }
        }
    }

    /// The credential; refused in the same words whether it is absent or another tenant's.
    pub(crate) async fn credential(&self, scope: &Scope, id: &str) -> Result<Credential, Refusal> {
        let Ok(id) = id.parse() else { return Err(absent(scope)) };
        sql::one(&self.db, sql::credential::find(&scope.tenant, &id), sql::credential::read).await?.ok_or_else(|| absent(scope))
    }

    /// The credential that a caller means.
    ///
    /// # Errors
    /// There is none of that id and kind in the tenant, or it is in another version.
    pub(crate) async fn meant(&self, scope: &Scope, meant: Meant<'_>) -> Result<Credential, Refusal> {
        let credential = self.credential(scope, meant.id).await?;
        if meant.kind.is_some_and(|kind| kind != credential.kind) {
            return Err(absent(scope));
        }
        if meant.versions.is_some_and(|versions| !versions.contains(&credential.version)) {
            let detail = format!("credential `{}` is in version {}, and the request is about another", credential.id, credential.version);
            return Err(Refusal::new(&CREDENTIAL_CHANGED, detail));
        }
        Ok(credential)
    }

    pub(crate) async fn credentials(
        &self,
        scope: &Scope,
        filter: &CredentialFilter,
        after: &Cursor,
        limit: u32,
    ) -> Result<Vec<Credential>, Refusal> {
        let of_kinds = [
            filter.username.is_some(),
            filter.application.is_some() || filter.endpoint.is_some(),
            filter.common_name.is_some() || filter.issuer.is_some() || filter.serial.is_some(),
        ];
        if of_kinds.iter().filter(|named| **named).count() > 1 {
            return Ok(Vec::new()); // nothing has a username and an endpoint, or is a certificate besides
        }
        let identity = match &filter.identity {
            None => None,
            Some(wanted) => match self.find_identity(scope, wanted).await? {
                Some(identity) => Some(identity.id),
                // Nothing is of an identity that is not there, whoever else may have it.
                None => return Ok(Vec::new()),
            },
        };
        let statement = sql::credential::newest(&scope.tenant, filter, identity.as_ref(), after, limit);
        sql::all(&self.db, statement, sql::credential::read).await
    }

    /// Suspends, resumes, revokes, or sets a state by name. Asking for the state that it is in is success and changes nothing.
    pub(crate) async fn move_credential(
        &self,
        scope: &Scope,
        meant: impl Into<Meant<'_>>,
        request: Request,
        reason: Option<&str>,
    ) -> Result<Moved, Refusal> {
        let moved = self.move_by(scope, meant.into(), request, reason, self.config.strict_fsm).await?;
        if moved.credential.state == CredentialState::Revoked {
            self.revoke_same_key(scope, &moved.credential, reason).await?;
        }
        Ok(moved)
    }

    /// The same by the table of moves with or without `strict_fsm`, whatever the configuration says.
    pub(crate) async fn move_by(
        &self,
        scope: &Scope,
        meant: Meant<'_>,
        request: Request,
        reason: Option<&str>,
        strict_fsm: bool,
    ) -> Result<Moved, Refusal> {
        let (moved, from) = self
            .ledger
            .decide(|| async {
                let credential = self.meant(scope, meant).await?;
                let from = credential.state;
                match transition(from, request, strict_fsm) {
                    Outcome::NoChange => match self.report(scope, &credential, reason, scope.now()) {
                        Some(change) => Ok(Decided::commit(change, (Moved { credential, changed: false }, from))),
                        None => Ok(Decided::Same((Moved { credential, changed: false }, from))),
                    },
                    Outcome::Illegal => Ok(Decided::Refuse(illegal(scope, &credential, request))),
                    Outcome::Transition { to } => {
                        let now = scope.now();
                        let key = Key::of(credential.created_at, &credential.id);
                        let leaning = self.leaning(scope, credential.identity.as_ref(), &key).await?;
                        if to.usable() {
                            leaning.gives?;
                        }
                        let tells = takes_away(from, to) && leaning.tells;
                        let change = self.move_change(scope, &credential, to, reason, now, tells).expecting(leaning.guard);
                        let version = credential.version.saturating_add(1);
                        let credential = Credential { state: to, updated_at: now, version, ..credential };
                        Ok(Decided::commit(change, (Moved { credential, changed: true }, from)))
                    }
                }
            })
            .await?;
        if moved.changed {
            self.metrics.moved(moved.credential.kind, Some(from), moved.credential.state);
        }
        Ok(moved)
    }

    fn move_change(
        &self,
        scope: &Scope,
        credential: &Credential,
        to: CredentialState,
        reason: Option<&str>,
        now: Timestamp,
        tells: bool,
    ) -> Change {
        let action = match to {
            CredentialState::Suspended => "credential.suspend",
            CredentialState::Revoked => "credential.revoke",
            // The pure function never leads to Inactive.
            CredentialState::Active | CredentialState::Inactive => "credential.resume",
        };
        let record = AuditRecord::new(scope, action, credential.id.as_str())
            .because(reason.map(str::to_owned))
            .with("from", credential.state.as_str())
            .with("to", to.as_str());
        let standing = StandingEntry {
            subject: StandingSubject::Credential(scope.tenant.clone(), credential.id.clone()),
            good: to.usable(),
            reason: standing_reason(to).map(|reason| reason.code.to_owned()),
        };
        let mut change = Change::new(record)
            .expecting(Expect::write(sql::credential::set_state(&scope.tenant, credential, to, now), 1))
            .standing(standing);
        change.effect = self.beside_moves(scope, credential.moved_certificate().as_slice(), to, reason, now);
        if tells {
            change.events = self.revoked_events(scope, &[credential.gone()]);
        }
        change
    }
}

fn absent(scope: &Scope) -> Refusal {
    Refusal::new(&CREDENTIAL_NOT_FOUND, format!("tenant `{}` has no such credential", scope.tenant))
}

fn illegal(scope: &Scope, credential: &Credential, request: Request) -> Refusal {
    let detail = format!("credential `{}` is {}; {} leads nowhere from there", credential.id, credential.state, request.verb());
    let refusal = Refusal::new(&CREDENTIAL_ILLEGAL_TRANSITION, detail);
    match credential.state {
        CredentialState::Revoked if credential.kind == CredentialKind::X509 => refusal
            .with_fix(format!("Revoked is final. Issue another certificate: `signet cert issue --csr FILE --tenant {}`.", scope.tenant)),
        CredentialState::Revoked => refusal.with_fix(format!(
            "Revoked is final. Create another credential: `signet credential create basic NAME --password-stdin --tenant {}`.",
            scope.tenant
        )),
        CredentialState::Inactive => refusal.with_fix("It becomes Active by its first successful use, not by the API."),
        CredentialState::Active | CredentialState::Suspended => {
            refusal.with_fix(format!("Look at it with `signet credential show {} --tenant {}`.", credential.id, scope.tenant))
        }
    }
}
