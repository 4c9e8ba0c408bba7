//! Keys that sign tokens as a foreign issuer does, with every header and payload a test can think of.

use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaEncoding, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::TestkitError;
use crate::error::or_fail;

/// What kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA of 2,048 bits.
    Rsa,
    /// P-256.
    P256,
    /// P-384.
    P384,
    /// Ed25519.
    Ed25519,
}

enum Pair {
    Rsa(RsaKeyPair),
    P256(EcdsaKeyPair),
    P384(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// A signing key of an issuer.
pub struct TokenKey {
    kid: String,
    pair: Pair,
}

impl TokenKey {
    /// A new key under this id.
    pub fn new(kind: KeyKind, kid: &str) -> Self {
        or_fail(Self::generate(kind, kid))
    }

    fn generate(kind: KeyKind, kid: &str) -> Result<Self, TestkitError> {
        let pair = match kind {
            KeyKind::Rsa => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rsa),
            KeyKind::P256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::P256),
            KeyKind::P384 => EcdsaKeyPair::generate(&ECDSA_P384_SHA384_FIXED_SIGNING).map(Pair::P384),
            KeyKind::Ed25519 => Ed25519KeyPair::generate().map(Pair::Ed25519),
        };
        Ok(Self { kid: kid.to_owned(), pair: pair.map_err(failed)? })
    }

    /// The key's id.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The algorithm that [`TokenKey::token`] uses.
    pub fn algorithm(&self) -> &'static str {
        match self.pair {
            Pair::Rsa(_) => "RS256",
            Pair::P256(_) => "ES256",
            Pair::P384(_) => "ES384",
            Pair::Ed25519(_) => "EdDSA",
        }
    }

    /// The public key as a JWK, with `kid` and without `alg`.
    pub fn jwk(&self) -> Value {
        let text = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let point = |pair: &EcdsaKeyPair, curve: &str, length: usize| {
            let (x, y) = pair.public_key().as_ref().split_at(1).1.split_at(length);
            json!({ "kty": "EC", "crv": curve, "x": text(x), "y": text(y) })
        };
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let public = pair.public_key();
                json!({
                    "kty": "RSA",
                    "n": text(public.modulus().big_endian_without_leading_zero()),
                    "e": text(public.exponent().big_endian_without_leading_zero()),
                })
            }
            Pair::P256(pair) => point(pair, "P-256", 32),
            Pair::P384(pair) => point(pair, "P-384", 48),
            Pair::Ed25519(pair) => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(pair.public_key().as_ref()) }),
        };
        if let Some(members) = jwk.as_object_mut() {
            members.insert("kid".to_owned(), json!(self.kid));
            members.insert("use".to_owned(), json!("sig"));
        }
        jwk
    }

    /// The public key as SubjectPublicKeyInfo: what an attacker would take as the secret of an HMAC.
    pub fn public_der(&self) -> Vec<u8> {
        or_fail(match &self.pair {
            Pair::Rsa(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()).map_err(failed),
            Pair::P256(pair) | Pair::P384(pair) => pair.public_key().as_der().map(|der| der.as_ref().to_vec()).map_err(failed),
            Pair::Ed25519(pair) => Ok(pair.public_key().as_ref().to_vec()),
        })
    }

    /// A token as issuers make them: `alg`, `kid` and `typ` in the header.
    pub fn token(&self, claims: &Value) -> String {
        self.sign(&json!({ "alg": self.algorithm(), "kid": self.kid, "typ": "JWT" }), claims)
    }

    /// A token with any header; its `alg` says how an RSA key signs.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        self.sign_text(&header.to_string(), &claims.to_string())
    }

    /// A token of any two texts, JSON or not. An RSA key signs as the header's `alg` says, as RS256 when that means nothing.
    pub fn sign_text(&self, header: &str, payload: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = or_fail(self.signature(header, signed.as_bytes()));
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn signature(&self, header: &str, signed: &[u8]) -> Result<Vec<u8>, TestkitError> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let named = |algorithm: &str| header.contains(&format!("\"{algorithm}\""));
                let encodings: [(&str, &'static dyn RsaEncoding); 5] = [
                    ("RS384", &RSA_PKCS1_SHA384),
                    ("RS512", &RSA_PKCS1_SHA512),
                    ("PS256", &RSA_PSS_SHA256),
                    ("PS384", &RSA_PSS_SHA384),
                    ("PS512", &RSA_PSS_SHA512),
                ];
                let encoding = encodings.into_iter().find(|(algorithm, _)| named(algorithm)).map_or(&RSA_PKCS1_SHA256 as _, |(_, e)| e);
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(encoding, &random, signed, &mut signature).map_err(failed)?;
                Ok(signature)
            }
            Pair::P256(pair) | Pair::P384(pair) => Ok(pair.sign(&random, signed).map_err(failed)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.sign(signed).as_ref().to_vec()),
        }
    }
}

fn failed(error: impl std::fmt::Display) -> TestkitError {
    TestkitError::Command { program: "aws-lc".to_owned(), detail: error.to_string() }
}
