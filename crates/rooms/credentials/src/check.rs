//! May this username and password connect? One decision for REST and for the bus: one read, then the memory of right passwords or
//! bcrypt, after which the state is read again, so that what was taken back in the middle stays taken back. The first success
//! activates.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use signet_crypto::Secret;
use signet_crypto::password::{BcryptHash, Cost};
use signet_ledger::{Change, Decided, Expect, Upkeep};
use signet_model::{AuditRecord, CredentialKind, CredentialState, Enabled, Refusal, Scope, Username, kinds};
use tokio::time::Instant;

use crate::limits::{Limited, Places, Toll};
use crate::password_pool::{Against, Line, Offered, Strengthened, deadline};
use crate::reasons::{CHECK_RATE_LIMITED, PASSWORD_QUEUE_FULL};
use crate::sql::{
    self,
    credential::{KnownTenant, KnownUser},
};
use crate::transition::{Outcome, Request, transition};
use crate::verdict::{Checked, Verdict, judge};
use crate::{CredentialsRoom, internal};

/// How long a check may take when the caller names no end.
pub(crate) const CHECK_DEADLINE: Duration = Duration::from_secs(5);
/// How often a check starts anew because the stored hash changed while it ran.
const MOST_RESTARTS: usize = 3;

/// How a question came here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Approach {
    /// Which queue it waits in for bcrypt.
    pub(crate) line: Line,
    /// Where it came from, where that is known.
    pub(crate) source: Option<IpAddr>,
    /// When nobody waits for the answer any more.
    pub(crate) deadline: Instant,
}

impl Approach {
    /// By the message bus, which tells no source.
    pub(crate) fn bus(deadline: Instant) -> Self {
        Self { line: Line::Bus, source: None, deadline }
    }

    /// By REST, now.
    pub(crate) fn rest(source: Option<IpAddr>) -> Self {
        Self { line: Line::Rest, source, deadline: deadline(CHECK_DEADLINE) }
    }
}

/// A password on its way to be verified.
struct Attempt<'a> {
    tenant: &'a str,
    username: &'a str,
    offered: Arc<Offered>,
    approach: Approach,
    /// Where it counts if it is wrong.
    places: Places,
}

/// What may be asked about a password.
enum Way {
    /// The memory, then bcrypt.
    Open,
    /// The memory alone: one of its limits is reached.
    MemoryOnly { limited: Limited, toll: Toll },
}

/// What is to be done about a user who gave the right password.
enum Judged {
    /// It is decided.
    Done(Checked),
    /// It is the first use.
    Activate {
        /// The state that it leads to.
        to: CredentialState,
    },
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
    pub(crate) async fn check(&self, scope: &Scope, name: &str, password: Secret, approach: Approach) -> Result<Checked, Refusal> {
        let started = Instant::now();
        let outcome = self.decide(scope, name, password, approach).await;
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
            Err(refusal) if refusal.reason == &PASSWORD_QUEUE_FULL => "queue_full",
            Err(refusal) if refusal.reason == &CHECK_RATE_LIMITED => "limited",
            Err(_) => "error",
        };
        self.metrics.decided(CredentialKind::Basic, word);
        self.metrics.took(CredentialKind::Basic, started.elapsed());
    }

    async fn decide(&self, scope: &Scope, name: &str, password: Secret, approach: Approach) -> Result<Checked, Refusal> {
        let tenant = scope.tenant.as_str();
        let attempt = self.attempt(tenant, name, password, approach)?;
        // What no username can be is nobody's, and no database needs to see it; nor what would not be looked at anyhow.
        self.limits.look_at_all(&attempt.places, Instant::now()).map_err(|limited| self.limited(limited))?;
        let Ok(username) = name.parse::<Username>() else {
            return self.nobody(&attempt, Verdict::UnknownUsername).await;
        };
        for _ in 0..=MOST_RESTARTS {
            let known = self.look_up(scope, &username).await?;
            let unknown = if known.is_some() { Verdict::UnknownUsername } else { Verdict::UnknownTenant };
            let Some((tenant, user)) = known.and_then(|known| Some((known.state, known.user?))) else {
                return self.nobody(&attempt, unknown).await;
            };
            let digest = self.verdicts.digest(&scope.tenant, &user.id, attempt.offered.expose(), &user.password_hash);
            // From here until bcrypt is asked nothing waits, so that no crowd gets its guesses in between two looks at a limit.
            let way = self.may_be_tried(&attempt)?;
            if self.verdicts.knows(&digest, Instant::now()) {
                self.metrics.verified_by("memory");
                drop(way);
                // What was read above was read after the question came.
                if let Judged::Done(checked) = self.judged(scope, tenant, &user) {
                    return Ok(checked);
                }
            } else {
                self.on_to_bcrypt(way)?;
                let hash = BcryptHash::parse_up_to(&user.password_hash, Cost::CEILING).map_err(|error| internal(&error))?;
                let against = Against { hash, digest, strengthened: self.strengthen(scope, &user) };
                if !self.verify(&attempt, Some((against, &user.password_hash))).await? {
                    return Ok(Checked::nobody(Verdict::WrongPassword));
                }
            }
            match self.settle(scope, &username, &user.password_hash).await? {
                Settled::Done(checked) => return Ok(checked),
                Settled::HashMoved => {}
            }
        }
        Err(Refusal::new(&kinds::STORAGE_CONTENTION, "the stored password changed again and again while it was checked"))
    }

    /// Does what a check costs, for a tenant whose very name is none.
    pub(crate) async fn check_nobody(&self, tenant: &str, name: &str, password: Secret, approach: Approach) -> Result<Checked, Refusal> {
        let started = Instant::now();
        let outcome = async {
            let attempt = self.attempt(tenant, name, password, approach)?;
            self.nobody(&attempt, Verdict::UnknownTenant).await
        }
        .await;
        self.count(&outcome, started);
        outcome
    }

    fn attempt<'a>(&self, tenant: &'a str, username: &'a str, password: Secret, approach: Approach) -> Result<Attempt<'a>, Refusal> {
        let places = self.limits.places(tenant, username, approach.source);
        Ok(Attempt { tenant, username, offered: Arc::new(Offered::new(password)?), approach, places })
    }

    /// Whether the password may be looked at: not when a limit is reached, but for a try at the memory. Decided by names alone, so
    /// that it says nothing of what there is.
    fn may_be_tried(&self, attempt: &Attempt<'_>) -> Result<Way, Refusal> {
        let now = Instant::now();
        let Err(limited) = self.limits.look(&attempt.places, now) else { return Ok(Way::Open) };
        let toll = self.limits.probe(attempt.places, now).map_err(|_| self.limited(limited))?;
        Ok(Way::MemoryOnly { limited, toll })
    }

    fn limited(&self, Limited { by, retry_after }: Limited) -> Refusal {
        self.metrics.limited(by.as_str());
        let detail = format!("too many wrong passwords for this {} lately", by.as_str());
        Refusal::new(&CHECK_RATE_LIMITED, detail).with_retry_after(retry_after)
    }

    /// Ends an attempt that the memory could not answer and that nothing else may.
    fn on_to_bcrypt(&self, way: Way) -> Result<(), Refusal> {
        match way {
            Way::Open => Ok(()),
            Way::MemoryOnly { limited, toll } => {
                toll.keep();
                Err(self.limited(limited))
            }
        }
    }

    async fn nobody(&self, attempt: &Attempt<'_>, verdict: Verdict) -> Result<Checked, Refusal> {
        self.on_to_bcrypt(self.may_be_tried(attempt)?)?;
        self.verify(attempt, None).await?;
        Ok(Checked::nobody(verdict))
    }

    /// Whether bcrypt says that the password is right. A wrong one counts against its limits; one that an equal one answers is no
    /// further guess.
    async fn verify(&self, attempt: &Attempt<'_>, stored: Option<(Against, &str)>) -> Result<bool, Refusal> {
        let Attempt { tenant, username, offered, approach, places } = attempt;
        let (against, stored_hash) = stored.map_or((None, None), |(against, hash)| (Some(against), Some(hash)));
        let digest = self.verdicts.attempt(tenant, username, offered.expose(), stored_hash);
        let toll = || self.limits.attempt(*places, Instant::now()).map_err(|limited| self.limited(limited));
        let waits = self.metrics.waits();
        let verified = self.pool.verify(digest, offered, against, toll, approach.line, approach.deadline).await?;
        drop(waits);
        self.metrics.verified_by(if verified.joined { "joined" } else { "bcrypt" });
        Ok(verified.right)
    }

    /// What is to be done about a user who gave the right password, by what was read of it.
    fn judged(&self, scope: &Scope, tenant: Enabled, user: &KnownUser) -> Judged {
        let verdict = judge(tenant, user.identity.as_ref().map(|(_, state)| *state), user.state);
        match (verdict, transition(user.state, Request::FirstUse, self.config.strict_fsm)) {
            (Verdict::Allowed, Outcome::Transition { to }) => Judged::Activate { to },
            (Verdict::Allowed, Outcome::NoChange) => {
                self.note_last_use(scope, user);
                Judged::Done(Checked::user(verdict, user.clone()))
            }
            // The state machine has the last word: what it does not let pass is refused.
            (Verdict::Allowed, Outcome::Illegal) => Judged::Done(Checked::user(Verdict::Suspended, user.clone())),
            (_, _) => Judged::Done(Checked::user(verdict, user.clone())),
        }
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
                let to = match self.judged(scope, known.state, &user) {
                    Judged::Done(checked) => return Ok(Decided::Same((Settled::Done(checked), None))),
                    Judged::Activate { to } => to,
                };
                let now = scope.now();
                let record = AuditRecord::new(scope, "credential.activate", user.id.as_str())
                    .with("from", user.state.as_str())
                    .with("to", to.as_str());
                let change = Change::new(record).expecting(Expect::write(sql::credential::activate(&scope.tenant, &user, now), 1));
                let user = KnownUser { state: to, ..user };
                Ok(Decided::commit(change, (Settled::Done(Checked::user(Verdict::Allowed, user.clone())), Some(user.id))))
            })
            .await?;
        if let Some(id) = activated {
            self.metrics.moved(CredentialKind::Basic, Some(CredentialState::Inactive), CredentialState::Active);
            self.last_use.noted(&id, scope.now());
            self.note_use_of_tenant(&scope.tenant, scope.now());
        }
        Ok(settled)
    }

    /// Writes the last use as upkeep, at most once a minute for each credential.
    fn note_last_use(&self, scope: &Scope, user: &KnownUser) {
        let now = scope.now();
        if self.last_use.due(&user.id, user.last_used_at, now) {
            self.ledger.upkeep(Upkeep { statement: sql::credential::touch(&scope.tenant, &user.id, now) });
            self.note_use_of_tenant(&scope.tenant, now);
        }
    }
}
