//! Why a token or a key set was not taken, and the reason that a caller is told. Nothing of a token's content is repeated, but
//! for its algorithm and key id, shortened.

use std::time::Duration;

use signet_model::{Reason, Refusal, Timestamp};

use crate::json::JsonFault;
use crate::token::MAX_TOKEN_BYTES;

signet_model::reasons! {
    /// The token is longer than is taken here.
    BEARER_TOO_LARGE = ("bearer.too-large", 431, "Ask the issuer for a token with fewer roles; at most 49152 bytes are taken.");
    /// The text is no signed token in compact form.
    BEARER_MALFORMED = ("bearer.malformed", 401, "Send the access token as the issuer gave it: three parts of base64url between two dots.");
    /// The token's algorithm is not taken, or does not fit the issuer's key.
    BEARER_ALGORITHM = ("bearer.algorithm", 401, "Let the issuer sign with RS256, PS256, ES256 or EdDSA (or their longer forms); never with none or HS256.");
    /// The issuer publishes no key that the token could have been signed with.
    BEARER_KEY_UNKNOWN = ("bearer.key-unknown", 401, "Get a new token; if that fails too, compare its `kid` with the issuer's JWKS.");
    /// The token's signature is not the issuer's.
    BEARER_SIGNATURE = ("bearer.signature", 401, "Get a new token from the issuer and send it unchanged.");
    /// A claim is missing or is not what it has to be.
    BEARER_CLAIM = ("bearer.claim", 401, "Let the issuer write the named claim as RFC 7519 says.");
    /// The token has ended.
    BEARER_EXPIRED = ("bearer.expired", 401, "Get a new token from the issuer; if it is new, compare the clocks of issuer and server.");
    /// The token is not valid yet, or was issued in the future.
    BEARER_NOT_YET_VALID = ("bearer.not-yet-valid", 401, "Compare the clocks of issuer and server; a difference up to the leeway is taken.");
    /// The token was made for another audience.
    BEARER_AUDIENCE = ("bearer.audience", 401, "Let the issuer put the audience of `[oidc] audience` into the token's `aud`.");
    /// The token is of another kind than an access token.
    BEARER_KIND = ("bearer.kind", 401, "Send the access token, not an ID, refresh or logout token.");
    /// The token is bound to a key, and nothing proves that the caller holds it.
    BEARER_BOUND = ("bearer.bound", 401, "Let the issuer make a plain bearer token for this client, without DPoP or certificate binding.");
    /// The issuer's key set cannot be used.
    BEARER_KEY_SET = ("bearer.key-set", 503, "Look at the issuer's `jwks_uri`: it must be one JSON object with at most 64 public keys in `keys`.");
}

/// Why a token or key set was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JoseError {
    /// Too long to be looked at.
    #[error("the token has {0} bytes; at most {MAX_TOKEN_BYTES} are taken")]
    TooLarge(usize),
    /// No compact JWS.
    #[error("the token is no compact JWS: {0}")]
    Malformed(&'static str),
    /// Header or claims are no strict JSON.
    #[error("the token's {part} {fault}")]
    Json {
        /// `header` or `payload`.
        part: &'static str,
        /// What is wrong.
        fault: JsonFault,
    },
    /// Not on the allow list.
    #[error("the token's algorithm is `{0}`, which is not taken")]
    Algorithm(String),
    /// The key that the token names is for another algorithm.
    #[error("the token says {algorithm}, and the issuer's key `{kid}` is for another algorithm")]
    KeyMismatch {
        /// The token's algorithm.
        algorithm: &'static str,
        /// The key's id.
        kid: String,
    },
    /// No key with the token's `kid`, or none at all that could fit.
    #[error("the issuer publishes no key `{kid}` for {algorithm}")]
    KeyUnknown {
        /// The token's key id, or a word that it has none.
        kid: String,
        /// The token's algorithm.
        algorithm: &'static str,
    },
    /// The signature does not verify.
    #[error("the signature does not verify with the issuer's key `{0}`")]
    Signature(String),
    /// A claim is missing or wrong.
    #[error("claim `{claim}` {rule}")]
    Claim {
        /// Which.
        claim: &'static str,
        /// What it has to be.
        rule: &'static str,
    },
    /// Past its end.
    #[error("the token ended at {expires_at}; it is {now} here, and {leeway} s of difference are allowed", leeway = leeway.as_secs())]
    Expired {
        /// The token's `exp`.
        expires_at: Timestamp,
        /// The time here.
        now: Timestamp,
        /// The allowed difference.
        leeway: Duration,
    },
    /// Before its beginning, or issued in the future.
    #[error(
        "claim `{claim}` is {time}, {ahead} s in the future: it is {now} here, and {leeway} s of difference are allowed",
        ahead = time.since(*now).as_secs(), leeway = leeway.as_secs()
    )]
    NotYetValid {
        /// `nbf` or `iat`.
        claim: &'static str,
        /// Its value.
        time: Timestamp,
        /// The time here.
        now: Timestamp,
        /// The allowed difference.
        leeway: Duration,
    },
    /// For somebody else.
    #[error("claim `aud` does not name `{0}`")]
    Audience(String),
    /// Not an access token.
    #[error("the token is no access token: {0}")]
    Kind(String),
    /// Sender-constrained (RFC 7800).
    #[error("claim `cnf` binds the token to a key, and bound tokens are not taken here")]
    Bound,
    /// A key set that cannot be used.
    #[error("the key set {0}")]
    KeySet(String),
}

impl JoseError {
    /// The stable reason.
    pub fn reason(&self) -> &'static Reason {
        match self {
            Self::TooLarge(_) => &BEARER_TOO_LARGE,
            Self::Malformed(_) | Self::Json { .. } => &BEARER_MALFORMED,
            Self::Algorithm(_) | Self::KeyMismatch { .. } => &BEARER_ALGORITHM,
            Self::KeyUnknown { .. } => &BEARER_KEY_UNKNOWN,
            Self::Signature(_) => &BEARER_SIGNATURE,
            Self::Claim { .. } => &BEARER_CLAIM,
            Self::Expired { .. } => &BEARER_EXPIRED,
            Self::NotYetValid { .. } => &BEARER_NOT_YET_VALID,
            Self::Audience(_) => &BEARER_AUDIENCE,
            Self::Kind(_) => &BEARER_KIND,
            Self::Bound => &BEARER_BOUND,
            Self::KeySet(_) => &BEARER_KEY_SET,
        }
    }

    /// Whether newer keys of the issuer could change the answer: an unknown key, or a signature that another key under the
    /// same id may have made.
    pub fn may_need_newer_keys(&self) -> bool {
        match self {
            Self::KeyUnknown { .. } | Self::KeyMismatch { .. } | Self::Signature(_) => true,
            Self::TooLarge(_)
            | Self::Malformed(_)
            | Self::Json { .. }
            | Self::Algorithm(_)
            | Self::Claim { .. }
            | Self::Expired { .. }
            | Self::NotYetValid { .. }
            | Self::Audience(_)
            | Self::Kind(_)
            | Self::Bound
            | Self::KeySet(_) => false,
        }
    }
}

impl From<JoseError> for Refusal {
    fn from(error: JoseError) -> Self {
        Self::new(error.reason(), error.to_string())
    }
}
