//! Tokens as issuers and attackers make them, against the whole of the verifier.

mod attacks;
mod claims;
mod keys;
mod support;
