//! Foreign tokens and key sets: see `entries/jwt.rs`.
#![no_main]

#[path = "../entries/jwt.rs"]
mod jwt;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| jwt::feed(bytes));
