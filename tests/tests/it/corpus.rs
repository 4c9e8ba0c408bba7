//! The fuzz corpora on stable. Those of the configuration and of URLs are replayed by the crates
//! that own their parsers.

use std::path::{Path, PathBuf};

#[path = "../../../fuzz/entries/avro.rs"]
mod avro;
#[path = "../../../fuzz/entries/jwt.rs"]
mod jwt;
#[path = "../../../fuzz/replay.rs"]
mod replay;
#[path = "../../../fuzz/entries/rest_json.rs"]
mod rest_json;
#[path = "../../../fuzz/entries/tenant_list.rs"]
mod tenant_list;

#[test]
fn every_avro_input_is_taken_or_refused() {
    replay::replay(&fuzz(), "avro", avro::feed);
}

#[test]
fn every_token_is_taken_or_refused() {
    replay::replay(&fuzz(), "jwt", jwt::feed);
}

#[test]
fn every_body_is_taken_or_refused() {
    replay::replay(&fuzz(), "rest_json", rest_json::feed);
}

#[test]
fn every_list_of_tenants_is_taken_or_refused() {
    replay::replay(&fuzz(), "tenant_list", tenant_list::feed);
}

#[test]
fn every_corpus_has_a_target_and_every_target_a_corpus() {
    let names = |directory: &str| {
        let entries = std::fs::read_dir(fuzz().join(directory)).unwrap();
        let mut names: Vec<PathBuf> = entries.map(|entry| PathBuf::from(entry.unwrap().path().file_stem().unwrap())).collect();
        names.sort();
        names
    };
    assert_eq!(names("corpus"), names("fuzz_targets"));
    assert_eq!(names("entries"), names("fuzz_targets"));
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}
