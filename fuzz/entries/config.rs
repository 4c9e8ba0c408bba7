//! `signet.toml` as anybody may have written it. The including crate has the parser as `crate::config`.

use crate::config::file::apply_text;
use crate::config::{Settings, show};

/// Longer texts are refused before they are parsed.
const LONGEST_DETAIL: usize = 4_096;

/// What is taken can be shown and taken again; what is refused is refused in few words without control characters.
pub(crate) fn feed(bytes: &[u8]) {
    let Ok(text) = signet_client::decode_text(bytes) else { return };
    let mut settings = Settings::default();
    match apply_text(&mut settings, text, "fuzz.toml") {
        Ok(()) => {
            let mut again = settings.clone();
            apply_text(&mut again, text, "fuzz.toml").unwrap_or_else(|refusal| panic!("taken, then refused: {refusal:?}"));
            assert!(again == settings, "the same text gives other settings");
            let mut shown = Settings::default();
            apply_text(&mut shown, &show(&settings), "shown.toml")
                .unwrap_or_else(|refusal| panic!("what is shown does not read: {refusal:?}"));
        }
        Err(refusal) => {
            assert!(refusal.detail.len() <= LONGEST_DETAIL, "a detail of {} bytes", refusal.detail.len());
            assert!(!refusal.detail.chars().any(|letter| letter.is_control()), "control characters in {:?}", refusal.detail);
        }
    }
}
