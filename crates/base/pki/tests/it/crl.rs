//! Revocation lists against OpenSSL.

use std::time::Duration;

use signet_crypto::SystemEntropy;
use signet_crypto::sign::{KeyType, SigningKey};
use signet_pki::{Crl, CrlEntry, CrlRequest, LONGEST_CRL, PkiError, Profile, RevocationReason, Serial, SerialLength};

use crate::house::{Authority, NOW, NOW_SECONDS};
use crate::openssl::{Files, openssl};

const URL: &str = "http://127.0.0.1:7480/crl/acme/1/3.crl";
const DAY: Duration = Duration::from_secs(86_400);

fn request(ca: &Authority, entries: Vec<CrlEntry>) -> CrlRequest<'_, Vec<CrlEntry>> {
    CrlRequest {
        issuer: &ca.facts,
        number: 300,
        this_update: NOW,
        next_update: NOW.plus(DAY),
        idp_url: Some(URL),
        only_user_certs: true,
        entries,
    }
}

fn entry(serial: &[u8], reason: Option<RevocationReason>) -> CrlEntry {
    CrlEntry { serial: serial.to_vec(), at: NOW, reason }
}

fn tenant_ca(kind: KeyType) -> Authority {
    Authority::root("Platform", KeyType::P256).below("acme", Profile::TenantCa, kind)
}

#[test]
fn openssl_reads_and_verifies_a_list_with_every_reason() {
    for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
        let ca = tenant_ca(kind);
        let mut entries: Vec<_> = (1..).zip(RevocationReason::ALL).map(|(n, reason)| entry(&[n], Some(reason))).collect();
        entries.push(entry(&[0, 0xff, 0xee], None));
        let der = request(&ca, entries).lint().unwrap().sign(&ca.key).unwrap();
        let files = Files::new();
        let path = files.write("list.crl", &der);
        let authority = files.write("ca.pem", ca.certificate.to_pem());
        let said = openssl(&["crl", "-inform", "der", "-noout", "-text"], &[("-in", &path), ("-CAfile", &authority)]);
        for wanted in [
            "Version 2 (0x1)",
            "Issuer: CN = acme",
            "Last Update: Jan  1 00:00:00 2026 GMT",
            "Next Update: Jan  2 00:00:00 2026 GMT",
            "X509v3 CRL Number: \n                300",
            "X509v3 Issuing Distribution Point: critical",
            URL,
            "Only User Certificates",
            "X509v3 Authority Key Identifier",
            "Key Compromise",
            "CA Compromise",
            "Affiliation Changed",
            "Superseded",
            "Cessation Of Operation",
            "Certificate Hold",
            "Privilege Withdrawn",
            "AA Compromise",
            "Serial Number: FFEE\n        Revocation Date: Jan  1 00:00:00 2026 GMT\n    Signature",
        ] {
            assert!(said.contains(wanted), "{kind}: {wanted:?} is not in {said}");
        }
        let verified = std::process::Command::new("openssl")
            .args(["crl", "-inform", "der", "-noout", "-in"])
            .arg(&path)
            .arg("-CAfile")
            .arg(&authority)
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&verified.stderr).contains("verify OK"), "{kind}");
    }
}

#[test]
fn openssl_refuses_the_revoked_certificate_and_takes_the_other() {
    let root = Authority::root("Platform", KeyType::P256);
    let ca = root.below("acme", Profile::TenantCa, KeyType::P256);
    let leaf = |name: &str| ca.leaf_with(name, Profile::Device, |request| request.crl_url = Some(URL.to_owned()));
    let (held, free) = (leaf("dev-1"), leaf("dev-2"));
    let entries = vec![entry(&held.serial.to_der_bytes(), Some(RevocationReason::CertificateHold))];
    let list = request(&ca, entries).lint().unwrap().sign(&ca.key).unwrap();
    let files = Files::new();
    let anchors = files.write("anchors.pem", format!("{}{}", root.certificate.to_pem(), ca.certificate.to_pem()));
    let list = files.write("list.der", list);
    let pem = files.path("list.pem");
    openssl(&["crl", "-inform", "der"], &[("-in", &list), ("-out", &pem)]);
    for (leaf, revoked) in [(&held, true), (&free, false)] {
        let path = files.write("leaf.pem", signet_pki::pem::write_certificate(&leaf.der));
        let output = std::process::Command::new("openssl")
            .args(["verify", "-attime", NOW_SECONDS, "-crl_check", "-extended_crl", "-x509_strict", "-CAfile"])
            .arg(&anchors)
            .arg("-CRLfile")
            .arg(&pem)
            .arg(&path)
            .output()
            .unwrap();
        let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(said.contains("certificate revoked"), revoked, "{said}");
        assert_eq!(output.status.success(), !revoked, "{said}");
    }
}

#[test]
fn what_is_made_reads_back_and_is_verified_by_its_authority_only() {
    let root = Authority::root("Platform", KeyType::P256);
    let (ca, other) = (root.below("acme", Profile::TenantCa, KeyType::P256), root.below("acme", Profile::TenantCa, KeyType::P256));
    let serial = Serial::random(&SystemEntropy, SerialLength::Twenty).to_der_bytes();
    let der = request(&ca, vec![entry(&serial, Some(RevocationReason::Superseded))]).lint().unwrap().sign(&ca.key).unwrap();
    let crl = Crl::parse(&der).unwrap();
    assert_eq!(crl.issuer().go_text(), "CN=acme");
    assert_eq!((crl.version(), crl.number().unwrap().decimal().as_str()), (2, "300"));
    assert_eq!((crl.this_update(), crl.next_update()), (NOW, Some(NOW.plus(DAY))));
    assert_eq!(crl.authority_key_identifier(), Some(ca.facts.key_identifier()));
    let point = crl.distribution_point().unwrap();
    assert_eq!((point.urls.as_slice(), point.only_user_certs, point.only_ca_certs), (&[URL.to_owned()][..], true, false));
    assert_eq!(crl.entry(&serial).unwrap().reason(), Some(RevocationReason::Superseded));
    assert!(crl.entry(&[1]).is_none() && crl.not_understood().is_empty());
    crl.verify(&ca.certificate).unwrap();
    let error = crl.verify(&other.certificate).unwrap_err();
    assert!(matches!(&error, PkiError::NotIssuer(why) if why.contains("key")), "{error}");
    let error = crl.verify(&root.certificate).unwrap_err();
    assert!(matches!(&error, PkiError::NotIssuer(why) if why.contains("CN=acme") && why.contains("CN=Platform")), "{error}");
    let mut forged = der.clone();
    *forged.last_mut().unwrap() ^= 1;
    assert!(matches!(Crl::parse(&forged).unwrap().verify(&ca.certificate), Err(PkiError::Sign(_))));
}

#[test]
fn a_list_without_entries_leaves_the_field_out() {
    let ca = tenant_ca(KeyType::P256);
    let mut asked = request(&ca, Vec::new());
    (asked.idp_url, asked.only_user_certs) = (None, false);
    let der = asked.lint().unwrap().sign(&ca.key).unwrap();
    let crl = Crl::parse(&der).unwrap();
    assert!(crl.entries().is_empty() && crl.distribution_point().is_none());
    let said = openssl(&["crl", "-inform", "der", "-noout", "-text"], &[("-in", &Files::new().write("list", &der))]);
    assert!(said.contains("No Revoked Certificates"), "{said}");
}

#[test]
fn a_list_that_breaks_a_rule_is_not_signed() {
    let ca = tenant_ca(KeyType::P256);
    let rule = |asked: CrlRequest<'_, Vec<CrlEntry>>| match asked.lint() {
        Err(PkiError::CrlRule { rule, .. }) => rule,
        other => panic!("{other:?}"),
    };
    for serial in [&[0][..], &[0x80], &[0, 1], &[1; 21]] {
        assert_eq!(rule(request(&ca, vec![entry(serial, None)])), "crl.serial", "{serial:?}");
    }
    assert!(request(&ca, vec![entry(&[], None)]).lint().is_err());
    assert_eq!(rule(request(&ca, vec![entry(&[5], None), entry(&[6], None), entry(&[5], None)])), "crl.duplicate");
    assert_eq!(rule(CrlRequest { next_update: NOW, ..request(&ca, Vec::new()) }), "crl.dates");
    for address in ["", "no address", "http://a b/"] {
        assert_eq!(rule(CrlRequest { idp_url: Some(address), ..request(&ca, Vec::new()) }), "crl.address", "{address}");
    }
}

#[test]
fn another_key_cannot_sign_the_list() {
    let ca = tenant_ca(KeyType::P256);
    let linted = request(&ca, Vec::new()).lint().unwrap();
    let other = SigningKey::generate(KeyType::P256, &SystemEntropy).unwrap();
    assert!(matches!(linted.sign(&other), Err(PkiError::KeyMismatch { .. })));
}

#[test]
fn numbers_of_each_size_are_positive_integers() {
    let ca = tenant_ca(KeyType::P256);
    for number in [0, 1, 127, 128, 255, 256, u64::from(u32::MAX), u64::MAX] {
        let der = CrlRequest { number, ..request(&ca, Vec::new()) }.lint().unwrap().sign(&ca.key).unwrap();
        assert_eq!(Crl::parse(&der).unwrap().number().unwrap().decimal(), number.to_string());
    }
}

#[test]
fn the_time_of_an_entry_is_told_in_its_form_before_and_after_2050() {
    let ca = tenant_ca(KeyType::P256);
    let late: signet_model::Timestamp = "2050-01-01T00:00:00Z".parse().unwrap();
    let der = request(&ca, vec![CrlEntry { at: late, ..entry(&[1], None) }, entry(&[2], None)]).lint().unwrap().sign(&ca.key).unwrap();
    let crl = Crl::parse(&der).unwrap();
    assert_eq!((crl.entries()[0].at, crl.entries()[1].at), (late, NOW));
}

#[test]
fn lists_of_openssl_are_read_also_those_that_must_not_be_relied_on() {
    let ca = tenant_ca(KeyType::P256);
    let files = Files::new();
    let key = files.write("ca.key", signet_pki::pem::write_private_key(&ca.key.to_pkcs8()).expose());
    let certificate = files.write("ca.pem", ca.certificate.to_pem());
    files.write(
        "index.txt",
        "R\t270101000000Z\t260101000000Z,keyCompromise\t0A\tunknown\t/CN=x\nR\t270101000000Z\t260102000000Z\t0B\tunknown\t/CN=y\n",
    );
    files.write("number", "7F\n");
    let configuration = |extensions: &str| {
        format!(
            "[ca]\ndefault_ca=d\n[d]\ndatabase={}\ncrlnumber={}\ndefault_md=sha256\ndefault_crl_days=30\ncrl_extensions=e\n[e]\nauthorityKeyIdentifier=keyid\n{extensions}\n",
            files.path("index.txt").display(),
            files.path("number").display()
        )
    };
    for (extensions, not_understood) in [
        ("", &[][..]),
        ("1.2.3.4=critical,DER:0500", &["1.2.3.4"]),
        ("2.5.29.27=critical,DER:020101", &["deltaCRLIndicator"]),
        ("issuingDistributionPoint=critical,@p\n[p]\nindirectCRL=TRUE\n", &["issuingDistributionPoint"]),
        ("issuingDistributionPoint=critical,@p\n[p]\nonlysomereasons=keyCompromise\n", &["issuingDistributionPoint"]),
    ] {
        let conf = files.write("ca.conf", configuration(extensions));
        let list = files.path("list.pem");
        openssl(&["ca", "-gencrl"], &[("-config", &conf), ("-keyfile", &key), ("-cert", &certificate), ("-out", &list)]);
        let der = files.path("list.der");
        openssl(&["crl", "-outform", "der"], &[("-in", &list), ("-out", &der)]);
        let der = std::fs::read(der).unwrap();
        let crl = Crl::parse(&der).unwrap();
        crl.verify(&ca.certificate).unwrap();
        assert_eq!(crl.not_understood(), not_understood, "{extensions}");
        assert_eq!(crl.entry(&[10]).unwrap().reason(), Some(RevocationReason::KeyCompromise));
        assert_eq!(crl.entry(&[11]).unwrap().reason(), None);
    }
}

#[test]
fn what_is_no_list_is_refused() {
    let ca = tenant_ca(KeyType::P256);
    for bytes in [&b""[..], b"\x30\x00", ca.certificate.der()] {
        assert!(matches!(Crl::parse(bytes), Err(PkiError::Malformed { .. })));
    }
    let error = Crl::parse(&vec![0x30; LONGEST_CRL + 1]).unwrap_err();
    assert!(error.to_string().contains("longer"), "{error}");
}
