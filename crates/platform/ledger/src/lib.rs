//! Writes are values: changes, the one ordered feed, the Merkle audit log, the outbox.
