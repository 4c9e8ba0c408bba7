//! What `cert show` says of the files of people (field cases A05, A06, A12, A17).

use std::path::Path;

use rustls_pki_types::CertificateDer;
use signet_crypto::sign::KeyType;
use signet_pki::{
    CertificateFacts, CertificateShown, CrlEntry, CrlRequest, PkiError, Profile, RequestShown, RevocationReason, Shown, SignatureShown,
    SubjectName, inspect, pem, pkcs7_certs_only,
};

use crate::house::{Authority, NOW};
use crate::openssl::{Files, openssl};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

fn one(bytes: &[u8]) -> Shown {
    let mut objects = inspect(bytes).unwrap().objects;
    assert_eq!(objects.len(), 1);
    objects.remove(0)
}

fn certificate(bytes: &[u8]) -> CertificateShown {
    match one(bytes) {
        Shown::Certificate(shown) => *shown,
        other => panic!("{other:?}"),
    }
}

fn request(bytes: &[u8]) -> RequestShown {
    match one(bytes) {
        Shown::CertificateRequest(shown) => *shown,
        other => panic!("{other:?}"),
    }
}

fn device() -> (Authority, CertificateDer<'static>) {
    let ca = Authority::root("Platform", KeyType::P256).below("acme", Profile::TenantCa, KeyType::P256);
    let leaf = ca.leaf_with("dev-1", Profile::Device, |request| {
        request.names = vec![SubjectName::uri("urn:signet:acme:device:dev-1").unwrap()];
        request.ocsp_url = Some("http://127.0.0.1:7480/ocsp".to_owned());
        request.ca_issuers_url = Some("http://127.0.0.1:7480/ca/acme/1.cer".to_owned());
    });
    (ca, leaf.der)
}

#[test]
fn a_certificate_is_shown_as_openssl_shows_it() {
    let (ca, leaf) = device();
    let shown = certificate(&leaf);
    assert_eq!((shown.version, shown.subject.as_str(), shown.issuer.as_str()), (3, "CN=dev-1", "CN=acme"));
    assert_eq!((shown.not_before.as_str(), shown.not_after.as_str()), ("2025-12-31T23:00:00Z", "2026-04-01T00:00:00Z"));
    assert_eq!((shown.key.kind.as_deref(), shown.signature_algorithm.as_str()), (Some("p256"), "ECDSA with SHA-256"));
    assert_eq!((shown.key_usage.as_slice(), shown.purposes.as_slice()), (&["digitalSignature"][..], &["clientAuth".to_owned()][..]));
    assert_eq!(shown.names[0].value, "urn:signet:acme:device:dev-1");
    assert_eq!(shown.crl_urls, ["http://127.0.0.1:7480/crl/acme/1/1.crl"]);
    assert_eq!(shown.ocsp_urls, ["http://127.0.0.1:7480/ocsp"]);
    assert_eq!(shown.ca_issuers_urls, ["http://127.0.0.1:7480/ca/acme/1.cer"]);
    assert_eq!(shown.authority_key_identifier, Some(ca.facts.key_identifier().iter().map(|b| format!("{b:02x}")).collect()));
    assert_eq!(shown.faults, [""; 0]);
    let files = Files::new();
    let path = files.write("leaf.der", &leaf);
    let said = openssl(&["x509", "-inform", "der", "-noout", "-serial", "-fingerprint", "-sha256"], &[("-in", &path)]);
    assert!(said.to_lowercase().contains(&format!("serial={}", shown.serial_hex)), "{said}");
    assert!(said.replace(':', "").to_lowercase().contains(&shown.sha256), "{said}");
    assert_eq!(shown.serial_colon.unwrap().replace(':', ""), shown.serial_hex);
    let public = files.path("public.der");
    let key = files.path("public.pem");
    openssl(&["x509", "-inform", "der", "-noout", "-pubkey"], &[("-in", &path), ("-out", &key)]);
    openssl(&["pkey", "-pubin", "-outform", "der"], &[("-in", &key), ("-out", &public)]);
    assert_eq!(openssl(&["dgst", "-sha256", "-r"], &[("", &public)])[..64], shown.key.sha256);
    let authority = certificate(ca.certificate.der());
    assert_eq!(authority.basic_constraints.map(|c| (c.ca, c.path_len)), Some((true, Some(0))));
    assert_eq!(authority.key_usage, ["keyCertSign", "cRLSign"]);
}

#[test]
fn a_file_with_several_objects_from_windows_is_explained_in_its_order() {
    let (ca, leaf) = device();
    let key = std::str::from_utf8(pem::write_private_key(&ca.key.to_pkcs8()).expose()).unwrap().to_owned();
    let csr = String::from_utf8(data("csr/pem-one-line.pem")).unwrap();
    let text = format!("Bag Attributes\n{}{key}some words\n{csr}\n{}", pem::write_certificate(&leaf), ca.certificate.to_pem());
    let text = format!("\u{feff}{}", text.trim_end().replace('\n', "\r\n"));
    let inspection = inspect(text.as_bytes()).unwrap();
    let kinds: Vec<String> =
        inspection.objects.iter().map(|object| serde_json::to_value(object).unwrap()["kind"].as_str().unwrap().to_owned()).collect();
    assert_eq!(kinds, ["certificate", "private-key", "certificate-request", "certificate"]);
    let secret = key.lines().nth(1).unwrap();
    assert!(!serde_json::to_string(&inspection).unwrap().contains(secret), "a private key is shown");
    let public = signet_crypto::sha256(ca.certificate.spki()).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(inspection.objects[1], Shown::PrivateKey { encrypted: false, public_sha256: Some(public) });
}

#[test]
fn requests_are_shown_with_names_of_attributes_only() {
    for name in ["pem-new-crlf.pem", "pem-bom.pem", "pem-no-final-newline.pem", "pem-one-line.pem"] {
        let shown = request(&data(&format!("csr/{name}")));
        assert_eq!((shown.subject.as_str(), shown.signature, shown.refused), ("CN=dev-plain", SignatureShown::Valid, None));
        assert_eq!(shown.names[0].value, "dev-plain.example");
    }
    let windows = request(&data("csr/windows-certreq.pem"));
    assert_eq!((windows.subject.as_str(), windows.refused), ("CN=pump-7,O=Acme,C=DE", None));
    assert_eq!(windows.attributes, ["Microsoft OS version", "Microsoft client information", "Microsoft enrolment provider"]);
    let extensions: Vec<&str> = windows.extensions.iter().map(|extension| extension.name.as_str()).collect();
    assert_eq!(extensions, ["keyUsage", "extendedKeyUsage", "Microsoft application policies", "subjectKeyIdentifier"]);
    let secret = data("csr/challenge-password-bmp.der");
    let shown = request(&secret);
    assert_eq!(shown.attributes, ["challengePassword", "unstructuredName"]);
    let said = format!("{} {shown:?}", serde_json::to_string(&shown).unwrap());
    assert!(!said.contains("canary") && !said.contains("c\\u0000a"), "{said}");
    assert!(secret.windows(4).any(|window| window == b"\0c\0a"), "the file holds the secret");
}

#[test]
fn a_request_that_is_refused_is_still_explained() {
    let explicit = request(&data("csr/ec-explicit-parameters.der"));
    assert_eq!((explicit.refused, explicit.signature), (Some("key.unsupported"), SignatureShown::NotVerified));
    assert!(explicit.key.kind.is_none() && explicit.key.fault.as_ref().unwrap().contains("explicit"), "{explicit:?}");
    let compressed = request(&data("csr/ec-compressed-point.der"));
    assert_eq!((compressed.refused, compressed.signature), (None, SignatureShown::Valid));
    assert_eq!(compressed.key.kind.as_deref(), Some("p256"));
    let mut forged = data("csr/ec-compressed-point.der");
    *forged.last_mut().unwrap() ^= 1;
    let forged = request(&forged);
    assert_eq!((forged.refused, forged.signature), (Some("csr.bad-signature"), SignatureShown::Invalid));
}

#[test]
fn dates_that_are_none_are_explained_and_imports_refuse_them_by_name() {
    for (name, text, said) in [
        ("time-with-fraction", ".", "it has a fraction of a second"),
        ("time-without-seconds", "Z", "it has no seconds"),
        ("time-with-offset", "+0100", "it has an offset from UTC instead of Z"),
    ] {
        let der = data(&format!("cert/{name}.der"));
        let shown = certificate(&der);
        assert!(format!("{} {}", shown.not_before, shown.not_after).contains(text), "{shown:?}");
        assert!(shown.faults.iter().any(|fault| fault.contains(said)), "{shown:?}");
        assert_eq!(shown.issuer, "CN=Field Root");
        let error = CertificateFacts::read(&der).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
        assert_eq!(error.reason().code, "certificate.malformed");
    }
    let sha1 = certificate(&data("cert/signed-with-sha1.pem"));
    assert!(sha1.faults.iter().any(|fault| fault.contains("SHA-1")), "{sha1:?}");
}

#[test]
fn the_year_9999_is_shown_as_it_is() {
    let files = Files::new();
    let key = files.path("key");
    let out = files.path("out.pem");
    openssl(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"], &[("-out", &key)]);
    let database = files.write("index.txt", "");
    let conf = files.write("conf", format!("[ca]\ndefault_ca=d\n[d]\ndatabase={}\nserial={}\nnew_certs_dir={}\ndefault_md=sha256\npolicy=p\nrand_serial=yes\n[p]\ncommonName=supplied\n[req]\ndistinguished_name=n\n[n]\n", database.display(), files.path("serial").display(), files.path("").display()));
    let csr = files.path("csr");
    openssl(&["req", "-new", "-subj", "/CN=forever"], &[("-config", &conf), ("-key", &key), ("-out", &csr)]);
    let arguments = ["ca", "-batch", "-selfsign", "-notext", "-startdate", "20260101000000Z", "-enddate", "99991231235959Z"];
    openssl(&arguments, &[("-config", &conf), ("-keyfile", &key), ("-in", &csr), ("-out", &out)]);
    let shown = certificate(&std::fs::read(out).unwrap());
    assert_eq!((shown.not_after.as_str(), shown.faults.as_slice()), ("9999-12-31T23:59:59Z", &[][..]));
}

#[test]
fn lists_and_pkcs7_are_told_apart_in_der_pem_and_bare_base64() {
    use base64::Engine as _;
    let (ca, leaf) = device();
    let entries = [CrlEntry { serial: vec![10], at: NOW, reason: Some(RevocationReason::CertificateHold) }];
    let list = CrlRequest {
        issuer: &ca.facts,
        number: 5,
        this_update: NOW,
        next_update: NOW.plus(std::time::Duration::from_secs(60)),
        idp_url: Some("http://127.0.0.1/x.crl"),
        only_user_certs: true,
        entries,
    };
    let list = list.lint().unwrap().sign(&ca.key).unwrap();
    let bundle = pkcs7_certs_only(&[leaf.clone(), ca.certificate.der().clone()]);
    let files = Files::new();
    for (der, what, converted) in [(&list, "X509 CRL", "crl"), (&bundle, "PKCS7", "pkcs7")] {
        let path = files.path("converted");
        openssl(&[converted, "-inform", "der"], &[("-in", &files.write("der", der)), ("-out", &path)]);
        let text = std::fs::read(&path).unwrap();
        assert!(String::from_utf8_lossy(&text).contains(what));
        let bare = base64::engine::general_purpose::STANDARD.encode(der);
        assert_eq!(one(der), one(&text), "{what}");
        assert_eq!(one(der), one(bare.as_bytes()), "{what}");
    }
    let Shown::RevocationList(shown) = one(&list) else { panic!("no list") };
    assert_eq!((shown.issuer.as_str(), shown.number.as_deref(), shown.revoked), ("CN=acme", Some("5"), 1));
    assert_eq!(shown.entries[0].reason.as_deref(), Some("certificateHold"));
    assert_eq!(shown.distribution_point.as_ref().unwrap().only, Some("user"));
    let Shown::Pkcs7 { certificates, signers } = one(&bundle) else { panic!("no PKCS#7") };
    assert_eq!((certificates.len(), signers), (2, 0));
    let printed = openssl(&["pkcs7", "-inform", "der", "-print_certs", "-noout"], &[("-in", &files.write("p7b", &bundle))]);
    assert!(printed.contains("subject=CN = dev-1") && printed.contains("subject=CN = acme"), "{printed}");
}

#[test]
fn what_is_nothing_of_this_is_refused_in_words() {
    for (bytes, said) in [(&b""[..], "neither"), (b"hello", "neither"), (b"\x30\x82\xff\xff", "too soon"), (b"\xff\xfe-\0", "UTF-16")] {
        let error = inspect(bytes).unwrap_err();
        assert!(error.to_string().contains(said), "{error}");
    }
    let text =
        "-----BEGIN DH PARAMETERS-----\nMAA=\n-----END DH PARAMETERS-----\n-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----";
    let objects = inspect(text.as_bytes()).unwrap().objects;
    assert!(objects.iter().all(|object| matches!(object, Shown::Other { .. })), "{objects:?}");
    assert!(matches!(CertificateFacts::read(&vec![0x30; 65 * 1024]), Err(PkiError::Malformed { .. })));
}

#[test]
fn facts_of_a_certificate_are_those_it_was_made_with() {
    let (ca, leaf) = device();
    let facts = CertificateFacts::read(&leaf).unwrap();
    assert_eq!((facts.version, facts.issuer_name.as_str(), facts.is_ca), (3, "CN=acme", false));
    assert_eq!(facts.authority_key_identifier.as_deref(), Some(ca.facts.key_identifier()));
    assert_eq!(facts.spki_sha256, facts.key.as_ref().unwrap().spki_sha256());
    assert_eq!(facts.fingerprint, signet_crypto::sha256(&leaf));
    assert_eq!(facts.crl_urls, ["http://127.0.0.1:7480/crl/acme/1/1.crl"]);
    let facts = CertificateFacts::read(ca.certificate.der()).unwrap();
    assert_eq!((facts.is_ca, facts.path_len), (true, Some(0)));
    assert_eq!(facts.subject_key_identifier.as_deref(), Some(ca.facts.key_identifier()));
}
