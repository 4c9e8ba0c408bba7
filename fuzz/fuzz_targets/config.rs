//! `signet.toml`: see `entries/config.rs`.
#![no_main]

#[path = "../../crates/doors/signet/src/config/mod.rs"]
#[expect(dead_code, unused_imports, reason = "the binary uses more of it than its parser")]
mod config;
#[path = "../entries/config.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::feed(bytes));
