//! Rotation: the steps in their order, under load, and that what is retired signs nothing.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use serde_json::json;
use signet_authority::rotation::{CaState, Step};
use signet_pki::pem;

use crate::house::{House, generated};
use crate::on_both;

fn file_of(house: &House, name: &str, certificates: &[Vec<u8>]) {
    let text: String = certificates.iter().map(|der| pem::write_certificate(&der.as_slice().into())).collect();
    std::fs::write(house.site.path().join(name), text).unwrap();
}

fn verifies(house: &House) -> bool {
    let verify = ["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "anchor.pem", "-untrusted", "chain.pem", "leaf.pem"];
    let out = Command::new("openssl").args(verify).current_dir(house.site.path()).output().unwrap();
    println!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    out.status.success()
}

on_both! {
    async fn a_rotation_goes_its_way_over_rest_and_no_other(kind) {
        let house = House::new(kind).await;
        let before = house.issue("acme", "before").await.unwrap();
        let rotate = async |step: &str| house.post("/api/v1/tenants/acme/ca/rotate", &json!({"step": step})).await;
        for wrong in ["activate", "taint", "retire"] {
            assert_eq!(rotate(wrong).await.reason(409), "ca.rotation-out-of-order", "{wrong}");
        }
        assert_eq!(rotate("prepare").await.good(), json!({"generation": 2, "state": "prepared"}));
        assert_eq!(rotate("prepare").await.good(), json!({"generation": 2, "state": "prepared"}));
        assert_eq!(house.issue("acme", "still").await.unwrap().generation, 1);
        assert_eq!(rotate("activate").await.good(), json!({"generation": 2, "state": "active"}));
        let after = house.issue("acme", "after").await.unwrap();
        assert_eq!(after.generation, 2);
        std::fs::write(house.site.path().join("anchor.pem"), house.room.bundle(&house.scope("acme"), false).await.unwrap()).unwrap();
        for issued in [&before, &after] {
            file_of(&house, "leaf.pem", std::slice::from_ref(&issued.leaf));
            file_of(&house, "chain.pem", &issued.chain);
            assert!(verifies(&house));
        }
        assert_eq!(house.room.bundle(&house.scope("acme"), true).await.unwrap().matches("BEGIN").count(), 3);
        assert_eq!(rotate("taint").await.good(), json!({"generation": 1, "state": "tainted"}));
        assert_eq!(rotate("retire").await.good(), json!({"generation": 1, "state": "retired"}));
        assert_eq!(rotate("retire").await.reason(409), "ca.rotation-out-of-order");
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE generation = 1 AND key IS NULL").await, 1);
        let revoked = house.get("/api/v1/tenants/acme/certificates?state=Revoked").await.good();
        assert_eq!(revoked["items"].as_array().unwrap().len(), 2);
        assert_eq!(revoked["items"][0]["revocation_reason"], "superseded");
        assert_eq!(house.number("SELECT count(*) FROM crl_partition WHERE generation = 1 AND crl_number > 0 AND changed = published").await, 1);
        let good = house.get("/api/v1/tenants/acme/certificates?state=Inactive").await.good();
        assert_eq!(good["items"][0]["id"].as_str(), Some(after.id.as_str()));
        let states = house.get("/api/v1/tenants/acme/ca/generations").await.good();
        let states: Vec<_> = states["items"].as_array().unwrap().iter().map(|ca| ca["state"].as_str().unwrap().to_owned()).collect();
        assert_eq!(states, ["active", "retired"]);
        house.end().await;
    }

    async fn rotating_under_load_refuses_nothing_on_either_replica(kind) {
        let house = House::new(kind).await;
        let replica = house.replica().await;
        let (ending, issued) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU32::new(0)));
        let callers: Vec<_> = (0..6)
            .map(|n| {
                let room = Arc::clone(if n % 2 == 0 { &house.room } else { &replica.room });
                let (scope, ending, issued) = (house.scope("acme"), Arc::clone(&ending), Arc::clone(&issued));
                tokio::spawn(async move {
                    while !ending.load(Ordering::Relaxed) {
                        match room.issue(&scope, generated("a"), &|_| Ok(None)).await {
                            Ok(_) => issued.fetch_add(1, Ordering::Relaxed),
                            Err(refusal) => panic!("{refusal}"),
                        };
                    }
                })
            })
            .collect();
        let scope = house.scope("acme");
        for round in 0..3 {
            let before = issued.load(Ordering::Relaxed);
            crate::house::eventually("some are issued", || async { issued.load(Ordering::Relaxed) > before + 5 }).await;
            let room = if round % 2 == 0 { &house.room } else { &replica.room };
            for step in [Step::Prepare, Step::Activate, Step::Taint] {
                room.rotate(&scope, step).await.unwrap();
            }
        }
        ending.store(true, Ordering::Relaxed);
        for caller in callers {
            caller.await.unwrap();
        }
        for _ in 0..3 {
            assert_eq!(house.room.rotate(&scope, Step::Retire).await.unwrap().state, CaState::Retired);
        }
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca WHERE state = 'retired' AND key IS NULL").await, 3);
        // The other replica had their keys open.
        let own = replica.issue("acme", "last").await.unwrap();
        assert_eq!(own.generation, 4);
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE generation < 4 AND state IN ('Inactive', 'Active', 'Suspended')").await, 0);
        replica.end().await;
        house.end().await;
    }
}
