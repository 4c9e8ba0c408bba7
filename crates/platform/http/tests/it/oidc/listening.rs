//! Foreign tokens over real listeners: what a refusal looks like, and how long a token may be (field case C07).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use signet_http::oidc::Oidc;
use signet_http::{Authenticate, BearerToken, Limits, Site, TlsMode};
use signet_model::{Caller, PersonSubject, Refusal, Rights};

use super::House;
use crate::support::{KAA_PATH, KAA_SCOPE, PATIENCE, ask, serve_site, world_of};
use crate::tls;

/// Knows foreign tokens only.
struct Foreign(Arc<Oidc>);

impl Authenticate for Foreign {
    fn authenticate<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(self.0.verify(token))
    }

    fn permits<'a>(
        &'a self,
        token: &'a BearerToken,
        _: &'a Caller,
        resource: &'a str,
        scope: &'a str,
    ) -> BoxFuture<'a, Result<bool, Refusal>> {
        Box::pin(self.0.permits(token, resource, scope))
    }
}

/// Takes everybody for an owner of `acme`.
struct Anyone;

impl Anyone {
    fn caller() -> Result<Caller, Refusal> {
        let rights = Arc::new(Rights::new(["signet:owner".to_owned()], []));
        Ok(Caller::Person { tenant: "acme".parse().expect("tenant"), subject: PersonSubject::new("anyone"), rights })
    }
}

impl Authenticate for Anyone {
    fn authenticate<'a>(&'a self, _: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(std::future::ready(Self::caller()))
    }

    fn without_token(&self) -> BoxFuture<'_, Option<Result<Caller, Refusal>>> {
        Box::pin(std::future::ready(Some(Self::caller())))
    }
}

impl House {
    /// A token of about this many bytes.
    fn padded(&self, bytes: usize) -> String {
        let mut claims = self.claims();
        let bare = self.key.token(&claims).len();
        claims["groups"] = json!("x".repeat((bytes - bare) * 3 / 4));
        self.key.token(&claims)
    }
}

#[tokio::test]
async fn tokens_of_administrators_pass_and_longer_ones_are_refused_in_words() {
    let house = House::new();
    let site = || Site::of(world_of(Arc::new(Foreign(Arc::clone(&house.oidc))), PATIENCE).router);
    let (plain, protected) =
        (serve_site(site(), TlsMode::Plain, Limits::default()).await, serve_site(site(), tls::mode(), Limits::default()).await);
    let mut two = tls::http2(protected.address()).await;
    for (kilobytes, status, reason) in [
        (7, 200, ""),
        (9, 200, ""),
        (17, 200, ""),
        (33, 200, ""),
        (47, 200, ""),
        (55, 431, "bearer.too-large"),
        (70, 431, "headers.too-large"),
    ] {
        let token = house.padded(kilobytes * 1024);
        let head = format!("Authorization: Bearer {token}\r\n");
        let one = ask(plain.address(), "GET", "/auditor/acme", &head, "").await;
        let (code, body) = tls::send(&mut two, "/auditor/acme", &[("authorization", &format!("Bearer {token}"))]).await.expect("answer");
        assert_eq!((one.status, code), (status, status), "{kilobytes} KB: {}", one.body);
        if status != 200 {
            assert_eq!(one.reason(), reason, "{kilobytes} KB");
            assert!(body.contains(reason) && !body.contains(&token[..40]), "{kilobytes} KB: {body}");
        }
    }
}

#[tokio::test]
async fn refusals_have_their_status_challenge_and_reason() {
    let house = House::new();
    let site = Site::of(world_of(Arc::new(Foreign(Arc::clone(&house.oidc))), PATIENCE).router);
    let listener = serve_site(site, TlsMode::Plain, Limits::default()).await;
    let get = async |path: &str, token: &str| ask(listener.address(), "GET", path, &format!("Authorization: Bearer {token}\r\n"), "").await;
    let mut old = house.claims();
    old["exp"] = json!(1);
    let mut bare = house.claims();
    bare["scope"] = json!("openid");
    for (token, path, status, reason) in [
        (house.token(), "/auditor/acme", 200, ""),
        (house.key.token(&old), "/auditor/acme", 401, "bearer.expired"),
        ("a.b.c".to_owned(), "/auditor/acme", 401, "bearer.malformed"),
        (house.token(), "/operator/acme", 403, "auth.role-missing"),
        (house.token(), "/platform", 403, "auth.role-missing"),
        (house.token(), "/auditor/other", 404, "tenant.not-found"),
        (house.key.token(&bare), "/auditor/acme", 403, "auth.role-missing"),
    ] {
        let reply = get(path, &token).await;
        assert_eq!(reply.status, status, "{path}: {}", reply.body);
        assert_eq!(
            reply.headers.get("www-authenticate").map(String::as_str),
            (status == 401).then_some(r#"Bearer error="invalid_token""#),
            "{path}"
        );
        if status != 200 {
            assert_eq!(reply.reason(), reason, "{path}");
        }
    }
    let kaa = get(KAA_PATH, &house.key.token(&bare)).await;
    assert_eq!(kaa.status, 403, "{}", kaa.body);
    assert!(kaa.json()["message"].as_str().is_some_and(|message| message.starts_with("auth.scope-missing")), "{}", kaa.body);
}

#[tokio::test]
async fn on_kaas_paths_the_token_decides_or_its_issuer_does() {
    let house = House::new();
    let site = Site::of(world_of(Arc::new(Foreign(Arc::clone(&house.oidc))), PATIENCE).router);
    let listener = serve_site(site, TlsMode::Plain, Limits::default()).await;
    let get = async |token: &str, more: &str| {
        ask(listener.address(), "GET", KAA_PATH, &format!("Authorization: Bearer {token}\r\n{more}"), "").await.status
    };
    let scoped = |scope: &str| {
        let mut claims = house.claims();
        claims["scope"] = json!(scope);
        claims
    };
    let ticket = |resource: &str, scope: &str| {
        let mut claims = house.claims();
        claims["authorization"] = json!({ "permissions": [{ "rsname": resource, "scopes": [scope] }] });
        claims
    };
    for (claims, status) in [
        (scoped(KAA_SCOPE), 200),
        (scoped("signet:operator"), 200),
        (scoped("signet:auditor"), 403),
        (scoped("tenant:basic-credentials:read"), 403),
        (ticket("tenant-system", KAA_SCOPE), 200),
        (ticket("kaa-system", KAA_SCOPE), 403),
        (ticket("tenant-system", "tenant:basic-credentials:read"), 403),
    ] {
        let token = house.key.token(&claims);
        assert_eq!(get(&token, "").await, status, "{claims}");
        assert_eq!(get(&token, "Signet-Tenant: acme\r\n").await, status, "{claims}");
        assert_eq!(get(&token, "Signet-Tenant: other\r\n").await, 404, "{claims}");
    }
    // The issuer permits what the token does not say; never what a ticket leaves out.
    house.issuer.grant(&format!("tenant-system#{KAA_SCOPE}"), true);
    let mut claims = scoped("openid");
    claims["sub"] = json!("somebody new");
    assert_eq!(get(&house.key.token(&claims), "").await, 200);
    assert_eq!(get(&house.key.token(&ticket("tenant-system", "tenant:basic-credentials:read")), "").await, 403);
    house.issuer.set(signet_testkit::IssuerMode::Gone);
    claims["sub"] = json!("somebody else");
    assert_eq!(get(&house.key.token(&claims), "").await, 503, "nobody knows, so the token is not to blame");
}

#[tokio::test]
async fn where_nobody_is_asked_a_request_without_a_token_has_its_tenant() {
    let listener = serve_site(Site::of(world_of(Arc::new(Anyone), PATIENCE).router), TlsMode::Plain, Limits::default()).await;
    for head in
        ["", "Authorization: Basic YTpi\r\n", "Authorization: Bearer x\r\n", "Authorization: Bearer x\r\nAuthorization: Bearer y\r\n"]
    {
        for (path, more, status) in [
            (KAA_PATH, "", 200),
            (KAA_PATH, "Signet-Tenant: acme\r\n", 200),
            (KAA_PATH, "Signet-Tenant: other\r\n", 404),
            ("/owner/acme", "", 200),
            ("/owner/other", "", 404),
            ("/platform", "", 403),
        ] {
            let reply = ask(listener.address(), "GET", path, &format!("{head}{more}"), "").await;
            assert_eq!(reply.status, status, "{head}{path}: {}", reply.body);
        }
    }
}
