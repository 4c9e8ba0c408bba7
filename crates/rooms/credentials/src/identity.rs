//! Identities: what acts. Disabling one refuses every credential of it at once.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use signet_db::{DbError, Row};
use signet_ledger::{Change, Decided, Expect, StandingEntry};
use signet_model::{AuditRecord, Enabled, IdentityId, IdentityKind, IdentityName, Refusal, Scope, StandingSubject, Timestamp, log_text};

use crate::reasons::{IDENTITY_DISABLED, IDENTITY_EXISTS, IDENTITY_INVALID_LABELS, IDENTITY_INVALID_NAME, IDENTITY_NOT_FOUND};
use crate::revocation::Gone;
use crate::sql::{self, Cursor, parsed};
use crate::sweep::Sweep;
use crate::tenant::Remember;
use crate::{CredentialsRoom, internal};

/// Most labels of one identity.
const MOST_LABELS: usize = 32;
/// Longest name of a label, in characters.
const LONGEST_LABEL_NAME: usize = 63;
/// Longest value of a label, in characters.
const LONGEST_LABEL_VALUE: usize = 255;
/// Most usable credentials that are told of in the very commit that disables their identity.
const MOST_AT_ONCE: u32 = 500;
/// How often that is tried before their telling is left to a sweep.
const MOST_ATTEMPTS_AT_ONCE: usize = 2;

/// An identity as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity {
    /// Its id.
    pub(crate) id: IdentityId,
    /// Its name, unique in the tenant.
    pub(crate) name: IdentityName,
    /// What it is.
    pub(crate) kind: IdentityKind,
    /// Whether its credentials work.
    pub(crate) state: Enabled,
    /// Free labels.
    pub(crate) labels: BTreeMap<String, String>,
    /// When it was made.
    pub(crate) created_at: Timestamp,
    /// When it last changed.
    pub(crate) updated_at: Timestamp,
    /// Grows with each change.
    pub(crate) version: i64,
}

/// What a new identity is to be; checked by [`NewIdentity::checked`].
#[derive(Clone, Debug)]
pub(crate) struct NewIdentity {
    name: IdentityName,
    kind: IdentityKind,
    labels: BTreeMap<String, String>,
}

impl NewIdentity {
    pub(crate) fn checked(name: &str, kind: IdentityKind, labels: BTreeMap<String, String>) -> Result<Self, Refusal> {
        let invalid = |why: &str| Refusal::new(&IDENTITY_INVALID_NAME, format!("identity name `{}`: {why}", log_text(name, 128)));
        // A name of the form of an id could stand in front of another identity's id.
        if name.parse::<IdentityId>().is_ok() {
            return Err(invalid("it has the form of an id"));
        }
        let name = name.parse().map_err(|_| invalid(IdentityName::RULE))?;
        check_labels(&labels)?;
        Ok(Self { name, kind, labels })
    }
}

fn check_labels(labels: &BTreeMap<String, String>) -> Result<(), Refusal> {
    let refuse = |why: String| Err(Refusal::new(&IDENTITY_INVALID_LABELS, why));
    if labels.len() > MOST_LABELS {
        return refuse(format!("{} labels, more than {MOST_LABELS}", labels.len()));
    }
    for (name, value) in labels {
        let (length, longest) = (name.chars().count(), value.chars().count());
        let shown = log_text(name, LONGEST_LABEL_NAME);
        if !(1..=LONGEST_LABEL_NAME).contains(&length) || longest > LONGEST_LABEL_VALUE {
            return refuse(format!("label `{shown}`: its name has {length} characters, its value {longest}"));
        }
        if name.chars().chain(value.chars()).any(char::is_control) {
            return refuse(format!("label `{shown}` holds a control character"));
        }
    }
    Ok(())
}

/// How a caller names an identity: by id, else by name.
#[derive(Clone, Debug)]
pub(crate) enum IdentityRef {
    Id(IdentityId),
    Name(IdentityName),
    /// A text that neither can be; nothing has it.
    Neither(String),
}

impl IdentityRef {
    pub(crate) fn parse(text: &str) -> Self {
        match (text.parse(), text.parse()) {
            (Ok(id), _) => Self::Id(id),
            (Err(_), Ok(name)) => Self::Name(name),
            (Err(_), Err(_)) => Self::Neither(log_text(text, 128)),
        }
    }
}

impl std::fmt::Display for IdentityRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Id(id) => id.fmt(f),
            Self::Name(name) => name.fmt(f),
            Self::Neither(text) => f.write_str(text),
        }
    }
}

/// What became of an enable or a disable.
#[derive(Clone, Debug)]
pub(crate) struct Switched {
    pub(crate) identity: Identity,
    pub(crate) changed: bool,
}

/// An identity's usable credential, as far as taking it back needs it.
#[derive(Clone, Debug)]
struct Usable {
    gone: Gone,
    version: i64,
}

fn read_usable(row: &Row) -> Result<Usable, DbError> {
    let endpoint = row.opt_text(3)?.map(str::to_owned).zip(row.opt_text(4)?.map(str::to_owned));
    Ok(Usable { gone: Gone { id: parsed(row, 0)?, kind: parsed(row, 1)?, endpoint }, version: row.int(2)? })
}

impl CredentialsRoom {
    pub(crate) async fn create_identity(
        &self,
        scope: &Scope,
        new: &NewIdentity,
        remember: Remember<'_, Identity>,
    ) -> Result<Identity, Refusal> {
        self.ledger
            .decide(|| async {
                if self.identity_named(scope, &new.name).await?.is_some() {
                    let detail = format!("tenant `{}` has an identity `{}` already", scope.tenant, new.name);
                    return Ok(Decided::Refuse(Refusal::new(&IDENTITY_EXISTS, detail)));
                }
                self.working_tenant(scope).await?;
                let now = scope.now();
                let identity = Identity {
                    id: IdentityId::generate(now, scope.entropy.as_ref()),
                    name: new.name.clone(),
                    kind: new.kind,
                    state: Enabled::Enabled,
                    labels: new.labels.clone(),
                    created_at: now,
                    updated_at: now,
                    version: 1,
                };
                let record = AuditRecord::new(scope, "identity.create", identity.id.as_str())
                    .with("name", identity.name.as_str())
                    .with("kind", identity.kind.as_str());
                let insert = sql::identity::insert(&scope.tenant, &identity).map_err(|error| internal(&error))?;
                let change = Change::new(record)
                    .expecting(Expect::write(insert, 1))
                    .expecting(Expect::guard(sql::tenant::enabled(&scope.tenant), 1))
                    .idempotent(remember(&identity)?);
                Ok(Decided::commit(change, identity))
            })
            .await
    }

    async fn identity_named(&self, scope: &Scope, name: &IdentityName) -> Result<Option<Identity>, Refusal> {
        sql::one(&self.db, sql::identity::find_by_name(&scope.tenant, name), sql::identity::read).await
    }

    /// The identity that is meant, if the tenant has it.
    pub(crate) async fn find_identity(&self, scope: &Scope, wanted: &IdentityRef) -> Result<Option<Identity>, Refusal> {
        match wanted {
            IdentityRef::Id(id) => sql::one(&self.db, sql::identity::find(&scope.tenant, id), sql::identity::read).await,
            IdentityRef::Name(name) => self.identity_named(scope, name).await,
            IdentityRef::Neither(_) => Ok(None),
        }
    }

    /// The identity that is meant; refused in the same words whether it is absent or another tenant's.
    pub(crate) async fn identity(&self, scope: &Scope, wanted: &IdentityRef) -> Result<Identity, Refusal> {
        self.find_identity(scope, wanted)
            .await?
            .ok_or_else(|| Refusal::new(&IDENTITY_NOT_FOUND, format!("tenant `{}` has no such identity", scope.tenant)))
    }

    pub(crate) async fn identities(&self, scope: &Scope, after: &Cursor, limit: u32) -> Result<Vec<Identity>, Refusal> {
        sql::all(&self.db, sql::identity::newest(&scope.tenant, after, limit), sql::identity::read).await
    }

    /// Enables or disables an identity. Disabling sends one revoked event for each credential that could be used: in the same
    /// commit where they are few, else by a [sweep](crate::sweep) behind it. Enabling sends none.
    pub(crate) async fn switch_identity(
        &self,
        scope: &Scope,
        wanted: &IdentityRef,
        to: Enabled,
        reason: Option<&str>,
    ) -> Result<Switched, Refusal> {
        let attempts = AtomicUsize::new(0);
        let switched = self
            .ledger
            .decide(|| async {
                let attempt = attempts.fetch_add(1, Ordering::Relaxed);
                let identity = self.identity(scope, wanted).await?;
                if identity.state == to {
                    return Ok(Decided::Same(Switched { identity, changed: false }));
                }
                let now = scope.now();
                let change = switch_change(scope, &identity, to, reason, now);
                let change = match to {
                    Enabled::Enabled => self.giving_back(scope, &identity, change).await?,
                    Enabled::Disabled => self.taking_back(scope, &identity, change, attempt).await?,
                };
                let version = identity.version.saturating_add(1);
                let identity = Identity { state: to, updated_at: now, version, ..identity };
                Ok(Decided::commit(change, Switched { identity, changed: true }))
            })
            .await?;
        self.sweeps_wait.notify_one();
        Ok(switched)
    }

    async fn giving_back(&self, scope: &Scope, identity: &Identity, change: Change) -> Result<Change, Refusal> {
        self.working_tenant(scope).await?;
        Ok(change
            .expecting(Expect::guard(sql::tenant::enabled(&scope.tenant), 1))
            .effecting(sql::sweep::end_announcement(&scope.tenant, Some(&identity.id))))
    }

    /// Adds what the gateways must hear, now or by a sweep.
    async fn taking_back(&self, scope: &Scope, identity: &Identity, change: Change, attempt: usize) -> Result<Change, Refusal> {
        let tenant = self.existing_tenant(scope).await?;
        let change = change.expecting(Expect::guard(sql::tenant::unmoved(&tenant.id, tenant.version), 1));
        if !tenant.state.works() {
            // Nothing of it can be used. What a sweep of the tenant has not told yet is told by one of the identity.
            return Ok(change.effecting(sql::sweep::split_off(&scope.tenant, &identity.id, scope.now())));
        }
        let usable = self.usable_credentials(scope, &identity.id).await?;
        match usable {
            // Credentials that move all the time must not keep their identity from being disabled.
            Some(usable) if attempt < MOST_ATTEMPTS_AT_ONCE => {
                let count = i64::try_from(usable.len()).unwrap_or(i64::MAX);
                let versions = usable.iter().fold(0_i64, |sum, credential| sum.saturating_add(credential.version));
                let unmoved = sql::identity::usable_credentials_unmoved(&scope.tenant, &identity.id, count, versions);
                let mut change = change.expecting(Expect::guard(unmoved, 1));
                change.record.detail.insert("credentials", usable.len().to_string());
                let gone: Vec<Gone> = usable.into_iter().map(|usable| usable.gone).collect();
                change.events = self.revoked_events(scope, &gone);
                Ok(change)
            }
            Some(_) | None => Ok(change.expecting(Expect::write(sql::sweep::insert(&Sweep::of_identity(scope, &identity.id)), 1))),
        }
    }

    /// The identity's usable credentials; none when they are too many for one commit.
    async fn usable_credentials(&self, scope: &Scope, id: &IdentityId) -> Result<Option<Vec<Usable>>, Refusal> {
        let statement = sql::identity::usable_credentials(&scope.tenant, id, MOST_AT_ONCE.saturating_add(1));
        let usable = sql::all(&self.db, statement, read_usable).await?;
        let fits = usable.len() <= usize::try_from(MOST_AT_ONCE).unwrap_or(usize::MAX);
        Ok(fits.then_some(usable))
    }
}

/// The change of an identity's row with its standing.
fn switch_change(scope: &Scope, identity: &Identity, to: Enabled, reason: Option<&str>, now: Timestamp) -> Change {
    let action = match to {
        Enabled::Enabled => "identity.enable",
        Enabled::Disabled => "identity.disable",
    };
    let record = AuditRecord::new(scope, action, identity.id.as_str()).because(reason.map(str::to_owned));
    let standing = StandingEntry {
        subject: StandingSubject::Identity(scope.tenant.clone(), identity.id.clone()),
        good: to == Enabled::Enabled,
        reason: (to == Enabled::Disabled).then(|| IDENTITY_DISABLED.code.to_owned()),
    };
    let write = sql::identity::set_state(&scope.tenant, identity, to, now);
    Change::new(record).expecting(Expect::write(write, 1)).standing(standing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_name_cannot_have_the_form_of_an_id() {
        let check = |name: &str| NewIdentity::checked(name, IdentityKind::Device, BTreeMap::new()).map_err(|r| r.reason.code);
        assert!(check("dev-1").is_ok());
        for bad in ["", "a/b", "#", &format!("idn_{}", "0".repeat(32)), &"x".repeat(129), "a\nb"] {
            assert_eq!(check(bad).unwrap_err(), "identity.invalid-name", "{bad}");
        }
    }

    #[test]
    fn labels_are_bounded_in_number_length_and_characters() {
        let long = "x".repeat(256);
        for good in [labels(&[]), labels(&[("a", "")]), labels(&[("team", "größe 1")]), labels(&[(&long[..63], &long[..255])])] {
            assert!(check_labels(&good).is_ok(), "{good:?}");
        }
        let many = (0..=MOST_LABELS).map(|n| (n.to_string(), String::new())).collect();
        for bad in [labels(&[("", "a")]), labels(&[(&long[..64], "")]), labels(&[("a", &long)]), labels(&[("a", "b\u{7}")]), many] {
            assert_eq!(check_labels(&bad).unwrap_err().reason.code, "identity.invalid-labels");
        }
    }

    #[test]
    fn an_id_is_taken_as_one_before_it_is_taken_as_a_name() {
        let id = format!("idn_{}", "0".repeat(32));
        assert!(matches!(IdentityRef::parse(&id), IdentityRef::Id(_)));
        assert!(matches!(IdentityRef::parse("dev-1"), IdentityRef::Name(_)));
        assert!(matches!(IdentityRef::parse("a b"), IdentityRef::Neither(_)));
    }
}
