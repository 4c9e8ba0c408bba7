//! OCSP requests: see `entries/ocsp_request.rs`.
#![no_main]

#[path = "../entries/ocsp_request.rs"]
mod ocsp_request;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ocsp_request::feed(bytes));
