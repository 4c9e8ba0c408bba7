//! Every guard against every kind of caller.

use std::sync::atomic::Ordering;

use proptest::prelude::*;
use signet_http::Guard;
use signet_model::Role;

use crate::support::{GUARDED, Reply, Words, ask, get, plain};

const TOKENS: [&str; 11] = [
    "platform",
    "system",
    "bus",
    "owner@acme",
    "operator@acme",
    "auditor@acme",
    "owner@other",
    "auditor@other",
    "expired",
    "stale",
    "nonsense",
];

/// The status that design 9 wants, written down apart from the code that decides it.
fn wanted(guard: Guard, tenant: Option<&str>, token: &str) -> u16 {
    let exists = tenant.is_none_or(|tenant| ["acme", "other"].contains(&tenant));
    let (held, of) = token.split_once('@').unwrap_or((token, ""));
    let rank = |role: &str| ["auditor", "operator", "owner"].iter().position(|r| *r == role);
    match (guard, held) {
        (Guard::Public, _) => 200,
        (_, "expired" | "nonsense") => 401,
        (_, "stale") => 503,
        (_, "platform" | "system") => {
            if exists {
                200
            } else {
                404
            }
        }
        (_, "bus") | (Guard::Platform, _) => 403,
        (Guard::AnyCaller, _) if tenant.is_none() => 200,
        _ if tenant != Some(of) => 404,
        (Guard::AnyCaller, _) => 200,
        (Guard::Tenant(role), held) if rank(held) >= rank(role.as_str()) => 200,
        (Guard::Tenant(_), _) => 403,
        (Guard::Kaa(_), _) => unreachable!("Kaa's routes are asked in kaa.rs"),
    }
}

#[tokio::test]
async fn every_guard_lets_through_whom_it_should_and_nobody_else() {
    let (listener, _) = plain().await;
    for (path, guard) in GUARDED {
        for tenant in ["acme", "other", "absent"] {
            for token in TOKENS {
                let named = path.contains("{tenant}").then_some(tenant);
                let reply = get(listener.address(), &path.replace("{tenant}", tenant), token).await;
                assert_eq!(reply.status, wanted(guard, named, token), "{guard} {path} {tenant} {token}: {reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_caller_without_a_usable_token_is_told_why() {
    let (listener, _) = plain().await;
    let reason = async |head: &str| {
        let reply = ask(listener.address(), "GET", "/platform", head, "").await;
        (reply.status, reply.reason(), reply.headers.get("www-authenticate").cloned().unwrap_or_default())
    };
    let told = |status, reason: &str, challenge: &str| (status, reason.to_owned(), challenge.to_owned());
    let invalid = "Bearer error=\"invalid_token\"";
    assert_eq!(reason("").await, told(401, "auth.missing", "Bearer"));
    for head in [
        "Authorization: Basic YTpi\r\n",
        "Authorization: Bearer\r\n",
        "Authorization: Bearer a b\r\n",
        "Authorization: Bearer \r\n",
        "Authorization: Bearer platform\r\nAuthorization: Bearer platform\r\n",
        "Authorization: Bearer nonsense\r\n",
        "Authorization: Bearer pl\u{e4}tform\r\n",
    ] {
        assert_eq!(reason(head).await, told(401, "auth.invalid", invalid), "{head}");
    }
    assert_eq!(reason("Authorization: Bearer expired\r\n").await, told(401, "auth.expired", invalid));
    assert_eq!(reason("authorization: bEARER  platform \r\n").await.0, 200, "scheme and spaces are read liberally");
}

#[tokio::test]
async fn a_missing_role_names_what_is_held_and_what_is_needed() {
    let (listener, _) = plain().await;
    let reply = get(listener.address(), "/owner/acme", "operator@acme").await;
    assert_eq!(reply.reason(), "auth.role-missing");
    let detail = reply.json()["detail"].as_str().expect("detail").to_owned();
    assert!(detail.contains("role operator") && detail.contains("role owner"), "{detail}");
    let above = get(listener.address(), "/platform", "owner@acme").await;
    assert_eq!(above.reason(), "auth.role-missing");
    let fix = above.json()["fix"].as_str().expect("fix").to_owned();
    assert!(fix.contains("platform operator") && !fix.contains("signet api-token create"), "no owner makes one: {fix}");
}

#[tokio::test]
async fn odd_tenants_in_the_path_are_refused_after_authentication() {
    let (listener, _) = plain().await;
    for (path, reason) in [
        ("/auditor/a%00b", "input.nul"),
        ("/auditor/%20", "input.invalid"),
        ("/auditor/%ff", "input.invalid"),
        ("/auditor/a%2Fb", "input.invalid"),
    ] {
        let reply = get(listener.address(), path, "platform").await;
        assert_eq!((reply.status, reply.reason().as_str()), (400, reason), "{path}");
        assert_eq!(get(listener.address(), path, "nonsense").await.status, 401, "{path}");
    }
}

/// A reply without what may differ: its trace id, its time, and the tenant that the caller named.
fn stripped(reply: &Reply, tenant: &str) -> (u16, Vec<(String, String)>, String) {
    let trace = reply.headers["trace-id"].clone();
    let strip = |text: &str| text.replace(&trace, "TRACE").replace(&format!("`{tenant}`"), "TENANT");
    let mut headers: Vec<(String, String)> = reply.headers.iter().map(|(name, value)| (name.clone(), strip(value))).collect();
    headers.retain(|(name, _)| name != "date");
    headers.sort();
    (reply.status, headers, strip(&reply.body))
}

#[tokio::test]
async fn a_foreign_tenant_cannot_be_told_from_an_absent_one() {
    let (listener, world) = plain().await;
    let tokens = ["owner@acme", "auditor@acme", "bus"];
    for (path, _) in GUARDED.into_iter().filter(|(path, _)| path.contains("{tenant}")) {
        for token in tokens {
            let before = world.tenants.0.load(Ordering::SeqCst);
            // Names of one length, so that not even the length of the answer differs.
            let foreign = get(listener.address(), &path.replace("{tenant}", "other"), token).await;
            let absent = get(listener.address(), &path.replace("{tenant}", "othes"), token).await;
            assert_eq!(stripped(&foreign, "other"), stripped(&absent, "othes"), "{path} {token}");
            assert_eq!(world.tenants.0.load(Ordering::SeqCst), before, "the store is not asked, so time tells nothing either");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_api_token_passes_outside_of_its_tenant(tenant in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}", own in "[A-Za-z0-9][A-Za-z0-9._-]{0,20}", role in 0..3_usize) {
        use signet_http::{Authenticate as _, BearerToken};
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("runtime");
        let role = ["auditor", "operator", "owner"][role];
        let token = BearerToken::new(format!("{role}@{own}"));
        let caller = runtime.block_on(Words.authenticate(&token)).expect("caller");
        let tenant: signet_model::TenantId = tenant.parse().expect("tenant");
        prop_assert_eq!(caller.may(&tenant, Role::Auditor), tenant.as_str() == own);
        prop_assert!(!caller.is_platform());
    }
}
