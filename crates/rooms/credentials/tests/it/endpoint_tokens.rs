//! Endpoint tokens over our own API: their birth, whose an application is, and what one commit tells of several.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use signet_model::CredentialKind::EndpointToken;
use signet_model::CredentialState::{Active, Inactive, Suspended};
use signet_model::{Clock as _, StandingSubject};

use crate::house::{Answer, House};
use crate::on_both;
use crate::token_house::named;

const CREDENTIALS: &str = "/api/v1/tenants/acme/credentials";

/// The answer without what names this request.
fn bare(answer: &Answer) -> (u16, Value) {
    let mut body = answer.body.clone();
    body.as_object_mut().unwrap().remove("trace_id");
    (answer.status, body)
}

on_both! {
    async fn a_token_is_shown_once_and_then_never_and_only_its_hash_is_kept(kind) {
        let house = House::new(kind).await;
        let made = house.make_token("acme", "demo", "ep-1", &json!({"token": "tok1", "identity": "dev-1"})).await.good();
        assert_eq!(
            (made["kind"].as_str(), made["application"].as_str(), made["endpoint"].as_str(), made["state"].as_str(), made["token"].as_str()),
            (Some("endpoint_token"), Some("demo"), Some("ep-1"), Some("Inactive"), Some("tok1"))
        );
        assert_eq!(made["username"], Value::Null);
        let id = made["id"].as_str().unwrap();
        let shown = house.show(id).await;
        let listed = house.get(&format!("{CREDENTIALS}?kind=endpoint_token&endpoint=ep-1")).await.good();
        assert_eq!(listed["items"], json!([shown]));
        assert!(shown.get("token").is_none() && shown["identity"].is_string());
        let record = house.records(id).await.remove(0);
        assert_eq!((record.action.as_str(), record.detail["application"].as_str(), record.detail["endpoint"].as_str()), ("credential.create", "demo", "ep-1"));
        assert_eq!(house.number("SELECT count(*) FROM audit WHERE record LIKE '%tok1%'").await, 0);
        let stored = house.db.query_optional(signet_db::Statement::new("SELECT token_hash FROM credential WHERE kind = 'endpoint_token'", Vec::new())).await.unwrap().unwrap();
        assert_eq!(stored.bytes(0).unwrap(), signet_crypto::sha256(b"tok1"));
        assert_eq!(house.metrics.credentials(EndpointToken, Inactive), 1);
        house.end().await;
    }

    async fn a_token_that_is_not_given_is_generated(kind) {
        let house = House::new(kind).await;
        let mut seen = BTreeSet::new();
        for _ in 0..20 {
            let made = house.make_token("acme", "demo", "ep-1", &json!({})).await.good();
            let token = made["token"].as_str().unwrap().to_owned();
            assert_eq!(token.len(), 22);
            assert!(token.bytes().all(|b| b.is_ascii_alphanumeric()), "{token}");
            assert_eq!(house.validate("demo", &token).await.token, Some((made["id"].as_str().unwrap().to_owned(), "ep-1".to_owned())));
            assert!(seen.insert(token));
        }
        house.end().await;
    }

    async fn what_is_no_token_no_application_and_no_endpoint_is_refused_by_name(kind) {
        let house = House::new(kind).await;
        let before = house.ledger.head();
        let long = "x".repeat(256);
        for token in ["", "a+b", "a#b", "a/b", "a.b", "+", "a\nb", "a\u{85}", &long] {
            let answer = house.make_token("acme", "demo", "ep-1", &json!({"token": token})).await;
            assert_eq!(answer.reason(400), "endpoint-token.invalid", "{token:?}");
            assert!(token.len() < 3 || !answer.body.to_string().contains(token), "{token:?} is repeated");
        }
        for application in ["", "Demo", "a.b", "a b", "a/b", "*", ">", &long] {
            assert_eq!(house.make_token("acme", application, "ep-1", &json!({})).await.reason(400), "application.invalid-name", "{application:?}");
        }
        for endpoint in ["", "a/b", "a b", "ep+1", "ä", "*", &long] {
            assert_eq!(house.make_token("acme", "demo", endpoint, &json!({})).await.reason(400), "endpoint.invalid-id", "{endpoint:?}");
        }
        for more in [json!({"username": "bob"}), json!({"password": "pw"}), json!({"token": 1}), json!({"kind": "x509"})] {
            assert_eq!(house.make_token("acme", "demo", "ep-1", &more).await.reason(400), "input.invalid", "{more}");
        }
        for body in [
            json!({"kind": "endpoint_token", "application": "demo"}),
            json!({"kind": "endpoint_token", "endpoint": "ep-1"}),
            json!({"kind": "basic", "username": "bob"}),
            json!({"kind": "basic", "username": "bob", "password": "pw", "endpoint": "ep-1"}),
            json!({"kind": "basic", "username": "bob", "password": "pw", "token": "t"}),
        ] {
            assert_eq!(house.post(CREDENTIALS, &body).await.reason(400), "input.invalid", "{body}");
        }
        // A NUL is refused before anything looks at what it is in.
        for (application, endpoint, token) in [("a\u{0}", "ep-1", "t"), ("demo", "ep\u{0}", "t"), ("demo", "ep-1", "t\u{0}")] {
            assert_eq!(house.make_token("acme", application, endpoint, &json!({"token": token})).await.reason(400), "input.nul");
        }
        assert_eq!(house.make_token("acme", "demo", "ep-1", &json!({"identity": "nobody"})).await.reason(404), "identity.not-found");
        assert_eq!(house.ledger.head(), before, "nothing was written");
        assert_eq!(house.number("SELECT count(*) FROM application").await, 0, "and no application taken");
        house.end().await;
    }

    async fn a_taken_token_and_anothers_application_are_refused_in_the_same_words(kind) {
        let house = House::new(kind).await;
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        house.endpoint_token("demo", "ep-1", "tok1").await;
        let taken = house.make_token("acme", "demo", "ep-2", &json!({"token": "tok1"})).await;
        assert_eq!(taken.reason(409), "endpoint-token.taken");
        // Of another tenant's application: whether the token is there or not, the same as in one's own.
        let there = house.make_token("rival", "demo", "ep-2", &json!({"token": "tok1"})).await;
        let absent = house.make_token("rival", "demo", "ep-2", &json!({"token": "tok2"})).await;
        let generated = house.make_token("rival", "demo", "ep-2", &json!({})).await;
        assert_eq!(bare(&there), bare(&absent));
        assert_eq!(bare(&there), bare(&generated));
        let own = taken.body.to_string().replace("acme", "T");
        let mut foreign = there.body.clone();
        foreign["trace_id"] = taken.body["trace_id"].clone();
        assert_eq!(own, foreign.to_string().replace("rival", "T"), "in the same words as at home");
        // The same token in another application is another token; the same endpoint id in another tenant another endpoint.
        let other = house.make_token("rival", "rival-app", "ep-1", &json!({"token": "tok1"})).await.good();
        assert_eq!(house.validate("rival-app", "tok1").await.token, Some((other["id"].as_str().unwrap().to_owned(), "ep-1".to_owned())));
        // A revoked token keeps its text: nobody gets it again.
        let id = other["id"].as_str().unwrap();
        house.post(&format!("/api/v1/tenants/rival/credentials/{id}/revoke"), &json!({})).await.good();
        assert_eq!(house.make_token("rival", "rival-app", "ep-1", &json!({"token": "tok1"})).await.reason(409), "endpoint-token.taken");
        house.end().await;
    }

    async fn of_many_at_once_one_gets_the_token_and_one_tenant_the_application(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        let more = json!({"token": "tok1"});
        let calls = (0..12).map(|n| {
            let (house, tenant) = (if n % 2 == 0 { &house } else { &other }, if n % 3 == 0 { "acme" } else { "rival" });
            let more = &more;
            async move { house.make_token(tenant, "shared", "ep-1", more).await }
        });
        let answers = futures_util::future::join_all(calls).await;
        let made = answers.iter().filter(|answer| answer.status == 201).count();
        assert_eq!(made, 1, "{answers:?}");
        assert!(answers.iter().all(|answer| answer.status == 201 || answer.status == 409));
        assert_eq!(house.number("SELECT count(*) FROM application WHERE name = 'shared'").await, 1);
        other.end().await;
        house.end().await;
    }

    async fn two_hundred_confusable_tokens_are_two_hundred_tokens(kind) {
        let house = House::new(kind).await;
        let tokens: BTreeSet<String> =
            crate::bad_input::confusable().into_iter().filter(|name| !name.contains(['+', '#', '/', '.'])).collect();
        assert_eq!(tokens.len(), 200);
        for (n, token) in tokens.iter().enumerate() {
            house.endpoint_token("demo", &format!("ep-{n}"), token).await;
        }
        for (n, token) in tokens.iter().enumerate() {
            let (_, endpoint) = house.validate("demo", token).await.token.unwrap();
            assert_eq!(endpoint, format!("ep-{n}"), "{token:?}");
        }
        house.end().await;
    }

    async fn a_repeated_creation_is_told_the_id_and_not_the_secret(kind) {
        let house = House::new(kind).await;
        for (key, more) in [("k-1", json!({})), ("k-2", json!({"token": "canary-tok"}))] {
            let mut body = json!({"kind": "endpoint_token", "application": "demo", "endpoint": "ep-1"});
            body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            let post = async || {
                house.send("POST", CREDENTIALS, &house.token, &[("idempotency-key", key)], Some(body.to_string().as_bytes())).await
            };
            let first = post().await.good();
            let again = post().await;
            assert_eq!(again.reason(409), "idempotency.secret-not-replayable");
            assert!(again.text("detail").contains(first["id"].as_str().unwrap()));
            assert!(!again.body.to_string().contains(first["token"].as_str().unwrap()));
        }
        assert_eq!(house.number("SELECT count(*) FROM credential").await, 2);
        house.end().await;
    }

    async fn the_list_is_filtered_by_application_and_endpoint_exactly(kind) {
        let house = House::new(kind).await;
        house.credential("ep-1", "pw").await;
        for (application, endpoint, token) in [("demo", "ep-1", "a"), ("demo", "ep_1", "b"), ("demo", "epx1", "c"), ("demo_2", "ep_1", "d"), ("demox2", "e", "e")] {
            house.endpoint_token(application, endpoint, token).await;
        }
        for (query, found) in [
            ("endpoint=ep_1", 2),
            ("endpoint=ep_1&application=demo", 1),
            ("application=demo_2", 1),
            ("application=demo", 3),
            ("application=demo&state=Inactive", 3),
            ("application=demo&state=Active", 0),
            ("application=demo&kind=basic", 0),
            ("endpoint=ep-1&identity=dev-1", 0),
            ("endpoint=ep-1&username=ep-1", 0),
            ("username=ep-1", 1),
            ("endpoint=ep%251", 0),
            ("application=DEMO", 0),
            ("kind=endpoint_token", 5),
        ] {
            let listed = house.get(&format!("{CREDENTIALS}?{query}")).await.good();
            assert_eq!(listed["items"].as_array().unwrap().len(), found, "{query}");
        }
        let page = house.get(&format!("{CREDENTIALS}?application=demo&limit=2")).await.good();
        let rest = house.get(&format!("{CREDENTIALS}?application=demo&limit=2&after={}", page["next"].as_str().unwrap())).await.good();
        assert_eq!((page["items"].as_array().unwrap().len(), rest["items"].as_array().unwrap().len()), (2, 1));
        house.end().await;
    }

    async fn each_loss_of_use_is_told_once_and_a_resumption_not_at_all(kind) {
        let house = House::new(kind).await;
        let mut events = house.token_events().await;
        let (first, second) = (house.endpoint_token("demo", "ep-1", "tok1").await, house.endpoint_token("demo", "ep-1", "tok2").await);
        assert_eq!(house.validates("demo", "tok1").await, 200);
        for verb in ["suspend", "suspend", "resume", "suspend", "revoke"] {
            house.act(&first, verb).await.good();
        }
        house.act(&second, "revoke").await.good();
        let event = events.next().await;
        assert_eq!((event.application.as_str(), event.endpoint.as_str(), event.timestamp), ("demo", "ep-1", house.clock.now().millis()));
        assert!(event.correlation.starts_with("evt_") && event.replica.starts_with("rep_"), "{event:?}");
        assert_eq!(event.ids, BTreeSet::from([first.clone()]));
        // The second suspension; revoking what was suspended says nothing; then the other token's.
        assert_eq!(events.next_named().await, named("demo", "ep-1", &[&first]));
        assert_eq!(events.next_named().await, named("demo", "ep-1", &[&second]));
        house.end().await;
    }

    async fn disabling_an_identity_names_the_tokens_of_one_endpoint_in_one_event(kind) {
        let house = House::new(kind).await;
        let (mut tokens, mut clients) = (house.token_events().await, house.events().await);
        let owned = json!({"identity": "dev-1"});
        let mut of = Vec::new();
        for (application, endpoint) in [("demo", "ep-1"), ("demo", "ep-1"), ("demo", "ep-2"), ("other", "ep-1")] {
            of.push(house.make_token("acme", application, endpoint, &owned).await.good()["id"].as_str().unwrap().to_owned());
        }
        let gone = house.make_token("acme", "demo", "ep-1", &owned).await.good()["id"].as_str().unwrap().to_owned();
        house.endpoint_token("demo", "ep-1", "of-nobody").await;
        house.act(&gone, "revoke").await.good();
        assert_eq!(tokens.next_named().await, named("demo", "ep-1", &[&gone]));
        let bob = house.credential("bob", "pw").await;
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        let mut seen = vec![tokens.next_named().await, tokens.next_named().await, tokens.next_named().await];
        seen.sort();
        assert_eq!(seen, [named("demo", "ep-1", &[&of[0], &of[1]]), named("demo", "ep-2", &[&of[2]]), named("other", "ep-1", &[&of[3]])]);
        assert_eq!(clients.next(1).await[0].credential, bob);
        house.end().await;
    }

    async fn the_tokens_of_an_unregistered_endpoint_are_deleted_and_the_usable_ones_named_once_per_application(kind) {
        let house = House::new(kind).await;
        let other = house.replica().await;
        let mut events = house.token_events().await;
        let (a, b) = (house.endpoint_token("demo", "ep-1", "a").await, house.endpoint_token("demo", "ep-1", "b").await);
        let c = house.endpoint_token("other", "ep-1", "c").await;
        let suspended = house.endpoint_token("demo", "ep-1", "d").await;
        let kept = house.endpoint_token("demo", "ep-2", "e").await;
        assert_eq!(house.validates("demo", "a").await, 200);
        house.act(&suspended, "suspend").await.good();
        assert_eq!(events.next_named().await, named("demo", "ep-1", &[&suspended]));
        house.unregister("ep-1").await;
        let mut seen = vec![events.next_named().await, events.next_named().await];
        seen.sort();
        assert_eq!(seen, [named("demo", "ep-1", &[&a, &b]), named("other", "ep-1", &[&c])]);
        for (application, token) in [("demo", "a"), ("demo", "b"), ("other", "c"), ("demo", "d")] {
            assert_eq!(house.validates(application, token).await, 404, "{token}");
        }
        for id in [&a, &b, &c, &suspended] {
            assert_eq!(house.get(&format!("{CREDENTIALS}/{id}")).await.reason(404), "credential.not-found");
        }
        assert_eq!(house.validates("demo", "e").await, 200);
        let record = house.records("ep-1").await.remove(0);
        assert_eq!((record.action.as_str(), record.actor.as_str(), record.detail["tokens"].as_str(), record.detail["usable"].as_str()), ("endpoint.unregister", "bus", "4", "3"));
        house.view_is_current().await;
        let standing = StandingSubject::Credential("acme".parse().unwrap(), a.parse().unwrap());
        assert_eq!(house.view.check(&[standing]).unwrap_err().reason.code, "credential.revoked");
        let gauge = |state| house.metrics.credentials(EndpointToken, state) + other.metrics.credentials(EndpointToken, state);
        assert_eq!((gauge(Inactive), gauge(Active), gauge(Suspended)), (0, 1, 0), "each replica counts its own moves");
        // Again, and for an endpoint that has none: nothing to do, nothing to tell. The application stays the tenant's.
        house.unregister("ep-1").await;
        house.unregister("ep-3").await;
        house.unregister("not an endpoint/").await;
        house.act(&kept, "revoke").await.good();
        assert_eq!(events.next_named().await, named("demo", "ep-2", &[&kept]));
        assert_eq!(house.records("ep-1").await.len(), 1);
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        assert_eq!(house.make_token("rival", "demo", "ep-1", &json!({})).await.reason(409), "endpoint-token.taken");
        other.end().await;
        house.end().await;
    }

    async fn an_event_that_does_not_say_whose_endpoint_it_is_touches_no_tenants_tokens(kind) {
        let house = House::new(kind).await;
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        let mut events = house.token_events().await;
        let own = house.endpoint_token("demo", "ep-1", "a").await;
        house.make_token("rival", "rival-app", "ep-1", &json!({"token": "b"})).await.good();
        house.unregister("ep-1").await;
        crate::house::eventually("it is counted", || async { house.metrics.decisions(EndpointToken, "unregistered_ambiguous") == 1 }).await;
        assert_eq!((house.validates("demo", "a").await, house.validates("rival-app", "b").await), (200, 200));
        house.act(&own, "revoke").await.good();
        assert_eq!(events.next_named().await, named("demo", "ep-1", &[&own]));
        house.end().await;
    }
}

/// More tokens of one endpoint than one commit deletes: all of them go, each named once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_with_more_tokens_than_one_commit_deletes_loses_all_of_them() {
    use signet_ledger::{Change, Expect};
    let house = House::new(crate::house::Kind::SqliteInProcess).await;
    let mut events = house.token_events().await;
    let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.fill", "acme");
    let fill = signet_db::Statement::new(
        "INSERT INTO credential (tenant, id, kind, state, application, endpoint, token_hash, created_at, updated_at, version) \
         SELECT 'acme', printf('%020d', n), 'endpoint_token', 'Active', 'demo', 'ep-1', CAST(n AS BLOB), n / 7, n, $1 FROM \
         (WITH RECURSIVE series(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < 1500) SELECT n FROM series) WHERE {ok}",
        signet_db::params![1],
    );
    house.ledger.commit(Change::new(record).expecting(Expect::write(fill, 1_500))).await.unwrap();
    house.unregister("ep-1").await;
    let mut named = BTreeSet::new();
    for _ in 0..3 {
        let ids = events.next().await.ids;
        assert_eq!(ids.len(), 500);
        named.extend(ids);
    }
    assert_eq!(named.len(), 1_500, "each is named once");
    assert_eq!(house.number("SELECT count(*) FROM credential").await, 0);
    house.end().await;
}
