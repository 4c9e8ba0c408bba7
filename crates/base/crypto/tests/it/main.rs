//! Keys and signatures with the real `openssl` as the other side.

mod wycheproof;

use std::path::Path;
use std::process::Command;

use signet_crypto::sign::{Ed25519Key, Ed25519Public, P256Key, Signer, public_key_of};
use signet_crypto::{Secret, SystemEntropy};

/// Runs `openssl` in `directory` and returns its output, failing the test when it fails.
fn openssl(directory: &Path, arguments: &str) -> String {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(directory)
        .output()
        .unwrap_or_else(|e| panic!("openssl does not run ({e}): apt-get install openssl"));
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "openssl {arguments}: {said}");
    said
}

#[test]
fn openssl_verifies_what_our_keys_sign() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("message"), "a message").unwrap();
    let ed25519 = Ed25519Key::generate(&SystemEntropy).unwrap();
    std::fs::write(at("ed.pub"), ed25519.public().to_pem()).unwrap();
    std::fs::write(at("ed.sig"), ed25519.sign(b"a message").unwrap()).unwrap();
    openssl(directory.path(), "pkeyutl -verify -rawin -pubin -inkey ed.pub -in message -sigfile ed.sig");
    let p256 = P256Key::generate(&SystemEntropy).unwrap();
    std::fs::write(at("ec.pub"), p256.public_key_spki_der()).unwrap();
    std::fs::write(at("ec.sig"), p256.sign(b"a message").unwrap()).unwrap();
    openssl(directory.path(), "pkey -pubin -inform der -in ec.pub -out ec.pem");
    openssl(directory.path(), "dgst -sha256 -verify ec.pem -signature ec.sig message");
}

#[test]
fn keys_of_openssl_are_read_and_its_signatures_verify() {
    let directory = tempfile::tempdir().unwrap();
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();
    std::fs::write(directory.path().join("message"), "a message").unwrap();
    openssl(directory.path(), "genpkey -algorithm ed25519 -outform der -out ed.key");
    openssl(directory.path(), "pkey -inform der -in ed.key -pubout -out ed.pub");
    openssl(directory.path(), "pkeyutl -sign -rawin -keyform der -inkey ed.key -in message -out ed.sig");
    let key = Ed25519Key::from_pkcs8(&Secret::from(read("ed.key"))).unwrap();
    let public = Ed25519Public::from_pem(std::str::from_utf8(&read("ed.pub")).unwrap()).unwrap();
    assert_eq!(key.public(), public);
    assert!(public.verify(b"a message", &read("ed.sig")) && !public.verify(b"another", &read("ed.sig")));
    assert_eq!(key.to_pkcs8().expose(), read("ed.key"), "the same bytes, so either side reads the other's files");

    openssl(directory.path(), "ecparam -genkey -noout -name prime256v1 -outform der -out ec.sec1");
    openssl(directory.path(), "pkcs8 -topk8 -nocrypt -inform der -in ec.sec1 -outform der -out ec.pkcs8");
    openssl(directory.path(), "ec -inform der -in ec.sec1 -pubout -outform der -out ec.pub");
    for key in [P256Key::from_der(&Secret::from(read("ec.sec1"))).unwrap(), P256Key::from_pkcs8(&Secret::from(read("ec.pkcs8"))).unwrap()] {
        assert_eq!(key.public_key_spki_der(), read("ec.pub"));
    }
}

#[test]
fn openssl_reads_our_private_keys() {
    let directory = tempfile::tempdir().unwrap();
    let ed25519 = Ed25519Key::generate(&SystemEntropy).unwrap();
    let p256 = P256Key::generate(&SystemEntropy).unwrap();
    for (pkcs8, spki) in [(ed25519.to_pkcs8(), ed25519.public_key_spki_der()), (p256.to_pkcs8(), p256.public_key_spki_der())] {
        std::fs::write(directory.path().join("key"), pkcs8.expose()).unwrap();
        openssl(directory.path(), "pkey -inform der -in key -check -noout");
        openssl(directory.path(), "pkey -inform der -in key -pubout -outform der -out public");
        assert_eq!(std::fs::read(directory.path().join("public")).unwrap(), spki);
        assert_eq!(public_key_of(&pkcs8).unwrap(), spki);
    }
}
