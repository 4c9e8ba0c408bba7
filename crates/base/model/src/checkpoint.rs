//! Checkpoints of the Merkle log: C2SP `tlog-checkpoint` text inside a C2SP `signed-note`.
//!
//! ```text
//! signet.log/<lineage>
//! 42
//! <root hash, base64>
//!
//! — signet.log/<lineage> <4 bytes of key id and 64 of signature, base64>
//! ```

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Size and root of the log at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log: `signet.log/<lineage>`.
    pub origin: String,
    /// Number of leaves.
    pub size: u64,
    /// RFC 6962 root hash over them.
    pub root: [u8; 32],
}

/// A checkpoint with its signature; not yet verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    /// What was signed.
    pub checkpoint: Checkpoint,
    /// The first four bytes of SHA-256 over name, newline, 0x01 and the Ed25519 public key.
    pub key_id: [u8; 4],
    /// Ed25519 signature over [`Checkpoint::note_text`].
    pub signature: Vec<u8>,
}

/// A text that is no signed checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointError(pub &'static str);

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "checkpoint: {}", self.0)
    }
}
impl std::error::Error for CheckpointError {}

impl Checkpoint {
    /// The signed bytes: three lines, each with its newline.
    pub fn note_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root))
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [origin, size, root, ..] = lines.as_slice() else { return Err(CheckpointError("fewer than three lines")) };
        let canonical = !size.is_empty() && size.bytes().all(|b| b.is_ascii_digit()) && (*size == "0" || !size.starts_with('0'));
        if origin.is_empty() || !canonical {
            return Err(CheckpointError("origin or size is malformed"));
        }
        let size = size.parse().map_err(|_| CheckpointError("size is malformed"))?;
        let root = STANDARD.decode(root).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        Ok(Self { origin: (*origin).to_owned(), size, root: root.ok_or(CheckpointError("root hash is not 32 bytes"))? })
    }
}

impl SignedCheckpoint {
    /// The whole note.
    pub fn encode(&self) -> String {
        let signature = STANDARD.encode([self.key_id.as_slice(), &self.signature].concat());
        format!("{}\n\u{2014} {} {signature}\n", self.checkpoint.note_text(), self.checkpoint.origin)
    }

    /// Reads a note; verifies nothing.
    pub fn decode(text: &str) -> Result<Self, CheckpointError> {
        let (body, signatures) = text.split_once("\n\n").ok_or(CheckpointError("no blank line before the signature"))?;
        let checkpoint = Checkpoint::parse(body)?;
        let ours = signatures
            .lines()
            .filter_map(|line| line.strip_prefix("\u{2014} ")?.split_once(' '))
            .find(|(name, _)| *name == checkpoint.origin)
            .ok_or(CheckpointError("no signature of the log's own name"))?;
        let bytes = STANDARD.decode(ours.1).map_err(|_| CheckpointError("signature is not base64"))?;
        let (key_id, signature) = bytes.split_first_chunk::<4>().ok_or(CheckpointError("signature is too short"))?;
        if signature.len() != 64 {
            return Err(CheckpointError("signature is not 64 bytes"));
        }
        Ok(Self { checkpoint, key_id: *key_id, signature: signature.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_read_back() {
        let checkpoint = Checkpoint { origin: "signet.log/x".to_owned(), size: 42, root: [7; 32] };
        let signed = SignedCheckpoint { checkpoint, key_id: [1, 2, 3, 4], signature: vec![9; 64] };
        assert_eq!(SignedCheckpoint::decode(&signed.encode()), Ok(signed));
    }

    #[test]
    fn malformed_notes_are_refused() {
        for bad in [
            "",
            "\n\n",
            "a\n1\nx\n\n",
            "a\n01\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n\u{2014} a AAAA\n",
            "a\n1\nBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\n\n\u{2014} b AAAA\n",
        ] {
            assert!(SignedCheckpoint::decode(bad).is_err(), "{bad}");
        }
    }
}
