//! Certificate requests: see `entries/csr.rs`.
#![no_main]

#[path = "../entries/csr.rs"]
mod csr;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| csr::feed(bytes));
