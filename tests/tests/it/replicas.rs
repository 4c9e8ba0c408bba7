//! Two replicas on one PostgreSQL and one NATS: one winner, one legal path, one leader, and a successor in time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use signet_testkit::{FaultProxy, ProxyMode, TestNats, TestPostgres, process, psql};
use signet_tests::{Deployment, House, NatsPeer, Plan, Rest, within};

use crate::{events, load};

/// A successor sequences within this; a busy machine is slower than the 10 s that are promised.
const SUCCEEDS_WITHIN: Duration = Duration::from_secs(20);

/// Two replicas, each with a path of its own to the database, and a listener.
struct Pair {
    database_url: String,
    proxies: [FaultProxy; 2],
    houses: [House; 2],
    peer: NatsPeer,
    _nats: TestNats,
}

impl Pair {
    fn open() -> Self {
        let (postgres, nats) = (TestPostgres::shared(), TestNats::private(""));
        let database_url = postgres.fresh_database_blocking();
        let proxies = [FaultProxy::to(postgres.address()), FaultProxy::to(postgres.address())];
        let plan = |proxy: &FaultProxy| Plan::of(Deployment::Production).nats(nats.url()).database(proxy.url_through(&database_url));
        let first = plan(&proxies[0]).open();
        first.furnish();
        let second = plan(&proxies[1]).joining(&first).open();
        let peer = NatsPeer::connect(nats.url());
        peer.subscribe(events::REVOKED);
        Self { database_url, proxies, houses: [first, second], peer, _nats: nats }
    }

    /// Which replica leads: the one that holds an advisory lock for longer than a batch takes.
    fn leader(&self) -> usize {
        let holders = || {
            let ports = psql(
                &self.database_url,
                "SELECT a.client_port FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
                 WHERE l.locktype = 'advisory' AND l.granted AND a.datname = current_database()",
            );
            ports.unwrap().lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let mut found = None;
        let led = within(SUCCEEDS_WITHIN, || {
            let before = holders();
            process::pause(Duration::from_millis(300));
            let steady: Vec<String> = holders().into_iter().filter(|port| before.contains(port)).collect();
            // The server sees the proxy's port; only the proxy's own thread knows whose it is, so ask the sockets.
            found = steady.first().and_then(|port| (0..2).find(|replica| self.proxies[*replica].owns_upstream_port(port.parse().unwrap())));
            found.is_some()
        });
        assert!(led, "no replica leads");
        found.unwrap()
    }

    fn rests(&self) -> [Arc<Rest>; 2] {
        [Arc::new(self.houses[0].rest()), Arc::new(self.houses[1].rest())]
    }

    /// No position of the log is missing or double.
    fn positions_are_gapless(&self) {
        let sql = "SELECT count(*), count(DISTINCT position), max(position) - min(position) + 1 FROM audit";
        let counts = psql(&self.database_url, sql).unwrap();
        let counts: Vec<&str> = counts.trim().split('|').collect();
        assert!(counts[0] == counts[1] && counts[1] == counts[2], "records, distinct positions, span: {counts:?}");
    }
}

fn transition(rest: &Rest, id: &str, verb: &str) -> signet_tests::Answer {
    rest.post(&format!("/api/v1/tenants/acme/credentials/{id}/{verb}"), &json!({}))
}

#[test]
fn of_a_hundred_parallel_suspensions_one_changes_something() {
    let pair = Pair::open();
    let id = pair.houses[0].active_credential("bob");
    let rests = pair.rests();
    let calls = (0..100).map(|number| {
        let (rest, id) = (Arc::clone(&rests[number % 2]), id.clone());
        std::thread::spawn(move || transition(&rest, &id, "suspend"))
    });
    let answers: Vec<_> = calls.collect::<Vec<_>>().into_iter().map(|call| call.join().unwrap()).collect();
    assert!(answers.iter().all(|answer| answer.status == 200), "{:?}", answers.iter().find(|answer| answer.status != 200));
    let changed = answers.iter().filter(|answer| answer.json()["changed"] == json!(true)).count();
    assert_eq!(changed, 1, "callers that were told they changed something");
    assert_eq!(load::logged(&rests[1], &id), ["credential.create", "credential.activate", "credential.suspend"]);
    events::exactly(&pair.peer, &id, 1);
    pair.positions_are_gapless();
}

#[test]
fn mixed_transitions_leave_a_legal_path_that_ends_revoked() {
    let pair = Pair::open();
    let id = pair.houses[0].active_credential("bob");
    let rests = pair.rests();
    let calls = (0..60).map(|number| {
        let (rest, id) = (Arc::clone(&rests[number % 2]), id.clone());
        let verb = if number == 45 { "revoke" } else { ["suspend", "resume"][number / 2 % 2] };
        std::thread::spawn(move || (verb, transition(&rest, &id, verb)))
    });
    let answers: Vec<_> = calls.collect::<Vec<_>>().into_iter().map(|call| call.join().unwrap()).collect();
    let mut told: HashMap<&str, usize> = HashMap::new();
    for (verb, answer) in &answers {
        // After three lost races a caller is told so; after the revocation nothing is legal any more.
        assert!(matches!(answer.status, 200 | 409), "{verb}: {}", answer.text());
        if answer.json()["changed"] == json!(true) {
            *told.entry(verb).or_default() += 1;
        }
    }
    if !told.contains_key("revoke") {
        assert_eq!(transition(&rests[0], &id, "revoke").json()["changed"], json!(true));
    }
    let path = load::logged(&rests[0], &id);
    let mut state = "Inactive";
    for action in &path[1..] {
        state = match (state, action.as_str()) {
            ("Inactive", "credential.activate") | ("Suspended", "credential.resume") => "Active",
            ("Active", "credential.suspend") => "Suspended",
            ("Active" | "Suspended", "credential.revoke") => "Revoked",
            illegal => panic!("{illegal:?} in {path:?}"),
        };
    }
    assert_eq!(state, "Revoked", "{path:?}");
    for verb in ["suspend", "resume"] {
        let logged = path.iter().filter(|action| **action == format!("credential.{verb}")).count();
        assert_eq!(logged, told.get(verb).copied().unwrap_or_default(), "{verb}: callers told and records");
    }
    pair.positions_are_gapless();
}

#[test]
fn each_request_on_the_bus_is_answered_by_one_replica() {
    let pair = Pair::open();
    pair.houses[0].active_credential("bob");
    for number in 0..20 {
        let answers = events::authenticate(&pair.peer, &format!("request-{number}"), "bob");
        assert_eq!(answers, [200], "request {number}");
    }
    process::pause(Duration::from_millis(300));
    assert_eq!(events::authenticate(&pair.peer, "last", "bob"), [200]);
}

#[test]
fn a_killed_leader_is_succeeded() {
    let mut pair = Pair::open();
    let id = pair.houses[0].active_credential("bob");
    let leader = pair.leader();
    pair.houses[leader].kill();
    succeeded(&pair, &id, 1 - leader);
}

#[test]
fn a_leader_whose_packets_vanish_is_succeeded() {
    let pair = Pair::open();
    let id = pair.houses[0].active_credential("bob");
    let leader = pair.leader();
    pair.proxies[leader].set(ProxyMode::Blackhole);
    succeeded(&pair, &id, 1 - leader);
    // The old leader comes back, and two do not tell the same twice or leave something out.
    pair.proxies[leader].set(ProxyMode::Forward);
    let rest = pair.houses[leader].rest();
    let path = format!("/api/v1/tenants/acme/credentials/{id}/revoke");
    let mut last = String::new();
    let back = within(Duration::from_secs(60), || {
        let answer = rest.post(&path, &json!({}));
        last = answer.text();
        answer.status == 200
    });
    assert!(back, "the old leader serves again: {last}");
    process::pause(Duration::from_secs(1));
    pair.positions_are_gapless();
}

/// A suspension through the replica that is left is told within the time.
fn succeeded(pair: &Pair, id: &str, left: usize) {
    let started = Instant::now();
    let rest = pair.houses[left].rest();
    let mut last = String::new();
    let suspended = within(SUCCEEDS_WITHIN, || {
        let answer = transition(&rest, id, "suspend");
        last = answer.text();
        answer.status == 200
    });
    assert!(suspended, "{last}");
    let told = within(SUCCEEDS_WITHIN.saturating_sub(started.elapsed()), || !events::revoked(&pair.peer, id).is_empty());
    assert!(told, "not told {:?} after the leader was gone; log: {}", started.elapsed(), pair.houses[left].server().log_text());
    println!("the successor told the first event after {:?}", started.elapsed());
    pair.positions_are_gapless();
}

#[test]
fn a_long_transaction_in_another_database_of_the_server_delays_nothing() {
    let pair = Pair::open();
    let id = pair.houses[0].active_credential("bob");
    let other = TestPostgres::shared().fresh_database_blocking();
    let holder = std::thread::spawn(move || psql(&other, "BEGIN; CREATE TABLE t (x bigint); SELECT pg_sleep(20); COMMIT"));
    let open = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(20)%' AND pid <> pg_backend_pid()";
    assert!(within(Duration::from_secs(10), || psql(&pair.database_url, open).unwrap().trim() != "0"), "the transaction is not open");
    assert_eq!(transition(&pair.rests()[0], &id, "suspend").status, 200);
    events::exactly(&pair.peer, &id, 1);
    assert_ne!(psql(&pair.database_url, open).unwrap().trim(), "0", "the event did not wait for the transaction's end");
    holder.join().unwrap().unwrap();
}
