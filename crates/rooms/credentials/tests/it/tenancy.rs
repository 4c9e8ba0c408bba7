//! The wall: no route of the room lets one tenant read, change, list or even tell apart from nothing what is another's.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};
use signet_credentials::People;

use crate::certificate_house::Wanted;
use crate::house::{Answer, House};
use crate::on_both;
use crate::people::Issuers;

/// What one tenant has.
struct Own {
    tenant: &'static str,
    identity: String,
    credential: String,
    username: String,
    endpoint_token: String,
    certificate: String,
    token_id: String,
    /// An owner's token.
    token: String,
}

async fn furnished(house: &House, tenant: &'static str) -> Own {
    let base = format!("/api/v1/tenants/{tenant}");
    if tenant != "acme" {
        house.post("/api/v1/tenants", &json!({"id": tenant})).await.good();
    }
    let identity = house.post(&format!("{base}/identities"), &json!({"name": format!("of-{tenant}"), "kind": "service"})).await.good();
    let username = format!("user-of-{tenant}");
    let body = json!({"kind": "basic", "username": username, "password": "pw", "identity": identity["id"]});
    let credential = house.post(&format!("{base}/credentials"), &body).await.good();
    let more = json!({"token": "tok1", "identity": identity["id"]});
    let endpoint_token = house.make_token(tenant, &format!("app-of-{tenant}"), "ep-1", &more).await.good();
    let issuer = format!("CN={tenant}");
    let identity_id = identity["id"].as_str();
    let wanted = Wanted { tenant, issuer: &issuer, common_name: Some("dev"), identity: identity_id, ..Wanted::own("4660") };
    let certificate = house.certificate_as(&wanted).await;
    let (token, token_id) = house.api_token(&tenant.parse().unwrap(), "owner").await;
    let text = |value: &Value| value["id"].as_str().unwrap().to_owned();
    Own {
        tenant,
        identity: text(&identity),
        credential: text(&credential),
        username,
        endpoint_token: text(&endpoint_token),
        certificate,
        token_id,
        token,
    }
}

/// A route with its place for an id, and the body that it takes.
#[derive(Clone, Debug)]
struct Call {
    method: &'static str,
    path: &'static str,
    body: Option<Value>,
    /// Which of the other's ids goes into the path.
    holds: Held,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    Nothing,
    Identity,
    Credential,
    EndpointToken,
    Certificate,
    Token,
}

fn calls() -> Vec<Call> {
    let get = |path, holds| Call { method: "GET", path, body: None, holds };
    let post = |path, body: Value, holds| Call { method: "POST", path, body: Some(body), holds };
    vec![
        get("", Held::Nothing),
        get("/summary", Held::Nothing),
        post("/enable", json!({}), Held::Nothing),
        post("/disable", json!({}), Held::Nothing),
        Call { method: "DELETE", path: "", body: None, holds: Held::Nothing },
        get("/identities", Held::Nothing),
        get("/credentials", Held::Nothing),
        get("/api-tokens", Held::Nothing),
        get("/identities/{id}", Held::Identity),
        get("/credentials/{id}", Held::Credential),
        post("/identities", json!({"name": "new", "kind": "device"}), Held::Nothing),
        post("/credentials", json!({"kind": "basic", "username": "new", "password": "pw"}), Held::Nothing),
        post("/credentials/check", json!({"username": "bob", "password": "pw"}), Held::Nothing),
        post("/api-tokens", json!({"role": "owner", "expires_at": "2026-06-01T00:00:00Z"}), Held::Nothing),
        post("/identities/{id}/enable", json!({}), Held::Identity),
        post("/identities/{id}/disable", json!({}), Held::Identity),
        get("/credentials?kind=endpoint_token&endpoint=ep-1", Held::Nothing),
        get("/credentials/{id}", Held::EndpointToken),
        post("/credentials", json!({"kind": "endpoint_token", "application": "new", "endpoint": "ep-1"}), Held::Nothing),
        post("/credentials/{id}/suspend", json!({}), Held::EndpointToken),
        post("/credentials/{id}/resume", json!({}), Held::EndpointToken),
        post("/credentials/{id}/revoke", json!({}), Held::EndpointToken),
        post("/credentials/{id}/suspend", json!({}), Held::Credential),
        post("/credentials/{id}/resume", json!({}), Held::Credential),
        post("/credentials/{id}/revoke", json!({}), Held::Credential),
        get("/credentials?serial=4660", Held::Nothing),
        get("/credentials?serial=4660&issuer=CN%3Drival", Held::Nothing),
        get("/credentials?common_name=dev", Held::Nothing),
        post("/certificates/check", json!({"issuer": "CN=rival", "serial": "4660"}), Held::Nothing),
        get("/credentials/{id}", Held::Certificate),
        post("/credentials/{id}/suspend", json!({}), Held::Certificate),
        post("/credentials/{id}/resume", json!({}), Held::Certificate),
        post("/credentials/{id}/revoke", json!({"reason": "keyCompromise"}), Held::Certificate),
        post("/api-tokens/{id}/revoke", json!({}), Held::Token),
    ]
}

fn id_of(own: &Own, held: Held) -> &str {
    match held {
        Held::Nothing => "",
        Held::Identity => &own.identity,
        Held::Credential => &own.credential,
        Held::EndpointToken => &own.endpoint_token,
        Held::Certificate => &own.certificate,
        Held::Token => &own.token_id,
    }
}

fn absent_id(held: Held) -> String {
    match held {
        Held::Nothing => String::new(),
        Held::Identity => format!("idn_{}", "7".repeat(32)),
        Held::Credential | Held::EndpointToken | Held::Certificate => "7".repeat(20),
        Held::Token => format!("atk_{}", "7".repeat(32)),
    }
}

async fn make(house: &House, call: &Call, tenant: &str, token: &str, id: &str) -> Answer {
    let path = format!("/api/v1/tenants/{tenant}{}", call.path.replace("{id}", id));
    let body = call.body.as_ref().map(ToString::to_string);
    house.send(call.method, &path, token, &[], body.as_deref().map(str::as_bytes)).await
}

/// The answer without what names this request and the id that was asked for.
fn bare(answer: &Answer, ids: &[&str]) -> (u16, String) {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("trace_id");
    let mut text = body.to_string();
    for id in ids.iter().filter(|id| !id.is_empty()) {
        text = text.replace(id, "ID");
    }
    (answer.status, text)
}

on_both! {
    async fn a_tenants_caller_sees_only_its_own_tenant(kind) {
        let house = House::new(kind).await;
        let (a, b) = (furnished(&house, "acme").await, furnished(&house, "rival").await);
        for (own, other) in [(&a, &b), (&b, &a)] {
            let listed = house.send("GET", "/api/v1/tenants", &own.token, &[], None).await.good();
            assert_eq!(listed["items"].as_array().unwrap().iter().map(|t| t["id"].as_str().unwrap()).collect::<Vec<_>>(), [own.tenant]);
            assert_eq!(listed["next"], Value::Null);
            let foreign = house.send("GET", &format!("/api/v1/tenants/{}", other.tenant), &own.token, &[], None).await;
            let absent = house.send("GET", "/api/v1/tenants/nowhere", &own.token, &[], None).await;
            assert_eq!(bare(&foreign, &[other.tenant]), bare(&absent, &["nowhere"]));
            assert_eq!(absent.status, 404);
        }
        house.end().await;
    }

    async fn a_filter_by_anothers_identity_finds_what_an_absent_one_finds(kind) {
        let house = House::new(kind).await;
        let (a, b) = (furnished(&house, "acme").await, furnished(&house, "rival").await);
        for query in [b.identity.clone(), format!("of-{}", b.tenant), absent_id(Held::Identity)] {
            let found = house.send("GET", &format!("/api/v1/tenants/acme/credentials?identity={query}"), &a.token, &[], None).await;
            assert_eq!(found.good(), json!({"items": [], "next": null}));
        }
        let body = |identity: &str| json!({"kind": "basic", "username": "x", "password": "pw", "identity": identity}).to_string();
        let create = async |identity: &str| {
            house.send("POST", "/api/v1/tenants/acme/credentials", &a.token, &[], Some(body(identity).as_bytes())).await
        };
        let (foreign, absent) = (create(&b.identity).await, create(&absent_id(Held::Identity)).await);
        assert_eq!(bare(&foreign, &[&b.identity]), bare(&absent, &[&absent_id(Held::Identity)]));
        // A cursor out of another tenant's list is a place in time, not a way in.
        house.clock.advance(Duration::from_secs(1));
        furnished_credential(&house, "rival", "second").await;
        let page = house.send("GET", "/api/v1/tenants/rival/credentials?limit=1", &b.token, &[], None).await.good();
        let after = page["next"].as_str().unwrap();
        let taken = house.send("GET", &format!("/api/v1/tenants/acme/credentials?after={after}"), &a.token, &[], None).await.good();
        assert!(taken["items"].as_array().unwrap().iter().all(|item| [&a.credential, &a.endpoint_token, &a.certificate].iter().any(|own| item["id"] == json!(own))), "{taken}");
        // The same username is another user, with another password, in each tenant.
        let body = json!({"kind": "basic", "username": a.username, "password": "other"}).to_string();
        house.send("POST", "/api/v1/tenants/rival/credentials", &b.token, &[], Some(body.as_bytes())).await.good();
        assert_eq!(house.check(&a.username, "other").await["reason"], "credential.wrong-password");
        assert_eq!(house.ask_as("rival", &a.username, "other").await.status, 200);
        assert_eq!(house.ask_as("rival", &a.username, "pw").await.status, 401);
        house.end().await;
    }

    async fn a_check_of_anothers_certificate_is_that_of_none_and_what_is_above_the_tenants_is_closed(kind) {
        let house = House::new(kind).await;
        let (a, b) = (furnished(&house, "acme").await, furnished(&house, "rival").await);
        let check = async |path: &str, issuer: &str| {
            let body = json!({"issuer": issuer, "serial": "4660"}).to_string();
            house.send("POST", path, &a.token, &[], Some(body.as_bytes())).await
        };
        let own = "/api/v1/tenants/acme/certificates/check";
        let (foreign, absent) = (check(own, "CN=rival").await, check(own, "CN=nobody").await);
        assert_eq!(bare(&foreign, &["CN=rival"]), bare(&absent, &["CN=nobody"]));
        assert_eq!(foreign.good()["reason"], "credential.unknown");
        assert_eq!(check(own, "CN=acme").await.good()["credential"], json!(a.certificate));
        for issuer in ["CN=acme", "CN=rival", "CN=nobody"] {
            assert_eq!(check("/api/v1/certificates/check", issuer).await.status, 403, "{issuer}");
        }
        let found = |query: &str| {
            let path = format!("/api/v1/tenants/acme/credentials?{query}");
            let (house, token) = (&house, &a.token);
            async move { house.send("GET", &path, token, &[], None).await.good()["items"].as_array().unwrap().len() }
        };
        assert_eq!((found("serial=4660").await, found("serial=4660&issuer=CN%3Drival").await, found("common_name=dev").await), (1, 0, 1));
        // On Kaa's paths the tenant is the caller's own.
        let theirs = house.send("GET", &format!("/api/v1/x509-credentials/{}", b.certificate), &a.token, &[], None).await;
        let nobodys = house.send("GET", &format!("/api/v1/x509-credentials/{}", absent_id(Held::Certificate)), &a.token, &[], None).await;
        assert_eq!((theirs.status, theirs.body), (404, nobodys.body));
        let state = json!({"state": "Revoked"}).to_string();
        for (method, ending) in [("PUT", "/state"), ("PATCH", "")] {
            let path = format!("/api/v1/x509-credentials/{}{ending}", b.certificate);
            assert_eq!(house.send(method, &path, &a.token, &[], Some(state.as_bytes())).await.status, 404, "{method}");
        }
        let listed = house.send("GET", "/api/v1/x509-credentials", &a.token, &[], None).await.good();
        assert_eq!(listed.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), [a.certificate.as_str()]);
        let shown = house.get(&format!("/api/v1/tenants/rival/credentials/{}", b.certificate)).await.good();
        assert_eq!(shown["state"], "Inactive", "nobody's question used it");
        house.end().await;
    }

    async fn no_route_tells_anothers_from_nothing_or_touches_it(kind) {
        any_call_in_any_order(House::new(kind).await, |_| None).await;
    }

    async fn nor_does_it_to_an_owner_whom_the_tenants_own_issuer_vouches_for(kind) {
        let mut house = House::new(kind).await;
        let issuers = Issuers::of(&["acme", "rival"], &house.clock);
        house.admit(People::Issuers(Arc::clone(&issuers.oidc)));
        any_call_in_any_order(house, |tenant| Some(issuers.token(tenant, "signet:owner"))).await;
    }
}

async fn furnished_credential(house: &House, tenant: &str, username: &str) {
    let body = json!({"kind": "basic", "username": username, "password": "pw"});
    house.post(&format!("/api/v1/tenants/{tenant}/credentials"), &body).await.good();
}

/// Everything that is stored of a tenant, as one text.
async fn stored(house: &House, own: &Own) -> String {
    let mut all = String::new();
    for path in ["", "/identities", "/credentials", "/api-tokens"] {
        let answer = house.send("GET", &format!("/api/v1/tenants/{}{path}", own.tenant), &house.token, &[], None).await;
        all.push_str(&answer.good().to_string());
    }
    all
}

async fn any_call_in_any_order(house: House, person: impl Fn(&str) -> Option<String>) {
    let (mut a, mut b) = (furnished(&house, "acme").await, furnished(&house, "rival").await);
    for own in [&mut a, &mut b] {
        own.token = person(own.tenant).unwrap_or(own.token.clone());
    }
    let before = stored(&house, &b).await;
    let calls = calls();
    // Drawn by hand, since the calls are asynchronous; each stands alone, so nothing would be gained by shrinking.
    let strategy = (0..calls.len(), any::<bool>());
    let mut runner = TestRunner::default();
    for _ in 0..200 {
        let (index, through_own_path) = strategy.new_tree(&mut runner).unwrap().current();
        one_foreign_call(&house, &calls[index], through_own_path, &a, &b).await;
    }
    // And each route once for certain.
    for call in &calls {
        for through_own_path in [false, true] {
            one_foreign_call(&house, call, through_own_path, &a, &b).await;
        }
    }
    assert_eq!(stored(&house, &b).await, before, "nothing of the other tenant has changed");
    assert!(house.send("GET", "/api/v1/tenants/rival/credentials", &b.token, &[], None).await.status == 200);
    house.end().await;
}

/// `a` reaches for what is `b`'s: through b's path, or with b's id in a's own path. It must get what an absent one gives.
async fn one_foreign_call(house: &House, call: &Call, through_own_path: bool, a: &Own, b: &Own) {
    let absent = absent_id(call.holds);
    let (foreign, nothing, names) = if through_own_path {
        if call.holds == Held::Nothing {
            return;
        }
        let foreign = make(house, call, a.tenant, &a.token, id_of(b, call.holds)).await;
        (foreign, make(house, call, a.tenant, &a.token, &absent).await, ["", ""])
    } else {
        let foreign = make(house, call, b.tenant, &a.token, id_of(b, call.holds)).await;
        (foreign, make(house, call, "nowhere", &a.token, &absent).await, [b.tenant, "nowhere"])
    };
    let (seen, expected) = (bare(&foreign, &[names[0], id_of(b, call.holds)]), bare(&nothing, &[names[1], &absent]));
    assert_eq!(seen, expected, "{call:?}");
    // What stands above the tenants is refused whichever tenant is named.
    let above = matches!((call.method, call.path), ("DELETE", "") | ("POST", "/enable" | "/disable"));
    assert_eq!(seen.0, if above { 403 } else { 404 }, "{call:?}");
    assert!(!foreign.body.to_string().contains(&b.username), "{call:?}");
}
