//! Foreign CAs: what they may vouch for, what becomes a credential, and the end of both.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use signet_pki::{CaCertificate, PublicKey};

use crate::house::House;
use crate::on_both;

pub(crate) const ANCHORS: &str = "/api/v1/tenants/acme/anchors";
const IMPORT: &str = "/api/v1/tenants/acme/certificates/import";

fn openssl(directory: &Path, arguments: &[&str]) {
    let out = Command::new("openssl").args(arguments).current_dir(directory).output().unwrap();
    assert!(out.status.success(), "{arguments:?} {}", String::from_utf8_lossy(&out.stderr));
}

fn text(directory: &Path, name: &str) -> String {
    std::fs::read_to_string(directory.join(name)).unwrap()
}

/// A foreign CA; the dates are those of the machine, which the fake clock is set to.
pub(crate) fn foreign_ca(house: &House, name: &str, subject: &str) -> String {
    let directory = house.site.path();
    let (key, crt) = (format!("{name}.key"), format!("{name}.crt"));
    openssl(
        directory,
        &[
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            &key,
            "-out",
            &crt,
            "-days",
            "3650",
            "-subj",
            subject,
            "-addext",
            "keyUsage=critical,keyCertSign,cRLSign",
        ],
    );
    text(directory, &crt)
}

/// A certificate of it, of version 3 with these extensions, or of version 1 without any.
fn leaf(house: &House, ca: &str, subject: &str, extensions: Option<&str>) -> String {
    let directory = house.site.path();
    openssl(
        directory,
        &[
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "leaf.key",
            "-out",
            "leaf.csr",
            "-subj",
            subject,
        ],
    );
    let (ca_crt, ca_key) = (format!("{ca}.crt"), format!("{ca}.key"));
    let mut sign =
        vec!["x509", "-req", "-in", "leaf.csr", "-CA", &ca_crt, "-CAkey", &ca_key, "-CAcreateserial", "-days", "90", "-out", "leaf.crt"];
    if let Some(extensions) = extensions {
        std::fs::write(directory.join("leaf.ext"), extensions).unwrap();
        sign.extend(["-extfile", "leaf.ext"]);
    }
    openssl(directory, &sign);
    text(directory, "leaf.crt")
}

pub(crate) async fn now_is_now(house: &House) {
    let out = Command::new("date").arg("+%s").output().unwrap();
    let seconds: i64 = String::from_utf8(out.stdout).unwrap().trim().parse().unwrap();
    let to_now = signet_model::Timestamp::from_micros(seconds * 1_000_000).since(house.scope("acme").now());
    house.clock.advance(to_now + std::time::Duration::from_secs(60));
}

const CLIENT: &str = "keyUsage=critical,digitalSignature\nextendedKeyUsage=clientAuth\nsubjectAltName=DNS:pump-1.plant.example\n";

on_both! {
    async fn a_foreign_certificate_becomes_a_credential_as_far_as_its_anchor_vouches(kind) {
        let house = House::new(kind).await;
        now_is_now(&house).await;
        let (plant, other) = (foreign_ca(&house, "plant", "/O=Plant/CN=Plant CA"), foreign_ca(&house, "other", "/CN=Other CA"));
        let good = leaf(&house, "plant", "/CN=pump-1.plant.example", Some(CLIENT));
        let import = async |pem: &str| house.post(IMPORT, &json!({"certificate": pem, "identity": "dev-1"})).await;
        assert_eq!(import(&good).await.reason(422), "chain.unknown-issuer");
        let body = json!({"certificate": plant, "names": ["dns:plant.example"]});
        let anchor = house.post(ANCHORS, &body).await.good();
        assert_eq!((&anchor["subject"], &anchor["names"]), (&json!("CN=Plant CA,O=Plant"), &json!(["dns:plant.example"])));
        assert_eq!(house.post(ANCHORS, &body).await.reason(409), "anchor.exists");
        let made = import(&good).await.good();
        assert_eq!((&made["issuer"], &made["profile"], &made["generation"]), (&json!("CN=Plant CA,O=Plant"), &json!("foreign"), &json!(0)));
        let id = made["id"].as_str().unwrap();
        assert!(house.credentials.in_state(&house.db, "Inactive").await.contains(id));
        assert_eq!(import(&good).await.reason(409), "certificate.known");
        let serial = made["serial"].as_str().unwrap();
        let found = house.get(&format!("/api/v1/tenants/acme/certificates?serial={serial}")).await.good();
        assert_eq!(found["items"][0]["id"].as_str(), Some(id));
        let named = house.get("/api/v1/tenants/acme/certificates?name=pump-1.plant.example").await.good();
        assert_eq!(named["items"][0]["id"].as_str(), Some(id));
        for (pem, reason) in [
            (leaf(&house, "plant", "/CN=valve", Some(CLIENT)), "certificate.untrusted"),
            (leaf(&house, "plant", "/CN=a.plant.example", Some("subjectAltName=DNS:evil.example\n")), "certificate.untrusted"),
            (leaf(&house, "plant", "/CN=a.plant.example", Some("extendedKeyUsage=serverAuth\n")), "chain.purpose"),
            (leaf(&house, "plant", "/CN=a.plant.example", None), "chain.version"),
            (leaf(&house, "other", "/CN=a.plant.example", Some(CLIENT)), "chain.unknown-issuer"),
        ] {
            assert_eq!(import(&pem).await.reason(422), reason);
        }
        assert_eq!(house.get(&format!("/api/v1/tenants/default/anchors/{}", anchor["id"].as_str().unwrap())).await.reason(404), "anchor.not-found");
        let old = house.post(ANCHORS, &json!({"certificate": other, "allow_v1_leaf": true})).await.good();
        let v1 = import(&leaf(&house, "other", "/CN=old-walk", None)).await.good();
        let record = house.records(v1["id"].as_str().unwrap()).await.pop().unwrap();
        assert_eq!((record.action.as_str(), record.detail["v1_leaf"].as_str()), ("certificate.import", "true"));
        assert_eq!(house.get(ANCHORS).await.good()["items"].as_array().unwrap().len(), 2);
        let path = |anchor: &Value| format!("{ANCHORS}/{}", anchor["id"].as_str().unwrap());
        let removed = house.send("DELETE", &path(&old), &[], None).await;
        assert_eq!((removed.status, house.get(&path(&old)).await.status), (204, 404));
        let state = |id: &Value| format!("/api/v1/tenants/acme/certificates/{}", id.as_str().unwrap());
        assert_eq!(house.get(&state(&v1["id"])).await.good()["state"], "Revoked");
        assert_eq!(house.get(&state(&made["id"])).await.good()["state"], "Inactive", "of another anchor");
        house.end().await;
    }

    async fn no_ca_of_ours_and_nothing_but_a_ca_is_an_anchor(kind) {
        let house = House::new(kind).await;
        now_is_now(&house).await;
        house.issue("default", "a").await.unwrap();
        let squatter = foreign_ca(&house, "squatter", "/CN=default");
        assert_eq!(house.post(ANCHORS, &json!({"certificate": squatter})).await.reason(422), "anchor.invalid");
        foreign_ca(&house, "plant", "/CN=Plant CA");
        let no_ca = leaf(&house, "plant", "/CN=a", Some(CLIENT));
        assert!(house.post(ANCHORS, &json!({"certificate": no_ca})).await.status >= 400);
        for names in [json!(["plant.example"]), json!(["dns:*"]), json!(["ip:300.0.0.0/8"])] {
            let refused = house.post(ANCHORS, &json!({"certificate": text(house.site.path(), "plant.crt"), "names": names})).await;
            assert_eq!(refused.reason(422), "anchor.invalid");
        }
        let plant = CaCertificate::from_pem(text(house.site.path(), "plant.crt").as_bytes()).unwrap();
        let spki = PublicKey::from_spki_der(plant.spki()).unwrap().spki_sha256();
        let report = signet_db::Statement::new(
            "INSERT INTO compromised_key (spki_sha256, tenant, since) SELECT $1, $2, $3 WHERE {ok}",
            signet_db::params![spki, "default", 7_i64],
        );
        let record = signet_model::AuditRecord::new(&house.scope("acme"), "test.report", "key");
        house.ledger.commit(signet_ledger::Change::new(record).effecting(report)).await.unwrap();
        let reported = house.post(ANCHORS, &json!({"certificate": text(house.site.path(), "plant.crt")})).await;
        assert_eq!(reported.reason(422), "key.compromised");
        house.clock.advance(std::time::Duration::from_secs(4_000 * 86_400));
        let late = house.post(ANCHORS, &json!({"certificate": text(house.site.path(), "plant.crt")})).await;
        assert_eq!(late.reason(422), "anchor.invalid");
        assert_eq!(house.number("SELECT count(*) FROM anchor").await, 0);
        house.end().await;
    }
}
