//! A compact JWS (RFC 7515 section 3.1) with a JWT inside: first taken apart, then verified.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signet_model::{Timestamp, log_text};

use crate::claims::{self, Claims, Expectation};
use crate::error::JoseError;
use crate::json::{self, Tree};
use crate::{Algorithm, KeySet};

/// Longest token, bytes. Tokens of administrators with thousands of roles stay below it; the listener's limit of 64 KiB for all
/// headers stands above it.
pub const MAX_TOKEN_BYTES: usize = 48 * 1024;
/// Longest header, bytes of its JSON.
const MAX_HEADER_BYTES: usize = 4 * 1024;
/// Longest key id.
const MAX_KID_CHARS: usize = 256;
/// How much of a foreign text is repeated in a message.
const SHOWN: usize = 64;

/// A token whose form is right and whose content nobody has vouched for yet.
pub struct Unverified<'t> {
    algorithm: Algorithm,
    kid: Option<String>,
    /// `header.payload`, what the signature is over.
    signed: &'t str,
    signature: &'t str,
    payload: Tree,
}

/// What was checked, signature and all. Only this crate makes one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// What was checked.
    pub fn get(&self) -> &T {
        &self.0
    }

    /// The same, without the wrapping.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// Shows nothing of the token.
impl fmt::Debug for Unverified<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Unverified({}, {} bytes)", self.algorithm, self.signed.len())
    }
}

impl<'t> Unverified<'t> {
    /// Takes a token apart. The algorithm is on the allow list afterwards, and header and payload are strict JSON objects.
    ///
    /// # Errors
    /// What is wrong with its form, algorithm or kind.
    pub fn parse(text: &'t str) -> Result<Self, JoseError> {
        if text.len() > MAX_TOKEN_BYTES {
            return Err(JoseError::TooLarge(text.len()));
        }
        const PARTS: JoseError = JoseError::Malformed("it has not three parts");
        let (signed, signature) = text.rsplit_once('.').ok_or(PARTS)?;
        let (header, payload) = signed.split_once('.').ok_or(PARTS)?;
        if payload.contains('.') {
            return Err(PARTS);
        }
        const ENCODING: JoseError = JoseError::Malformed("a part is not canonical base64url without padding");
        let header = base64(header).ok_or(ENCODING)?;
        if header.len() > MAX_HEADER_BYTES {
            return Err(JoseError::Malformed("its header is longer than 4 KiB"));
        }
        let header = json::parse(&header).map_err(|fault| JoseError::Json { part: "header", fault })?;
        let (algorithm, kid) = read_header(&header)?;
        if signature.is_empty() {
            return Err(JoseError::Malformed("it has no signature"));
        }
        base64(signature).ok_or(ENCODING)?;
        let payload = json::parse(&base64(payload).ok_or(ENCODING)?).map_err(|fault| JoseError::Json { part: "payload", fault })?;
        Ok(Self { algorithm, kid, signed, signature, payload })
    }

    /// The issuer that the token claims: good for choosing whose keys to verify it with, and for nothing else.
    ///
    /// # Errors
    /// [`JoseError::Claim`] when `iss` is missing or no text.
    pub fn claimed_issuer(&self) -> Result<&str, JoseError> {
        claims::text(&self.payload, "iss")
    }

    /// The key id that the token names.
    pub fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    /// The algorithm that the token names.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Checks everything: claims first, since that is cheap and needs no key, then the signature.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(&self, keys: &KeySet, expected: &Expectation<'_>, now: Timestamp) -> Result<Verified<Claims>, JoseError> {
        claims::check(&self.payload, expected, now)?;
        keys.check(self.kid.as_deref(), self.algorithm, self.signed.as_bytes(), self.signature)?;
        Ok(Verified(claims::read(&self.payload)?))
    }
}

/// Algorithm and key id of a protected header (RFC 7515 section 4.1).
fn read_header(header: &Tree) -> Result<(Algorithm, Option<String>), JoseError> {
    // No extension is understood here, so none may be critical; `b64`, `zip` and `enc` change what the parts mean.
    if ["crit", "b64", "zip", "enc"].iter().any(|member| header.member(member).is_some()) {
        return Err(JoseError::Malformed("its header uses an extension (crit, b64, zip or enc)"));
    }
    let name = header.member("alg").and_then(Tree::text).ok_or(JoseError::Malformed("its header has no text `alg`"))?;
    let algorithm = Algorithm::named(name).ok_or_else(|| JoseError::Algorithm(shown(name)))?;
    let kid = match header.member("kid") {
        None => None,
        Some(kid) => {
            let kid = kid.text().filter(|kid| !kid.is_empty() && kid.chars().count() <= MAX_KID_CHARS);
            Some(kid.ok_or(JoseError::Malformed("its `kid` is no text of 1 to 256 characters"))?.to_owned())
        }
    };
    if let Some(kind) = header.member("typ") {
        let kind = kind.text().ok_or(JoseError::Malformed("its `typ` is no text"))?;
        // RFC 7515 section 4.1.9: `application/` may be left out, and case means nothing.
        let lower = kind.to_ascii_lowercase();
        if !matches!(lower.strip_prefix("application/").unwrap_or(&lower), "jwt" | "at+jwt") {
            return Err(JoseError::Kind(format!("`typ` is `{}`", shown(kind))));
        }
    }
    Ok((algorithm, kid))
}

/// A short form of a foreign text that is safe in logs.
pub(crate) fn shown(text: &str) -> String {
    log_text(text, SHOWN)
}

/// The bytes of canonical base64url without padding.
pub(crate) fn base64(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}
