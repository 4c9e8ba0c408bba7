//! Random lives of a tenant against a model: however moves, switches, dying sweepers and replicas fall together, each loss is
//! told once.
//!
//! The model knows which credentials can be used after each answer. A credential that stops being usable is owed one event; one
//! that is given back while a sweep is still under way may have been told of or not, and only there the number is not exact.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::json;

use crate::house::{Events, House, Kind, Settings};

const CREDENTIALS: usize = 14;
/// The first of them have the identity `one`, the next ones `two`, the last ones none.
const OF_EACH: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Step {
    Suspend(usize),
    Resume(usize),
    Revoke(usize),
    Identity(usize, bool),
    Tenant(bool),
    /// The sweepers die, wherever they are.
    Kill,
    Sweep,
    /// All that is under way comes to its end.
    Settle,
    /// A moment passes, in which sweepers run.
    Wait,
}

fn step() -> impl Strategy<Value = Step> {
    let credential = || 0..CREDENTIALS;
    prop_oneof![
        4 => credential().prop_map(Step::Suspend),
        3 => credential().prop_map(Step::Resume),
        1 => credential().prop_map(Step::Revoke),
        4 => (0..2_usize, any::<bool>()).prop_map(|(identity, on)| Step::Identity(identity, on)),
        4 => any::<bool>().prop_map(Step::Tenant),
        2 => Just(Step::Kill),
        3 => Just(Step::Sweep),
        2 => Just(Step::Settle),
        2 => Just(Step::Wait),
    ]
}

#[derive(Clone, Debug)]
struct Model {
    usable_by_state: [bool; CREDENTIALS],
    identities: [bool; 2],
    tenant: bool,
    /// At least and at most so many events.
    events: [(usize, usize); CREDENTIALS],
}

impl Model {
    fn usable(&self) -> [bool; CREDENTIALS] {
        std::array::from_fn(|n| self.tenant && self.usable_by_state[n] && self.identities.get(n / OF_EACH).copied().unwrap_or(true))
    }

    /// Applies a change; `unsettled`: a sweep was under way just before.
    fn apply(&mut self, unsettled: bool, change: impl FnOnce(&mut Self)) {
        let before = self.usable();
        change(self);
        let after = self.usable();
        for n in 0..CREDENTIALS {
            let (least, most) = &mut self.events[n];
            match (before[n], after[n]) {
                (true, false) => (*least, *most) = (*least + 1, *most + 1),
                (false, true) if unsettled => *least = least.saturating_sub(1),
                _ => {}
            }
        }
    }
}

struct Case {
    house: House,
    other: House,
    events: Events,
    model: Model,
    ids: Vec<String>,
}

impl Case {
    async fn new(kind: Kind) -> Self {
        let settings = Settings { sweep_page: 2, ..Settings::default() };
        let mut house = House::with(kind, settings).await;
        let mut other = house.replica_with(settings).await;
        house.stop_sweeping();
        other.stop_sweeping();
        for name in ["one", "two"] {
            let made = house.post("/api/v1/tenants/acme/identities", &json!({"name": name, "kind": "device"})).await.good();
            let from = if name == "one" { 1 } else { 1 + i64::try_from(OF_EACH).unwrap() };
            house.fill("acme", made["id"].as_str(), from, i64::try_from(OF_EACH).unwrap()).await;
        }
        let rest = i64::try_from(CREDENTIALS - 2 * OF_EACH).unwrap();
        house.fill("acme", None, 1 + 2 * i64::try_from(OF_EACH).unwrap(), rest).await;
        let events = house.events().await;
        let ids = (1..=i64::try_from(CREDENTIALS).unwrap()).map(House::filled).collect();
        let model = Model { usable_by_state: [true; CREDENTIALS], identities: [true; 2], tenant: true, events: [(0, 0); CREDENTIALS] };
        Self { house, other, events, model, ids }
    }

    async fn unsettled(&self) -> bool {
        self.house.number("SELECT count(*) FROM sweep").await > 0
    }

    async fn switch(&mut self, path: &str, on: bool, change: impl FnOnce(&mut Model)) {
        let unsettled = self.unsettled().await;
        let verb = if on { "enable" } else { "disable" };
        let answer = self.house.post(&format!("/api/v1/tenants/acme{path}/{verb}"), &json!({})).await;
        match answer.status {
            200 if answer.body["changed"] == json!(true) => self.model.apply(unsettled, change),
            200 => {}
            403 => assert_eq!(answer.text("reason"), "tenant.disabled"),
            _ => panic!("{} {}", answer.status, answer.body),
        }
    }

    async fn act(&mut self, n: usize, verb: &str, usable: bool) {
        let unsettled = self.unsettled().await;
        let answer = self.house.act(&self.ids[n], verb).await;
        match answer.status {
            200 if answer.body["changed"] == json!(true) => self.model.apply(unsettled, |model| model.usable_by_state[n] = usable),
            200 => {}
            403 => assert_eq!(answer.text("reason"), "tenant.disabled"),
            409 => {
                assert!(["credential.illegal-transition", "identity.sweep-under-way"].contains(&answer.text("reason")), "{}", answer.body)
            }
            _ => panic!("{} {}", answer.status, answer.body),
        }
    }

    fn sweep(&mut self) {
        self.house.start_sweeping();
        self.other.start_sweeping();
    }

    fn kill(&mut self) {
        self.house.stop_sweeping();
        self.other.stop_sweeping();
    }

    async fn take(&mut self, step: Step) {
        match step {
            Step::Suspend(n) => self.act(n, "suspend", false).await,
            Step::Resume(n) => self.act(n, "resume", true).await,
            Step::Revoke(n) => self.act(n, "revoke", false).await,
            Step::Identity(which, on) => {
                let path = ["/identities/one", "/identities/two"][which];
                self.switch(path, on, |model| model.identities[which] = on).await;
            }
            Step::Tenant(on) => self.switch("", on, |model| model.tenant = on).await,
            Step::Kill => self.kill(),
            Step::Sweep => self.sweep(),
            Step::Settle => {
                self.sweep();
                self.house.swept().await;
            }
            Step::Wait => tokio::time::sleep(Duration::from_millis(3)).await,
        }
    }

    async fn account(mut self, steps: &[Step]) {
        self.sweep();
        self.house.swept().await;
        let body = json!({"kind": "basic", "username": "last", "password": "pw"});
        let last = self.house.post("/api/v1/tenants/default/credentials", &body).await.good()["id"].as_str().unwrap().to_owned();
        self.house.post(&format!("/api/v1/tenants/default/credentials/{last}/revoke"), &json!({})).await.good();
        let mut told: BTreeMap<String, usize> = BTreeMap::new();
        loop {
            let event = self.events.next(1).await.remove(0);
            if event.credential == last {
                break;
            }
            *told.entry(event.credential).or_default() += 1;
        }
        for (id, (least, most)) in self.ids.iter().zip(self.model.events) {
            let told = told.get(id).copied().unwrap_or(0);
            assert!((least..=most).contains(&told), "{id} was told of {told} times, not {least} to {most}, by {steps:?}");
        }
        self.other.end().await;
        self.house.end().await;
    }
}

async fn run(kind: Kind, cases: usize) {
    let mut runner = TestRunner::deterministic();
    let lives = proptest::collection::vec(step(), 5..40);
    for _ in 0..cases {
        let steps = lives.new_tree(&mut runner).unwrap().current();
        let mut case = Case::new(kind).await;
        for step in &steps {
            case.take(*step).await;
        }
        case.account(&steps).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_loss_is_told_once_on_sqlite() {
    run(Kind::SqliteInProcess, 40).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_loss_is_told_once_on_postgres() {
    run(Kind::PostgresNats, 6).await;
}
