//! Feeds a committed corpus on stable: every input, every prefix of it, every byte of it flipped. Included by the tests
//! of the crates that own the entries.

use std::path::Path;

/// Longer inputs are fed as they are; their variants would take minutes and find little.
const VARIED_UP_TO: usize = 2_048;

/// `fuzz` is the directory of this file as the including crate reaches it.
pub(crate) fn replay(fuzz: &Path, target: &str, feed: fn(&[u8])) {
    let mut inputs = 0;
    for entry in std::fs::read_dir(fuzz.join("corpus").join(target)).unwrap() {
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
