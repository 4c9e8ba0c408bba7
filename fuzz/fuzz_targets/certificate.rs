//! Certificates: see `entries/certificate.rs`.
#![no_main]

#[path = "../entries/certificate.rs"]
mod certificate;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| certificate::feed(bytes));
