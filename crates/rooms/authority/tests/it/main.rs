//! The room with a real ledger on both databases.

mod cas;
mod crash;
mod credentials;
mod house;
mod inventory;
mod issuing;
mod rotating;
mod schema;
