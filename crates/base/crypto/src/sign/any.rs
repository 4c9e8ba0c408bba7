//! The public half of a private key of any kind that a TLS listener may be given, to tell a wrong pair before a handshake does.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair, Ed25519KeyPair,
    KeyPair as _,
};

use super::SignError;
use crate::Secret;

/// DER SubjectPublicKeyInfo of the private key in `der`: PKCS#8, SEC 1 or PKCS#1; RSA of at least 2048 bits, P-256, P-384,
/// P-521 or Ed25519.
///
/// # Errors
/// [`SignError::NotAKey`] for any other key or form.
pub fn public_key_of(der: &Secret) -> Result<Vec<u8>, SignError> {
    let der = der.expose();
    let spki = |encoded: Result<PublicKeyX509Der<'_>, Unspecified>| encoded.ok().map(|spki| spki.as_ref().to_vec());
    let ecdsa = [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING]
        .into_iter()
        .find_map(|curve| spki(EcdsaKeyPair::from_private_key_der(curve, der).ok()?.public_key().as_der()));
    ecdsa
        .or_else(|| spki(Ed25519KeyPair::from_pkcs8(der).ok()?.public_key().as_der()))
        .or_else(|| {
            let pair: Result<rsa::KeyPair, KeyRejected> = rsa::KeyPair::from_pkcs8(der).or_else(|_| rsa::KeyPair::from_der(der));
            spki(pair.ok()?.public_key().as_der())
        })
        .ok_or(SignError::NotAKey("private key of RSA (2048 bits or more), P-256, P-384, P-521 or Ed25519"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;
    use crate::sign::{Ed25519Key, P256Key, Signer as _};

    #[test]
    fn the_public_half_is_found_whatever_the_kind() {
        let p256 = P256Key::generate(&SystemEntropy).unwrap();
        assert_eq!(public_key_of(&p256.to_pkcs8()).unwrap(), p256.public_key_spki_der());
        let ed25519 = Ed25519Key::generate(&SystemEntropy).unwrap();
        assert_eq!(public_key_of(&ed25519.to_pkcs8()).unwrap(), ed25519.public_key_spki_der());
    }

    #[test]
    fn what_is_no_private_key_is_refused() {
        assert!(public_key_of(&Secret::from("")).is_err());
        let public = Ed25519Key::generate(&SystemEntropy).unwrap().public_key_spki_der();
        assert!(public_key_of(&Secret::from(public)).is_err());
    }
}
