//! Killed at any moment: each transition is wholly there or not at all, its event goes out, the log verifies.

use std::sync::Arc;
use std::time::Duration;

use signet_testkit::process::pause;
use signet_testkit::{FaultProxy, ProxyMode, SeededEntropy, TestNats, TestPostgres};
use signet_tests::{Deployment, House, Plan, deep, within};

use crate::events;
use crate::load::{self, Load, Writer};

/// Ordinary runs and `--deep` ones.
fn rounds(ordinary: u64, thorough: u64) -> u64 {
    if deep() { thorough } else { ordinary }
}

fn furnished_writers(house: &House, count: usize) -> Vec<Writer> {
    house.furnish();
    (0..count).map(|number| Writer::new(house.active_credential(&format!("user-{number}")))).collect()
}

#[test]
fn killing_the_server_on_sqlite_loses_nothing_that_was_acknowledged_and_no_event() {
    let nats = TestNats::private("");
    kill_the_server(Plan::of(Deployment::Embedded).nats(nats.url()).open());
}

#[test]
fn killing_the_server_on_postgresql_loses_nothing_that_was_acknowledged_and_no_event() {
    kill_the_server(House::open(Deployment::Production));
}

fn kill_the_server(mut house: House) {
    let peer = house.peer();
    peer.subscribe(events::REVOKED);
    let mut writers = furnished_writers(&house, 4);
    let entropy = SeededEntropy::new(20_260_101);
    for _ in 0..rounds(50, 500) {
        let load = Load::start(&Arc::new(house.rest()), writers);
        pause(Duration::from_millis(load::draw(&entropy, 250)));
        house.kill();
        writers = load.end();
        house.start();
        load::settle(&house.rest(), &mut writers);
    }
    load::account(&house, &house.rest(), &peer, &writers);
    house.stop();
}

#[test]
fn killing_postgresql_loses_nothing_that_was_acknowledged_and_no_event() {
    let postgres = TestPostgres::private();
    let house = Plan::of(Deployment::Production).database(postgres.fresh_database_blocking()).open();
    let peer = house.peer();
    peer.subscribe(events::REVOKED);
    let mut writers = furnished_writers(&house, 4);
    let entropy = SeededEntropy::new(20_260_102);
    let rest = Arc::new(house.rest());
    for _ in 0..rounds(10, 100) {
        let load = Load::start(&rest, writers);
        pause(Duration::from_millis(100 + load::draw(&entropy, 300)));
        postgres.kill().unwrap();
        writers = load.end();
        let refused = rest.get("/api/v1/tenants/acme/identities");
        assert_eq!((refused.status, refused.reason().as_str()), (503, "storage.unavailable"), "{}", refused.text());
        postgres.resume().unwrap();
        comes_back(&house, &rest);
        load::settle(&rest, &mut writers);
    }
    load::account(&house, &rest, &peer, &writers);
}

#[test]
fn killing_nats_loses_no_event() {
    let nats = TestNats::private("");
    let proxy = FaultProxy::to(nats.address());
    let house = Plan::of(Deployment::Production).nats(proxy.url_through(nats.url())).open();
    // Beside the proxy: the listener must be back before Signet is, since NATS keeps nothing for who is away.
    let peer = signet_tests::NatsPeer::connect(nats.url());
    peer.subscribe(events::REVOKED);
    let mut writers = furnished_writers(&house, 4);
    let entropy = SeededEntropy::new(20_260_103);
    let rest = Arc::new(house.rest());
    for _ in 0..rounds(10, 100) {
        let load = Load::start(&rest, writers);
        pause(Duration::from_millis(100 + load::draw(&entropy, 300)));
        proxy.set(ProxyMode::Cut);
        assert!(peer.is_connected_within(Duration::from_secs(10)), "what had been told has arrived");
        nats.kill().unwrap();
        pause(Duration::from_millis(load::draw(&entropy, 200)));
        writers = load.end();
        nats.resume().unwrap();
        assert!(peer.is_connected_within(Duration::from_secs(10)));
        proxy.set(ProxyMode::Forward);
        comes_back(&house, &rest);
        load::settle(&rest, &mut writers);
    }
    load::account(&house, &rest, &peer, &writers);
}

/// Whether everything resumes by itself.
fn comes_back(house: &House, rest: &signet_tests::Rest) {
    let back = within(Duration::from_secs(60), || rest.get("/api/v1/tenants/acme/identities").status == 200);
    assert!(back, "no answer a minute after the fault; log: {}", house.server().log_text());
}
