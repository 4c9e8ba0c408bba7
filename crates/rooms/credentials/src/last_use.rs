//! When a credential was last used, to the minute: written as upkeep, so that logins stay off the disk path.

use std::time::Duration;

use quick_cache::sync::Cache;
use signet_model::{CredentialId, Timestamp};

/// Shortest time between two writes for one credential (`kaa.md` 14.1).
const SHORTEST_SPACING: Duration = Duration::from_secs(60);
/// Credentials whose last write is remembered; a forgotten one costs one more write.
const MOST_REMEMBERED: usize = 100_000;

/// What was written lately by this process.
pub(crate) struct LastUse {
    written: Cache<CredentialId, Timestamp>,
}

impl LastUse {
    pub(crate) fn new() -> Self {
        Self { written: Cache::new(MOST_REMEMBERED) }
    }

    /// Whether a use at `now` has to be written, given what the database says. If so it counts as written.
    pub(crate) fn due(&self, id: &CredentialId, stored: Option<Timestamp>, now: Timestamp) -> bool {
        let recent = |earlier: Timestamp| now.since(earlier) < SHORTEST_SPACING;
        if stored.is_some_and(recent) || self.written.get(id).is_some_and(recent) {
            return false;
        }
        self.noted(id, now);
        true
    }

    /// A use at `now` was written.
    pub(crate) fn noted(&self, id: &CredentialId, now: Timestamp) {
        self.written.insert(id.clone(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_use_is_written_once_a_minute_whoever_wrote_it_last() {
        let last_use = LastUse::new();
        let id: CredentialId = "br7si8mg10l7an82que0".parse().unwrap();
        let at = |seconds: u64| Timestamp::EPOCH.plus(Duration::from_secs(seconds));
        assert!(last_use.due(&id, None, at(0)));
        assert!(!last_use.due(&id, None, at(59)), "written here a moment ago");
        assert!(last_use.due(&id, Some(at(0)), at(60)));
        assert!(!last_use.due(&id, Some(at(100)), at(130)), "written by another replica");
        let other: CredentialId = "br7si8mg10l7an82que1".parse().unwrap();
        assert!(last_use.due(&other, None, at(130)));
    }
}
