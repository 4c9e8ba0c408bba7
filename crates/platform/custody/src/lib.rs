//! Sealers, signers and key stores that live elsewhere.
