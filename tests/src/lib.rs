//! Black-box scenarios against the built binary.
