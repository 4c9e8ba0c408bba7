//! Foreign tokens over real listeners: what a refusal looks like, and how long a token may be (field case C07).

use std::sync::Arc;

use futures_util::future::BoxFuture;
use serde_json::json;
use signet_http::oidc::Oidc;
use signet_http::{Authenticate, BearerToken, Limits, Site, TlsMode};
use signet_model::{Caller, Refusal};

use super::House;
use crate::support::{PATIENCE, ask, serve_site, world_of};
use crate::tls;

/// Knows foreign tokens only.
struct Foreign(Arc<Oidc>);

impl Authenticate for Foreign {
    fn authenticate<'a>(&'a self, token: &'a BearerToken) -> BoxFuture<'a, Result<Caller, Refusal>> {
        Box::pin(self.0.verify(token))
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
    let kaa = get(crate::support::KAA_PATH, &house.key.token(&bare)).await;
    assert_eq!(kaa.status, 403, "{}", kaa.body);
    assert!(kaa.json()["message"].as_str().is_some_and(|message| message.starts_with("auth.scope-missing")), "{}", kaa.body);
}
