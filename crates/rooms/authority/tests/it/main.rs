//! The room with a real ledger on both databases.

mod anchors;
mod cas;
mod crash;
mod credentials;
mod ends;
mod full_disk;
mod gone;
mod histories;
mod house;
mod inventory;
mod issuing;
mod races;
mod revocation;
mod rotating;
mod rotating_many;
mod schema;
mod serials;
mod unpublished;
mod vault;
mod watch;
