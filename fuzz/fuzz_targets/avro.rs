//! Kaa's Avro records: see `entries/avro.rs`.
#![no_main]

#[path = "../entries/avro.rs"]
mod avro;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| avro::feed(bytes));
