//! The fuzz corpus of the configuration, replayed on stable.

use std::path::Path;

#[path = "../../../../fuzz/entries/config.rs"]
mod config_entry;
#[path = "../../../../fuzz/replay.rs"]
mod replay;

#[test]
fn every_configuration_is_taken_or_refused() {
    replay::replay(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz"), "config", config_entry::feed);
}
