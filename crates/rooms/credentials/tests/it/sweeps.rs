//! What a tenant's or an identity's change means for each of its credentials is told once, in pages, whoever dies meanwhile.

use std::collections::BTreeSet;

use serde_json::json;

use crate::house::{Events, House};
use crate::on_both;

/// More than two pages.
const MANY: i64 = 1_203;

async fn identity_id(house: &House) -> String {
    house.get("/api/v1/tenants/acme/identities/dev-1").await.good()["id"].as_str().unwrap().to_owned()
}

fn all(from: i64, count: i64) -> BTreeSet<String> {
    (from..from + count).map(House::filled).collect()
}

/// The next events are about exactly these, each once, and nothing else is told.
async fn told_once(house: &House, events: &mut Events, wanted: &BTreeSet<String>) {
    let seen = events.next(wanted.len()).await;
    let credentials: BTreeSet<String> = seen.iter().map(|event| event.credential.clone()).collect();
    assert_eq!(&credentials, wanted);
    nothing_more(house, events).await;
}

/// A last event of another tenant comes next: nothing else was told before it.
async fn nothing_more(house: &House, events: &mut Events) {
    let number = house.number("SELECT count(*) FROM credential WHERE tenant = 'default'").await;
    let body = json!({"kind": "basic", "username": format!("last-{number}"), "password": "pw"});
    let id = house.post("/api/v1/tenants/default/credentials", &body).await.good()["id"].as_str().unwrap().to_owned();
    house.post(&format!("/api/v1/tenants/default/credentials/{id}/revoke"), &json!({})).await.good();
    assert_eq!(events.next(1).await[0].credential, id);
}

on_both! {
    async fn a_disabled_tenant_is_told_of_credential_by_credential(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        house.fill("acme", None, 1, MANY).await;
        house.post("/api/v1/tenants/default/identities", &json!({"name": "other", "kind": "device"})).await.good();
        let off = house.credential("off", "pw").await;
        house.act(&off, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, off);
        let disabled = house.post("/api/v1/tenants/acme/disable", &json!({"reason": "unpaid"})).await.good();
        assert_eq!((&disabled["state"], &disabled["changed"]), (&json!("disabled"), &json!(true)));
        told_once(&house, &mut events, &all(1, MANY)).await;
        house.swept().await;
        // Enabling and disabling again is another change, told of again.
        house.post("/api/v1/tenants/acme/enable", &json!({})).await.good();
        nothing_more(&house, &mut events).await;
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        told_once(&house, &mut events, &all(1, MANY)).await;
        let actions = house.actions("acme").await;
        assert_eq!(actions.iter().filter(|action| *action == "tenant.sweep").count(), 6, "{actions:?}");
        house.end().await;
    }

    async fn an_identity_with_more_credentials_than_one_commit_tells_of_is_swept(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        let identity = identity_id(&house).await;
        house.fill("acme", Some(&identity), 1, MANY).await;
        house.fill("acme", None, 5_000, 10).await;
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        told_once(&house, &mut events, &all(1, MANY)).await;
        // The tenant's sweep passes them over.
        house.swept().await;
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        told_once(&house, &mut events, &all(5_000, 10)).await;
        house.end().await;
    }

    async fn what_is_taken_away_or_given_while_a_sweep_is_under_way_is_told_once(kind) {
        let mut house = House::new(kind).await;
        let mut events = house.events().await;
        house.stop_sweeping();
        let identity = identity_id(&house).await;
        house.fill("acme", None, 1, 20).await;
        house.fill("acme", Some(&identity), 21, 20).await;
        let suspended = house.credential_of("dev-1", "suspended", "pw").await;
        house.act(&suspended, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, suspended);
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        // Before the page: told by the move itself.
        house.act(&House::filled(3), "suspend").await.good();
        house.act(&House::filled(22), "revoke").await.good();
        let seen: Vec<String> = events.next(2).await.into_iter().map(|event| event.credential).collect();
        assert_eq!(seen, [House::filled(3), House::filled(22)]);
        // Nothing is given in a tenant that does not work.
        for refused in [
            house.act(&House::filled(3), "resume").await,
            house.post("/api/v1/tenants/acme/credentials", &json!({"kind": "basic", "username": "new", "password": "pw"})).await,
            house.post("/api/v1/tenants/acme/identities", &json!({"name": "new", "kind": "device"})).await,
            house.post("/api/v1/tenants/acme/api-tokens", &json!({"role": "owner", "expires_at": "2030-01-01T00:00:00Z"})).await,
        ] {
            assert_eq!(refused.reason(403), "tenant.disabled");
        }
        // An identity that is disabled meanwhile takes its own part of the telling over.
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.number("SELECT count(*) FROM sweep").await, 2);
        assert_eq!(house.post("/api/v1/tenants/acme/identities/dev-1/enable", &json!({})).await.reason(403), "tenant.disabled");
        house.act(&House::filled(23), "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, House::filled(23));
        house.start_sweeping();
        let mut rest = all(1, 40);
        for told in [3, 22, 23] {
            rest.remove(&House::filled(told));
        }
        told_once(&house, &mut events, &rest).await;
        house.swept().await;
        // Behind the page: the gateways know already.
        house.act(&House::filled(5), "suspend").await.good();
        house.act(&House::filled(30), "revoke").await.good();
        nothing_more(&house, &mut events).await;
        house.post("/api/v1/tenants/acme/enable", &json!({})).await.good();
        house.act(&House::filled(31), "suspend").await.good();
        nothing_more(&house, &mut events).await;
        house.act(&House::filled(6), "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, House::filled(6));
        house.end().await;
    }

    async fn enabling_in_the_middle_ends_the_sweep(kind) {
        let mut house = House::new(kind).await;
        let mut events = house.events().await;
        house.stop_sweeping();
        house.fill("acme", None, 1, 30).await;
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        house.post("/api/v1/tenants/acme/enable", &json!({})).await.good();
        assert_eq!(house.number("SELECT count(*) FROM sweep").await, 0);
        house.start_sweeping();
        nothing_more(&house, &mut events).await;
        house.end().await;
    }

    async fn nothing_is_given_to_an_identity_while_its_disabling_is_being_told(kind) {
        let mut house = House::new(kind).await;
        let mut events = house.events().await;
        house.stop_sweeping();
        let identity = identity_id(&house).await;
        let suspended = house.credential("suspended", "pw").await;
        house.act(&suspended, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, suspended);
        house.fill("acme", Some(&identity), 1, 501).await;
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.act(&suspended, "resume").await.reason(409), "identity.sweep-under-way");
        let new = json!({"kind": "basic", "username": "new", "password": "pw", "identity": "dev-1"});
        assert_eq!(house.post("/api/v1/tenants/acme/credentials", &new).await.reason(409), "identity.sweep-under-way");
        house.start_sweeping();
        told_once(&house, &mut events, &all(1, 501)).await;
        house.swept().await;
        // What is made for, or given to, a disabled identity cannot be used: nothing has to be told when it goes.
        let new = house.post("/api/v1/tenants/acme/credentials", &new).await.good()["id"].as_str().unwrap().to_owned();
        house.act(&suspended, "resume").await.good();
        house.act(&suspended, "suspend").await.good();
        house.act(&new, "revoke").await.good();
        nothing_more(&house, &mut events).await;
        house.end().await;
    }

    async fn two_replicas_share_a_sweep_and_tell_nothing_twice(kind) {
        let mut house = House::new(kind).await;
        house.stop_sweeping();
        let other = house.replica().await;
        let mut events = house.events().await;
        house.fill("acme", None, 1, 4 * MANY).await;
        house.post("/api/v1/tenants/acme/disable", &json!({})).await.good();
        house.start_sweeping();
        told_once(&house, &mut events, &all(1, 4 * MANY)).await;
        house.swept().await;
        other.end().await;
        house.end().await;
    }
}
