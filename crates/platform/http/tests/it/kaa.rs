//! Kaa's paths: whose tenant a call is about, who passes, and that every error has Kaa's form.

use crate::support::{KAA_PATH, Reply, ask, plain};

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
