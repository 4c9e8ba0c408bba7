//! Foreign tokens: JWS in compact form (RFC 7515), JWT (RFC 7519) and JWK sets (RFC 7517), parsed strictly and verified.
//! Nothing is signed here, no clock is read and no key is fetched: all of that is an argument or somebody else's work.
//!
//! A check leaves evidence: [`Unverified::verify`] is the only way to [`Verified`] claims.
//!
//! What is stricter than the RFCs demand: duplicate members are refused at any level, base64 must be canonical, the
//! algorithm follows from the key and must be on the list of [`Algorithm`], `exp` must be there, and a claim of a wrong type
//! is a failure, never an absent claim.

mod algorithm;
mod claims;
mod error;
mod json;
mod key;
mod token;

pub use algorithm::Algorithm;
pub use claims::{Claims, Expectation, MOST_PERMISSIONS};
pub use error::{
    BEARER_ALGORITHM, BEARER_AUDIENCE, BEARER_BOUND, BEARER_CLAIM, BEARER_EXPIRED, BEARER_KEY_SET, BEARER_KEY_UNKNOWN, BEARER_KIND,
    BEARER_MALFORMED, BEARER_NOT_YET_VALID, BEARER_SIGNATURE, BEARER_TOO_LARGE, JoseError, REASONS,
};
pub use json::{JsonFault, Tree, parse as parse_json};
pub use key::{KeySet, MAX_KEY_SET_BYTES, MAX_KEYS};
pub use token::{MAX_TOKEN_BYTES, Unverified, Verified};
