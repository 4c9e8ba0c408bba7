//! Secret types, password hashing, AEAD, software signers and randomness over AWS-LC.
