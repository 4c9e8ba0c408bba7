//! PKCS#7 files: see `entries/pkcs7.rs`.
#![no_main]

#[path = "../entries/pkcs7.rs"]
mod pkcs7;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| pkcs7::feed(bytes));
