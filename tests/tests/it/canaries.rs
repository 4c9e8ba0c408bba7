//! Known secrets go through every way in, right and wrong, and are then looked for in everything that comes out: answers, error
//! texts, the log, metrics, the audit log, messages on the bus, and the files of the data directory.

use std::path::Path;

use serde_json::json;
use signet_testkit::TestNats;
use signet_tests::{Answer, Deployment, House, NatsPeer, Output, Plan, Rest, http_1_0};

use crate::events;

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";
/// What every secret of this test begins with.
const CANARY: &str = "canary-7f3a";

/// What came out, each with where.
#[derive(Default)]
struct Seen(Vec<(String, String)>);

impl Seen {
    fn answer(&mut self, what: &str, status: u16, answer: &Answer) {
        assert_eq!(answer.status, status, "{what}: {}", answer.text());
        self.0.push((what.to_owned(), answer.text()));
    }

    fn output(&mut self, what: &str, code: i32, output: &Output) {
        output.exits(code);
        self.0.push((what.to_owned(), format!("{}{}", output.stdout, output.stderr)));
    }

    #[track_caller]
    fn holds_none_of(&self, secrets: &[String]) {
        for (what, text) in &self.0 {
            for (number, secret) in secrets.iter().enumerate() {
                assert!(!text.contains(secret.as_str()), "secret {number} is in {what}: {text}");
            }
        }
    }
}

#[test]
fn no_secret_comes_out_again() {
    let nats = TestNats::private("");
    let mut house = Plan::of(Deployment::Embedded).nats(nats.url()).setting("SIGNET_LOG__LEVEL", "debug").open();
    house.furnish();
    let rest = house.rest();
    let [peer, listener] = [(); 2].map(|()| NatsPeer::connect(nats.url()));
    listener.subscribe(">");
    let mut seen = Seen::default();
    let mut secrets = vec![CANARY.to_owned(), std::fs::read_to_string(house.data().join("operator.token")).unwrap().trim().to_owned()];

    passwords(&house, &rest, &mut seen);
    for (number, (username, password, status)) in
        [("bob", "right", 200), ("bob", "right", 200), ("bob", "wrong", 401), ("nobody", "lost", 404)].into_iter().enumerate()
    {
        let answered = events::authenticate_with(&peer, &format!("c-{number}"), username, &format!("{CANARY}-{password}"));
        assert_eq!(answered, [status], "{username} {password}");
    }
    let garbage = format!("\u{2}{CANARY}-garbage");
    peer.publish("kaa.v1.service.ccm.cap.basic-request", "kaa.v1.replica.foreign.cap.basic-response", garbage.as_bytes()).unwrap();
    secrets.push(tokens(&house, &rest, &mut seen));
    let mut server = house.server.take().unwrap();
    assert!(server.terminate().unwrap().success());

    for told in listener.deliveries() {
        if !told.subject.ends_with(".cap.basic-request") {
            seen.0.push((told.subject, String::from_utf8_lossy(&told.payload).into_owned()));
        }
    }
    let log = server.log_text();
    assert!(log.contains("credential.check"), "{log}");
    seen.0.push(("the log".to_owned(), log));
    files(&house.data(), &mut seen);
    seen.holds_none_of(&secrets);
}

/// Passwords by REST and by the command line: good, bad, and where none belongs.
fn passwords(house: &House, rest: &Rest, seen: &mut Seen) {
    let bob = json!({"kind": "basic", "username": "bob", "password": format!("{CANARY}-right"), "identity": "dev-1"});
    let keyed = [("content-type", "application/json"), ("idempotency-key", "k-1")];
    let made = rest.answered("POST", CREDENTIALS, &keyed, bob.to_string().as_bytes());
    seen.answer("a new credential", 201, &made);
    seen.answer("the same again", 201, &rest.answered("POST", CREDENTIALS, &keyed, bob.to_string().as_bytes()));
    seen.answer("a taken name", 409, &rest.post(CREDENTIALS, &bob));
    let long = json!({"kind": "basic", "username": "eve", "password": format!("{CANARY}-{}", "x".repeat(80))});
    seen.answer("a password that is too long", 400, &rest.post(CREDENTIALS, &long));
    let surplus = json!({"kind": "basic", "username": "eve", "password": format!("{CANARY}-surplus"), "nope": 1});
    seen.answer("a surplus member", 400, &rest.post(CREDENTIALS, &surplus));
    let listed = json!({"kind": "basic", "username": "eve", "password": [format!("{CANARY}-listed")]});
    seen.answer("a password that is a list", 400, &rest.post(CREDENTIALS, &listed));
    let twice = format!("{{\"kind\":\"basic\",\"username\":\"eve\",\"password\":\"{CANARY}-a\",\"password\":\"{CANARY}-b\"}}");
    seen.answer("a password twice", 400, &rest.answered("POST", CREDENTIALS, &keyed[..1], twice.as_bytes()));
    let cut = format!("{{\"kind\":\"basic\",\"password\":\"{CANARY}-cut");
    seen.answer("a body that ends early", 400, &rest.answered("POST", CREDENTIALS, &keyed[..1], cut.as_bytes()));
    for (username, password) in [("bob", "right"), ("bob", "right"), ("bob", "wrong"), ("nobody", "lost")] {
        let body = json!({"username": username, "password": format!("{CANARY}-{password}")});
        seen.answer("a check", 200, &rest.post(&format!("{CREDENTIALS}/check"), &body));
    }
    let create = ["credential", "create", "basic", "joe", "--password-stdin"];
    seen.output("a credential by the command line", 0, &house.acme_with(&create, &format!("{CANARY}-joe")));
    for (password, code) in [("joe", 0), ("wrong", 3)] {
        let check = house.run_with(&["credential", "check", "joe@acme", "--password-stdin", "-o", "json"], &format!("{CANARY}-{password}"));
        seen.output("a check by the command line", code, &check);
    }
}

/// Tokens, those of others and our own; an API token that may be in nothing but the answer that made it.
fn tokens(house: &House, rest: &Rest, seen: &mut Seen) -> String {
    let made = house.acme(&["api-token", "create", "--role", "auditor", "--expires", "1d"]).ok();
    let token = made["token"].as_str().unwrap().to_owned();
    let auditor = house.rest().with_token(&token);
    seen.answer("a list by an API token", 200, &auditor.get(CREDENTIALS));
    seen.answer("what an auditor may not", 403, &auditor.post(CREDENTIALS, &json!({})));
    for bearer in [format!("{CANARY}-bearer"), format!("sgt_{CANARY}"), format!("{}{CANARY}", &token[..8]), format!("a.{CANARY}.b")] {
        seen.answer("a token that is none", 401, &house.rest().with_token(&bearer).get(CREDENTIALS));
    }
    let create = ["endpoint-token", "create", "ep-1", "--application", "demo", "--token-stdin"];
    // It is shown once, here, and nowhere else.
    house.acme_with(&create, &format!("{CANARY}-endpoint")).exits(0);
    seen.output("a taken endpoint token", 5, &house.acme_with(&create, &format!("{CANARY}-endpoint")));
    seen.output("endpoint tokens", 0, &house.acme(&["endpoint-token", "list"]));
    seen.output("credentials", 0, &house.acme(&["credential", "list"]));
    seen.output("API tokens", 0, &house.acme(&["api-token", "list"]));
    seen.answer("the audit log", 200, &rest.get("/api/v1/tenants/acme/audit?limit=1000"));
    let metrics = http_1_0(house.server().listener("management"), "GET", "/metrics", &[]).unwrap();
    seen.0.push(("the metrics".to_owned(), metrics.text()));
    token
}

/// Every file of the data directory but the one that is the operator token.
fn files(directory: &Path, seen: &mut Seen) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, seen);
        } else if path.file_name().unwrap() != "operator.token" {
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            seen.0.push((path.display().to_string(), content));
        }
    }
}
