//! A private key under a passphrase, as every tool opens it: EncryptedPrivateKeyInfo (RFC 5958) by PBES2 (RFC 8018) with
//! PBKDF2-HMAC-SHA-256 and AES-256-CBC.

use std::num::NonZeroU32;

use aws_lc_rs::cipher::{AES_256, EncryptionContext, PaddedBlockEncryptingKey, UnboundCipherKey};
use aws_lc_rs::iv::FixedLength;
use aws_lc_rs::pbkdf2;
use signet_model::Entropy;
use zeroize::Zeroizing;

use super::SignError;
use crate::Secret;

/// Rounds of PBKDF2: what OWASP asked for in 2023 with SHA-256, about a third of a second.
const ROUNDS: NonZeroU32 = match NonZeroU32::new(600_000) {
    Some(rounds) => rounds,
    None => NonZeroU32::MIN,
};

const PBES2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
const PBKDF2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const HMAC_WITH_SHA256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09, 0x05, 0x00];
const AES_256_CBC: &[u8] = &[0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a];
const INTEGER: u8 = 0x02;
const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;

/// Seals a PKCS#8 key under a passphrase; the answer is the DER of an EncryptedPrivateKeyInfo.
///
/// # Errors
/// [`SignError::Failed`] when AWS-LC does not encrypt.
pub fn seal_with_passphrase(pkcs8: &Secret, passphrase: &Secret, entropy: &dyn Entropy) -> Result<Vec<u8>, SignError> {
    let (mut salt, mut iv, mut key) = ([0; 16], [0; 16], Zeroizing::new([0; 32]));
    entropy.fill(&mut salt);
    entropy.fill(&mut iv);
    pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, ROUNDS, &salt, passphrase.expose(), key.as_mut());
    let cipher =
        UnboundCipherKey::new(&AES_256, key.as_ref()).and_then(PaddedBlockEncryptingKey::cbc_pkcs7).map_err(|_| SignError::Failed)?;
    // Room for the padding, so that no part of the key stays behind in a smaller buffer.
    let mut data = Zeroizing::new(Vec::with_capacity(pkcs8.expose().len().saturating_add(16)));
    data.extend_from_slice(pkcs8.expose());
    let context = EncryptionContext::Iv128(FixedLength::from(iv));
    cipher.less_safe_encrypt(&mut *data, context).map_err(|_| SignError::Failed)?;
    let rounds = ROUNDS.get().to_be_bytes();
    let rounds = rounds.iter().position(|byte| *byte != 0).and_then(|first| rounds.get(first..)).unwrap_or(&rounds);
    let derivation =
        sequence(&[PBKDF2, &sequence(&[&element(OCTET_STRING, &salt), &element(INTEGER, rounds), &sequence(&[HMAC_WITH_SHA256])])]);
    let encryption = sequence(&[AES_256_CBC, &element(OCTET_STRING, &iv)]);
    let algorithm = sequence(&[PBES2, &sequence(&[&derivation, &encryption])]);
    Ok(sequence(&[&algorithm, &element(OCTET_STRING, &data)]))
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &parts.concat())
}

/// Tag, length in its shortest form (X.690 section 10.1), content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len().to_be_bytes();
    let significant = length.iter().position(|byte| *byte != 0).and_then(|first| length.get(first..)).unwrap_or(&[0]);
    let mut out = vec![tag];
    match significant {
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).unwrap_or(8));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::super::{KeyType, SigningKey};
    use super::*;
    use crate::SystemEntropy;

    #[test]
    fn lengths_are_of_the_shortest_form() {
        for (length, head) in [(0, &[4, 0][..]), (127, &[4, 127]), (128, &[4, 0x81, 128]), (256, &[4, 0x82, 1, 0])] {
            assert!(element(OCTET_STRING, &vec![0; length]).starts_with(head), "{length}");
        }
    }

    #[test]
    fn openssl_opens_it_with_the_passphrase_alone() {
        let dir = tempfile::tempdir().unwrap();
        for kind in [KeyType::P256, KeyType::P384, KeyType::Ed25519, KeyType::Rsa2048] {
            let key = SigningKey::generate(kind, &SystemEntropy).unwrap();
            let sealed = seal_with_passphrase(&key.to_pkcs8(), &Secret::from("correct horse"), &SystemEntropy).unwrap();
            let file = dir.path().join(kind.name());
            std::fs::write(&file, sealed).unwrap();
            let open = |passphrase: &str| {
                let out = dir.path().join("out");
                let status = Command::new("openssl")
                    .args(["pkcs8", "-inform", "DER", "-outform", "DER", "-passin", &format!("pass:{passphrase}"), "-in"])
                    .arg(&file)
                    .arg("-out")
                    .arg(&out)
                    .stderr(Stdio::null())
                    .status()
                    .unwrap();
                status.success().then(|| std::fs::read(out).unwrap())
            };
            assert!(open("wrong horse").is_none(), "{kind}");
            let opened = Secret::from(open("correct horse").unwrap());
            let again = SigningKey::from_private_der(&opened).unwrap();
            assert_eq!(super::super::Signer::public_key_spki_der(&again), super::super::Signer::public_key_spki_der(&key), "{kind}");
        }
    }
}
