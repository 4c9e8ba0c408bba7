//! Issuing: what comes out, what is refused, and that nothing half is left.

use std::process::Command;

use serde_json::json;
use signet_authority::{IssueOrder, LeafProfile, Source};
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_pki::PublicKey;

use crate::house::{House, generated};
use crate::on_both;

/// A CSR as OpenSSL makes it.
fn csr(house: &House, key: &str, arguments: &[&str]) -> String {
    let directory = house.site.path();
    if !directory.join(key).exists() {
        let make = ["ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", key];
        assert!(succeeds(Command::new("openssl").args(make).current_dir(directory)));
    }
    let out = Command::new("openssl").args(["req", "-new", "-key", key]).args(arguments).current_dir(directory).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn succeeds(command: &mut Command) -> bool {
    let out = command.output().unwrap();
    if !out.status.success() {
        println!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    }
    out.status.success()
}

on_both! {
    async fn a_certificate_from_a_csr_verifies_and_is_stored_with_its_credential(kind) {
        let house = House::new(kind).await;
        let request = csr(&house, "c.key", &["-subj", "/CN=dev-1"]);
        let body = json!({"csr": request, "identity": "dev-1"});
        let made = house.post("/api/v1/tenants/acme/certificates", &body).await.good();
        assert_eq!((made["issuer"].as_str(), made["state"].as_str(), made["subject"].as_str()), (Some("CN=acme"), Some("Inactive"), Some("CN=dev-1")));
        let (id, serial) = (made["id"].as_str().unwrap(), made["serial"].as_str().unwrap());
        let chain: String = made["chain"].as_array().unwrap().iter().map(|pem| pem.as_str().unwrap()).collect();
        let bundle = house.get("/api/v1/tenants/acme/ca/bundle").await.good();
        let directory = house.site.path();
        std::fs::write(directory.join("a.pem"), bundle["bundle"].as_str().unwrap()).unwrap();
        std::fs::write(directory.join("c.pem"), format!("{}{chain}", made["certificate"].as_str().unwrap())).unwrap();
        let verify = ["verify", "-purpose", "sslclient", "-x509_strict", "-CAfile", "a.pem", "-untrusted", "c.pem", "c.pem"];
        assert!(succeeds(Command::new("openssl").args(verify).current_dir(directory)));
        let shown = house.get(&format!("/api/v1/tenants/acme/certificates/{id}")).await.good();
        assert_eq!((&shown["certificate"], &shown["serial"]), (&made["certificate"], &made["serial"]));
        assert_eq!(house.credentials.in_state(&house.db, "Inactive").await.into_iter().collect::<Vec<_>>(), [id]);
        let actions: Vec<_> = house.records(id).await.into_iter().map(|entry| entry.action).collect();
        assert_eq!(actions, ["certificate.intend", "certificate.issue"]);
        for spelling in [serial.to_owned(), format!("0x{}", made["serial_hex"].as_str().unwrap())] {
            let found = house.get(&format!("/api/v1/tenants/acme/certificates?serial={spelling}")).await.good();
            assert_eq!(found["items"][0]["id"].as_str(), Some(id), "{spelling}");
        }
        let other = house.get(&format!("/api/v1/tenants/default/certificates/{id}")).await;
        assert_eq!(other.reason(404), "certificate.not-found");
        house.end().await;
    }

    async fn what_a_request_asks_for_too_much_is_refused_or_left_out_and_nothing_is_signed(kind) {
        let house = House::new(kind).await;
        let issue = async |body: serde_json::Value| house.post("/api/v1/tenants/acme/certificates", &body).await;
        let authority = csr(&house, "c.key", &["-subj", "/CN=evil", "-addext", "basicConstraints=critical,CA:TRUE"]);
        assert_eq!(issue(json!({"csr": authority, "identity": "dev-1"})).await.reason(422), "csr.ca-requested");
        let foreign = csr(&house, "c.key", &["-subj", "/CN=dev-2"]);
        assert_eq!(issue(json!({"csr": foreign, "identity": "dev-1"})).await.reason(422), "certificate.not-allowed");
        assert_eq!(issue(json!({"csr": foreign, "identity": "nobody", "common_name": "nobody"})).await.reason(404), "double.identity-unknown");
        assert_eq!(issue(json!({"csr": "nonsense"})).await.reason(400), "csr.malformed");
        assert_eq!(issue(json!({"csr": foreign, "ttl": "99999d"})).await.reason(400), "input.invalid");
        assert_eq!(issue(json!({"csr": foreign, "ttl": "4000d"})).await.reason(422), "certificate.not-allowed");
        assert_eq!(issue(json!({"csr": foreign, "profile": "service"})).await.reason(422), "certificate.not-allowed");
        assert_eq!(issue(json!({"csr": foreign, "names": ["dns:gw.example"]})).await.reason(422), "certificate.not-allowed");
        assert_eq!(issue(json!({"csr": foreign, "generate_key": "p256"})).await.reason(400), "input.invalid");
        assert_eq!(issue(json!({"generate_key": "p256"})).await.reason(422), "certificate.not-allowed");
        let mut damaged = csr(&house, "c.key", &["-subj", "/CN=dev-1"]);
        // The last character of the signature that is not padding.
        let at = damaged.find("-----END").unwrap() - 8;
        let other = if damaged.as_bytes()[at] == b'A' { "B" } else { "A" };
        damaged.replace_range(at..=at, other);
        let refused = issue(json!({"csr": damaged, "identity": "dev-1"})).await;
        assert!(refused.status == 422 || refused.status == 400, "{refused:?}");
        assert_eq!(house.number("SELECT count(*) FROM certificate").await, 0);
        let named = csr(&house, "c.key", &["-subj", "/CN=dev-1", "-addext", "subjectAltName=DNS:evil.example,URI:urn:x:1"]);
        let made = issue(json!({"csr": named, "identity": "dev-1"})).await.good();
        assert_eq!(made["ignored"], json!(["dns:evil.example", "uri:urn:x:1"]));
        house.end().await;
    }

    async fn a_key_that_is_made_is_shown_once_and_kept_nowhere(kind) {
        let house = House::new(kind).await;
        for key in ["p256", "p384", "ed25519", "rsa2048"] {
            let body = json!({"generate_key": key, "identity": "dev-1"});
            let made = house.send("POST", "/api/v1/tenants/acme/certificates", &[("idempotency-key", key)], Some(&body)).await.good();
            assert_eq!(made["subject"], "CN=dev-1");
            let pem = made["private_key"].as_str().unwrap();
            assert!(pem.starts_with("-----BEGIN PRIVATE KEY-----"), "{key}");
            let again = house.send("POST", "/api/v1/tenants/acme/certificates", &[("idempotency-key", key)], Some(&body)).await;
            assert_eq!(again.reason(409), "idempotency.secret-not-replayable");
            assert!(again.body["detail"].as_str().unwrap().contains(made["id"].as_str().unwrap()));
        }
        assert_eq!(house.credentials.born_so_far(), 4);
        house.end().await;
    }

    async fn the_same_request_again_gets_the_same_certificate(kind) {
        let house = House::new(kind).await;
        let body = json!({"csr": csr(&house, "c.key", &["-subj", "/CN=a"])});
        let send = || house.send("POST", "/api/v1/tenants/acme/certificates", &[("idempotency-key", "k1")], Some(&body));
        let (first, second) = (send().await, send().await);
        assert!(!first.replayed && second.replayed);
        assert_eq!(first.good(), second.good());
        assert_eq!(house.number("SELECT count(*) FROM certificate").await, 1);
        house.end().await;
    }

    async fn a_reported_key_is_refused_for_good_and_for_every_tenant(kind) {
        let house = House::new(kind).await;
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let spki = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap().spki_sha256();
        let path = house.site.path().join("reported.key");
        std::fs::write(&path, key.to_pkcs8_pem().unwrap().expose()).unwrap();
        let request = csr(&house, "reported.key", &["-subj", "/CN=a"]);
        house.post("/api/v1/tenants/acme/certificates", &json!({"csr": request})).await.good();
        let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.report", "key");
        let report = signet_db::Statement::new(
            "INSERT INTO compromised_key (spki_sha256, tenant, since) SELECT $1, $2, $3 WHERE {ok} ON CONFLICT DO NOTHING",
            signet_db::params![spki, "acme", 7_i64],
        );
        house.ledger.commit(signet_ledger::Change::new(record).effecting(report)).await.unwrap();
        for tenant in ["acme", "default"] {
            let refused = house.post(&format!("/api/v1/tenants/{tenant}/certificates"), &json!({"csr": request})).await;
            assert_eq!(refused.reason(422), "key.compromised");
        }
        assert_eq!(house.number("SELECT count(*) FROM certificate").await, 1);
        house.end().await;
    }

    async fn a_key_that_is_reported_while_its_certificate_is_signed_gets_none(kind) {
        let house = House::new(kind).await;
        let report_when_signed = |issued: &signet_authority::Issued| {
            let report = signet_db::Statement::new(
                "INSERT INTO compromised_key (spki_sha256, tenant, since) SELECT $1, $2, $3 WHERE {ok} ON CONFLICT DO NOTHING",
                signet_db::params![&issued.spki_sha256, "acme", 7_i64],
            );
            let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.report", "key");
            let commit = house.ledger.commit(signet_ledger::Change::new(record).effecting(report));
            tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(commit)).unwrap();
            Ok(None)
        };
        let refused = house.room.issue(&house.scope("acme"), generated("a"), &report_when_signed).await.err().unwrap();
        assert_eq!(refused.reason.code, "key.compromised");
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE state = 'orphaned'").await, 1, "it was signed, so it is on the list");
        assert_eq!(house.number("SELECT count(*) FROM double_credential").await, 0);
        house.end().await;
    }

    async fn the_key_of_a_ca_is_certified_for_nobody(kind) {
        let house = House::new(kind).await;
        house.issue("acme", "first").await.unwrap();
        let unsealed = async |sealed: &'static str, purpose: &str| {
            let row = house.db.query_optional(signet_db::Statement::new(sealed, Vec::new())).await.unwrap().unwrap();
            let key = signet_crypto::aead::Key::from_bytes(&[1; 32]).unwrap();
            SigningKey::from_private_der(&key.open(purpose.as_bytes(), row.bytes(0).unwrap()).unwrap()).unwrap()
        };
        let tenants = unsealed("SELECT key FROM tenant_ca WHERE tenant = 'acme'", "tenant-ca:acme:1").await;
        let platforms = unsealed("SELECT key FROM platform_ca", "platform-ca:1").await;
        for step in ["prepare", "activate"] {
            house.post("/api/v1/tenants/acme/ca/rotate", &json!({"step": step})).await.good();
        }
        for (name, key) in [("tenants.key", tenants), ("platforms.key", platforms)] {
            std::fs::write(house.site.path().join(name), key.to_pkcs8_pem().unwrap().expose()).unwrap();
            let request = csr(&house, name, &["-subj", "/CN=a"]);
            for tenant in ["acme", "default"] {
                let refused = house.post(&format!("/api/v1/tenants/{tenant}/certificates"), &json!({"csr": request})).await;
                assert_eq!(refused.reason(422), "certificate.not-allowed", "{name} in {tenant}");
            }
        }
        assert_eq!(house.number("SELECT count(*) FROM certificate WHERE profile <> 'ocsp'").await, 1);
        house.end().await;
    }

    async fn a_tenants_rule_widens_and_narrows_what_is_certified(kind) {
        let house = House::new(kind).await;
        let rule = json!({"profiles": ["service", "device"], "common_name": "any", "dns": ["*.svc.example"], "uri": ["urn:acme:"],
            "max_ttl_seconds": 86_400});
        house.send("PUT", "/api/v1/tenants/acme/certificate-rule", &[], Some(&rule)).await.good();
        let replica = house.replica().await;
        let issue = |body: serde_json::Value| {
            let replica = &replica;
            async move { replica.post("/api/v1/tenants/acme/certificates", &body).await }
        };
        let service = json!({"generate_key": "p256", "common_name": "a.svc.example", "profile": "service", "names": ["dns:a.svc.example", "uri:urn:acme:1"]});
        let made = issue(service).await.good();
        let shown = replica.get(&format!("/api/v1/tenants/acme/certificates/{}", made["id"].as_str().unwrap())).await.good();
        assert_eq!(shown["names"], json!(["dns:a.svc.example", "uri:urn:acme:1"]));
        let by_name = replica.get("/api/v1/tenants/acme/certificates?name=dns:A.svc.example").await.good();
        assert_eq!(by_name["items"][0]["id"], made["id"]);
        assert_eq!(issue(json!({"generate_key": "p256", "common_name": "x", "ttl": "2d"})).await.reason(422), "certificate.not-allowed");
        let narrow = json!({"profiles": ["device"]});
        house.send("PUT", "/api/v1/tenants/acme/certificate-rule", &[], Some(&narrow)).await.good();
        // The other replica remembers the former rule, and its commit finds that it is no longer that one.
        let refused = issue(json!({"generate_key": "p256", "common_name": "a.svc.example", "profile": "service", "names": ["dns:a.svc.example"]})).await;
        assert_eq!(refused.reason(422), "certificate.not-allowed");
        let bad = house.send("PUT", "/api/v1/tenants/acme/certificate-rule", &[], Some(&json!({"dns": ["*"]}))).await;
        assert_eq!(bad.reason(400), "input.invalid");
        replica.end().await;
        house.end().await;
    }

    async fn no_certificate_outlives_its_ca_and_kaa_s_bears_its_id(kind) {
        let mut config = crate::house::usual();
        config.profile = LeafProfile::Kaa;
        let house = House::with(crate::house::Site::new(kind).await, config).await;
        let order = IssueOrder { common_name: None, id_as_cn: true, ..generated("") };
        let issued = house.order("acme", order).await.unwrap();
        assert_eq!(issued.common_name, issued.id.as_str());
        assert!(issued.serial.to_der_bytes().len() == 20 && matches!(issued.profile, LeafProfile::Kaa));
        let ca = house.get("/api/v1/tenants/acme/ca").await.good();
        let ends: signet_model::Timestamp = ca["not_after"].as_str().unwrap().parse().unwrap();
        // Nine and a half years later the usual year is too long.
        house.clock.advance(std::time::Duration::from_secs(3_465 * 86_400));
        let late = house.issue("acme", "late").await.unwrap();
        assert!(late.validity.not_after <= ends && issued.validity.not_after < ends);
        house.clock.advance(std::time::Duration::from_secs(200 * 86_400));
        assert_eq!(house.issue("acme", "later").await.err().unwrap().reason.code, "ca.unavailable");
        house.end().await;
    }

    async fn an_order_without_a_tenant_that_works_makes_no_ca(kind) {
        let house = House::new(kind).await;
        house.credentials.tenant("off", false);
        let order = IssueOrder { source: Source::Generate(KeyType::P256), ..generated("a") };
        assert_eq!(house.order("off", order).await.err().unwrap().reason.code, "double.tenant-off");
        assert_eq!(house.number("SELECT count(*) FROM tenant_ca").await, 0);
        house.end().await;
    }
}
