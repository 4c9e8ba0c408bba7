//! A tenant that is gone, and another one under its name: it finds nothing of the former one.

use std::time::Duration;

use serde_json::json;
use signet_authority::register::{on_removal, on_tenant_gone};
use signet_authority::{IssuanceRule, IssueOrder, LeafProfile};
use signet_ledger::Change;
use signet_model::AuditRecord;
use signet_pki::SubjectName;

use crate::anchors::{ANCHORS, foreign_ca, now_is_now};
use crate::house::{House, generated};
use crate::on_both;
use crate::watch::{Watched, list};

on_both! {
    async fn whoever_takes_the_name_of_a_tenant_that_is_gone_finds_nothing_of_it(kind) {
        let house = House::new(kind).await;
        now_is_now(&house).await;
        let other = house.replica().await;
        let wide = || IssuanceRule { profiles: LeafProfile::ALL.to_vec(), dns: vec!["*.former.example".to_owned()], ..IssuanceRule::default() };
        let order = || IssueOrder {
            profile: Some(LeafProfile::Service),
            names: vec![SubjectName::dns("a.former.example").unwrap()],
            ..generated("a")
        };
        let scope = house.scope("acme");
        house.room.set_rule(&scope, wide()).await.unwrap();
        house.post(ANCHORS, &json!({"certificate": foreign_ca(&house, "former", "/CN=Former CA")})).await.good();
        let (one, two) = (house.order("acme", order()).await.unwrap(), other.order("acme", order()).await.unwrap());
        house.post("/api/v1/tenants/acme/ca/rotate", &json!({"step": "prepare"})).await.good();

        let mut change = Change::new(AuditRecord::new(&scope, "tenant.purge-page", "acme"));
        change.effect = on_removal(&scope.tenant, &[one.id.clone(), two.id.clone()], scope.now());
        house.ledger.commit(change).await.unwrap();
        let mut change = Change::new(AuditRecord::new(&scope, "tenant.purged", "acme"));
        change.effect = on_tenant_gone(&scope.tenant, scope.now());
        house.ledger.commit(change).await.unwrap();

        assert_eq!(other.room.rule(&scope).await.unwrap(), IssuanceRule::default());
        assert!(house.get(ANCHORS).await.good()["items"].as_array().unwrap().is_empty());
        // The other replica remembers rule and CA of the former one.
        let refused = other.order("acme", order()).await.err().unwrap();
        assert_eq!(refused.reason.code, "certificate.not-allowed");
        let new = other.issue("acme", "new").await.unwrap();
        assert_eq!((new.generation, house.issue("acme", "newer").await.unwrap().generation), (3, 3));
        assert_ne!(new.chain[0], one.chain[0]);
        house.room.set_rule(&scope, IssuanceRule { max_ttl_seconds: Some(3_600), ..IssuanceRule::default() }).await.unwrap();
        let short = other.issue("acme", "short").await.unwrap().validity;
        assert!(short.not_after <= house.scope("acme").now().plus(Duration::from_secs(3_600)), "the rule of the new tenant holds on every replica");

        // The former CAs end by themselves; their last list goes on.
        assert_eq!(house.room.finish_retiring().await.unwrap(), 0, "not yet");
        house.clock.advance(Duration::from_secs(121));
        assert_eq!(other.room.finish_retiring().await.unwrap(), 2);
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE tenant = 'acme' AND state = 'retired' AND key IS NULL").await, 2);
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE tenant = 'acme' AND state = 'active' AND generation = 3").await, 1);
        for issued in [&one, &two] {
            let watched = Watched::of(issued);
            let last = list(&house.room, "acme", 1, &watched.crl).await;
            assert!(last.entries.contains_key(&watched.serial) && last.next_update > watched.not_after);
        }
        let bundle = house.room.bundle(&scope, true).await.unwrap();
        assert_eq!(bundle.matches("BEGIN CERTIFICATE").count(), 2, "the platform's CA and the new one");
        house.end().await;
        other.end().await;
    }
}
