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
    JoseError, REASONS, TOKEN_ALGORITHM, TOKEN_AUDIENCE, TOKEN_BOUND, TOKEN_CLAIM, TOKEN_EXPIRED, TOKEN_KEY_SET, TOKEN_KEY_UNKNOWN,
    TOKEN_KIND, TOKEN_MALFORMED, TOKEN_NOT_YET_VALID, TOKEN_SIGNATURE, TOKEN_TOO_LARGE,
};
pub use json::{JsonFault, Tree, parse as parse_json};
pub use key::{KeySet, MAX_KEY_SET_BYTES, MAX_KEYS};
pub use token::{MAX_TOKEN_BYTES, Unverified, Verified};
