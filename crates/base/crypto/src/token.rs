//! Bearer tokens of our own: 256 random bits behind a prefix that says what the token is for and lets secret scanners
//! find it. At rest only the SHA-256 is kept; against 256 random bits a slow hash would add nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use signet_model::Entropy;
use zeroize::Zeroizing;

use crate::{Secret, sha256};

/// Random characters behind the prefix: 32 bytes in base64url.
const RANDOM_CHARS: usize = 43;

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TokenKind {
    /// The platform operator's token.
    Operator,
    /// An API token of a tenant.
    Api,
}

impl TokenKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Operator, Self::Api];

    /// What the token's text begins with.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "sgo_",
            Self::Api => "sgt_",
        }
    }
}

/// A text that is no token of ours. Carries nothing of the text, which may be a secret of somebody else's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a Signet token: wanted sgo_ or sgt_ and 43 characters of base64url")]
pub struct TokenFormatError;

/// A bearer token in clear. Shown once when it is made.
pub struct BearerToken {
    kind: TokenKind,
    text: Secret,
}

impl std::fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "BearerToken({}..)", self.kind.prefix())
    }
}

impl BearerToken {
    /// A new token.
    pub fn generate(kind: TokenKind, entropy: &dyn Entropy) -> Self {
        let mut random = Zeroizing::new([0_u8; 32]);
        entropy.fill(random.as_mut());
        let mut text = String::with_capacity(kind.prefix().len().saturating_add(RANDOM_CHARS));
        text.push_str(kind.prefix());
        URL_SAFE_NO_PAD.encode_string(*random, &mut text);
        Self { kind, text: Secret::from(text) }
    }

    /// Reads a token as a caller presents it.
    ///
    /// # Errors
    /// [`TokenFormatError`] for anything that [`BearerToken::generate`] cannot have made.
    pub fn parse(text: &str) -> Result<Self, TokenFormatError> {
        let (kind, random) =
            TokenKind::ALL.into_iter().find_map(|kind| Some((kind, text.strip_prefix(kind.prefix())?))).ok_or(TokenFormatError)?;
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        if random.len() != RANDOM_CHARS || !random.bytes().all(allowed) {
            return Err(TokenFormatError);
        }
        Ok(Self { kind, text: Secret::from(text) })
    }

    /// What the token is for.
    pub fn kind(&self) -> TokenKind {
        self.kind
    }

    /// The token's text; for the one answer or file that hands it over.
    pub fn expose(&self) -> &str {
        // Always ASCII: both constructors see to it.
        self.text.expose_str().unwrap_or_default()
    }

    /// What is stored, and looked up by.
    pub fn hash(&self) -> [u8; 32] {
        sha256(self.text.expose())
    }
}

/// The stored form of a token's text.
pub fn hash(text: &str) -> [u8; 32] {
    sha256(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::SystemEntropy;

    #[test]
    fn a_new_token_has_its_prefix_and_256_bits_and_reads_back() {
        for kind in TokenKind::ALL {
            let token = BearerToken::generate(kind, &SystemEntropy);
            assert_eq!(token.expose().len(), 47);
            assert_eq!(URL_SAFE_NO_PAD.decode(&token.expose()[4..]).unwrap().len(), 32);
            let read = BearerToken::parse(token.expose()).unwrap();
            assert_eq!((read.kind(), read.hash()), (kind, token.hash()));
            assert_eq!(hash(token.expose()), token.hash());
            assert_ne!(BearerToken::generate(kind, &SystemEntropy).hash(), token.hash());
        }
    }

    #[test]
    fn what_is_no_token_is_refused_and_not_repeated() {
        let random = "A".repeat(43);
        for text in ["", "sgo_", "sgo", &random, &format!("sgx_{random}"), &format!("sgo_{random}A"), &format!("sgo_{}=", "A".repeat(42))] {
            assert_eq!(BearerToken::parse(text).unwrap_err(), TokenFormatError, "{text}");
        }
        assert!(BearerToken::parse(&format!("sgo_{random}\n")).is_err());
        let shown = format!("{:?}", BearerToken::parse(&format!("sgt_{random}")).unwrap());
        assert_eq!(shown, "BearerToken(sgt_..)");
    }
}
