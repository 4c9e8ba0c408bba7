//! Black-box scenarios. Each module is one story about the built binary.

mod corpus;
mod tampering;
mod walk;
