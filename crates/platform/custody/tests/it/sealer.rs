//! The key-file sealer: its file, and telling a wrong key from damage.

use std::os::unix::fs::symlink;

use proptest::prelude::*;
use signet_crypto::{SealError, Sealer as _, SystemEntropy};
use signet_custody::{KEY_FILE_LEN, KeyFileSealer};
use signet_model::Refusal;

use crate::{mkfifo, mode, set_mode};

fn sealer() -> KeyFileSealer {
    let directory = tempfile::tempdir().unwrap();
    KeyFileSealer::open_or_create(&directory.path().join("seal.key"), &SystemEntropy).unwrap()
}

#[test]
fn the_key_is_made_once_and_found_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    assert_eq!(KeyFileSealer::open(&path).unwrap_err().reason().code, "secret-file.missing");
    let first = KeyFileSealer::open_or_create(&path, &SystemEntropy).unwrap();
    assert_eq!((mode(&path), std::fs::metadata(&path).unwrap().len()), (0o600, 32));
    let sealed = first.seal("ledger-key:log", b"secret").unwrap();
    for again in [KeyFileSealer::open_or_create(&path, &SystemEntropy).unwrap(), KeyFileSealer::open(&path).unwrap()] {
        assert_eq!(again.fingerprint(), first.fingerprint());
        assert_eq!(again.open("ledger-key:log", &sealed).unwrap().expose(), b"secret");
    }
}

#[test]
fn processes_that_start_together_have_one_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    let fingerprints: Vec<String> = std::thread::scope(|scope| {
        let start = || KeyFileSealer::open_or_create(&path, &SystemEntropy).unwrap().fingerprint();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(fingerprints.iter().all(|one| *one == fingerprints[0]), "{fingerprints:?}");
}

#[test]
fn a_key_file_that_cannot_be_trusted_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::write(at("wide"), [7; KEY_FILE_LEN]).unwrap();
    set_mode(&at("wide"), 0o644);
    std::fs::write(at("target"), [7; KEY_FILE_LEN]).unwrap();
    set_mode(&at("target"), 0o600);
    symlink("target", at("link")).unwrap();
    symlink("nowhere", at("dangling")).unwrap();
    mkfifo(&at("fifo"));
    std::fs::create_dir(at("directory")).unwrap();
    for (name, reason) in [
        ("wide", "secret-file.too-wide"),
        ("link", "secret-file.invalid"),
        ("dangling", "secret-file.invalid"),
        ("fifo", "secret-file.invalid"),
        ("directory", "secret-file.invalid"),
    ] {
        let refusal = Refusal::from(KeyFileSealer::open_or_create(&at(name), &SystemEntropy).unwrap_err());
        assert_eq!(refusal.reason.code, reason, "{name}: {refusal}");
        assert!(refusal.detail.contains(name), "{refusal}");
    }
    assert_eq!(mode(&at("wide")), 0o644);
    assert!(!at("nowhere").exists());
}

#[test]
fn a_file_of_another_length_or_of_zeros_is_no_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    for (bytes, said) in [(vec![], "0 bytes"), (vec![7; 31], "31 bytes"), (vec![7; 33], "33 bytes"), (vec![0; KEY_FILE_LEN], "zero")] {
        std::fs::write(&path, bytes).unwrap();
        set_mode(&path, 0o600);
        let error = KeyFileSealer::open_or_create(&path, &SystemEntropy).unwrap_err();
        assert_eq!(error.reason().code, "seal.key-unusable");
        assert!(error.to_string().contains(said), "{error}");
    }
}

#[test]
fn another_key_is_told_from_damage() {
    let (sealer, other) = (sealer(), sealer());
    let sealed = sealer.seal("ledger-key:log", b"secret").unwrap();
    let error = other.open("ledger-key:log", &sealed).unwrap_err();
    assert_eq!(
        error,
        SealError::WrongKey { purpose: "ledger-key:log".to_owned(), sealed_with: sealer.fingerprint(), present: other.fingerprint() }
    );
    assert_eq!(error.reason().code, "seal.wrong-key");
    for bit in 0..sealed.len() * 8 {
        let mut altered = sealed.clone();
        altered[bit / 8] ^= 1 << (bit % 8);
        let error = sealer.open("ledger-key:log", &altered).unwrap_err();
        assert_eq!(error.reason().code, "seal.damaged", "bit {bit}: {error}");
    }
    for length in 0..sealed.len() {
        assert_eq!(sealer.open("ledger-key:log", &sealed[..length]).unwrap_err().reason().code, "seal.damaged", "cut at {length}");
    }
}

#[test]
fn a_secret_opens_for_its_own_purpose_only() {
    let sealer = sealer();
    let sealed = sealer.seal("ledger-key:log", b"secret").unwrap();
    for purpose in ["ledger-key:feed", "ledger-key:lo", "ledger-key:log ", ""] {
        assert_eq!(sealer.open(purpose, &sealed).unwrap_err().reason().code, "seal.damaged", "{purpose}");
    }
}

#[test]
fn nothing_shows_the_key() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("seal.key");
    std::fs::write(&path, b"canary-canary-canary-canary-cana").unwrap();
    set_mode(&path, 0o600);
    let sealer = KeyFileSealer::open(&path).unwrap();
    assert_eq!(format!("{sealer:?}"), format!("KeyFileSealer({})", sealer.fingerprint()));
    assert_eq!(sealer.fingerprint().len(), 16);
    assert!(!sealer.fingerprint().starts_with("63616e"));
}

proptest! {
    #[test]
    fn what_was_sealed_opens(secret: Vec<u8>, purpose: String) {
        let sealer = sealer();
        let sealed = sealer.seal(&purpose, &secret).unwrap();
        let opened = sealer.open(&purpose, &sealed).unwrap();
        prop_assert_eq!(opened.expose(), &secret[..]);
    }

    #[test]
    fn any_bytes_are_refused(bytes: Vec<u8>) {
        prop_assert!(sealer().open("x", &bytes).is_err());
    }
}
