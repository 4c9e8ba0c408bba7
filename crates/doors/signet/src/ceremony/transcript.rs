//! The transcript of a ceremony: a line of JSON per step, each holding the hash of the line before it, the whole signed by the
//! root's key. A line that was changed, taken out, put in or moved is found by whoever has the root's certificate.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use signet_crypto::sha256;
use signet_crypto::sign::{SignError, Signer};
use signet_model::Timestamp;

/// Said before the transcript when it is signed, so that no other text of the root's key can be taken for one.
const CONTEXT: &[u8] = b"signet ceremony transcript v1\n";
/// A ceremony has about ten steps.
const MOST_STEPS: usize = 1_000;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// Which, from 1.
    pub(crate) step: usize,
    /// When it was done.
    pub(crate) time: Timestamp,
    /// What was done: a word from a closed set.
    pub(crate) did: String,
    /// What a reader should know of it.
    pub(crate) facts: BTreeMap<String, String>,
    /// SHA-256 of the line before, hexadecimal; of nothing for the first.
    pub(crate) previous: String,
}

/// The steps so far, as they will be signed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Transcript {
    text: String,
    steps: usize,
    last: Option<String>,
}

impl Transcript {
    /// Writes down a step.
    pub(crate) fn add(&mut self, time: Timestamp, did: &str, facts: &[(&str, String)]) -> Result<(), serde_json::Error> {
        self.steps = self.steps.saturating_add(1);
        let facts = facts.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let step = Step { step: self.steps, time, did: did.to_owned(), facts, previous: hash(self.last.as_deref().unwrap_or_default()) };
        let line = serde_json::to_string(&step)?;
        self.text.push_str(&line);
        self.text.push('\n');
        self.last = Some(line);
        Ok(())
    }

    /// The whole text.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// The signature over the whole text.
    pub(crate) fn sign(&self, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
        signer.sign(&signed(self.text.as_bytes()))
    }
}

/// What the root's key signs.
pub(crate) fn signed(text: &[u8]) -> Vec<u8> {
    [CONTEXT, text].concat()
}

/// The steps of a text whose lines follow each other.
///
/// # Errors
/// What is wrong, with the number of the line.
pub(crate) fn read(text: &str) -> Result<Vec<Step>, String> {
    let mut steps = Vec::new();
    let mut last = "";
    for (n, line) in text.lines().enumerate().map(|(n, line)| (n.saturating_add(1), line)) {
        if n > MOST_STEPS {
            return Err(format!("more than {MOST_STEPS} lines"));
        }
        let step: Step = serde_json::from_str(line).map_err(|error| format!("line {n}: {error}"))?;
        if step.step != n {
            return Err(format!("line {n} is step {}", step.step));
        }
        if step.previous != hash(last) {
            return Err(format!(
                "line {n} does not follow line {}: one of them was changed, or one between them taken out",
                n.saturating_sub(1)
            ));
        }
        steps.push(step);
        last = line;
    }
    if steps.is_empty() { Err("it is empty".to_owned()) } else { Ok(steps) }
}

/// SHA-256 of a line, hexadecimal.
fn hash(line: &str) -> String {
    hex(&sha256(line.as_bytes()))
}

/// Bytes in hexadecimal, lower case.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Transcript {
        let mut transcript = Transcript::default();
        for did in ["began", "made", "ended"] {
            transcript.add(Timestamp::from_millis(1_800_000_000_000), did, &[("what", did.to_owned())]).unwrap();
        }
        transcript
    }

    #[test]
    fn what_was_written_is_read() {
        let steps = read(example().text()).unwrap();
        assert_eq!(steps.iter().map(|step| step.did.as_str()).collect::<Vec<_>>(), ["began", "made", "ended"]);
        assert_eq!(steps[1].facts["what"], "made");
    }

    #[test]
    fn a_line_changed_taken_out_or_moved_is_found() {
        let text = example().text().to_owned();
        let lines: Vec<&str> = text.lines().collect();
        let without_second = [lines[0], lines[2]].join("\n");
        let moved = [lines[1], lines[0], lines[2]].join("\n");
        let changed = text.replacen("\"what\":\"began\"", "\"what\":\"begun\"", 1);
        for (damaged, named) in [(without_second, "line 2"), (moved, "line 1"), (changed, "line 2"), (String::new(), "empty")] {
            let why = read(&damaged).unwrap_err();
            assert!(why.contains(named), "{why}");
        }
    }
}
