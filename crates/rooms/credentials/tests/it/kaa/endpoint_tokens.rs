//! Every row of `kaa.md` 15.3 that a client of Kaa's credential management sees.

use serde_json::{Value, json};

use super::{Reply, bytes, call, get};
use crate::house::House;
use crate::on_both;

const TOKENS: &str = "/api/v1/endpoints/ep-1/tokens";

async fn make(house: &House, path: &str, body: &Value) -> Reply {
    call(house, "POST", path, &[], Some(body)).await
}

/// Makes a token of `ep-1` in `acme`; its id, from where the answer says that it is.
async fn made(house: &House, application: &str, token: &str) -> String {
    let reply = make(house, TOKENS, &json!({"applicationName": application, "token": token})).await.good(201);
    reply.header("location").rsplit('/').next().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    list["content"].as_array().unwrap().iter().map(|token| token["endpointTokenId"].as_str().unwrap()).collect()
}

on_both! {
    async fn a_token_is_made_shown_once_and_used_over_the_bus(kind) {
        let house = House::new(kind).await;
        let reply = make(&house, TOKENS, &json!({"applicationName": "demo", "token": "tok1"})).await.good(201);
        let body = reply.json();
        let members: Vec<&str> = body.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["applicationName", "createdDate", "status", "token"]);
        assert_eq!((&body["token"], &body["applicationName"], &body["status"]), (&json!("tok1"), &json!("demo"), &json!("Inactive")));
        let id = reply.header("location").strip_prefix("/api/v1/tenants/acme/credentials/").unwrap().to_owned();
        assert_eq!(house.show(&id).await["endpoint"], "ep-1");
        let listed = get(&house, TOKENS).await.good(200).json();
        let created = &body["createdDate"];
        let expected = json!({"status": "Inactive", "endpointTokenId": id, "createdDate": created, "applicationName": "demo"});
        assert_eq!(listed, json!({"content": [expected], "totalElements": 1}));
        assert_eq!(house.validate("demo", "tok1").await.token, Some((id.clone(), "ep-1".to_owned())));
        house.clock.advance(std::time::Duration::from_secs(1));
        house.act(&id, "suspend").await.good();
        let listed = get(&house, TOKENS).await.good(200).json();
        assert_eq!(listed["content"][0]["status"], "Suspended");
        assert!(listed["content"][0]["updateDate"].as_str().unwrap() > created.as_str().unwrap());
        let generated = make(&house, TOKENS, &json!({"applicationName": "demo"})).await.good(201).json();
        assert_eq!(generated["token"].as_str().unwrap().len(), 22);
        house.end().await;
    }

    async fn each_refusal_has_its_status_and_kaas_form(kind) {
        let house = House::new(kind).await;
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        made(&house, "demo", "tok1").await;
        let long = "x".repeat(256);
        for token in ["", "a+b", "a#b", "a/b", "a.b", "a\nb", &long] {
            let reply = make(&house, TOKENS, &json!({"applicationName": "demo", "token": token})).await;
            assert!(reply.message(400).starts_with("endpoint-token.invalid"), "{token:?}");
        }
        for body in [
            json!({}),
            json!({"token": "t"}),
            json!({"applicationName": ""}),
            json!({"applicationName": "De mo"}),
            json!({"applicationName": "demo", "token": "t\u{0}"}),
            json!({"applicationName": "demo", "colour": "red"}),
            json!({"applicationName": 1}),
            json!([]),
        ] {
            make(&house, TOKENS, &body).await.message(400);
        }
        for path in ["/api/v1/endpoints/a%20b/tokens", "/api/v1/endpoints/a%2Fb/tokens", "/api/v1/endpoints/ep%00/tokens"] {
            make(&house, path, &json!({"applicationName": "demo"})).await.message(400);
            get(&house, path).await.message(400);
        }
        let taken = make(&house, TOKENS, &json!({"applicationName": "demo", "token": "tok1"})).await.message(409);
        let rival = [("signet-tenant", "rival")];
        for token in ["tok1", "tok2"] {
            let body = json!({"applicationName": "demo", "token": token}).to_string();
            let reply = bytes(&house, "POST", TOKENS, &house.token, &rival, body.into_bytes()).await;
            assert_eq!(reply.message(409).replace("rival", "acme"), taken, "in the words of one's own tenant");
        }
        for query in ["status=active", "status=", "limit=0", "limit=1001", "limit=x", "offset=-1", "order=asc", "order=", "page=1", "limit=1&limit=2"] {
            get(&house, &format!("{TOKENS}?{query}")).await.message(400);
        }
        call(&house, "PUT", TOKENS, &[], Some(&json!({}))).await.message(405);
        call(&house, "POST", TOKENS, &[("content-type", "text/plain")], Some(&json!({}))).await.message(415);
        house.end().await;
    }

    async fn a_list_is_filtered_ordered_cut_and_counted(kind) {
        let house = House::new(kind).await;
        let mut all = Vec::new();
        for n in 0..25 {
            house.clock.advance(std::time::Duration::from_millis(1));
            all.push(made(&house, if n % 2 == 0 { "demo" } else { "other" }, &format!("t{n}")).await);
        }
        house.endpoint_token("demo", "ep-2", "of-another").await;
        house.act(&all[3], "suspend").await.good();
        house.act(&all[7], "revoke").await.good();
        let list = async |query: &str| get(&house, &format!("{TOKENS}?{query}")).await.good(200).json();
        let newest: Vec<&str> = all.iter().rev().map(String::as_str).collect();
        let oldest: Vec<&str> = all.iter().map(String::as_str).collect();
        let plain = list("").await;
        assert_eq!((ids(&plain), &plain["totalElements"]), (newest[..20].to_vec(), &json!(25)));
        assert_eq!(ids(&list("order=DESC&offset=20").await), newest[20..]);
        assert_eq!(ids(&list("order=ASC&limit=3").await), oldest[..3]);
        assert_eq!(ids(&list("order=ASC&offset=3&limit=2").await), oldest[3..5]);
        let beyond = list("offset=25").await;
        assert_eq!((ids(&beyond), &beyond["totalElements"]), (vec![], &json!(25)));
        for (query, found) in [
            ("status=Suspended", vec![oldest[3]]),
            ("status=Revoked&status=Suspended", vec![oldest[7], oldest[3]]),
            ("status=Revoked&order=ASC&status=Suspended&status=Revoked", vec![oldest[3], oldest[7]]),
            ("status=Active", vec![]),
            ("status=Inactive&limit=1&offset=22", vec![oldest[0]]),
        ] {
            let listed = list(query).await;
            assert_eq!(ids(&listed), found, "{query}");
        }
        assert_eq!(list("status=Inactive").await["totalElements"], 23);
        let none = get(&house, "/api/v1/endpoints/nobody/tokens").await.good(200).json();
        assert_eq!(none, json!({"content": [], "totalElements": 0}));
        house.end().await;
    }

    async fn a_list_that_the_caller_has_is_not_sent_again(kind) {
        let house = House::new(kind).await;
        let id = made(&house, "demo", "tok1").await;
        let first = get(&house, TOKENS).await.good(200);
        let tag = first.header("etag").to_owned();
        assert!(tag.starts_with('"') && tag.len() > 10, "{tag}");
        let again = call(&house, "GET", TOKENS, &[("if-none-match", &tag)], None).await;
        assert_eq!((again.status, again.text.as_str(), again.header("etag")), (304, "", tag.as_str()));
        let weak = call(&house, "GET", TOKENS, &[("if-none-match", &format!("\"x\", W/{tag}"))], None).await;
        assert_eq!(weak.status, 304);
        assert_eq!(house.validates("demo", "tok1").await, 200);
        let used = call(&house, "GET", TOKENS, &[("if-none-match", &tag)], None).await.good(200);
        assert_eq!(used.json()["content"][0]["status"], "Active");
        assert_ne!(used.header("etag"), tag);
        house.act(&id, "revoke").await.good();
        assert_eq!(call(&house, "GET", TOKENS, &[("if-none-match", used.header("etag"))], None).await.good(200).json()["content"][0]["status"], "Revoked");
        call(&house, "GET", TOKENS, &[("if-none-match", "not a tag")], None).await.message(400);
        house.end().await;
    }

    async fn the_alias_is_the_same_route_and_a_repeated_creation_is_told_the_id(kind) {
        let house = House::new(kind).await;
        let key = [("idempotency-key", "k-1")];
        let body = json!({"applicationName": "demo", "token": "canary-tok"});
        let alias = format!("/cm{TOKENS}");
        let first = call(&house, "POST", &alias, &key, Some(&body)).await.good(201);
        let id = first.header("location").rsplit('/').next().unwrap().to_owned();
        for path in [TOKENS, &alias] {
            let message = call(&house, "POST", path, &key, Some(&body)).await.message(409);
            assert!(message.starts_with("idempotency.secret-not-replayable") && message.contains(&id), "{message}");
            assert!(!message.contains("canary"));
            assert_eq!(ids(&get(&house, path).await.good(200).json()), [&id]);
        }
        house.end().await;
    }

    async fn each_route_needs_its_documented_scope_on_the_endpoint(kind) {
        let house = House::new(kind).await;
        let routes = house.room.routes();
        let rights = routes.iter().map(signet_http::Route::entry).filter(|entry| entry.path.starts_with("/api/v1/endpoints")).map(|entry| {
            let signet_http::Guard::Kaa(right) = entry.guard else { panic!("{entry:?}") };
            assert_eq!(right.resource, signet_http::KaaResource::Endpoint);
            format!("{} {} {}", entry.method, right.scope, right.role)
        });
        assert_eq!(rights.collect::<Vec<_>>(), ["GET endpoint:read auditor", "POST endpoint:update operator"]);
        house.end().await;
    }

    async fn only_who_may_reaches_an_endpoints_tokens_and_only_in_its_own_tenant(kind) {
        let house = House::new(kind).await;
        house.post("/api/v1/tenants", &json!({"id": "rival"})).await.good();
        made(&house, "demo", "tok1").await;
        let body = || json!({"applicationName": "mine"}).to_string().into_bytes();
        let (auditor, _) = house.api_token(&"acme".parse().unwrap(), "auditor").await;
        let (operator, _) = house.api_token(&"acme".parse().unwrap(), "operator").await;
        let (rival, _) = house.api_token(&"rival".parse().unwrap(), "owner").await;
        for (token, read, create) in [("", 401, 401), ("sgt_x", 401, 401), (auditor.as_str(), 200, 403), (&operator, 200, 201)] {
            assert_eq!(bytes(&house, "GET", TOKENS, token, &[], Vec::new()).await.status, read);
            assert_eq!(bytes(&house, "POST", TOKENS, token, &[], body()).await.status, create);
        }
        // The same endpoint id in another tenant is another endpoint.
        let own = bytes(&house, "GET", TOKENS, &rival, &[], Vec::new()).await.good(200).json();
        assert_eq!(own["totalElements"], 0);
        for (method, sent) in [("GET", Vec::new()), ("POST", body())] {
            let foreign = bytes(&house, method, TOKENS, &rival, &[("signet-tenant", "acme")], sent.clone()).await;
            let absent = bytes(&house, method, TOKENS, &rival, &[("signet-tenant", "nowhere")], sent).await;
            assert_eq!(foreign.message(404).replace("acme", "T"), absent.message(404).replace("nowhere", "T"));
        }
        assert_eq!(bytes(&house, "GET", TOKENS, &house.token, &[], Vec::new()).await.status, 400, "those above name the tenant");
        house.end().await;
    }
}
