//! What the end of a tenant or an identity means for its certificates, and what their register is told of it.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;

use crate::certificate_house::Wanted;
use crate::house::{House, Settings, eventually};
use crate::on_both;

/// Pages of three: what is here takes several.
fn small_pages() -> Settings {
    Settings { sweep_page: 3, ..Settings::default() }
}

async fn certificates(house: &House, count: u32, identity: Option<&str>) -> Vec<String> {
    let mut ids = Vec::new();
    for number in 1..=count {
        let serial = number.to_string();
        ids.push(house.certificate_as(&Wanted { identity, ..Wanted::own(&serial) }).await);
        // Other kinds in between.
        if number % 3 == 0 {
            house.endpoint_token("demo", "ep-1", &serial).await;
        }
    }
    ids
}

async fn told(house: &House, events: &mut crate::house::Events, count: usize) -> BTreeSet<String> {
    let seen: BTreeSet<String> = events.next(count).await.into_iter().map(|event| event.credential).collect();
    // Nothing else was told before this one.
    let number = house.number("SELECT count(*) FROM credential WHERE tenant = 'default'").await;
    let serial = format!("{}", 1_000 + number);
    let last = house.certificate_as(&Wanted { tenant: "default", issuer: "CN=default", ..Wanted::own(&serial) }).await;
    house.post(&format!("/api/v1/tenants/default/credentials/{last}/revoke"), &json!({})).await.good();
    assert_eq!(events.next(1).await[0].credential, last);
    seen
}

on_both! {
    async fn a_disabled_tenant_or_identity_is_told_once_and_moves_no_certificate(kind) {
        let house = House::with(kind, small_pages()).await;
        let mut events = house.certificate_events().await;
        let ids: BTreeSet<String> = certificates(&house, 8, Some("dev-1")).await.into_iter().collect();
        for (path, back) in [("/api/v1/tenants/acme/identities/dev-1/disable", "/api/v1/tenants/acme/identities/dev-1/enable"), ("/api/v1/tenants/acme/disable", "/api/v1/tenants/acme/enable")] {
            house.post(path, &json!({})).await.good();
            assert_eq!(told(&house, &mut events, 8).await, ids, "{path}");
            assert_eq!(house.connects("1").await, 403);
            house.swept().await;
            house.post(back, &json!({})).await.good();
        }
        assert_eq!(house.number("SELECT count(*) FROM told_move WHERE tenant = 'acme'").await, 0);
        assert_eq!(house.connects("1").await, 200);
        house.end().await;
    }

    async fn an_unregistered_tenants_certificates_are_revoked_each_in_the_commit_of_its_page(kind) {
        let mut house = House::with(kind, small_pages()).await;
        let other = house.replica_with(small_pages()).await;
        let mut events = house.certificate_events().await;
        let mut ids = certificates(&house, 10, None).await;
        assert_eq!(house.connects("1").await, 200);
        house.act(&ids[1], "suspend").await.good();
        house.act(&ids[2], "revoke").await.good();
        assert_eq!(events.next(2).await.len(), 2);
        house.stop_sweeping();
        house.start_sweeping();
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        let untold: BTreeSet<String> = ids.iter().enumerate().filter(|(n, _)| ![1, 2].contains(n)).map(|(_, id)| id.clone()).collect();
        assert_eq!(told(&house, &mut events, 8).await, untold);
        house.swept().await;
        let ceased = |from: &str| (from.to_owned(), "Revoked".to_owned(), Some("cessationOfOperation".to_owned()));
        for (n, id) in ids.drain(..).enumerate() {
            assert_eq!(house.state(&id).await, "Revoked");
            let moves = house.told_moves(&id).await;
            let of_the_sweep: Vec<_> = moves.iter().filter(|(_, _, reason)| reason.is_some()).cloned().collect();
            let wanted = match n {
                0 => vec![ceased("Active")],
                1 => vec![ceased("Suspended")],
                2 => vec![],
                _ => vec![ceased("Inactive")],
            };
            assert_eq!(of_the_sweep, wanted, "{n}");
        }
        assert_eq!(house.connects("5").await, 403);
        other.end().await;
        house.end().await;
    }

    async fn a_register_that_cannot_write_holds_a_revocation_up_and_nothing_is_told_before_it(kind) {
        let house = House::with(kind, small_pages()).await;
        let mut events = house.certificate_events().await;
        let ids: BTreeSet<String> = certificates(&house, 5, None).await.into_iter().collect();
        house.register.broken.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(house.room.unregister_tenant(&house.scope("acme")).await.unwrap());
        // The sweep tries again and again; none of its pages can be committed.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        assert_eq!(house.number("SELECT count(*) FROM credential WHERE tenant = 'acme' AND state = 'Revoked'").await, 0);
        house.register.broken.store(false, std::sync::atomic::Ordering::SeqCst);
        house.swept().await;
        assert_eq!(told(&house, &mut events, 5).await, ids);
        assert_eq!(house.number("SELECT count(*) FROM told_move WHERE tenant = 'acme' AND to_state = 'Revoked'").await, 5);
        house.end().await;
    }

    async fn what_a_deleted_tenant_had_is_removed_and_the_register_told_of_each_certificate(kind) {
        let house = House::with(kind, small_pages()).await;
        let other = house.replica_with(small_pages()).await;
        let ids: BTreeSet<String> = certificates(&house, 10, None).await.into_iter().collect();
        let kept = house.certificate_as(&Wanted { tenant: "default", issuer: "CN=default", ..Wanted::own("1") }).await;
        house.credential("bob", "pw").await;
        house.send("DELETE", "/api/v1/tenants/acme?grace=0s", &house.token, &[], None).await.good();
        eventually("the tenant is gone", || async { house.number("SELECT count(*) FROM tenant WHERE id = 'acme'").await == 0 }).await;
        let rows = house.db.query(signet_db::Statement::new("SELECT id FROM told_removal WHERE tenant = 'acme'", Vec::new())).await.unwrap();
        let removed: Vec<String> = rows.iter().map(|row| row.text(0).unwrap().to_owned()).collect();
        assert_eq!(removed.len(), ids.len(), "each once");
        assert_eq!(removed.into_iter().collect::<BTreeSet<_>>(), ids);
        assert_eq!(house.number("SELECT count(*) FROM told_gone WHERE tenant = 'acme'").await, 1, "and of its end");
        assert_eq!(house.number("SELECT count(*) FROM told_gone").await, 1);
        assert_eq!(house.number("SELECT count(*) FROM credential WHERE tenant = 'acme'").await, 0);
        assert_eq!(house.ask_certificate("CN=acme", "1").await.status, 404);
        assert_eq!(house.ask_certificate("CN=default", "1").await, crate::certificate_house::known(200, "default", &kept));
        other.end().await;
        house.end().await;
    }
}
