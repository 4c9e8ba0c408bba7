//! What the authority issues, as OpenSSL and webpki see it.

use std::path::Path;
use std::time::Duration;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{Ed25519Key, P256Key, Signer};
use signet_model::Timestamp;
use signet_pki::{CaCertificate, CertificateAuthority, LeafFacts, PkiError, PrivateKey, ServerNames, Validity, pem};

use crate::openssl::{Files, openssl};

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const NOW_SECONDS: &str = "1767225600";

struct Made {
    ca: CaCertificate,
    ca_key: P256Key,
    leaf: CertificateDer<'static>,
    leaf_key: P256Key,
}

fn made_with(names: &ServerNames) -> Made {
    let ca_key = P256Key::generate(&SystemEntropy).unwrap();
    let ca = CertificateAuthority::create("Signet authority of plant 1", &Validity::authority(NOW), &ca_key, &SystemEntropy).unwrap();
    let leaf_key = P256Key::generate(&SystemEntropy).unwrap();
    let spki = leaf_key.public_key_spki_der();
    let leaf = CertificateAuthority::issue_server_leaf(&ca, &ca_key, names, &spki, &Validity::server_leaf(NOW), &SystemEntropy).unwrap();
    Made { ca, ca_key, leaf, leaf_key }
}

fn made() -> Made {
    let mut names = ServerNames::loopback();
    names.add_dns("plant-1").unwrap();
    made_with(&names)
}

#[test]
fn openssl_verifies_the_chain_for_each_name() {
    let Made { ca, leaf, .. } = made();
    let files = Files::new();
    let (ca, leaf) = (files.write("ca.pem", ca.to_pem()), files.write("leaf.pem", pem::write_certificate(&leaf)));
    for name in [["-verify_hostname", "localhost"], ["-verify_hostname", "plant-1"], ["-verify_ip", "127.0.0.1"], ["-verify_ip", "::1"]] {
        let arguments = ["verify", "-x509_strict", "-purpose", "sslserver", "-attime", NOW_SECONDS, name[0], name[1]];
        let said = openssl(&arguments, &[("-CAfile", &ca), ("", &leaf)]);
        assert!(said.trim_end().ends_with(": OK"), "{said}");
    }
}

/// What `openssl x509 -text` says; versions differ in the spaces around the equals signs of names.
fn text_of(certificate: &Path) -> String {
    openssl(&["x509", "-noout", "-text"], &[("-in", certificate)]).replace(" = ", "=")
}

#[test]
fn openssl_reads_the_authority_as_one() {
    let files = Files::new();
    let text = text_of(&files.write("ca.pem", made().ca.to_pem()));
    for wanted in [
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "Issuer: CN=Signet authority of plant 1",
        "Subject: CN=Signet authority of plant 1",
        "Not Before: Dec 31 23:00:00 2025 GMT",
        "Not After : Jan  1 00:00:00 2036 GMT",
        "ASN1 OID: prime256v1",
        "X509v3 Basic Constraints: critical\n                CA:TRUE, pathlen:0",
        "X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn openssl_reads_the_leaf_as_a_server_certificate() {
    let files = Files::new();
    let text = text_of(&files.write("leaf.pem", pem::write_certificate(&made().leaf)));
    for wanted in [
        "Issuer: CN=Signet authority of plant 1",
        "Not Before: Dec 31 23:00:00 2025 GMT",
        "Not After : Apr  1 00:00:00 2026 GMT",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication",
        "X509v3 Subject Alternative Name: \n                DNS:localhost, DNS:plant-1, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
        "X509v3 Subject Key Identifier:",
        "X509v3 Authority Key Identifier:",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn webpki_verifies_the_chain_and_refuses_another_authority() {
    let (made, other) = (made(), made());
    let at = |days: u64| UnixTime::since_unix_epoch(Duration::from_secs(1_767_225_600 + days * 86_400));
    let verify = |ca: &CaCertificate, time| {
        let anchor = webpki::anchor_from_trusted_cert(ca.der()).unwrap();
        let leaf = webpki::EndEntityCert::try_from(&made.leaf).unwrap();
        leaf.verify_is_valid_for_subject_name(&ServerName::try_from("plant-1").unwrap()).unwrap();
        leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], &[], time, webpki::KeyUsage::server_auth(), None, None).map(|_| ())
    };
    assert_eq!(verify(&made.ca, at(0)), Ok(()));
    assert_eq!(verify(&made.ca, at(89)), Ok(()));
    assert!(verify(&made.ca, at(91)).is_err());
    assert!(verify(&other.ca, at(0)).is_err());
}

#[test]
fn the_facts_of_a_leaf_are_those_it_was_made_with() {
    let Made { ca, leaf, leaf_key, .. } = made();
    let facts = LeafFacts::read(&leaf).unwrap();
    let day = Duration::from_secs(86_400);
    assert_eq!(facts.not_after, NOW.plus(90 * day));
    assert_eq!(facts.dns, ["localhost", "plant-1"]);
    assert_eq!(facts.spki_sha256, signet_crypto::sha256(&leaf_key.public_key_spki_der()));
    assert!(facts.covers(&ServerNames::loopback()) && facts.names_issuer(&ca));
    assert!(!facts.covers(&ServerNames::new(&["plant-2"], &[]).unwrap()) && !facts.names_issuer(&self::made().ca));
    assert!(!facts.needs_renewal(NOW.plus(59 * day)) && facts.needs_renewal(NOW.plus(61 * day)));
    PrivateKey::from_pkcs8(leaf_key.to_pkcs8()).check_pair(&leaf).unwrap();
}

#[test]
fn serial_numbers_differ() {
    let (one, other) = (made(), made());
    let serial = |made: &Made| webpki::EndEntityCert::try_from(&made.leaf).map(|leaf| leaf.serial().to_vec()).unwrap();
    assert_eq!(serial(&one).len(), 16);
    assert_ne!(serial(&one), serial(&other));
}

#[test]
fn a_leaf_ends_no_later_than_its_authority() {
    let Made { ca, ca_key, leaf_key, .. } = made();
    let spki = leaf_key.public_key_spki_der();
    let ten_years = Validity::days(NOW, 5000);
    let leaf = CertificateAuthority::issue_server_leaf(&ca, &ca_key, &ServerNames::loopback(), &spki, &ten_years, &SystemEntropy).unwrap();
    assert_eq!(LeafFacts::read(&leaf).unwrap().not_after, LeafFacts::read(ca.der()).unwrap().not_after);
}

#[test]
fn another_key_cannot_issue_in_the_authoritys_name() {
    let Made { ca, leaf_key, .. } = made();
    let spki = leaf_key.public_key_spki_der();
    let issued = CertificateAuthority::issue_server_leaf(
        &ca,
        &leaf_key,
        &ServerNames::loopback(),
        &spki,
        &Validity::server_leaf(NOW),
        &SystemEntropy,
    );
    assert!(matches!(issued, Err(PkiError::KeyMismatch { .. })), "{issued:?}");
}

#[test]
fn a_leaf_is_no_authority() {
    let Made { leaf, .. } = made();
    assert!(matches!(CaCertificate::from_der(leaf), Err(PkiError::NotAnAuthority(_))));
}

#[test]
fn a_garbled_public_key_is_not_certified() {
    let Made { ca, ca_key, .. } = made();
    for spki in [&b""[..], b"\x30\x00", b"not a key"] {
        let issued = CertificateAuthority::issue_server_leaf(
            &ca,
            &ca_key,
            &ServerNames::loopback(),
            spki,
            &Validity::server_leaf(NOW),
            &SystemEntropy,
        );
        assert!(matches!(issued, Err(PkiError::Malformed { .. })), "{issued:?}");
    }
}

#[test]
fn an_ed25519_signer_works_too() {
    let key = Ed25519Key::generate(&SystemEntropy).unwrap();
    let ca = CertificateAuthority::create("Ed", &Validity::authority(NOW), &key, &SystemEntropy).unwrap();
    let files = Files::new();
    let path = files.write("ca.pem", ca.to_pem());
    let said = openssl(&["verify", "-x509_strict", "-check_ss_sig", "-attime", NOW_SECONDS], &[("-CAfile", &path), ("", &path)]);
    assert!(said.trim_end().ends_with(": OK"), "{said}");
}

#[test]
fn an_authority_and_its_key_survive_their_files() {
    let Made { ca, ca_key, .. } = made();
    let read = CaCertificate::from_pem(ca.to_pem().as_bytes()).unwrap();
    assert_eq!(read.der(), ca.der());
    let key = pem::private_key(pem::write_private_key(&ca_key.to_pkcs8()).expose()).unwrap().to_p256().unwrap();
    read.check_signer(&key).unwrap();
    let files = Files::new();
    let said =
        openssl(&["pkey", "-noout", "-check"], &[("-in", &files.write("ca.key", pem::write_private_key(&ca_key.to_pkcs8()).expose()))]);
    assert!(said.contains("valid"), "{said}");
}
