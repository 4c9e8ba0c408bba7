//! The fuzz corpora on stable: every committed input, every prefix of it and every byte of it flipped.

use std::path::{Path, PathBuf};

#[path = "../../../fuzz/entries/avro.rs"]
mod avro;

/// Longer inputs are fed as they are; their variants would take minutes and find little.
const VARIED_UP_TO: usize = 2_048;

#[test]
fn every_avro_input_is_taken_or_refused() {
    replay("avro", avro::feed);
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

fn replay(target: &str, feed: fn(&[u8])) {
    let mut inputs = 0;
    for entry in std::fs::read_dir(fuzz().join("corpus").join(target)).unwrap() {
        let input = std::fs::read(entry.unwrap().path()).unwrap();
        inputs += 1;
        feed(&input);
        if input.len() > VARIED_UP_TO {
            continue;
        }
        for position in 0..input.len() {
            feed(&input[..position]);
            let mut flipped = input.clone();
            for mask in [0x01, 0x80, 0xff] {
                flipped[position] = input[position] ^ mask;
                feed(&flipped);
            }
        }
    }
    assert!(inputs >= 10, "the corpus of {target} has only {inputs} inputs");
}
