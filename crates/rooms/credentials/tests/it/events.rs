//! Events for Kaa's gateways: what they hold, and that disabling an identity sends one for each usable credential.

use std::collections::BTreeSet;

use serde_json::json;
use signet_model::Clock as _;

use crate::house::House;
use crate::on_both;

on_both! {
    async fn an_event_holds_what_a_gateway_needs(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        let id = house.credential("bob", "pw").await;
        house.act(&id, "suspend").await.good();
        let event = events.next(1).await.remove(0);
        assert_eq!((event.tenant.as_str(), event.credential.as_str(), event.timeout), ("acme", id.as_str(), 0));
        assert_eq!(event.timestamp, house.clock.now().millis());
        assert!(event.correlation.starts_with("evt_") && event.replica.starts_with("rep_"), "{event:?}");
        house.end().await;
    }

    async fn disabling_an_identity_sends_one_event_for_each_usable_credential(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        house.post("/api/v1/tenants/acme/identities", &json!({"name": "dev-2", "kind": "device"})).await.good();
        let mut usable = BTreeSet::new();
        for n in 0..7 {
            usable.insert(house.credential(&format!("u{n}"), "pw").await);
        }
        house.check("u1", "pw").await;
        let (gone, kept) = (house.credential("gone", "pw").await, house.credential_of("dev-2", "kept", "pw").await);
        house.act(&gone, "revoke").await.good();
        assert_eq!(events.next(1).await[0].credential, gone);

        let position = house.ledger.head();
        house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await.good();
        assert_eq!(house.ledger.head(), position.next(), "one commit");
        let seen = events.next(usable.len()).await;
        assert_eq!(seen.iter().map(|event| event.credential.clone()).collect::<BTreeSet<_>>(), usable);
        assert_eq!(seen.iter().map(|event| &event.correlation).collect::<BTreeSet<_>>().len(), usable.len());

        // Enabling sends nothing: what comes next is about something else.
        house.post("/api/v1/tenants/acme/identities/dev-1/enable", &json!({})).await.good();
        house.act(&kept, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, kept);
        house.end().await;
    }

    async fn an_identity_disabled_among_moves_of_its_credentials_misses_none(kind) {
        let house = House::new(kind).await;
        let mut events = house.events().await;
        house.post("/api/v1/tenants/acme/identities", &json!({"name": "dev-2", "kind": "device"})).await.good();
        let mut ids = BTreeSet::new();
        for n in 0..6 {
            ids.insert(house.credential(&format!("u{n}"), "pw").await);
        }
        let moves = async {
            for id in &ids {
                house.act(id, "suspend").await.good();
            }
        };
        // Each credential ends unusable once: by its own suspension or by its identity, and the gateways hear of it once.
        let disable = async {
            loop {
                let answer = house.post("/api/v1/tenants/acme/identities/dev-1/disable", &json!({})).await;
                if answer.status != 409 {
                    return answer.good();
                }
            }
        };
        let ((), disabled) = tokio::join!(moves, disable);
        assert_eq!(disabled["state"], "disabled");
        house.swept().await;
        let seen = events.next(ids.len()).await;
        assert_eq!(seen.iter().map(|event| event.credential.clone()).collect::<BTreeSet<_>>(), ids);
        // Whatever comes next is of something else: nothing was told twice.
        let other = house.credential_of("dev-2", "other", "pw").await;
        house.act(&other, "suspend").await.good();
        assert_eq!(events.next(1).await[0].credential, other);
        house.end().await;
    }

    async fn standings_follow_the_moves(kind) {
        use signet_model::StandingSubject;
        let house = House::new(kind).await;
        let id = house.credential("bob", "pw").await;
        let identity = house.get("/api/v1/tenants/acme/identities/dev-1").await.good()["id"].as_str().unwrap().to_owned();
        let tenant: signet_model::TenantId = "acme".parse().unwrap();
        let credential = StandingSubject::Credential(tenant.clone(), id.parse().unwrap());
        let identity_subject = StandingSubject::Identity(tenant, identity.parse().unwrap());
        let check = |subject: &StandingSubject| house.view.check(std::slice::from_ref(subject)).map_err(|refusal| refusal.reason.code);
        for (verb, expected) in [("suspend", Err("credential.suspended")), ("resume", Ok(())), ("revoke", Err("credential.revoked"))] {
            house.act(&id, verb).await.good();
            house.view_is_current().await;
            assert_eq!(check(&credential), expected, "{verb}");
        }
        for (verb, expected) in [("disable", Err("identity.disabled")), ("enable", Ok(()))] {
            house.post(&format!("/api/v1/tenants/acme/identities/dev-1/{verb}"), &json!({})).await.good();
            house.view_is_current().await;
            assert_eq!(check(&identity_subject), expected, "{verb}");
        }
        house.end().await;
    }
}
