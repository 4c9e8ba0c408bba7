//! A tenant's life by the command line, and that its end is told once however often the server dies meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use signet_kaa::Record as _;
use signet_kaa::cap::ClientCredentialsRevokedEvent;
use signet_testkit::process::pause;
use signet_testkit::{SeededEntropy, TestNats};
use signet_tests::{Deployment, House, NatsPeer, Output, Plan, deep, within};

use crate::events::REVOKED;
use crate::load;

/// More than two pages of a sweep.
const CREDENTIALS: usize = 1_203;
const ACME: &str = "/api/v1/tenants/acme";

#[test]
fn a_tenant_lives_and_ends_by_the_command_line_with_an_embedded_server() {
    by_the_command_line(&House::open(Deployment::Embedded));
}

#[test]
fn a_tenant_lives_and_ends_by_the_command_line_in_production() {
    by_the_command_line(&House::open(Deployment::Production));
}

/// A command with JSON output.
fn json_of(house: &House, arguments: &[&str]) -> Output {
    let all: Vec<&str> = arguments.iter().copied().chain(["-o", "json"]).collect();
    house.run(&all)
}

fn by_the_command_line(house: &House) {
    house.furnish();
    house.active_credential("bob");
    for verb in ["disable", "delete"] {
        json_of(house, &["tenant", verb, "acme"]).refused(2, "confirmation.required");
    }
    let shown = json_of(house, &["tenant", "show", "acme"]).ok();
    assert_eq!(shown["credentials"]["counts"], json!([{"kind": "basic", "state": "Active", "number": 1}]));
    assert_eq!(shown["required"]["managed_by"], "signet");
    assert_eq!(json_of(house, &["tenant", "disable", "acme", "--reason", "unpaid", "--yes"]).ok()["state"], "disabled");
    assert_eq!(house.check("bob").exits(3).json()["reason"], "tenant.disabled");
    let warned = json_of(house, &["tenant", "show", "acme"]).ok();
    assert!(warned["warnings"].to_string().contains("\"disabled\""), "{warned}");
    assert_eq!(json_of(house, &["tenant", "enable", "acme"]).ok()["changed"], true);
    house.check("bob").exits(0);
    json_of(house, &["tenant", "delete", "default", "--yes"]).refused(5, "tenant.protected");
    json_of(house, &["tenant", "delete", "nobody", "--yes"]).refused(4, "tenant.not-found");
    json_of(house, &["tenant", "delete", "acme", "--grace", "soon", "--yes"]).refused(6, "tenant.invalid-grace");
    let deleted = json_of(house, &["tenant", "delete", "acme", "--yes"]).ok();
    assert_eq!(deleted["state"], "deleting");
    assert!(deleted["purge_at"].is_string(), "{deleted}");
    house.check("bob").exits(3);
    json_of(house, &["tenant", "enable", "acme"]).ok();
    house.check("bob").exits(0);
    let former = house.acme(&["ca", "show"]).ok();
    json_of(house, &["tenant", "delete", "acme", "--grace", "0s", "--yes"]).ok();
    assert!(within(Duration::from_secs(30), || json_of(house, &["tenant", "show", "acme"]).code == 4), "the tenant is gone");
    let records = json_of(house, &["audit", "list", "--platform", "--object", "acme"]).ok();
    assert!(records["items"].to_string().contains("tenant.purged"), "{records}");
    json_of(house, &["tenant", "create", "acme"]).ok();
    let own = house.acme(&["ca", "show"]).ok();
    let generation = |ca: &serde_json::Value| ca["generation"].as_i64().unwrap();
    assert_eq!(generation(&own), generation(&former) + 1, "whoever takes the name has an authority of its own: {own}");

    let made = json_of(house, &["api-token", "create", "--role", "platform", "--expires", "30d"]).ok();
    let (id, token) = (made["id"].as_str().unwrap(), made["token"].as_str().unwrap());
    assert_eq!(house.rest().with_token(token).get("/api/v1/tenants/default").status, 200);
    assert_eq!(json_of(house, &["api-token", "list", "--platform"]).ok()["items"][0]["id"], id);
    json_of(house, &["api-token", "revoke", id, "--platform"]).refused(2, "confirmation.required");
    json_of(house, &["api-token", "revoke", id, "--yes"]).refused(4, "api-token.not-found");
    json_of(house, &["api-token", "revoke", id, "--platform", "--yes"]).ok();
    let rest = house.rest().with_token(token);
    assert!(within(Duration::from_secs(10), || rest.get("/api/v1/tenants/default").status == 401), "it is out");
    house.verify().exits(0);
}

/// For each credential the correlation ids of the events about it: one for each event, however often it was sent.
fn told(peer: &NatsPeer) -> BTreeMap<String, BTreeSet<String>> {
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for delivery in peer.deliveries().iter().filter(|delivery| delivery.subject == REVOKED) {
        let event = ClientCredentialsRevokedEvent::decode(&delivery.payload).unwrap();
        told.entry(event.credentials_id.to_string()).or_default().insert(event.correlation_id.to_string());
    }
    told
}

#[test]
fn killing_the_server_while_a_tenant_is_told_of_loses_and_repeats_nothing_on_sqlite() {
    let nats = TestNats::private("");
    let plan = Plan::of(Deployment::Embedded).nats(nats.url());
    kill_the_sweeper(plan.setting("SIGNET_PASSWORD__BCRYPT_COST", "4").open());
}

#[test]
fn killing_the_server_while_a_tenant_is_told_of_loses_and_repeats_nothing_on_postgresql() {
    kill_the_sweeper(Plan::of(Deployment::Production).setting("SIGNET_PASSWORD__BCRYPT_COST", "4").open());
}

fn kill_the_sweeper(mut house: House) {
    let peer = house.peer();
    peer.subscribe(REVOKED);
    house.furnish();
    let rest = house.rest();
    std::thread::scope(|scope| {
        for part in 0..4 {
            let rest = &rest;
            scope.spawn(move || {
                for number in (part..CREDENTIALS).step_by(4) {
                    let body = json!({"kind": "basic", "username": format!("u{number}"), "password": "pw"});
                    assert_eq!(rest.post(&format!("{ACME}/credentials"), &body).status, 201);
                }
            });
        }
    });
    let entropy = SeededEntropy::new(20_260_401);
    let rounds = if deep() { 60 } else { 6 };
    for round in 1..=rounds {
        assert_eq!(house.rest().post(&format!("{ACME}/disable"), &json!({})).status, 200);
        for _ in 0..3 {
            pause(Duration::from_millis(load::draw(&entropy, 40)));
            house.kill();
            house.start();
        }
        let rest = house.rest();
        let over = || rest.get(&format!("{ACME}/summary")).json()["sweep"].is_null();
        assert!(within(Duration::from_secs(60), over), "the sweep comes to its end");
        let all = || told(&peer).values().filter(|events| events.len() >= round).count() == CREDENTIALS;
        assert!(within(Duration::from_secs(60), all), "round {round}: all are told of");
        pause(Duration::from_millis(300));
        let counts: BTreeSet<usize> = told(&peer).values().map(BTreeSet::len).collect();
        assert_eq!(counts, BTreeSet::from([round]), "each once");
        assert_eq!(rest.post(&format!("{ACME}/enable"), &json!({})).status, 200);
    }
    house.verify().exits(0);
    house.stop();
}
