//! Every profile as OpenSSL sees it: chains verify, extensions are those of enrolment.md 15 and kaa.md 16.2.1.

use std::sync::Arc;
use std::time::Duration;

use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::Timestamp;
use signet_pki::{
    CaCertificate, CertificateRequest, IssuerFacts, LintContext, Name, PkiError, Profile, PublicKey, Serial, SubjectName, Throwaway,
    Validity, lint_certificate, pem,
};

use crate::openssl::{Files, openssl};

/// 2026-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const NOW_SECONDS: &str = "1767225600";
const YEAR: Duration = Duration::from_secs(365 * 86_400);

/// An authority with its key.
struct Authority {
    certificate: CaCertificate,
    key: SigningKey,
    facts: Arc<IssuerFacts>,
}

fn request(profile: Profile, subject: Name, key: &SigningKey, issuer: Arc<IssuerFacts>, life: Duration) -> CertificateRequest {
    CertificateRequest {
        profile,
        serial: Serial::random(&SystemEntropy, profile.serial_length()),
        subject,
        names: Vec::new(),
        public_key: PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap(),
        validity: profile.validity(NOW, life, &issuer),
        issuer,
        crl_url: None,
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    }
}

fn throwaway() -> Throwaway {
    Throwaway::new(Arc::new(SystemEntropy))
}

fn self_signed(profile: Profile, name: &str, kind: KeyType) -> Authority {
    let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
    let subject = Name::parse(name).unwrap();
    let public = PublicKey::from_spki_der(&key.public_key_spki_der()).unwrap();
    let validity = Validity { not_before: NOW, not_after: NOW.plus(20 * YEAR) };
    let issuer = Arc::new(IssuerFacts::self_signed(subject.clone(), &public, validity));
    let signed = request(profile, subject, &key, issuer, 20 * YEAR).lint(&throwaway()).unwrap().sign(&key).unwrap();
    let certificate = CaCertificate::from_der(signed).unwrap();
    Authority { facts: Arc::new(IssuerFacts::of(&certificate).unwrap()), certificate, key }
}

fn below(issuer: &Authority, profile: Profile, name: &str, kind: KeyType) -> Authority {
    let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
    let request = request(profile, profile.subject(name).unwrap(), &key, issuer.facts.clone(), 10 * YEAR);
    let signed = request.lint(&throwaway()).unwrap().sign(&issuer.key).unwrap();
    let certificate = CaCertificate::from_der(signed).unwrap();
    Authority { facts: Arc::new(IssuerFacts::of(&certificate).unwrap()), certificate, key }
}

fn leaf(issuer: &Authority, profile: Profile, names: &[&str], kind: KeyType) -> CertificateRequest {
    let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
    let mut request = request(profile, profile.subject("pump-7.example").unwrap(), &key, issuer.facts.clone(), YEAR);
    request.names = names.iter().map(|name| SubjectName::parse(name).unwrap()).collect();
    request.crl_url = Some("http://127.0.0.1:7480/crl/acme/1/1.crl".to_owned());
    request.ocsp_url = Some("http://127.0.0.1:7480/ocsp".to_owned());
    request.ca_issuers_url = Some("http://127.0.0.1:7480/ca/acme/1.cer".to_owned());
    request
}

#[test]
fn openssl_verifies_chains_of_every_kind_of_key() {
    for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let root = self_signed(Profile::Root, "CN=Root,O=Acme,C=DE", kind);
        let platform = below(&root, Profile::PlatformCa, "Platform", kind);
        let tenant = below(&platform, Profile::TenantCa, "acme", kind);
        let files = Files::new();
        let anchor = files.write("root.pem", root.certificate.to_pem());
        let between = files.write("between.pem", [tenant.certificate.to_pem(), platform.certificate.to_pem()].concat());
        for (profile, names, purpose) in [
            (Profile::Device, &["urn:signet:acme:device:pump-7"][..], "sslclient"),
            (Profile::Kaa, &["pump-7.example"], "sslclient"),
            (Profile::Kaa, &["pump-7.example"], "sslserver"),
            (Profile::Service, &["pump-7.example", "10.0.0.1"], "sslserver"),
            (Profile::Server, &["pump-7.example", "::1"], "sslserver"),
        ] {
            let linted = leaf(&tenant, profile, names, kind).lint(&throwaway()).unwrap_or_else(|e| panic!("{kind} {profile}: {e}"));
            let signed = linted.sign(&tenant.key).unwrap();
            let path = files.write("leaf.pem", pem::write_certificate(&signed));
            let arguments = ["verify", "-x509_strict", "-purpose", purpose, "-attime", NOW_SECONDS];
            let said = openssl(&arguments, &[("-CAfile", &anchor), ("-untrusted", &between), ("", &path)]);
            assert!(said.trim_end().ends_with(": OK"), "{kind} {profile}: {said}");
        }
    }
}

#[test]
fn exactly_the_linted_bytes_are_signed_and_by_the_issuer_only() {
    let tenant = self_signed(Profile::LocalCa, "CN=acme", KeyType::P256);
    let linted = leaf(&tenant, Profile::Device, &[], KeyType::P256).lint(&throwaway()).unwrap();
    let signed = linted.sign(&tenant.key).unwrap();
    let at = signed.windows(linted.tbs().len()).position(|window| window == linted.tbs());
    assert_eq!(at, Some(4), "the to-be-signed part stands in the certificate as it was linted");
    let other = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
    assert!(matches!(linted.sign(&other), Err(PkiError::KeyMismatch { .. })));
}

fn text_of(request: &CertificateRequest, issuer: &Authority) -> String {
    let signed = request.lint(&throwaway()).unwrap().sign(&issuer.key).unwrap();
    let files = Files::new();
    let path = files.write("c.pem", pem::write_certificate(&signed));
    openssl(&["x509", "-noout", "-text"], &[("-in", &path)]).replace(" = ", "=")
}

#[test]
fn a_device_certificate_is_for_client_authentication_only() {
    let tenant = self_signed(Profile::LocalCa, "CN=acme", KeyType::P256);
    let text = text_of(&leaf(&tenant, Profile::Device, &["urn:x:1"], KeyType::P256), &tenant);
    for wanted in [
        "Issuer: CN=acme\n",
        "Not Before: Jan  1 00:00:00 2026 GMT",
        "Not After : Jan  1 00:00:00 2027 GMT",
        "Subject: CN=pump-7.example\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "X509v3 Extended Key Usage: \n                TLS Web Client Authentication\n",
        "X509v3 Subject Alternative Name: \n                URI:urn:x:1\n",
        "URI:http://127.0.0.1:7480/crl/acme/1/1.crl",
        "OCSP - URI:http://127.0.0.1:7480/ocsp",
        "CA Issuers - URI:http://127.0.0.1:7480/ca/acme/1.cer",
        "X509v3 Authority Key Identifier",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
}

#[test]
fn the_profile_kaa_has_the_form_of_the_original() {
    let platform = self_signed(Profile::PlatformCa, "CN=Kaaiot Platform", KeyType::Rsa2048);
    let tenant = below(&platform, Profile::KaaTenantCa, "449ff659-939f-4ef7-93b5-058b9fb8cc0a", KeyType::Rsa2048);
    let mut request = leaf(&tenant, Profile::Kaa, &["pump-7.example"], KeyType::Rsa2048);
    (request.crl_url, request.ocsp_url, request.ca_issuers_url) = (None, None, None);
    let text = text_of(&request, &tenant);
    for wanted in [
        "Signature Algorithm: sha256WithRSAEncryption",
        "Issuer: CN=449ff659-939f-4ef7-93b5-058b9fb8cc0a\n",
        "X509v3 Key Usage: critical\n                Digital Signature, Key Encipherment, Key Agreement\n",
        "X509v3 Extended Key Usage: \n                TLS Web Server Authentication, TLS Web Client Authentication\n",
        "X509v3 Subject Alternative Name: \n                DNS:pump-7.example\n",
    ] {
        assert!(text.contains(wanted), "{wanted}\n{text}");
    }
    assert!(!text.contains("Basic Constraints"), "{text}");
    assert_eq!(request.serial.magnitude().len(), 20);
    let parts = openssl(&["asn1parse"], &[("-in", &Files::new().write("ca.pem", tenant.certificate.to_pem()))]);
    assert!(parts.contains("PRINTABLESTRING   :449ff659"), "{parts}");
}

#[test]
fn an_ocsp_responder_is_marked_and_lives_for_days() {
    let tenant = self_signed(Profile::LocalCa, "CN=acme", KeyType::P256);
    let mut request = leaf(&tenant, Profile::OcspResponder, &[], KeyType::P256);
    (request.crl_url, request.ocsp_url) = (None, None);
    let failure = request.lint(&throwaway()).unwrap_err();
    assert!(failure.to_string().contains("profile.responder-life"), "{failure}");
    request.validity = Profile::OcspResponder.validity(NOW, Duration::from_secs(7 * 86_400), &tenant.facts);
    let text = text_of(&request, &tenant);
    assert!(text.contains("OCSP Signing") && text.contains("OCSP No Check"), "{text}");
}

#[test]
fn a_request_that_breaks_rules_is_told_all_of_them_and_signs_nothing() {
    let tenant = self_signed(Profile::LocalCa, "CN=acme", KeyType::P256);
    let mut request = leaf(&tenant, Profile::Device, &["pump-7.example"], KeyType::P256);
    request.validity.not_after = NOW.plus(30 * YEAR);
    let PkiError::Lint(failure) = request.lint(&throwaway()).unwrap_err() else { panic!("no lint failure") };
    let rules: Vec<_> = failure.findings().iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["validity.beyond-issuer", "profile.names"]);
    assert_eq!(failure.reason().code, "certificate.lint");
    let mut request = leaf(&tenant, Profile::Device, &[], KeyType::P256);
    request.crl_url = Some("https://127.0.0.1/".to_owned());
    let failure = request.lint(&throwaway()).unwrap_err();
    assert_eq!(failure.reason().code, "certificate.lint-ours", "{failure}");
}

#[test]
fn the_authoritys_own_key_is_not_certified_again() {
    let tenant = self_signed(Profile::LocalCa, "CN=acme", KeyType::P256);
    let mut request = leaf(&tenant, Profile::Device, &[], KeyType::P256);
    request.public_key = PublicKey::from_spki_der(tenant.certificate.spki()).unwrap();
    assert!(request.lint(&throwaway()).unwrap_err().to_string().contains("key.issuers-own"));
}

#[test]
fn certificates_of_openssl_are_linted_without_a_profile() {
    let files = Files::new();
    let (key, certificate) = (files.path("k.pem"), files.path("c.pem"));
    openssl(
        &["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", "/CN=x"],
        &[("-keyout", &key), ("-out", &certificate)],
    );
    let der = pem::certificates(&std::fs::read(certificate).unwrap()).unwrap().remove(0);
    let rules: Vec<_> = lint_certificate(&der, &LintContext::default()).into_iter().map(|finding| finding.rule).collect();
    assert_eq!(rules, ["key-usage.missing"]);
}
