//! Lints over certificates of others: the files of field cases A17 and A21, and what OpenSSL makes of unusual wishes.

use std::path::Path;

use signet_pki::{LintContext, lint_certificate, pem};

use crate::openssl::{Files, openssl};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/cert").join(name)).unwrap()
}

fn rules(der: &[u8]) -> Vec<&'static str> {
    lint_certificate(der, &LintContext::default()).into_iter().map(|finding| finding.rule).collect()
}

#[test]
fn each_wrong_date_is_told_by_its_own_name() {
    for (name, rule) in [
        ("time-with-fraction.der", "validity.fraction"),
        ("time-without-seconds.der", "validity.no-seconds"),
        ("time-with-offset.der", "validity.offset"),
    ] {
        let found = rules(&data(name));
        assert!(found.contains(&rule), "{name}: {found:?}");
        let others: Vec<_> = found.iter().filter(|other| other.starts_with("validity.") && **other != rule).collect();
        assert!(others.is_empty(), "{name}: {others:?}");
    }
}

#[test]
fn a_signature_of_sha_1_is_told() {
    let der = pem::certificates(&data("signed-with-sha1.pem")).unwrap().remove(0);
    assert!(rules(&der).contains(&"signature.weak"), "{:?}", rules(&der));
}

#[test]
fn unusual_certificates_of_openssl_are_told() {
    let files = Files::new();
    let p256: &[&str] = &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
    for (n, (key, more, wanted)) in [
        (p256, &["-addext", "keyUsage=digitalSignature"][..], &["key-usage.authority-without-cert-sign"][..]),
        (&["-newkey", "rsa:1024"], &["-addext", "keyUsage=critical,keyCertSign,cRLSign"], &["key.rsa-too-short"]),
        (
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:secp256k1"],
            &["-addext", "keyUsage=critical,keyCertSign,cRLSign"],
            &["key.curve"],
        ),
        (
            p256,
            &["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "subjectAltName=DNS:*.example,IP:::ffff:10.0.0.1"],
            &["alternative-names.wildcard", "alternative-names.mapped-address"],
        ),
        (
            p256,
            &["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "extendedKeyUsage=anyExtendedKeyUsage"],
            &["extended-key-usage.any"],
        ),
        (
            p256,
            &["-addext", "keyUsage=critical,keyCertSign,cRLSign", "-addext", "crlDistributionPoints=URI:https://x.example/1.crl"],
            &["crl-pointer.address"],
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let (key_file, certificate) = (files.path(&format!("{n}.key")), files.path(&format!("{n}.crt")));
        let arguments = [&["req", "-x509", "-nodes", "-days", "30", "-subj", "/CN=x"], key, more].concat();
        openssl(&arguments, &[("-keyout", &key_file), ("-out", &certificate)]);
        let der = pem::certificates(&std::fs::read(certificate).unwrap()).unwrap().remove(0);
        let found = rules(&der);
        for rule in wanted {
            assert!(found.contains(rule), "{arguments:?}: {found:?}");
        }
    }
}
