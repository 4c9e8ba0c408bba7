//! Random histories over two replicas (checklist V4 to V6): whatever was done, revoked or suspended and unexpired is on the list
//! that the certificate names, what is neither is not, OCSP says the same, and numbers rise. After an end an entry stays until
//! one list was dated behind that end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use signet_authority::rotation::Step as Turn;
use signet_authority::{AuthorityConfig, IssueOrder};
use signet_db::{Statement, params};
use signet_ledger::{Change, Expect};
use signet_model::CredentialState::{self, Active, Inactive, Revoked, Suspended};
use signet_model::{AuditRecord, CredentialId, Timestamp};

use crate::house::{House, Kind, Site, generated, usual};
use crate::watch::{List, Said, Watched, list, moved, ocsp};

const HOUR: Duration = Duration::from_secs(3_600);
const HOLD: u8 = 6;

#[derive(Clone, Copy, Debug)]
enum Step {
    Issue {
        days: u64,
    },
    Use(usize),
    Suspend(usize),
    Resume(usize),
    Revoke(usize, bool),
    /// An issuance that was cut off after its first commit, found later.
    Orphan,
    Pass {
        hours: u64,
    },
    Clean,
    /// So long that what has ended may be forgotten, and cleaned up before anybody has asked for a list.
    Absence {
        days: u32,
    },
    Publish,
    Rotate,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1_u64..60).prop_map(|days| Step::Issue { days }),
        2 => any::<usize>().prop_map(Step::Use),
        4 => any::<usize>().prop_map(Step::Suspend),
        3 => any::<usize>().prop_map(Step::Resume),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(which, compromised)| Step::Revoke(which, compromised)),
        1 => Just(Step::Orphan),
        4 => (1_u64..24 * 40).prop_map(|hours| Step::Pass { hours }),
        1 => Just(Step::Clean),
        3 => (60_u32..200).prop_map(|days| Step::Absence { days }),
        2 => Just(Step::Publish),
        5 => Just(Step::Rotate),
        1 => Just(Step::Restart),
    ]
}

/// What must be seen of a certificate.
#[derive(Clone, Debug)]
struct Known {
    watched: Watched,
    /// None: it was never finished.
    state: Option<CredentialState>,
    compromised: bool,
    /// A list dated behind its end has named it.
    named_after_end: bool,
}

impl Known {
    /// The reason code of its entry, where it has to have one.
    fn entry(&self) -> Option<Option<u8>> {
        match self.state {
            Some(Inactive | Active) => None,
            Some(Suspended) => Some(Some(HOLD)),
            Some(Revoked) if self.compromised => Some(Some(1)),
            Some(Revoked) => Some(Some(4)),
            None => Some(None),
        }
    }
}

struct Case {
    houses: Vec<House>,
    turn: usize,
    known: Vec<Known>,
    lists: BTreeMap<String, List>,
    /// Generations that are there and those of them that are retired, by the steps of the rotation.
    turns: usize,
    retired: Vec<i64>,
    orphans: u32,
}

/// Partitions of three, so that a history has many.
fn small() -> AuthorityConfig {
    AuthorityConfig { partition_size: 3, ..usual() }
}

impl Case {
    async fn new(kind: Kind) -> Self {
        let site = Site::new(kind).await;
        let mut houses = Vec::new();
        for _ in 0..2 {
            houses.push(House::with(Arc::clone(&site), small()).await);
        }
        Self { houses, turn: 0, known: Vec::new(), lists: BTreeMap::new(), turns: 0, retired: Vec::new(), orphans: 0 }
    }

    /// The replicas take turns.
    fn house(&mut self) -> &House {
        self.turn += 1;
        &self.houses[self.turn % 2]
    }

    fn now(&self) -> Timestamp {
        use signet_model::Clock as _;
        self.houses[0].clock.now()
    }

    async fn moves(&mut self, which: usize, from: &[CredentialState], to: CredentialState, compromised: bool) {
        if self.known.is_empty() {
            return;
        }
        let which = which % self.known.len();
        let known = self.known[which].clone();
        let retired = self.retired.contains(&known.watched.generation);
        if known.state.is_some_and(|state| from.contains(&state)) && !retired {
            let reason = if compromised { "keyCompromise" } else { "superseded" };
            moved(self.house(), "acme", &known.watched, to, (to == Revoked).then_some(reason)).await;
            // What is revoked after its end has to be on no list.
            let named_after_end = known.named_after_end || known.watched.not_after < self.now();
            self.known[which] = Known { state: Some(to), compromised, named_after_end, ..known };
        }
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Issue { days } => {
                let order = IssueOrder { ttl: Some(HOUR * 24 * u32::try_from(days).unwrap()), ..generated("unit") };
                let issued = self.house().order("acme", order).await.unwrap();
                let watched = Watched::of(&issued);
                self.known.push(Known { watched, state: Some(Inactive), compromised: false, named_after_end: false });
            }
            Step::Use(which) => self.moves(which, &[Inactive], Active, false).await,
            Step::Suspend(which) => self.moves(which, &[Inactive, Active], Suspended, false).await,
            Step::Resume(which) => self.moves(which, &[Suspended], Active, false).await,
            Step::Revoke(which, compromised) => self.moves(which, &[Inactive, Active, Suspended], Revoked, compromised).await,
            Step::Orphan => self.orphan().await,
            Step::Pass { hours } => self.houses[0].clock.advance(HOUR * u32::try_from(hours).unwrap()),
            Step::Clean => drop(self.house().room.clean().await.unwrap()),
            Step::Absence { days } => {
                self.houses[0].clock.advance(HOUR * 24 * days);
                self.house().room.clean().await.unwrap();
            }
            Step::Publish => assert_eq!(self.house().room.publish_round().await.unwrap().failed, 0),
            Step::Rotate => self.rotate().await,
            Step::Restart => {
                self.turn += 1;
                let house = self.houses.remove(self.turn % 2);
                let site = house.end().await;
                self.houses.push(House::with(site, small()).await);
            }
        }
    }

    /// Records an intent as an issuance does, lets its time pass, and looks for what was left behind.
    async fn orphan(&mut self) {
        let Some(known) = self.known.iter().rev().find(|known| !self.retired.contains(&known.watched.generation)).cloned() else { return };
        self.orphans += 1;
        let serial = vec![0x2f, 1, 2, 3, u8::try_from(self.orphans).unwrap()];
        let decimal = signet_pki::Serial::from_der_bytes(&serial).unwrap().decimal();
        let id: CredentialId = format!("0rphan{:014}", self.orphans).parse().unwrap();
        let (now, not_after) = (self.now(), self.now().plus(HOUR * 24 * 20));
        let insert = Statement::new(
            "INSERT INTO certificate (tenant, id, generation, issuer_dn, serial_decimal, serial, partition, profile, state, state_since, \
             subject, spki_sha256, not_before, not_after, intended_at, version) \
             SELECT tenant, $1, generation, issuer_dn, $2, $3, partition, profile, 'intended', $4, subject, $5, $6, $7, $8, 1 \
             FROM certificate WHERE id = $9 AND {ok}",
            params![&id, decimal, serial.clone(), now, vec![0_u8; 32], now, not_after, now, &known.watched.id],
        );
        let house = self.house();
        let record = AuditRecord::new(&house.scope("acme"), "certificate.intend", id.as_str());
        // The certificate whose partition it would have shared may be forgotten by now: then there is no such intent.
        if house.ledger.commit(Change::new(record).expecting(Expect::write(insert, 1))).await.is_err() {
            return;
        }
        house.clock.advance(Duration::from_secs(61));
        let found = house.room.reconcile(&house.scope("acme")).await.unwrap();
        assert_eq!(found.now.iter().map(|orphan| orphan.id.clone()).collect::<Vec<_>>(), std::slice::from_ref(&id));
        let watched = Watched { id, serial, not_after, ..known.watched };
        self.known.push(Known { watched, state: None, compromised: false, named_after_end: false });
    }

    async fn rotate(&mut self) {
        const TURNS: [Turn; 4] = [Turn::Prepare, Turn::Activate, Turn::Taint, Turn::Retire];
        let turn = TURNS[self.turns % 4];
        let house = self.house();
        let stepped = house.room.rotate(&house.scope("acme"), turn).await.unwrap();
        self.turns += 1;
        if turn == Turn::Retire {
            let now = self.now();
            self.retired.push(stepped.generation);
            for known in
                self.known.iter_mut().filter(|known| known.watched.generation == stepped.generation && known.watched.not_after >= now)
            {
                if known.state.is_some_and(|state| state != Revoked) {
                    (known.state, known.compromised) = (Some(Revoked), false);
                }
            }
        }
    }

    async fn check(&mut self, steps: &[Step]) {
        let now = self.now();
        let mut of_list: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (number, known) in self.known.iter().enumerate() {
            of_list.entry(known.watched.crl.clone()).or_default().push(number);
        }
        for (path, members) in of_list {
            let generation = self.known[members[0]].watched.generation;
            let seen = list(&self.house().room.clone(), "acme", generation, &path).await;
            // The last list of a CA that ended holds beyond the end of its last certificate, not for ever.
            let needed = !self.retired.contains(&generation) || members.iter().any(|member| self.known[*member].watched.not_after >= now);
            assert!(!needed || seen.next_update > now, "{path} does not hold now, after {steps:?}");
            assert!(seen.this_update <= now, "{path} is of the future, after {steps:?}");
            if let Some(former) = self.lists.insert(path.clone(), seen.clone()) {
                let same = former == seen;
                assert!(seen.number > former.number || same, "{path}: {former:?}, then {seen:?}, after {steps:?}");
            }
            for member in members {
                let known = &mut self.known[member];
                let (entry, ended) = (known.entry(), known.watched.not_after < now);
                let listed = seen.entries.get(&known.watched.serial).copied();
                if !ended {
                    assert_eq!(listed, entry, "{known:?} on {path} after {steps:?}");
                } else if entry.is_some() && !known.named_after_end {
                    assert_eq!(listed, entry, "{known:?} ended and was never named by a later list, after {steps:?}");
                }
                known.named_after_end |= listed.is_some() && seen.this_update > known.watched.not_after;
                let (watched, ended_or_retired) = (known.watched.clone(), ended || self.retired.contains(&generation));
                if !ended_or_retired {
                    let said = ocsp(&self.house().room.clone(), "acme", generation, &watched.serial).await;
                    assert_eq!(said, entry.map_or(Said::Good, Said::Revoked), "{watched:?} after {steps:?}");
                }
            }
        }
        for generation in self.retired.clone() {
            if let Some(known) =
                self.known.iter().rev().find(|known| known.watched.generation == generation && known.watched.not_after > now)
            {
                let (entry, serial) = (known.entry(), known.watched.serial.clone());
                let said = ocsp(&self.house().room.clone(), "acme", generation, &serial).await;
                assert!(said == Said::Refused(6) || Some(said) == entry.map(Said::Revoked), "{said:?} of a retired CA");
            }
        }
    }
}

async fn run(kind: Kind, cases: usize) {
    let cases = if std::env::var_os("SIGNET_DEEP").is_some() { cases * 20 } else { cases };
    let mut runner = TestRunner::deterministic();
    let lives = proptest::collection::vec(step(), 20..60);
    for _ in 0..cases {
        let steps = lives.new_tree(&mut runner).unwrap().current();
        let mut case = Case::new(kind).await;
        for (number, step) in steps.iter().enumerate() {
            case.take(*step).await;
            case.check(&steps[..=number]).await;
        }
        for house in case.houses {
            house.end().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_agrees_everywhere_whatever_happens_on_sqlite() {
    run(Kind::Sqlite, 12).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revocation_agrees_everywhere_whatever_happens_on_postgres() {
    run(Kind::Postgres, 4).await;
}
