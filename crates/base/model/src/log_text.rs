//! Foreign text on its way into a log line or a detail.

/// At most `longest` characters of `text`, control characters replaced, so that a caller's bytes can neither forge log
/// lines nor flood them.
pub fn log_text(text: &str, longest: usize) -> String {
    let mut kept: String = text.chars().take(longest).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if text.chars().nth(longest).is_some() {
        kept.push('…');
    }
    kept
}
