//! Sweeps: what a change of a whole tenant or identity means for each of its credentials, done in pages behind the change itself.
//!
//! The change commits with a row of table `sweep`; from then on any replica goes on with it. A page is one Change: the row's
//! compare-and-set, a guard that the credentials of the page are still as they were read, and their events. So a page is told
//! wholly or not at all, and by one replica only; a kill at any point loses nothing and repeats nothing.
//!
//! Which credentials count: those that could be used until the change and still could but for it when their page comes. One that
//! was suspended or revoked meanwhile was told of by that ([`leaning`](crate::leaning)). None can be made, given back or used for
//! the first time meanwhile. When the tenant or identity is enabled again, the sweep ends where it is: what it had not reached
//! works again, and nobody was told the contrary.

use std::sync::Arc;
use std::time::Duration;

use signet_ledger::{Change, CommitError, Expect, StandingEntry};
use signet_model::{
    AuditRecord, Caller, CredentialId, CredentialKind, CredentialState, Enabled, IdentityId, Refusal, Scope, StandingSubject, TenantId,
    Timestamp, TraceId,
};
use tokio_util::task::AbortOnDropHandle;

use crate::CredentialsRoom;
use crate::ports::MovedCertificate;
use crate::reasons::TENANT_DISABLED;
use crate::revocation::Gone;
use crate::sql;
use crate::sql::sweep::{Met, Tally};
use crate::tenant::Tenant;

/// Most credentials that one page tells of, revokes or removes.
pub(crate) const MOST_IN_PAGE: u32 = 500;
/// Most credentials that are read for one page; those that cannot be used need no event.
const MOST_READ: u32 = 4_000;
/// Most sweeps that are gone on with in one round.
const MOST_SWEEPS: u32 = 64;
/// How often the table is looked at when nobody says that there is something: by another replica's change, or one of before a
/// kill.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// The pause of who was not the first, or could not write: the other one goes on meanwhile.
const PAUSE: Duration = Duration::from_millis(500);

/// Why the certificates of an unregistered tenant are revoked, by the name that RFC 5280 section 5.3.1 has for it.
const UNREGISTERED: &str = "cessationOfOperation";

/// The place of a credential in the order of a sweep: by birth, then by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// When it was made, in microseconds since the epoch.
    pub(crate) created_at: i64,
    /// Its id.
    pub(crate) id: String,
}

impl Key {
    /// The key of a credential.
    pub(crate) fn of(created_at: Timestamp, id: &impl std::fmt::Display) -> Self {
        Self { created_at: created_at.micros(), id: id.to_string() }
    }

    /// Before every credential.
    pub(crate) fn start() -> Self {
        Self { created_at: i64::MIN, id: String::new() }
    }

    /// Behind every credential.
    pub(crate) fn end() -> Self {
        Self { created_at: i64::MAX, id: String::new() }
    }
}

/// What a sweep does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// Tells the gateways.
    Announce,
    /// Revokes for good, and tells the gateways.
    Revoke,
    /// Removes the rows.
    Purge,
}

impl Work {
    /// The word in the database.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Announce => "announce",
            Self::Revoke => "revoke",
            Self::Purge => "purge",
        }
    }

    /// What to call it while it goes on.
    pub(crate) const fn under_way(self) -> &'static str {
        match self {
            Self::Announce => "being-told",
            Self::Revoke => "being-revoked",
            Self::Purge => "being-removed",
        }
    }
}

impl std::str::FromStr for Work {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "announce" => Ok(Self::Announce),
            "revoke" => Ok(Self::Revoke),
            "purge" => Ok(Self::Purge),
            _ => Err("wanted announce, revoke or purge".to_owned()),
        }
    }
}

/// A sweep as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sweep {
    /// Whose credentials.
    pub(crate) tenant: TenantId,
    /// Only those of this identity.
    pub(crate) identity: Option<IdentityId>,
    /// What is done to them.
    pub(crate) work: Work,
    /// What lies up to here is done.
    pub(crate) passed: Key,
    /// What lies up to here an earlier sweep has told of.
    pub(crate) already_told: Key,
    /// How many were told of, revoked or removed so far.
    pub(crate) told: i64,
    /// Grows with each page.
    pub(crate) version: i64,
    /// When it began.
    pub(crate) started_at: Timestamp,
}

impl Sweep {
    /// A telling about the tenant of `scope`, from the start.
    pub(crate) fn of_tenant(scope: &Scope) -> Self {
        Self {
            tenant: scope.tenant.clone(),
            identity: None,
            work: Work::Announce,
            passed: Key::start(),
            already_told: Key::start(),
            told: 0,
            version: 1,
            started_at: scope.now(),
        }
    }

    /// A telling about an identity of the tenant of `scope`, from the start.
    pub(crate) fn of_identity(scope: &Scope, identity: &IdentityId) -> Self {
        Self { identity: Some(identity.clone()), ..Self::of_tenant(scope) }
    }

    /// The object that audit records of it name.
    fn object(&self) -> &str {
        self.identity.as_ref().map_or(self.tenant.as_str(), IdentityId::as_str)
    }
}

/// What came of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Round {
    /// There is nothing to do.
    Idle,
    /// Another replica was faster everywhere.
    Lost,
    /// Something was done; there may be more.
    Went,
}

/// A page that was read and judged.
struct Page {
    /// What the gateways must hear of.
    told: Vec<Met>,
    /// What is not revoked yet; only for a revocation.
    unrevoked: Vec<Met>,
    /// The key of the last credential that was looked at; none when there was none.
    last: Option<Key>,
    /// Nothing lies behind it.
    ends: bool,
}

impl CredentialsRoom {
    /// Goes on with sweeps, and removes deleted tenants whose grace has passed, until the handle is dropped. Every replica does.
    pub fn start_sweeping(self: &Arc<Self>) -> AbortOnDropHandle<()> {
        AbortOnDropHandle::new(tokio::spawn(sweep_again_and_again(Arc::clone(self))))
    }

    /// The sweep of the tenant of `scope`, or of one of its identities, if one is under way.
    pub(crate) async fn sweep_of(&self, scope: &Scope, identity: Option<&IdentityId>) -> Result<Option<Sweep>, Refusal> {
        sql::one(&self.db, sql::sweep::find(&scope.tenant, identity), sql::sweep::read).await
    }

    fn sweeping_scope(&self, tenant: &TenantId) -> Scope {
        Scope {
            tenant: tenant.clone(),
            caller: Caller::System("sweep"),
            trace: TraceId::generate(self.entropy.as_ref()),
            correlation: None,
            clock: Arc::clone(&self.clock),
            entropy: Arc::clone(&self.entropy),
        }
    }

    /// One page of each sweep that is under way.
    async fn sweep_round(&self) -> Result<Round, Refusal> {
        let mut round = Round::Idle;
        for tenant in sql::all(&self.db, sql::tenant::due_for_purge(self.clock.now(), MOST_SWEEPS), sql::tenant::read).await? {
            round = round.max(self.commit_step(self.begin_purge(&tenant)).await?);
        }
        for sweep in sql::all(&self.db, sql::sweep::under_way(MOST_SWEEPS), sql::sweep::read).await? {
            let change = match sweep.work {
                Work::Announce => self.announce(&sweep).await?,
                Work::Revoke => self.revoke(&sweep).await?,
                Work::Purge => self.purge(&sweep).await?,
            };
            round = round.max(self.commit_step(change).await?);
        }
        Ok(round)
    }

    async fn commit_step(&self, change: Change) -> Result<Round, Refusal> {
        match self.ledger.commit(change).await {
            Ok(_) => Ok(Round::Went),
            Err(CommitError::Conflict) => Ok(Round::Lost),
            Err(error) => Err(error.into()),
        }
    }

    fn sweep_page(&self) -> u32 {
        self.config.sweep_page.clamp(1, MOST_IN_PAGE)
    }

    async fn read_page(&self, sweep: &Sweep) -> Result<Page, Refusal> {
        let statement = sql::sweep::credentials(&sweep.tenant, sweep.identity.as_ref(), &sweep.passed, MOST_READ);
        let met = sql::all(&self.db, statement, sql::sweep::read_met).await?;
        Ok(cut(sweep, met, (self.sweep_page(), MOST_READ)))
    }

    /// The next page of a telling.
    async fn announce(&self, sweep: &Sweep) -> Result<Change, Refusal> {
        let page = self.read_page(sweep).await?;
        let scope = self.sweeping_scope(&sweep.tenant);
        let action = if sweep.identity.is_some() { "identity.sweep" } else { "tenant.sweep" };
        Ok(self.told(&scope, sweep, action, &page))
    }

    /// The change of a page's events, and of the sweep's own row.
    fn told(&self, scope: &Scope, sweep: &Sweep, action: &'static str, page: &Page) -> Change {
        let record = AuditRecord::new(scope, action, sweep.object()).with("told", page.told.len().to_string());
        let mut change = Change::new(record).expecting(step(sweep, page));
        if let (Some(last), Some(from)) = (&page.last, untold_from(sweep, page.last.as_ref())) {
            let tally = tally(&page.told);
            let unmoved = match &sweep.identity {
                Some(identity) => sql::sweep::usable_of_identity_unmoved(&sweep.tenant, identity, from, last, tally),
                None => sql::sweep::usable_of_tenant_unmoved(&sweep.tenant, from, last, tally),
            };
            change = change.expecting(Expect::guard(unmoved, 1));
        }
        let gone: Vec<Gone> = page.told.iter().map(gone).collect();
        change.events = self.revoked_events(scope, &gone);
        change
    }

    /// The next page of a revocation.
    async fn revoke(&self, sweep: &Sweep) -> Result<Change, Refusal> {
        let page = self.read_page(sweep).await?;
        let scope = self.sweeping_scope(&sweep.tenant);
        let mut change = self.told(&scope, sweep, "tenant.revoke-credentials", &page);
        change.record.detail.insert("revoked", page.unrevoked.len().to_string());
        // An identity that was disabled meanwhile tells of its credentials first.
        change = change.expecting(Expect::guard(sql::sweep::of_identities(&sweep.tenant), 0));
        if let Some(last) = &page.last {
            let unmoved = sql::sweep::unrevoked_unmoved(&sweep.tenant, &sweep.passed, last, tally(&page.unrevoked));
            let now = scope.now();
            change = change.expecting(Expect::guard(unmoved, 1)).effecting(sql::sweep::revoke(&sweep.tenant, &sweep.passed, last, now));
            let certificates: Vec<MovedCertificate<'_>> = page.unrevoked.iter().filter_map(moved_certificate).collect();
            let beside = self.beside_moves(&scope, &certificates, CredentialState::Revoked, Some(UNREGISTERED), now);
            change.effect.extend(beside);
        }
        Ok(change)
    }

    /// Makes an end with a deleted tenant: from here on nothing takes it back.
    fn begin_purge(&self, tenant: &Tenant) -> Change {
        let scope = self.sweeping_scope(&tenant.id);
        let record = AuditRecord::new(&scope, "tenant.purge", tenant.id.as_str());
        let sweep = Sweep { work: Work::Purge, passed: Key::end(), already_told: Key::end(), ..Sweep::of_tenant(&scope) };
        // The row moves, so that who has just decided to take the tenant back on what was read decides again.
        Change::new(record)
            .expecting(Expect::write(sql::tenant::replace(tenant.version, tenant), 1))
            .expecting(Expect::write(sql::sweep::insert(&sweep), 1))
    }

    /// The next page of a removal.
    async fn purge(&self, sweep: &Sweep) -> Result<Change, Refusal> {
        let scope = self.sweeping_scope(&sweep.tenant);
        let page = self.sweep_page();
        let count = |row: &signet_db::Row| Ok([row.int(0)?, row.int(1)?, row.int(2)?, row.int(3)?]);
        let left = sql::one(&self.db, sql::sweep::left(&sweep.tenant, page), count).await?.unwrap_or_default();
        let [credentials, identities, api_tokens, applications] = left;
        let tenant = &sweep.tenant;
        if credentials > 0 {
            return self.purge_credentials(&scope, sweep, page).await;
        }
        let removal = if identities > 0 {
            Some(("identities", identities, sql::sweep::remove_identities(tenant, page)))
        } else if api_tokens > 0 {
            Some(("api_tokens", api_tokens, sql::sweep::remove_api_tokens(tenant, page)))
        } else if applications > 0 {
            Some(("applications", applications, sql::sweep::remove_applications(tenant, page)))
        } else {
            None
        };
        let Some((what, number, statement)) = removal else { return self.end_purge(&scope, sweep).await };
        Ok(removed(&scope, sweep, what, number).effecting(statement))
    }

    /// The oldest credentials that are left, and what their register writes beside. None can be made meanwhile; of those that are
    /// gone meanwhile, such as the tokens of an endpoint that was unregistered, nothing is left to remove.
    async fn purge_credentials(&self, scope: &Scope, sweep: &Sweep, page: u32) -> Result<Change, Refusal> {
        let oldest = sql::all(&self.db, sql::sweep::oldest(&sweep.tenant, page), sql::sweep::read_oldest).await?;
        let number = i64::try_from(oldest.len()).unwrap_or(i64::MAX);
        let mut change = removed(scope, sweep, "credentials", number);
        if let Some((last, _, _)) = oldest.last() {
            change = change.effecting(sql::sweep::remove_credentials(&sweep.tenant, last));
        }
        let certificates: Vec<CredentialId> =
            oldest.into_iter().filter(|(_, _, kind)| *kind == CredentialKind::X509).map(|(_, id, _)| id).collect();
        change.effect.extend(self.beside_removal(scope, &certificates));
        Ok(change)
    }

    async fn end_purge(&self, scope: &Scope, sweep: &Sweep) -> Result<Change, Refusal> {
        let record = AuditRecord::new(scope, "tenant.purged", sweep.object()).with("removed", sweep.told.to_string());
        let mut change = Change::new(record).expecting(Expect::write(sql::sweep::finish(sweep), 1));
        if let Some(tenant) = self.tenant(scope).await? {
            // The standing stays bad for good, and its change lets every replica forget that there was such a tenant.
            change = change
                .expecting(Expect::guard(sql::sweep::anything_left(&sweep.tenant), 0))
                .expecting(Expect::write(sql::tenant::delete(&tenant.id, tenant.version), 1))
                .effecting(sql::tenant_truth::forget_use(&tenant.id))
                .effecting(sql::tenant_truth::forget_managed(&tenant.id))
                .standing(StandingEntry {
                    subject: StandingSubject::Tenant(tenant.id),
                    good: false,
                    reason: Some(TENANT_DISABLED.code.to_owned()),
                });
            change.effect.extend(self.beside_end_of_tenant(scope));
        }
        Ok(change)
    }
}

async fn sweep_again_and_again(room: Arc<CredentialsRoom>) {
    loop {
        let pause = match room.sweep_round().await {
            Ok(Round::Went) => continue,
            Ok(Round::Lost) => PAUSE,
            Ok(Round::Idle) => LOOK_EVERY,
            Err(refusal) => {
                tracing::warn!(event = "sweep.failed", reason = refusal.reason.code, detail = %refusal.detail);
                LOOK_EVERY
            }
        };
        tokio::select! {
            () = room.sweeps_wait.notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Cuts what was read to one page: no more than `most.0` to tell of or to revoke. `most.1` rows were asked for.
fn cut(sweep: &Sweep, met: Vec<Met>, most: (u32, u32)) -> Page {
    let (in_page, read) = (usize::try_from(most.0).unwrap_or(usize::MAX), usize::try_from(most.1).unwrap_or(usize::MAX));
    let mut page = Page { told: Vec::new(), unrevoked: Vec::new(), last: None, ends: met.len() < read };
    for credential in met {
        let tells = credential.key > sweep.already_told && only_this_keeps_it(sweep, &credential);
        let revokes = sweep.work == Work::Revoke && credential.state != CredentialState::Revoked;
        if (tells && page.told.len() >= in_page) || (revokes && page.unrevoked.len() >= in_page) {
            page.ends = false;
            break;
        }
        page.last = Some(credential.key.clone());
        if revokes {
            page.unrevoked.push(credential.clone());
        }
        if tells {
            page.told.push(credential);
        }
    }
    page
}

/// Whether nothing but what the sweep tells of keeps the credential from being used.
fn only_this_keeps_it(sweep: &Sweep, credential: &Met) -> bool {
    let identity_works = credential.identity.is_none() || credential.identity_state == Some(Enabled::Enabled);
    credential.state.usable() && (sweep.identity.is_some() || identity_works)
}

/// The key behind which the page tells; none when it tells nothing since another sweep told all of it.
fn untold_from<'a>(sweep: &'a Sweep, last: Option<&Key>) -> Option<&'a Key> {
    let from = (&sweep.passed).max(&sweep.already_told);
    last.is_some_and(|last| from < last).then_some(from)
}

fn tally(of: &[Met]) -> Tally {
    of.iter().fold(Tally::default(), |tally, met| Tally {
        number: tally.number.saturating_add(1),
        versions: tally.versions.saturating_add(met.version),
    })
}

/// The step of a removal, without the removal itself.
fn removed(scope: &Scope, sweep: &Sweep, what: &'static str, number: i64) -> Change {
    let record = AuditRecord::new(scope, "tenant.purge-page", sweep.object()).with(what, number.to_string());
    let to = Sweep { told: sweep.told.saturating_add(number), ..sweep.clone() };
    Change::new(record).expecting(Expect::write(sql::sweep::replace(sweep.version, &to), 1))
}

fn moved_certificate(met: &Met) -> Option<MovedCertificate<'_>> {
    let (issuer, serial, spki_sha256) = met.certificate.as_ref()?;
    Some(MovedCertificate { id: &met.id, issuer, serial, spki_sha256, from: met.state })
}

fn gone(met: &Met) -> Gone {
    Gone { id: met.id.clone(), kind: met.kind, endpoint: met.application.clone().zip(met.endpoint.clone()) }
}

/// The compare-and-set of the sweep's row behind a page.
fn step(sweep: &Sweep, page: &Page) -> Expect {
    if page.ends {
        return Expect::write(sql::sweep::finish(sweep), 1);
    }
    let passed = page.last.clone().unwrap_or_else(|| sweep.passed.clone());
    let done = if sweep.work == Work::Revoke { page.unrevoked.len() } else { page.told.len() };
    let told = sweep.told.saturating_add(i64::try_from(done).unwrap_or(i64::MAX));
    Expect::write(sql::sweep::replace(sweep.version, &Sweep { passed, told, ..sweep.clone() }), 1)
}
