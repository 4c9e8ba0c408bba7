//! Revocation lists: see `entries/crl.rs`.
#![no_main]

#[path = "../entries/crl.rs"]
mod crl;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| crl::feed(bytes));
