//! Field case A11: the key and certificate files that people have, and the message for those that cannot work.

use std::path::Path;

use signet_crypto::sign::Signer as _;
use signet_pki::{CaCertificate, KeyForm, PkiError, pem};

use crate::openssl::{Files, openssl};

fn data(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)).unwrap()
}

/// The text as Windows tools write it: byte order mark, CRLF.
fn from_windows(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8(text.to_vec()).unwrap().replace("\r\n", "\n").replace('\n', "\r\n");
    [&b"\xef\xbb\xbf"[..], text.as_bytes()].concat()
}

#[test]
fn pairs_of_each_form_load_and_belong_together() {
    for (name, form) in [("ec-parameters", KeyForm::Sec1), ("pkcs1", KeyForm::Pkcs1), ("pathlen0", KeyForm::Pkcs8)] {
        let (certificate, key) = (data(&format!("{name}.crt")), data(&format!("{name}.key")));
        for (certificate, key) in [(certificate.clone(), key.clone()), (from_windows(&certificate), from_windows(&key))] {
            let key = pem::private_key(&key).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert_eq!(key.form(), form, "{name}");
            let certificate = pem::certificates(&certificate).unwrap();
            key.check_pair(&certificate[0]).unwrap_or_else(|e| panic!("{name}: {e}"));
            CaCertificate::from_der(certificate[0].clone()).unwrap_or_else(|e| panic!("{name}: {e}"));
            assert!(!key.to_rustls().secret_der().is_empty());
        }
    }
}

#[test]
fn an_ec_key_of_openssl_becomes_a_signer() {
    let key = pem::private_key(&data("ec-parameters.key")).unwrap().to_p256().unwrap();
    CaCertificate::from_pem(&data("ec-parameters.crt")).unwrap().check_signer(&key).unwrap();
    assert_eq!(key.public_key_spki_der().len(), 91);
    let rsa = pem::private_key(&data("pkcs1.key")).unwrap().to_p256();
    assert!(matches!(rsa, Err(PkiError::UnsupportedKey(_))));
}

#[test]
fn a_wrong_pair_is_refused_with_both_fingerprints() {
    let certificate = pem::certificates(&data("ec-parameters.crt")).unwrap().remove(0);
    let error = pem::private_key(&data("wrong-pair.key")).unwrap().check_pair(&certificate).unwrap_err();
    let files = Files::new();
    let key = files.write("key", data("wrong-pair.key"));
    let public = files.path("public.der");
    openssl(&["pkey", "-pubout", "-outform", "der"], &[("-in", &key), ("-out", &public)]);
    let wanted = openssl(&["dgst", "-sha256", "-r"], &[("", &public)]);
    let PkiError::KeyMismatch { certificate, key } = &error else { panic!("{error}") };
    assert_eq!(*key, wanted[..64]);
    assert_ne!(certificate, key);
    assert!(error.to_string().contains(certificate) && error.to_string().contains(key), "{error}");
    assert_eq!(error.reason().code, "certificate.key-mismatch");
}

#[test]
fn encrypted_keys_are_named_in_both_forms() {
    let files = Files::new();
    let plain = files.write("key", data("pathlen0.key"));
    let (new, old) = (files.path("new"), files.path("old"));
    openssl(&["pkcs8", "-topk8", "-passout", "pass:x"], &[("-in", &plain), ("-out", &new)]);
    openssl(&["pkey", "-aes128", "-traditional", "-passout", "pass:x"], &[("-in", &plain), ("-out", &old)]);
    for path in [new, old] {
        let text = std::fs::read(path).unwrap();
        for text in [text.clone(), from_windows(&text)] {
            let error = pem::private_key(&text).unwrap_err();
            assert!(matches!(error, PkiError::EncryptedKey(_)), "{error}");
            assert_eq!(error.reason().code, "private-key.encrypted");
        }
    }
}

#[test]
fn keys_that_openssl_makes_load_whatever_the_kind() {
    let files = Files::new();
    for (n, arguments) in [
        &["genpkey", "-algorithm", "ed25519"][..],
        &["genpkey", "-algorithm", "rsa", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["ecparam", "-genkey", "-name", "secp384r1"],
        &["ecparam", "-genkey", "-name", "secp521r1"],
        &["ecparam", "-genkey", "-name", "prime256v1"],
    ]
    .iter()
    .enumerate()
    {
        let (key, certificate) = (files.path(&format!("{n}.key")), files.path(&format!("{n}.crt")));
        openssl(arguments, &[("-out", &key)]);
        openssl(&["req", "-x509", "-new", "-subj", "/CN=x"], &[("-key", &key), ("-out", &certificate)]);
        let certificate = pem::certificates(&std::fs::read(certificate).unwrap()).unwrap().remove(0);
        pem::private_key(&std::fs::read(key).unwrap()).unwrap().check_pair(&certificate).unwrap_or_else(|e| panic!("{arguments:?}: {e}"));
    }
}

#[test]
fn a_weak_or_foreign_key_is_named() {
    let files = Files::new();
    for (n, arguments) in
        [&["genrsa", "1024"][..], &["ecparam", "-genkey", "-name", "secp256k1"], &["genpkey", "-algorithm", "x25519"]].iter().enumerate()
    {
        let path = files.path(&n.to_string());
        if arguments[0] == "genrsa" {
            openssl(&["genrsa"], &[("-out", &path), ("", Path::new("1024"))]);
        } else {
            openssl(arguments, &[("-out", &path)]);
        }
        let error = pem::private_key(&std::fs::read(path).unwrap()).unwrap().public_key_spki().unwrap_err();
        assert_eq!(error.reason().code, "private-key.unsupported", "{arguments:?}");
    }
}

#[test]
fn what_a_file_lacks_is_said_with_what_it_holds() {
    let code = |error: PkiError| (error.reason().code, error.to_string());
    let (reason, said) = code(pem::private_key(&data("pkcs1.crt")).unwrap_err());
    assert_eq!(reason, "private-key.missing");
    assert!(said.contains("it holds CERTIFICATE"), "{said}");
    let (reason, said) = code(pem::certificates(&data("ec-parameters.key")).unwrap_err());
    assert_eq!(reason, "certificate.missing");
    assert!(said.contains("EC PARAMETERS, EC PRIVATE KEY"), "{said}");
    let der = pem::certificates(&data("pkcs1.crt")).unwrap().remove(0);
    let (reason, said) = code(pem::certificates(&der).unwrap_err());
    assert_eq!(reason, "certificate.missing");
    assert!(said.contains("looks like DER"), "{said}");
    assert_eq!(code(pem::certificates(b"").unwrap_err()).0, "certificate.missing");
}

#[test]
fn utf16_is_named() {
    let text = String::from_utf8(data("pathlen0.crt")).unwrap();
    let little: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let big: Vec<u8> = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
    for (bytes, name) in [(little, "little"), (big, "big")] {
        let error = pem::certificates(&bytes).unwrap_err();
        assert!(error.to_string().contains(name), "{error}");
        assert_eq!(error.reason().code, "text.not-utf8");
    }
}

#[test]
fn several_blocks_and_text_around_them_are_read() {
    let crt = String::from_utf8(data("pathlen0.crt")).unwrap();
    let key = String::from_utf8(data("pathlen0.key")).unwrap();
    let one_line = crt.replace("\r\n", "\n").replace('\n', "").replace("CERTIFICATE-----M", "CERTIFICATE----- M");
    let bundle = format!("Bag Attributes\n    friendlyName: caf\u{e9}\n{crt}\n\n{key}trailing\n{one_line}");
    assert_eq!(pem::certificates(bundle.as_bytes()).unwrap().len(), 2);
    assert_eq!(pem::private_key(bundle.as_bytes()).unwrap().form(), KeyForm::Pkcs8);
}

#[test]
fn damaged_blocks_are_refused() {
    let crt = String::from_utf8(data("pathlen0.crt")).unwrap();
    for text in [
        crt.replace("-----END", "-----EN"),
        crt.replacen("MII", "M!I", 1),
        "-----BEGIN CERTIFICATE".to_owned(),
        "-----BEGIN CERTIFICATE----------END CERTIFICATE-----".repeat(257),
        "x".repeat(pem::LONGEST_TEXT + 1),
    ] {
        let error = pem::certificates(text.as_bytes()).unwrap_err();
        assert_eq!(error.reason().code, "certificate.malformed", "{error}");
    }
}
