//! Bodies of REST: see `entries/rest_json.rs`.
#![no_main]

#[path = "../entries/rest_json.rs"]
mod rest_json;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| rest_json::feed(bytes));
