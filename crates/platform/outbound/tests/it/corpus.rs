//! The fuzz corpus of URLs, replayed on stable.

use std::path::Path;

#[path = "../../../../../fuzz/entries/outbound_url.rs"]
mod entry;
#[path = "../../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_url_is_taken_or_refused() {
    replay::replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz"), "outbound_url", entry::feed);
}
