//! The walk of the house, row by row: a credential from birth to revocation, on both deployments.

use serde_json::Value;
use signet_tests::{Deployment, House, Plan};

/// Text at a path of member names.
fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_default()
}

#[test]
fn a_credential_lives_from_birth_to_revocation_on_the_embedded_default() {
    let mut house = House::open(Deployment::Embedded);
    the_ready_line_tells_what_runs(&house);
    walk(&house);
    house.stop();
    assert!(!house.data().join("endpoint.json").exists(), "a clean exit removes endpoint.json");
}

#[test]
fn a_credential_lives_from_birth_to_revocation_on_postgresql_and_nats() {
    let mut house = House::open(Deployment::Production);
    walk(&house);
    house.stop();
}

fn walk(house: &House) {
    row_2_and_3_tenants(house);
    row_4_identities(house);
    let id = row_5_and_6_a_new_credential_is_inactive_and_a_wrong_password_leaves_it_so(house);
    row_7_the_right_password_activates(house, &id);
    row_8_and_9_suspended_resumed_revoked(house, &id);
    row_10_bad_passwords_and_names(house);
    row_11_a_foreign_tenants_id_looks_absent(house, &id);
    row_12_the_log_tells_who_did_what(house, &id);
    row_13_the_log_verifies_beside_a_running_server(house);
    row_14_what_is_wrong_is_named(house);
    row_15_the_doctor_answers(house);
    row_16_lists_have_pages(house);
}

fn the_ready_line_tells_what_runs(house: &House) {
    use std::os::unix::fs::PermissionsExt;
    let server = house.server();
    let ready = &server.ready;
    assert_eq!(ready["pid"], server.pid());
    assert!(ready["version"].is_string() && ready["data_dir"].is_string() && ready["elapsed_ms"].is_number(), "{ready}");
    server.listener("api");
    server.listener("management");
    let endpoint: Value = serde_json::from_slice(&std::fs::read(house.data().join("endpoint.json")).unwrap()).unwrap();
    assert_eq!(&endpoint, ready);
    for secret in ["operator.token", "seal.key", "tls/ca.key", "tls/api.key"] {
        let mode = std::fs::metadata(house.data().join(secret)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{secret} has mode {mode:o}");
    }
}

fn row_2_and_3_tenants(house: &House) {
    let made = house.run(&["tenant", "create", "acme", "-o", "json"]).ok();
    assert_eq!((text(&made, "id"), text(&made, "state")), ("acme", "enabled"));
    house.run(&["tenant", "create", "acme", "-o", "json"]).refused(5, "tenant.exists");
    let list = house.run(&["tenant", "list", "-o", "json"]).ok();
    let ids: Vec<&str> = list["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
    assert!(ids.contains(&"default") && ids.contains(&"acme"), "{list}");
}

fn row_4_identities(house: &House) {
    let made = house.acme(&["identity", "create", "dev-1", "--kind", "device"]).ok();
    assert!(text(&made, "id").starts_with("idn_"), "{made}");
    assert_eq!((text(&made, "name"), text(&made, "kind"), text(&made, "state")), ("dev-1", "device", "enabled"));
}

const CREATE_BOB: &[&str] = &["credential", "create", "basic", "bob", "--identity", "dev-1", "--password-stdin"];
const CHECK_BOB: &[&str] = &["credential", "check", "bob@acme", "--password-stdin", "-o", "json"];

fn row_5_and_6_a_new_credential_is_inactive_and_a_wrong_password_leaves_it_so(house: &House) -> String {
    let made = house.acme_with(CREATE_BOB, "pw").ok();
    let id = text(&made, "id").to_owned();
    assert_eq!(id.len(), 20, "{made}");
    assert_eq!((text(&made, "kind"), text(&made, "username"), text(&made, "state")), ("basic", "bob", "Inactive"));
    assert_eq!(made.get("last_used_at"), Some(&Value::Null), "null before first use, and there: {made}");
    house.acme_with(CREATE_BOB, "pw").refused(5, "credential.username-taken");

    let wrong = house.run_with(CHECK_BOB, "no");
    wrong.refused(3, "credential.wrong-password");
    assert_eq!(wrong.json()["allowed"], false);
    assert_eq!(wrong.stderr, "", "a decision is data: nothing on standard error");
    assert_eq!(text(&house.acme(&["credential", "show", &id]).ok(), "state"), "Inactive");
    let unknown = ["credential", "check", "nobody@acme", "--password-stdin", "-o", "json"];
    house.run_with(&unknown, "pw").refused(3, "credential.unknown");
    id
}

fn row_7_the_right_password_activates(house: &House, id: &str) {
    let decision = house.run_with(CHECK_BOB, "pw").ok();
    assert_eq!(decision["allowed"], true);
    assert_eq!((text(&decision, "credential"), text(&decision, "state")), (id, "Active"));
    // One final line end of the input is dropped, as `echo` writes it.
    house.run_with(CHECK_BOB, "pw\n").exits(0);
}

fn row_8_and_9_suspended_resumed_revoked(house: &House, id: &str) {
    let suspended = house.acme(&["credential", "suspend", id]).ok();
    assert_eq!((text(&suspended, "state"), &suspended["changed"]), ("Suspended", &Value::Bool(true)));
    assert_eq!(house.acme(&["credential", "suspend", id]).ok()["changed"], false);
    let refused = house.run_with(CHECK_BOB, "pw");
    refused.refused(3, "credential.suspended");
    let fix = text(&refused.json(), "fix").to_owned();
    assert!(fix.contains("signet credential resume") && fix.contains(id), "the fix names the command: {fix}");

    assert_eq!(text(&house.acme(&["credential", "resume", id]).ok(), "state"), "Active");
    house.acme(&["credential", "revoke", id]).refused(2, "confirmation.required");
    assert_eq!(text(&house.acme(&["credential", "revoke", id, "--yes"]).ok(), "state"), "Revoked");
    house.acme(&["credential", "resume", id]).refused(5, "credential.illegal-transition");
}

fn row_10_bad_passwords_and_names(house: &House) {
    let create = |name: &str, password: &str| {
        house.acme_with(&["credential", "create", "basic", name, "--identity", "dev-1", "--password-stdin"], password)
    };
    let before = house.acme(&["credential", "list"]).ok();
    for (password, reason) in [("x".repeat(73).as_str(), "password.too-long"), ("", "password.empty"), ("a\0b", "password.nul")] {
        create("al", password).refused(6, reason);
    }
    for name in ["u".repeat(256).as_str(), "a\u{7}b"] {
        create(name, "pw").refused(6, "username.invalid");
    }
    assert_eq!(before, house.acme(&["credential", "list"]).ok(), "nothing was stored");
    create("longest", &"x".repeat(72)).exits(0);
}

fn row_11_a_foreign_tenants_id_looks_absent(house: &House, id: &str) {
    let ask = |id: &str| {
        let answer = house.run(&["credential", "show", id, "--tenant", "default", "-o", "json"]);
        answer.refused(4, "credential.not-found");
        let mut error = answer.error();
        error.as_object_mut().unwrap().remove("trace_id");
        error.to_string().replace(id, "ID")
    };
    assert_eq!(ask(id), ask("00000000000000000000"));
}

fn row_12_the_log_tells_who_did_what(house: &House, id: &str) {
    let list = house.acme(&["audit", "list", "--object", id]).ok();
    let items = list["items"].as_array().unwrap();
    let actions: Vec<&str> = items.iter().map(|item| text(item, "action")).collect();
    let expected = ["credential.create", "credential.activate", "credential.suspend", "credential.resume", "credential.revoke"];
    assert_eq!(actions, expected, "oldest first, nothing for refusals and for what changed nothing");
    for item in items {
        for member in ["position", "time", "actor", "action", "object", "reason", "trace_id"] {
            assert!(item.get(member).is_some(), "{member} is missing in {item}");
        }
        assert_eq!(text(item, "object"), id);
    }
}

fn row_13_the_log_verifies_beside_a_running_server(house: &House) {
    let verdict = house.verify().ok();
    assert_eq!(verdict["ok"], true);
    // The last checkpoint may be a second old: it covers fewer records than there are.
    assert!(verdict["records"].as_u64().unwrap() > 6 && verdict["size"].is_u64(), "{verdict}");
    assert!(!text(&verdict, "root").is_empty());
}

fn row_14_what_is_wrong_is_named(house: &House) {
    std::fs::write(house.path().join("bad.toml"), "rolez = [\"api\"]\n").unwrap();
    let bad = house.run(&["config", "check", "bad.toml", "-o", "json"]);
    bad.refused(6, "config.unknown-key");
    assert!(bad.stderr.contains("roles"), "the nearest name: {}", bad.stderr);

    let taken = format!("api={}", house.server().listener("api"));
    let same_port = ["up", "--data-dir", "d2", "--any-port", "--listen", &taken, "-o", "json"];
    house.run(&same_port).refused(7, "listen.address-in-use");
    house.run(&house.server_arguments()).refused(5, "data-dir.in-use");
}

fn row_15_the_doctor_answers(house: &House) {
    let answer = house.run(&["doctor", "-o", "json"]);
    assert!([0, 8].contains(&answer.code), "{answer:?}");
    let checks = answer.json()["checks"].as_array().unwrap().clone();
    assert!(!checks.is_empty());
    for check in &checks {
        assert!(check["name"].is_string() && check["ok"].is_boolean() && check["detail"].is_string(), "{check}");
        assert!(check["ok"] == true || check["fix"].is_string(), "what is wrong has a fix: {check}");
    }
    let all_good = checks.iter().all(|check| check["ok"] == true);
    assert_eq!(answer.code, if all_good { 0 } else { 8 }, "{checks:?}");
}

fn row_16_lists_have_pages(house: &House) {
    let all = house.acme(&["credential", "list", "--limit", "50"]).ok();
    let count = all["items"].as_array().unwrap().len();
    assert!(count >= 2 && all["next"].is_null(), "{all}");
    let first = house.acme(&["credential", "list", "--limit", "1"]).ok();
    assert_eq!(first["items"].as_array().unwrap().len(), 1);
    let rest = house.acme(&["credential", "list", "--limit", "50", "--after", text(&first, "next")]).ok();
    let seen: Vec<Value> = [&first, &rest].iter().flat_map(|page| page["items"].as_array().unwrap().clone()).collect();
    assert_eq!(&seen, all["items"].as_array().unwrap(), "pages join without gap and overlap, newest first");
}

#[test]
fn ports_that_were_chosen_are_taken_again_after_a_restart() {
    let mut house = House::open(Deployment::Embedded);
    let before = house.server().ready["listeners"].clone();
    house.stop();
    house.start();
    assert_eq!(house.server().ready["listeners"], before);
}

#[test]
fn a_killed_server_leaves_an_endpoint_that_is_told_from_a_living_one() {
    let mut house = House::open(Deployment::Embedded);
    let pid = house.server().pid();
    house.kill();
    let answer = house.run(&["tenant", "list", "-o", "json"]);
    answer.refused(7, "server.unreachable");
    assert!(answer.stderr.contains(&pid.to_string()), "the pid of the dead server: {}", answer.stderr);
    house.start();
    house.run(&["tenant", "list", "-o", "json"]).exits(0);
}

#[test]
fn a_server_on_a_real_bus_has_the_same_embedded_store() {
    let nats = signet_testkit::TestNats::private("");
    let mut house = Plan::of(Deployment::Embedded).nats(nats.url()).open();
    walk(&house);
    house.stop();
    let verdict = house.verify().ok();
    assert_eq!(verdict["ok"], true, "verify needs no server");
    assert_eq!(verdict["records"], verdict["size"], "the checkpoint of a clean exit covers everything");
}
