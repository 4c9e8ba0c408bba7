//! The view of what is revoked, how old it is, and its reconciler.
