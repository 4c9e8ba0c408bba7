//! People and programs that come with tokens of their tenant's own issuer: a real one, made by others. And a server whose
//! security is switched off.

use std::time::{Duration, Instant};

use serde_json::json;
use signet_testkit::{TestProvider, process};
use signet_tests::{Deployment, House, Plan, Rest, http_1_0, run};

const OFF: (&str, &str) = ("SIGNET_SECURITY__ENABLED", "false");

/// A house with two tenants, each with an issuer of its own.
struct Town {
    house: House,
    acme: TestProvider,
    rival: TestProvider,
}

fn town() -> Town {
    let (acme, rival) = (TestProvider::start("ES256"), TestProvider::start("RS256"));
    let issuers: &'static str = format!("acme={}, rival={}/", acme.issuer(), rival.issuer()).leak();
    let house = Plan::of(Deployment::Embedded)
        .setting("SIGNET_OIDC__ISSUERS", issuers)
        .setting("SIGNET_OIDC__AUDIENCE", "signet")
        .setting("SIGNET_OIDC__ALLOW_NETWORKS", "127.0.0.0/8")
        .setting("SIGNET_OIDC__ALLOW_PLAIN_HTTP", "true")
        .open();
    house.furnish();
    house.run(&["tenant", "create", "rival", "-o", "json"]).exits(0);
    Town { house, acme, rival }
}

fn with(rest: &Rest, method: &str, path: &str, token: &str) -> (u16, String) {
    let authorization = format!("Bearer {token}");
    let headers = [("Authorization", authorization.as_str()), ("Content-Type", "application/json")];
    let body = if method == "POST" { json!({"name": "by-a-person", "kind": "service"}).to_string() } else { String::new() };
    let answer = rest.answered(method, path, &headers, body.as_bytes());
    (answer.status, answer.reason())
}

#[test]
fn tokens_of_a_real_issuer_open_what_their_scopes_say_in_their_tenant_only() {
    let mut town = town();
    let rest = town.house.rest().with_token("");
    let identities = |tenant: &str| format!("/api/v1/tenants/{tenant}/identities");
    for (own, provider, other) in [("acme", &town.acme, "rival"), ("rival", &town.rival, "acme")] {
        let auditor = provider.token("signet", "signet:auditor");
        assert_eq!(with(&rest, "GET", &identities(own), &auditor), (200, String::new()));
        assert_eq!(with(&rest, "POST", &identities(own), &auditor), (403, "auth.role-missing".to_owned()));
        let owner = provider.token("signet", "signet:owner signet:operator");
        assert_eq!(with(&rest, "POST", &identities(own), &owner), (201, String::new()));
        for method in ["GET", "POST"] {
            assert_eq!(with(&rest, method, &identities(other), &owner), (404, "tenant.not-found".to_owned()), "{own} {method}");
        }
        assert_eq!(with(&rest, "GET", "/api/v1/tenants/nowhere/identities", &owner), (404, "tenant.not-found".to_owned()));
        let elsewhere = provider.token("elsewhere", "signet:owner");
        assert_eq!(with(&rest, "GET", &identities(own), &elsewhere), (401, "bearer.audience".to_owned()));
        let scopeless = provider.token("signet", "tenant:basic-credentials:read");
        assert_eq!(with(&rest, "GET", &identities(own), &scopeless), (403, "auth.role-missing".to_owned()));
        let (head, _) = owner.rsplit_once('.').unwrap();
        assert_eq!(with(&rest, "GET", &identities(own), &format!("{head}.{}", "A".repeat(86))).0, 401);
    }
    let doctor = town.house.run(&["doctor", "-o", "json"]);
    assert!(doctor.stdout.contains("\"security\""), "{}", doctor.stdout);

    // Field case C05: the issuer comes back with another key under the same id. Nobody has to restart anything.
    let before = town.acme.token("signet", "signet:auditor");
    town.acme.restart();
    let after = town.acme.token("signet", "signet:auditor");
    let deadline = Instant::now() + Duration::from_secs(60);
    while with(&rest, "GET", &identities("acme"), &after).0 != 200 {
        assert!(Instant::now() < deadline, "the new key is never taken");
        process::pause(Duration::from_millis(200));
    }
    assert_eq!(with(&rest, "GET", &identities("acme"), &before).0, 401, "the old key is out");

    // Gone, its known keys go on, and a token that was never seen verifies with them.
    let fresh = town.acme.token("signet", "signet:auditor signet:operator");
    town.acme.stop();
    assert_eq!(with(&rest, "GET", &identities("acme"), &fresh).0, 200);
}

#[test]
fn security_off_is_told_everywhere() {
    let mut house = Plan::of(Deployment::Embedded).setting(OFF.0, OFF.1).setting("SIGNET_SECURITY__DEFAULT_TENANT", "kaa").open();
    let (rest, management) = (house.rest().with_token(""), house.server().listener("management"));
    let identities = "/api/v1/tenants/kaa/identities";
    let body = json!({"name": "by-anyone", "kind": "service"}).to_string();
    let json = ("Content-Type", "application/json");
    assert_eq!(rest.answered("POST", identities, &[json], body.as_bytes()).status, 201);
    assert_eq!(rest.answered("GET", identities, &[("Authorization", "Bearer whatever.you.like")], b"").status, 200);
    assert_eq!(rest.answered("GET", "/api/v1/tenants/default/identities", &[], b"").status, 404);
    assert_eq!(rest.answered("POST", "/api/v1/tenants", &[json], br#"{"id":"more"}"#).status, 403);
    assert_eq!(house.run(&["tenant", "create", "more", "-o", "json"]).code, 0, "the operator's token keeps its meaning");
    for path in ["/ready", "/health"] {
        let answer = http_1_0(management, "GET", path, &[]).unwrap();
        assert!(answer.status == 200 && answer.text().contains("security: OFF"), "{path}: {}", answer.text());
    }
    assert!(house.server().log_text().contains("security.off"), "{}", house.server().log_text());
    let doctor = run(house.path(), &[("SIGNET_DATA_DIR", "d"), OFF], ["doctor", "-o", "json"], b"");
    assert_eq!(doctor.code, 8, "{}", doctor.stdout);
    assert!(doctor.stdout.contains("SECURITY IS OFF"), "{}", doctor.stdout);
    house.stop();
}
