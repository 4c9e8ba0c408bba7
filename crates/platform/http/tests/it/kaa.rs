//! Kaa's paths: whose tenant a call is about, who passes, and that every error has Kaa's form.

use crate::support::{KAA_PATH, KAA_ROUTE, Reply, ask, plain};

/// A call under this token that may name a tenant.
async fn call(path: &str, token: &str, tenant: Option<&str>) -> Reply {
    let (listener, _) = plain().await;
    let named = tenant.map(|tenant| format!("Signet-Tenant: {tenant}\r\n")).unwrap_or_default();
    ask(listener.address(), "GET", path, &format!("Authorization: Bearer {token}\r\n{named}"), "").await
}

#[tokio::test]
async fn a_caller_acts_in_its_own_tenant_and_those_above_in_the_one_they_name() {
    for (token, named, wanted) in [
        ("operator@acme", None, 200),
        ("operator@acme", Some("acme"), 200),
        ("operator@acme", Some("other"), 404),
        ("auditor@acme", None, 403),
        ("reader@acme", None, 403),
        ("updater@acme", None, 200),
        ("updater@acme", Some("other"), 404),
        ("asks-online@acme", None, 200),
        ("platform", None, 400),
        ("platform", Some("acme"), 200),
        ("platform", Some("absent"), 404),
        ("platform", Some("../x"), 400),
        ("bus", Some("acme"), 403),
        ("nonsense", Some("acme"), 401),
        ("stale", Some("acme"), 503),
    ] {
        let reply = call(KAA_PATH, token, named).await;
        assert_eq!(reply.status, wanted, "{token} {named:?}: {reply:?}");
        if wanted != 200 {
            assert_eq!(reply.json().as_object().unwrap().keys().collect::<Vec<_>>(), ["message"], "{token} {named:?}");
        }
    }
}

#[tokio::test]
async fn unknown_paths_below_kaas_speak_as_kaa_does_and_say_nothing_of_a_fault() {
    let reply = call("/ccm/api/v1/basic-credentials/a/b/c", "operator@acme", None).await;
    assert_eq!(reply.status, 404);
    assert!(reply.body.starts_with("{\"message\":\"route.not-found: ") && reply.body.ends_with("}\n"), "{reply:?}");
    let reply = call("/api/v1/server-certificate", "operator@acme", None).await;
    assert_eq!((reply.status, reply.body.as_str()), (500, "{\"message\":\"Internal Server Error\"}\n"));
}

#[tokio::test]
async fn kaas_paths_are_served_where_its_ingress_puts_them_and_nowhere_else() {
    for prefix in ["", "/ccm", "/kpc", "/cm"] {
        assert_eq!(call(&format!("{prefix}{KAA_ROUTE}"), "operator@acme", None).await.status, 200, "{prefix}");
    }
    for prefix in ["/kes", "/ccm/ccm", "/CCM", "/ccm/"] {
        assert_eq!(call(&format!("{prefix}{KAA_ROUTE}"), "operator@acme", None).await.status, 404, "{prefix}");
    }
    assert_eq!(call("/ccm/any", "operator@acme", None).await.status, 404, "ours have one address");
}

#[tokio::test]
async fn the_challenge_of_a_401_names_an_error_only_where_a_token_was_sent() {
    let (listener, _) = plain().await;
    let without = ask(listener.address(), "GET", KAA_ROUTE, "", "").await;
    assert_eq!((without.status, without.headers["www-authenticate"].as_str()), (401, "Bearer"));
    let with = call(KAA_ROUTE, "nonsense", None).await;
    assert_eq!((with.status, with.headers["www-authenticate"].as_str()), (401, "Bearer error=\"invalid_token\""));
}

#[tokio::test]
async fn a_correlation_id_reaches_the_handler_and_comes_back() {
    let (listener, _) = plain().await;
    let head = |token: &str, more: &str| format!("Authorization: Bearer {token}\r\n{more}");
    for path in [KAA_ROUTE, KAA_PATH] {
        let reply = ask(listener.address(), "GET", path, &head("operator@acme", "Correlation-ID: c-1\r\n"), "").await;
        assert_eq!((reply.headers["correlation-id"].as_str(), &reply.json()["correlation"]), ("c-1", &"c-1".into()));
        let reply = ask(listener.address(), "GET", path, &head("operator@acme", ""), "").await;
        assert_eq!(reply.headers["correlation-id"], reply.json()["correlation"].as_str().expect("one is made"));
        assert_eq!(reply.headers["correlation-id"].len(), 20);
    }
    let refused = ask(listener.address(), "GET", KAA_ROUTE, &head("nonsense", "Correlation-ID: c-2\r\n"), "").await;
    assert_eq!((refused.status, refused.headers["correlation-id"].as_str()), (401, "c-2"));
    let malformed = ask(listener.address(), "GET", KAA_ROUTE, "Correlation-ID: a\r\nCorrelation-ID: b\r\n", "").await;
    assert_eq!((malformed.status, malformed.headers["correlation-id"].len()), (400, 20));
    let ours = ask(listener.address(), "GET", "/any", &head("operator@acme", "Correlation-ID: c-3\r\n"), "").await;
    assert_eq!((ours.headers.get("correlation-id"), &ours.json()["correlation"]), (None, &serde_json::Value::Null));
}
