//! The ledger on both databases and both buses.

mod commit;
mod contradicted;
mod crash;
mod feed;
mod handover;
mod house;
mod idempotency;
mod outbox;
mod verifying;
