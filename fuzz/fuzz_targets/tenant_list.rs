//! Lists of a Tenant Manager: see `entries/tenant_list.rs`.
#![no_main]

#[path = "../entries/tenant_list.rs"]
mod entry;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| entry::feed(bytes));
