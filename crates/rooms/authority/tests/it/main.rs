//! The room with a real ledger on both databases.

mod schema;
