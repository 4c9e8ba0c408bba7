//! Properties of issuing: whatever is asked for, the answer is a certificate that strict readers and verifiers take, or the rules
//! that it would break; and what other engines sign is judged by the same rules.

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use der::{Decode as _, Encode as _};
use proptest::prelude::*;
use rustls_pki_types::UnixTime;
use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, Signer as _, SigningKey};
use signet_model::Timestamp;
use signet_pki::{
    CaCertificate, CertificateAuthority, CertificateRequest, IssuerFacts, Name, PkiError, Profile, PublicKey, Serial, SerialLength,
    SubjectName, Throwaway, Validity, pem,
};

/// 2026-01-01T00:00:00Z.
const SECONDS: u64 = 1_767_225_600;
const NOW: Timestamp = Timestamp::from_micros(1_767_225_600_000_000);
const DAY: u64 = 86_400;

struct House {
    ca: CaCertificate,
    key: SigningKey,
    facts: Arc<IssuerFacts>,
    throwaway: Throwaway,
    subject_key: SigningKey,
}

fn house() -> &'static House {
    static HOUSE: OnceLock<House> = OnceLock::new();
    HOUSE.get_or_init(|| {
        let key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let ca = CertificateAuthority::create("acme", &Validity::authority(NOW), &key, &SystemEntropy).unwrap();
        let subject_key = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
        let facts = Arc::new(IssuerFacts::of(&ca).unwrap());
        House { ca, key, facts, throwaway: Throwaway::new(Arc::new(SystemEntropy)), subject_key }
    })
}

fn asked(profile: Profile, common_name: &str, names: Vec<SubjectName>, days: u64) -> Result<CertificateRequest, PkiError> {
    let house = house();
    Ok(CertificateRequest {
        profile,
        serial: Serial::random(&SystemEntropy, profile.serial_length()),
        subject: profile.subject(common_name)?,
        names,
        public_key: PublicKey::from_spki_der(&house.subject_key.public_key_spki_der())?,
        validity: profile.validity(NOW, Duration::from_secs(days * DAY), &house.facts),
        issuer: house.facts.clone(),
        crl_url: Some("http://127.0.0.1:7480/crl/acme/1/1.crl".to_owned()),
        ocsp_url: None,
        ca_issuers_url: None,
        no_rev_avail: false,
    })
}

fn names() -> impl Strategy<Value = Vec<SubjectName>> {
    let name = prop_oneof![
        "[a-z0-9]{1,10}(\\.[a-z]{2,8}){0,2}".prop_map(|text| format!("dns:{text}")),
        any::<[u8; 4]>().prop_map(|ip| format!("ip:{}", std::net::Ipv4Addr::from(ip))),
        any::<[u8; 16]>().prop_map(|ip| format!("ip:{}", std::net::Ipv6Addr::from(ip))),
        "urn:[a-z0-9:]{1,20}".prop_map(|text| format!("uri:{text}")),
        "[a-z.]{1,8}@[a-z]{1,8}\\.example".prop_map(|text| format!("email:{text}")),
    ];
    prop::collection::vec(name, 0..6).prop_map(|texts| texts.iter().filter_map(|text| SubjectName::parse(text).ok()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn what_is_asked_for_is_certified_exactly_or_refused_by_name(
        profile in prop::sample::select(vec![Profile::Device, Profile::Kaa, Profile::Service, Profile::Server]),
        common_name in prop_oneof!["[a-z0-9-]{1,20}", "\\PC{1,70}", "[ -~]{0,10}"],
        names in names(),
        days in 1_u64..9000,
    ) {
        let house = house();
        // The subject may be one that no certificate can have.
        let Ok(request) = asked(profile, &common_name, names, days) else { return Ok(()) };
        let linted = match request.lint(&house.throwaway) {
            Ok(linted) => linted,
            Err(PkiError::Lint(failure)) => {
                prop_assert!(!failure.findings().is_empty());
                return Ok(());
            }
            Err(other) => return Err(TestCaseError::fail(other.to_string())),
        };
        let signed = linted.sign(&house.key).unwrap();
        // A strict reader takes it and would have written the same bytes.
        let read = x509_cert::Certificate::from_der(&signed).unwrap();
        prop_assert_eq!(read.to_der().unwrap(), signed.to_vec());
        prop_assert_eq!(read.tbs_certificate().serial_number().as_bytes(), request.serial.to_der_bytes());
        let name = Name::from_der(&read.tbs_certificate().subject().to_der().unwrap()).unwrap();
        prop_assert_eq!(name.common_name(), Some(common_name.as_str()));
        request.accept(&signed, house.ca.spki()).unwrap();
        // And a verifier.
        let anchor = webpki::anchor_from_trusted_cert(house.ca.der()).unwrap();
        let leaf = webpki::EndEntityCert::try_from(&signed).unwrap();
        let usage = if profile == Profile::Server { webpki::KeyUsage::server_auth() } else { webpki::KeyUsage::client_auth() };
        let at = UnixTime::since_unix_epoch(Duration::from_secs(SECONDS));
        let verified = leaf.verify_for_usage(webpki::ALL_VERIFICATION_ALGS, &[anchor], &[], at, usage, None, None).map(|_| ());
        prop_assert_eq!(verified, Ok(()));
    }
}

#[test]
fn fifty_thousand_serial_numbers_are_positive_and_none_is_drawn_twice() {
    for length in [SerialLength::Sixteen, SerialLength::Twenty] {
        let drawn: HashSet<Vec<u8>> = (0..50_000)
            .map(|_| {
                let der = Serial::random(&SystemEntropy, length).to_der_bytes();
                assert!(der.len() == length.bytes() && der[0] & 0x80 == 0 && der[0] != 0);
                der
            })
            .collect();
        assert_eq!(drawn.len(), 50_000);
    }
}

#[test]
fn what_another_engine_signed_is_taken_only_as_it_was_asked_for() {
    let house = house();
    let request = asked(Profile::Device, "pump-7", vec![SubjectName::uri("urn:x:1").unwrap()], 30).unwrap();
    let signed = request.lint(&house.throwaway).unwrap().sign(&house.key).unwrap();
    request.accept(&signed, house.ca.spki()).unwrap();
    let rules = |request: &CertificateRequest| match request.accept(&signed, house.ca.spki()) {
        Err(PkiError::Lint(failure)) => failure.findings().iter().map(|finding| finding.rule).collect::<Vec<_>>(),
        other => panic!("{other:?}"),
    };
    assert_eq!(rules(&CertificateRequest { subject: Name::common("pump-8").unwrap(), ..request.clone() }), ["request.subject"]);
    assert_eq!(rules(&CertificateRequest { names: Vec::new(), ..request.clone() }), ["request.names"]);
    let other = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap().public_key_spki_der();
    let other_key = CertificateRequest { public_key: PublicKey::from_spki_der(&other).unwrap(), ..request.clone() };
    assert_eq!(rules(&other_key), ["request.key"]);
    assert!(matches!(request.accept(&signed, &other), Err(PkiError::KeyMismatch { .. })));
    let mut forged = signed.to_vec();
    *forged.last_mut().unwrap() ^= 1;
    assert!(request.accept(&forged, house.ca.spki()).is_err(), "the signature is not the issuer's");
    let serial = Serial::random(&SystemEntropy, SerialLength::Twenty);
    CertificateRequest { serial, ..request }.accept(&signed, house.ca.spki()).unwrap();
}

#[test]
fn keys_of_every_form_become_signers_and_authorities() {
    let data = |name: &str| std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap();
    for (name, path_len) in [("ec-parameters", None), ("pkcs1", None), ("pathlen0", Some(0))] {
        let key = pem::private_key(&data(&format!("{name}.key"))).unwrap().to_signing_key().unwrap();
        let ca = CaCertificate::from_pem(&data(&format!("{name}.crt"))).unwrap();
        ca.check_signer(&key).unwrap();
        assert_eq!(ca.path_len(), path_len, "{name}");
        let facts = IssuerFacts::of(&ca).unwrap();
        assert_eq!((facts.algorithm(), facts.path_len()), (key.algorithm(), path_len), "{name}");
    }
}

#[test]
fn an_authority_whose_path_is_too_short_makes_no_authority_below() {
    let house = house();
    let mut request = asked(Profile::Device, "beta", Vec::new(), 30).unwrap();
    (request.profile, request.crl_url) = (Profile::TenantCa, None);
    let refused = request.lint(&house.throwaway).unwrap_err();
    assert!(refused.to_string().contains("path.too-long"), "{refused}");
}
