//! Who may call: the scopes of `kaa.md` 15.1 with the roles beside them, the statuses of 17.1, and whose tenant it is.

use serde_json::{Value, json};
use signet_http::Guard;

use super::{LIST, Reply, bytes, made};
use crate::house::House;
use crate::on_both;

/// Each call with its scope, and whether an auditor may make it.
const CALLS: [(&str, &str, &str, bool); 12] = [
    ("GET", "/api/v1/basic-credentials", "tenant:basic-credentials:read", true),
    ("POST", "/api/v1/basic-credentials", "tenant:basic-credentials:create", false),
    ("GET", "/api/v1/basic-credentials/{id}", "tenant:basic-credentials:read", true),
    ("PATCH", "/api/v1/basic-credentials/{id}", "tenant:basic-credentials:update", false),
    ("PUT", "/api/v1/basic-credentials/{id}/state", "tenant:basic-credentials:update", false),
    ("PUT", "/api/v1/basic-credentials/{id}/password", "tenant:basic-credentials:update", false),
    ("GET", "/api/v1/x509-credentials", "tenant:x509-credentials:read", true),
    ("POST", "/api/v1/x509-credentials", "tenant:x509-credentials:create", false),
    ("GET", "/api/v1/x509-credentials/ca", "tenant:x509-credentials:read", true),
    ("GET", "/api/v1/x509-credentials/{id}", "tenant:x509-credentials:read", true),
    ("PATCH", "/api/v1/x509-credentials/{id}", "tenant:x509-credentials:update", false),
    ("PUT", "/api/v1/x509-credentials/{id}/state", "tenant:x509-credentials:update", false),
];

/// The ids of a username and of a certificate of `acme`, in a house that issues.
struct Ids {
    basic: String,
    x509: String,
}

async fn furnished(house: &House) -> Ids {
    super::x509::plug_in(house);
    Ids { basic: made(house, "bob").await, x509: house.certificate("1").await }
}

/// A body that each call accepts, whatever was called before.
fn body(method: &str, path: &str, number: usize) -> Option<Value> {
    match (method, path) {
        ("POST", "/api/v1/x509-credentials") => Some(json!({"ttl": "90m"})),
        ("POST", _) => Some(json!({"username": format!("u{number}"), "password": "pw"})),
        ("PUT", "/api/v1/basic-credentials/{id}/password") => Some(json!({"password": "pw"})),
        ("GET", _) => None,
        _ => Some(json!({"state": "Suspended"})),
    }
}

async fn ask(house: &House, token: &str, tenant: Option<&str>, call: (&str, &str), ids: &Ids, number: usize) -> Reply {
    let (method, path) = call;
    let id = if path.contains("x509") { &ids.x509 } else { &ids.basic };
    let named = tenant.map(|tenant| ("signet-tenant", tenant));
    let body = body(method, path, number).map_or_else(Vec::new, |body| body.to_string().into_bytes());
    bytes(house, method, &path.replace("{id}", id), token, named.as_slice(), body).await
}

on_both! {
    async fn each_route_needs_its_documented_scope_on_the_tenant(kind) {
        let house = House::new(kind).await;
        let routes = house.room.routes();
        let mut found: Vec<String> = routes.iter().map(signet_http::Route::entry).filter(|entry| entry.path.starts_with(LIST) || entry.path.starts_with("/api/v1/x509")).map(|entry| {
            let Guard::Kaa(right) = entry.guard else { panic!("{entry:?}") };
            assert_eq!(right.resource, signet_http::KaaResource::TenantSystem);
            format!("{} {} {} {}", entry.method, entry.path, right.scope, right.role)
        }).collect();
        let mut wanted: Vec<String> = CALLS.iter().map(|(method, ending, scope, auditor)| {
            format!("{method} {ending} {scope} {}", if *auditor { "auditor" } else { "operator" })
        }).collect();
        found.sort();
        wanted.sort();
        assert_eq!(found, wanted);
        house.end().await;
    }

    async fn tokens_of_ours_may_what_their_role_may(kind) {
        let house = House::new(kind).await;
        let id = furnished(&house).await;
        let mut number = 0;
        for role in ["auditor", "operator", "owner"] {
            let (token, _) = house.api_token(&"acme".parse().unwrap(), role).await;
            for (method, ending, _, auditor) in CALLS {
                for named in [None, Some("acme")] {
                    number += 1;
                    let reply = ask(&house, &token, named, (method, ending), &id, number).await;
                    if auditor || role != "auditor" {
                        assert!((200..300).contains(&reply.status), "{role} {method} {ending}: {}", reply.text);
                    } else {
                        assert!(reply.message(403).contains("role operator"), "{method} {ending}: {}", reply.text);
                    }
                }
            }
        }
        house.end().await;
    }

    async fn without_a_valid_token_every_call_is_401_with_a_challenge(kind) {
        let house = House::new(kind).await;
        let id = furnished(&house).await;
        let (revoked, token_id) = house.api_token(&"acme".parse().unwrap(), "owner").await;
        house.post(&format!("/api/v1/tenants/acme/api-tokens/{token_id}/revoke"), &json!({})).await.good();
        house.view_is_current().await;
        let unknown = format!("sgt_{}", "A".repeat(43));
        for (method, ending, _, _) in CALLS {
            for (token, challenge) in [("", "Bearer"), ("nonsense", "Bearer error=\"invalid_token\""), (&unknown, "Bearer error=\"invalid_token\""), (&revoked, "Bearer error=\"invalid_token\"")] {
                let reply = ask(&house, token, Some("acme"), (method, ending), &id, 0).await;
                reply.message(401);
                assert_eq!(reply.header("www-authenticate"), challenge, "{method} {ending}");
            }
        }
        house.end().await;
    }

    async fn those_above_the_tenants_name_one_and_others_only_their_own(kind) {
        let house = House::new(kind).await;
        let id = furnished(&house).await;
        let (token, _) = house.api_token(&"acme".parse().unwrap(), "owner").await;
        let head = house.ledger.head();
        for (method, ending, _, _) in CALLS {
            let call = (method, ending);
            assert!(ask(&house, &house.token, None, call, &id, 1).await.message(400).contains("tenant.unnamed"));
            for odd in ["", "a b", "..", "a/b", &"x".repeat(65)] {
                ask(&house, &house.token, Some(odd), call, &id, 1).await.message(400);
            }
            ask(&house, &house.token, Some("nowhere"), call, &id, 1).await.message(404);
            let foreign = ask(&house, &token, Some("default"), call, &id, 1).await.message(404);
            let absent = ask(&house, &token, Some("nowhere"), call, &id, 1).await.message(404);
            assert_eq!(foreign.replace("default", "nowhere"), absent);
        }
        assert_eq!(house.ledger.head(), head);
        house.end().await;
    }
}
