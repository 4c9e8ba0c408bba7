//! Every call of the engine on a real server, looked at with OpenSSL.

use std::time::Duration;

use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, SigningKey};
use signet_custody::vault::{CaRequest, IssuerUrls, ListEntry, RevocationList, SignOrder, VaultHealth};
use signet_pki::{CertificateRequest, Csr, Serial, SubjectName, pem};

use super::*;

fn text_of(certificate: &CertificateDer<'_>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "c.pem", pem::write_certificate(certificate));
    openssl(&["x509", "-in", path.to_str().unwrap(), "-noout", "-text"])
}

fn serial_of(certificate: &CertificateDer<'_>) -> String {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), "c.pem", pem::write_certificate(certificate));
    let text = openssl(&["x509", "-in", path.to_str().unwrap(), "-noout", "-serial"]);
    text.trim().trim_start_matches("serial=").to_lowercase()
}

fn colons(hex: &str) -> String {
    hex.as_bytes().chunks(2).map(|pair| String::from_utf8_lossy(pair)).collect::<Vec<_>>().join(":")
}

#[tokio::test]
async fn a_ca_is_made_inside_certified_outside_and_signs_a_device() {
    let vault = as_root(shared());
    let platform = Platform::new();
    assert_eq!(vault.health().await.unwrap(), VaultHealth::Active);
    let (mount, ca) = ready(&vault, "signs", &platform).await;
    assert_eq!(vault.issuer_certificate(&mount, "g1").await.unwrap(), Some(ca.clone()));
    assert_eq!(vault.issuer_certificate(&mount, "g2").await.unwrap(), None);

    let names = [SubjectName::parse("urn:device:7").unwrap()];
    let request = csr("/CN=evil/O=Elsewhere", &["subjectAltName=DNS:evil.example", "basicConstraints=critical,CA:true"]);
    let not_after = now().plus(YEAR / 2);
    let order = SignOrder { role: "device", csr: &request, common_name: Some("dev-1"), names: &names, not_after };
    let signed = vault.sign_csr(&mount, "g1", order).await.unwrap();
    assert_eq!(signed.chain.first(), Some(&ca));
    let text = text_of(&signed.certificate);
    assert!(text.contains("Issuer: CN = signs") && text.contains("Subject: CN = dev-1\n"), "{text}");
    assert!(text.contains("URI:urn:device:7") && !text.contains("evil") && text.contains("CA:FALSE"), "{text}");
    assert!(text.contains("TLS Web Client Authentication") && !text.contains("TLS Web Server"), "{text}");
    assert!(text.contains("http://127.0.0.1:7480/crl/acme/1/1.crl") && text.contains("OCSP - URI:http://127.0.0.1:7480/ocsp"), "{text}");

    let dir = tempfile::tempdir().unwrap();
    let root = file(dir.path(), "root.pem", platform.certificate.to_pem());
    let middle = file(dir.path(), "ca.pem", pem::write_certificate(&ca));
    let leaf = file(dir.path(), "leaf.pem", pem::write_certificate(&signed.certificate));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    openssl(&["verify", "-purpose", "sslclient", "-CAfile", &path(&root), "-untrusted", &path(&middle), &path(&leaf)]);

    let serial = colons(&serial_of(&signed.certificate));
    assert!(vault.serials(&mount).await.unwrap().contains(&serial));
    assert_eq!(vault.certificate(&mount, &serial).await.unwrap(), Some(signed.certificate));
    assert_eq!(vault.certificate(&mount, "01:02").await.unwrap(), None);
    for _ in 0..2 {
        assert!(vault.revoke(&mount, &serial).await.unwrap(), "twice is fine");
    }
    assert!(!vault.revoke(&mount, "01:02").await.unwrap());
}

#[tokio::test]
async fn every_step_of_a_cas_making_can_be_repeated_and_gives_the_same_key() {
    let vault = as_root(shared());
    let platform = Platform::new();
    let mount = mount("repeated");
    let wanted = CaRequest { issuer: "g1", common_name: "repeated", key_type: KeyType::P256 };
    let mut keys = Vec::new();
    for _ in 0..2 {
        vault.ensure_mount(&mount).await.unwrap();
        let csr = vault.generate_ca_csr(&mount, wanted).await.unwrap();
        keys.push(Csr::parse(&csr).unwrap().verify().unwrap().spki().to_vec());
        let certificate = platform.certify(&csr);
        for _ in 0..2 {
            vault.ensure_role(&mount, &role()).await.unwrap();
        }
        if keys.len() == 2 {
            let chain = [certificate.clone(), platform.certificate.der().clone()];
            for _ in 0..2 {
                vault.set_signed(&mount, "g1", &chain, &urls()).await.unwrap();
            }
        }
    }
    assert_eq!(keys.first(), keys.last());
    assert!(sign(&vault, &mount).await.is_ok());
    // The next generation lives in the same mount, with a key of its own, and both sign.
    let next = CaRequest { issuer: "g2", ..wanted };
    let csr = vault.generate_ca_csr(&mount, next).await.unwrap();
    assert_ne!(Some(&Csr::parse(&csr).unwrap().verify().unwrap().spki().to_vec()), keys.first());
    let second = platform.certify(&csr);
    vault.set_signed(&mount, "g2", &[second.clone(), platform.certificate.der().clone()], &urls()).await.unwrap();
    let request = super::csr("/CN=x", &[]);
    let order = SignOrder { role: "device", csr: &request, common_name: Some("d"), names: &[], not_after: now().plus(YEAR / 2) };
    assert_eq!(vault.sign_csr(&mount, "g2", order).await.unwrap().chain.first(), Some(&second));
    assert_ne!(vault.sign_csr(&mount, "g1", order).await.unwrap().chain.first(), Some(&second));
    // A CA that is deleted signs no more, and the other one goes on.
    for _ in 0..2 {
        vault.delete_ca(&mount, "g1").await.unwrap();
    }
    assert!(vault.sign_csr(&mount, "g1", order).await.is_err());
    vault.sign_csr(&mount, "g2", order).await.unwrap();
}

#[tokio::test]
async fn keys_of_every_kind_are_made_inside() {
    let vault = as_root(shared());
    let platform = Platform::new();
    let mount = mount("kinds");
    vault.ensure_mount(&mount).await.unwrap();
    for key_type in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let issuer = key_type.name();
        let csr = vault.generate_ca_csr(&mount, CaRequest { issuer, common_name: "kinds", key_type }).await.unwrap();
        let chain = [platform.certify(&csr), platform.certificate.der().clone()];
        vault.set_signed(&mount, issuer, &chain, &IssuerUrls::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_list_holds_our_numbers_reasons_and_distribution_point() {
    let vault = as_root(shared());
    let (mount, ca) = ready(&vault, "lists", &Platform::new()).await;
    let point = hex("3031a02ca02a8628687474703a2f2f3132372e302e302e313a373438302f63726c2f61636d652f312f3131312e63726c8101ff");
    let entry = |text: &str, reason| ListEntry { serial: Serial::parse_text(text).unwrap(), at: now(), reason };
    let entries = [entry("0x112233", Some(6)), entry("0x7fff000102030405060708090a0b0c0d0e0f1011", Some(1)), entry("0x05", None)];
    let list =
        RevocationList { number: 12_345_678_901, period: Duration::from_secs(86_400), distribution_point: Some(&point), entries: &entries };
    let crl = vault.sign_revocation_list(&mount, "g1", &list).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let crl = file(dir.path(), "c.crl", crl);
    let ca = file(dir.path(), "ca.pem", pem::write_certificate(&ca));
    let path = |path: &Path| path.to_str().unwrap().to_owned();
    let text = openssl(&["crl", "-inform", "DER", "-in", &path(&crl), "-noout", "-text"]);
    for expected in ["12345678901", "Certificate Hold", "Key Compromise", "112233", "/crl/acme/1/111.crl", "Only User Certificates"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert_eq!(text.matches("Revocation Date").count(), 3);
    assert_eq!(text.matches("X509v3 CRL Reason Code").count(), 2);
    assert!(text.contains("X509v3 Issuing Distribution Point: critical"), "{text}");
    openssl(&["crl", "-inform", "DER", "-in", &path(&crl), "-CAfile", &path(&ca), "-noout"]);
}

#[tokio::test]
async fn a_list_of_a_hundred_entries_is_signed_and_one_of_a_thousand_is_refused_by_name() {
    let vault = as_root(shared());
    let (mount, _) = ready(&vault, "long", &Platform::new()).await;
    let entries = |count: u64| -> Vec<ListEntry> {
        let serials = (0..count).map(|_| Serial::random(&SystemEntropy, signet_pki::SerialLength::Twenty));
        serials.map(|serial| ListEntry { serial, at: now(), reason: Some(6) }).collect()
    };
    let (fitting, too_many) = (entries(105), entries(1000));
    let list = |entries| RevocationList { number: 7, period: Duration::from_secs(3600), distribution_point: None, entries };
    vault.sign_revocation_list(&mount, "g1", &list(&fitting)).await.unwrap();
    let error = vault.sign_revocation_list(&mount, "g1", &list(&too_many)).await.unwrap_err();
    assert_eq!(error.reason().code, "custody.refused");
    assert!(error.to_string().contains("number of strings"), "{error}");
}

#[tokio::test]
async fn a_responders_certificate_is_signed_as_its_request_says() {
    let vault = as_root(shared());
    let (mount, _) = ready(&vault, "responder", &Platform::new()).await;
    let extensions = ["extendedKeyUsage=OCSPSigning", "keyUsage=critical,digitalSignature", "1.3.6.1.5.5.7.48.1.5=DER:05:00"];
    let request = csr("/CN=OCSP responder", &extensions);
    let week = now().plus(Duration::from_secs(7 * 86_400));
    let signed = vault.sign_verbatim(&mount, "g1", &request, &["DigitalSignature"], &["OCSPSigning"], week).await.unwrap();
    let text = text_of(&signed.certificate);
    assert!(signet_pki::CertificateFacts::read(&signed.certificate).unwrap().not_after <= week);
    assert!(text.contains("OCSP Signing") && text.contains("OCSP No Check") && text.contains("CN = OCSP responder"), "{text}");
}

#[tokio::test]
async fn what_would_outlive_its_ca_or_has_no_role_is_refused() {
    let vault = as_root(shared());
    let (mount, _) = ready(&vault, "refused", &Platform::new()).await;
    let request = csr("/CN=x", &[]);
    let order = SignOrder { role: "device", csr: &request, common_name: Some("d"), names: &[], not_after: now().plus(9 * YEAR) };
    assert_eq!(vault.sign_csr(&mount, "g1", order).await.unwrap_err().reason().code, "custody.refused");
    let no_role = SignOrder { role: "nobody", not_after: now().plus(YEAR / 2), ..order };
    assert_eq!(vault.sign_csr(&mount, "g1", no_role).await.unwrap_err().reason().code, "custody.refused");
    let garbled = SignOrder { csr: b"no request", not_after: now().plus(YEAR / 2), ..order };
    assert_eq!(vault.sign_csr(&mount, "g1", garbled).await.unwrap_err().reason().code, "custody.refused");
    let elsewhere = super::mount("never-mounted");
    assert_eq!(sign(&vault, &elsewhere).await.unwrap_err().reason().code, "custody.missing");
    assert_eq!(vault.serials(&elsewhere).await.unwrap_err().reason().code, "custody.missing");
    let fitting_none = [Platform::new().certificate.der().clone()];
    assert_eq!(vault.set_signed(&mount, "g9", &fitting_none, &urls()).await.unwrap_err().reason().code, "custody.refused");
}

#[tokio::test]
async fn a_ca_with_its_key_can_be_imported_as_the_fall_back() {
    let vault = as_root(shared());
    let platform = Platform::new();
    let mount = mount("imported");
    vault.ensure_mount(&mount).await.unwrap();
    let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
    let public = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap();
    let validity = Validity { not_before: now(), not_after: now().plus(2 * YEAR) };
    let request = CertificateRequest { ..super::wanted(Profile::TenantCa, "imported", public, Arc::clone(&platform.facts), validity) };
    let certificate = request.lint(&platform.throwaway).unwrap().sign(&platform.key).unwrap();
    let chain = [certificate, platform.certificate.der().clone()];
    for _ in 0..2 {
        vault.import_ca(&mount, "g1", &key.to_pkcs8_pem().unwrap(), &chain, &urls()).await.unwrap();
    }
    vault.ensure_role(&mount, &role()).await.unwrap();
    assert!(sign(&vault, &mount).await.is_ok());
}

fn hex(text: &str) -> Vec<u8> {
    text.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}
