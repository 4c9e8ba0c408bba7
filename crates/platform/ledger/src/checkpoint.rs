//! Signing and verifying checkpoints of the Merkle log (C2SP tlog-checkpoint in a C2SP signed-note, Ed25519).

use signet_crypto::sha256_parts;
use signet_crypto::sign::{Ed25519Key, Ed25519Public, SignError, Signer as _};
use signet_model::{Checkpoint, Lineage, SignedCheckpoint};

use crate::merkle::Hash;

/// The log's name on its checkpoints.
pub(crate) fn origin(lineage: &Lineage) -> String {
    format!("signet.log/{lineage}")
}

/// The key id of a signed note: the first 4 bytes of SHA-256 over name, newline, algorithm byte 1 and the raw public key.
pub(crate) fn key_id(name: &str, key: &Ed25519Public) -> [u8; 4] {
    let digest = sha256_parts(&[name.as_bytes(), b"\n", &[1], &key.raw()]);
    let [a, b, c, d, ..] = digest;
    [a, b, c, d]
}

/// Signs size and root.
pub(crate) fn sign(key: &Ed25519Key, lineage: &Lineage, size: u64, root: Hash) -> Result<SignedCheckpoint, SignError> {
    let checkpoint = Checkpoint { origin: origin(lineage), size, root };
    let signature = key.sign(checkpoint.note_text().as_bytes())?;
    let key_id = key_id(&checkpoint.origin, &key.public());
    Ok(SignedCheckpoint { checkpoint, key_id, signature })
}

/// The checkpoint inside, if this key signed it.
pub(crate) fn verify<'a>(signed: &'a SignedCheckpoint, key: &Ed25519Public) -> Option<&'a Checkpoint> {
    let named = signed.key_id == key_id(&signed.checkpoint.origin, key);
    let right = named && key.verify(signed.checkpoint.note_text().as_bytes(), &signed.signature);
    right.then_some(&signed.checkpoint)
}

/// The checkpoint inside, if this key signed it for this log.
pub(crate) fn trusted<'a>(signed: &'a SignedCheckpoint, key: &Ed25519Public, lineage: &Lineage) -> Option<&'a Checkpoint> {
    verify(signed, key).filter(|found| found.origin == origin(lineage))
}

/// The notes in a text of many, such as `checkpoints.log`, in order; what is no whole note (a torn last one) is passed over.
pub(crate) fn notes(text: &str) -> impl Iterator<Item = SignedCheckpoint> + '_ {
    // A note is three lines, an empty one, and the signature's line, which starts with an em dash; notes stand one after another.
    let mut rest = text;
    std::iter::from_fn(move || {
        loop {
            let dash = rest.find("\n\n\u{2014} ")?;
            let end = rest.get(dash.saturating_add(2)..)?.find('\n')?.saturating_add(dash).saturating_add(3);
            let (note, tail) = rest.split_at_checked(end)?;
            rest = tail;
            let head = note.get(..dash).unwrap_or_default();
            // Garbage in front of a note's own three lines (a torn earlier note) is left out.
            let start = head.rmatch_indices('\n').nth(2).map_or(0, |(at, _)| at.saturating_add(1));
            if let Ok(signed) = SignedCheckpoint::decode(note.get(start..).unwrap_or_default()) {
                return Some(signed);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use signet_crypto::SystemEntropy;

    use super::*;

    fn key() -> Ed25519Key {
        Ed25519Key::generate(&SystemEntropy).unwrap()
    }

    #[test]
    fn a_checkpoint_verifies_with_its_key_and_no_other() {
        let (key, other) = (key(), key());
        let signed = sign(&key, &Lineage("x".to_owned()), 3, [7; 32]).unwrap();
        assert_eq!(verify(&signed, &key.public()).map(|c| c.size), Some(3));
        assert!(verify(&signed, &other.public()).is_none());
        let mut forged = signed.clone();
        forged.checkpoint.size = 4;
        assert!(verify(&forged, &key.public()).is_none());
        let mut renamed = signed;
        renamed.checkpoint.origin = "signet.log/y".to_owned();
        assert!(verify(&renamed, &key.public()).is_none());
    }

    #[test]
    fn notes_are_read_from_a_log_whose_end_is_torn() {
        let key = key();
        let note = |size| sign(&key, &Lineage("x".to_owned()), size, [7; 32]).unwrap().encode();
        let sizes = |text: &str| notes(text).map(|n| n.checkpoint.size).collect::<Vec<_>>();
        let whole = format!("{}{}", note(1), note(2));
        assert_eq!(sizes(&whole), [1, 2]);
        let torn = note(3);
        for cut in 0..torn.len() {
            if torn.is_char_boundary(cut) {
                assert_eq!(sizes(&format!("{whole}{}", &torn[..cut])), [1, 2], "cut at {cut}");
                assert_eq!(sizes(&format!("{whole}{}\n{}", &torn[..cut], note(4))).last(), Some(&4), "cut at {cut}, then a new one");
            }
        }
        assert!(sizes("").is_empty() && sizes("\n\n\u{2014} ").is_empty());
    }
}
