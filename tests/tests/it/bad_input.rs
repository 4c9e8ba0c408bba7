//! Bad input over REST, on both deployments: the status and the reason, and nothing changes.

use serde_json::{Value, json};
use signet_tests::{Answer, Deployment, House, Rest};

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";
const IDENTITIES: &str = "/api/v1/tenants/acme/identities";

#[test]
fn bad_input_is_refused_alike_on_the_embedded_default() {
    every_case(&House::open(Deployment::Embedded));
}

#[test]
fn bad_input_is_refused_alike_on_postgresql() {
    every_case(&House::open(Deployment::Production));
}

fn every_case(house: &House) {
    house.furnish();
    let rest = house.rest();
    exact_filters(&rest);
    let before = everything(&rest);
    nul_anywhere(&rest);
    odd_bodies(&rest);
    odd_names_and_ids(&rest);
    assert_eq!(before, everything(&rest), "refused requests changed something");
    callers_without_right(house, &rest);
    bodies_that_are_fine(&rest);
    idempotency_keys(&rest);
}

fn everything(rest: &Rest) -> Vec<Value> {
    [CREDENTIALS, IDENTITIES, "/api/v1/tenants", "/api/v1/tenants/acme/audit"]
        .map(|path| rest.get(&format!("{path}?limit=1000")).json())
        .to_vec()
}

#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!((answer.status, answer.reason().as_str()), (status, reason), "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/problem+json");
    for part in ["detail", "fix", "trace_id"] {
        assert!(answer.json()[part].is_string(), "{part} is missing: {}", answer.text());
    }
}

/// `%`, `_` and `\` in a filter are letters like others.
fn exact_filters(rest: &Rest) {
    let names = ["a_b", "axb", "100%", "100x", "a\\b"];
    for name in names {
        let made = rest.post(CREDENTIALS, &json!({"kind": "basic", "username": name, "password": "pw", "identity": "dev-1"}));
        assert!(matches!(made.status, 200 | 201), "{name}: {}", made.text());
    }
    for (encoded, name) in [("a_b", "a_b"), ("axb", "axb"), ("100%25", "100%"), ("100x", "100x"), ("a%5Cb", "a\\b")] {
        let found = rest.get(&format!("{CREDENTIALS}?username={encoded}")).json();
        let found: Vec<&str> = found["items"].as_array().unwrap().iter().map(|item| item["username"].as_str().unwrap()).collect();
        assert_eq!(found, [name], "?username={encoded}");
    }
    for none in ["a%25", "A_B", "%25", ""] {
        let found = rest.get(&format!("{CREDENTIALS}?username={none}"));
        let count = found.json()["items"].as_array().map(Vec::len);
        assert!(count == Some(0) || found.status == 400, "?username={none}: {}", found.text());
    }
}

/// A NUL never reaches a database.
fn nul_anywhere(rest: &Rest) {
    for path in [
        format!("{CREDENTIALS}?username=a%00b"),
        format!("{CREDENTIALS}?identity=a%00b"),
        format!("{CREDENTIALS}?after=a%00b"),
        format!("{CREDENTIALS}/a%00b"),
        "/api/v1/tenants/a%00b/credentials".to_owned(),
        "/api/v1/tenants/acme/audit?object=a%00b".to_owned(),
    ] {
        let answer = rest.get(&path);
        assert!(matches!(answer.status, 400 | 403 | 404), "{path}: {} {}", answer.status, answer.text());
    }
    for body in [
        json!({"name": "a\0b", "kind": "device"}),
        json!({"name": "ab", "kind": "device", "labels": {"a\0": "b"}}),
        json!({"name": "ab", "kind": "device", "labels": {"a": "b\0"}}),
    ] {
        refused(&rest.post(IDENTITIES, &body), 400, "input.nul");
    }
    let id = rest.get(&format!("{CREDENTIALS}?username=axb")).json()["items"][0]["id"].as_str().unwrap().to_owned();
    refused(&rest.post(&format!("{CREDENTIALS}/{id}/suspend"), &json!({"reason": "a\0"})), 400, "input.nul");
    refused(&rest.post(&format!("{CREDENTIALS}/check"), &json!({"username": "a\0", "password": "pw"})), 400, "input.nul");
}

fn odd_bodies(rest: &Rest) {
    let send = |body: &str| rest.answered("POST", IDENTITIES, &[("content-type", "application/json")], body.as_bytes());
    refused(&send("{\"name\":\"x\",\"kind\":\"device\",\"colour\":1}"), 400, "input.unknown-member");
    refused(&send("{\"name\":\"x\",\"name\":\"y\",\"kind\":\"device\"}"), 400, "body.malformed");
    for malformed in ["{", "nonsense", "{\"name\":\"x\",}", "{\"name\":\"\u{7}\"}", "[]extra"] {
        refused(&send(malformed), 400, "body.malformed");
    }
    for wrong_type in
        ["[]", "7", "null", "\"x\"", "{\"name\":7,\"kind\":\"device\"}", "{\"name\":\"x\",\"kind\":\"toaster\"}", "{\"kind\":\"device\"}"]
    {
        let answer = send(wrong_type);
        assert_eq!(answer.status, 400, "{wrong_type}: {}", answer.text());
        assert!(!answer.reason().is_empty(), "{}", answer.text());
    }
    refused(&send(&"[".repeat(10_000)), 400, "body.malformed");
    let long = format!("{{\"name\":\"{}\",\"kind\":\"device\"}}", "x".repeat(70 * 1024));
    refused(&send(&long), 413, "body.too-large");
    for media_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml"] {
        let answer = rest.answered("POST", IDENTITIES, &[("content-type", media_type)], b"{\"name\":\"x\",\"kind\":\"device\"}");
        refused(&answer, 415, "body.media-type");
    }
    for (method, path) in [("DELETE", "/api/v1/tenants"), ("PUT", IDENTITIES)] {
        refused(&rest.answered(method, path, &[], b""), 405, "route.method-not-allowed");
    }
    refused(&rest.get("/api/v1/nowhere"), 404, "route.not-found");
    for limit in ["0", "-1", "1001", "ten", "99999999999999999999"] {
        assert_eq!(rest.get(&format!("{CREDENTIALS}?limit={limit}")).status, 400, "limit={limit}");
    }
    refused(&rest.get(&format!("{CREDENTIALS}?after=nonsense")), 400, "page.cursor-invalid");
    assert_eq!(rest.get(&format!("{CREDENTIALS}?colour=red")).status, 400, "an unknown filter is not ignored");
}

fn odd_names_and_ids(rest: &Rest) {
    for name in ["", "-x", ".", "a b", "ä", "a/b", &"x".repeat(129), "x\u{202e}", "a\nb"] {
        let answer = rest.post(IDENTITIES, &json!({"name": name, "kind": "device"}));
        assert_eq!(answer.status, 400, "identity {name:?}: {}", answer.text());
    }
    for name in ["", "-x", "a b", "a@b", &"x".repeat(65), "täglich", "..", "a\nb"] {
        let answer = rest.post("/api/v1/tenants", &json!({"id": name}));
        assert_eq!(answer.status, 400, "tenant {name:?}: {}", answer.text());
    }
    for id in ["x", "00000000000000000000", "zzzzzzzzzzzzzzzzzzzz", "..%2f..", "%20", &"x".repeat(3_000), "'%20OR%201=1--"] {
        let answer = rest.get(&format!("{CREDENTIALS}/{id}"));
        assert!(matches!(answer.status, 400 | 404 | 414 | 431), "{id}: {} {}", answer.status, answer.text());
    }
    let twice = json!({"kind": "basic", "username": "axb", "password": "pw", "identity": "dev-1"});
    refused(&rest.post(CREDENTIALS, &twice), 409, "credential.username-taken");
    let absent = json!({"kind": "basic", "username": "new", "password": "pw", "identity": "nobody"});
    let answer = rest.post(CREDENTIALS, &absent);
    assert!(matches!(answer.status, 400 | 404 | 409), "{}", answer.text());
    assert!(!answer.text().contains("pw\""), "the password is not repeated: {}", answer.text());
}

fn callers_without_right(house: &House, rest: &Rest) {
    let before = rest.get(&format!("{IDENTITIES}?limit=1000")).json();
    let with = |token: &str| rest.answered("GET", CREDENTIALS, &[("authorization", token)], b"");
    refused(&house.rest().with_token("").get(CREDENTIALS), 401, "auth.missing");
    for unknown in ["", "Bearer nonsense", "Bearer sgo_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "Basic Zm9vOmJhcg==", "Bearer"] {
        let answer = with(unknown);
        assert_eq!(answer.status, 401, "{unknown}: {}", answer.text());
        assert!(!answer.text().contains("sgo_AAAA"), "a token is never repeated");
    }
    let made = house.acme(&["api-token", "create", "--role", "auditor", "--expires", "1d"]).ok();
    let token = made["token"].as_str().unwrap_or_else(|| panic!("no token in {made}")).to_owned();
    let auditor = house.rest().with_token(&token);
    assert_eq!(auditor.get(CREDENTIALS).status, 200);
    refused(&auditor.post(IDENTITIES, &json!({"name": "x", "kind": "device"})), 403, "auth.role-missing");
    let (foreign, absent) = (auditor.get("/api/v1/tenants/default/credentials"), auditor.get("/api/v1/tenants/nowhere/credentials"));
    assert_eq!((foreign.status, foreign.reason()), (absent.status, absent.reason()), "a foreign tenant looks like an absent one");
    assert!(matches!(foreign.status, 403 | 404), "{}", foreign.text());
    house.acme(&["api-token", "revoke", made["id"].as_str().unwrap(), "--yes"]).exits(0);
    let obeyed = signet_tests::within(std::time::Duration::from_secs(10), || auditor.get(CREDENTIALS).status == 401);
    assert!(obeyed, "a revoked token is refused");
    assert_eq!(before, rest.get(&format!("{IDENTITIES}?limit=1000")).json(), "a refused caller changed something");
}

/// What real clients send and must be taken.
fn bodies_that_are_fine(rest: &Rest) {
    let taken = |headers: &[(&str, &str)], body: Vec<u8>| {
        let answer = rest.answered("POST", IDENTITIES, headers, &body);
        assert!(matches!(answer.status, 200 | 201), "{headers:?}: {}", answer.text());
    };
    let body = |name: &str| format!("{{\"name\":\"{name}\",\"kind\":\"device\"}}").into_bytes();
    taken(&[("content-type", "application/json; charset=utf-8")], body("media-1"));
    taken(&[("content-type", "APPLICATION/JSON")], body("media-2"));
    taken(&[], body("media-3"));
    taken(&[("content-type", "application/json")], [b"\xef\xbb\xbf".to_vec(), body("with-bom")].concat());
    taken(&[("content-type", "application/json"), ("expect", "100-continue")], body("expected"));
}

fn idempotency_keys(rest: &Rest) {
    let send = |key: &str, body: &Value| {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        rest.answered("POST", IDENTITIES, &headers, body.to_string().as_bytes())
    };
    let body = json!({"name": "once", "kind": "device"});
    let (first, again) = (send("key-1", &body), send("key-1", &body));
    assert!(matches!(first.status, 200 | 201), "{}", first.text());
    assert_eq!((again.status, again.json()), (first.status, first.json()), "a repeat has the same answer");
    refused(&send("key-1", &json!({"name": "other", "kind": "device"})), 409, "idempotency.key-reused");
    let long = send(&"k".repeat(10_000), &json!({"name": "other", "kind": "device"}));
    assert!(matches!(long.status, 400 | 431), "{}", long.text());
    let secret = json!({"kind": "basic", "username": "keyed", "password": "pw", "identity": "dev-1"});
    let headers = [("content-type", "application/json"), ("idempotency-key", "key-2")];
    let once = rest.answered("POST", CREDENTIALS, &headers, secret.to_string().as_bytes());
    let twice = rest.answered("POST", CREDENTIALS, &headers, secret.to_string().as_bytes());
    assert_eq!((once.status, once.json()["id"].clone()), (twice.status, twice.json()["id"].clone()), "{}", twice.text());
}
