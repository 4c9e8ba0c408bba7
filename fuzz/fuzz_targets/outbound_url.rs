//! URLs that are asked: see `entries/outbound_url.rs`.
#![no_main]

#[path = "../entries/outbound_url.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::feed(bytes));
