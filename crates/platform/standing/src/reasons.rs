//! Why a view refuses.

use signet_model::reasons;

reasons! {
    /// What the request leans on was taken back.
    STANDING_WITHDRAWN = ("standing.withdrawn", 403, "Look the subject up with `signet audit list --object ID`; what was suspended can be resumed.");
    /// The feed belongs to another history than this process has followed, such as a restored backup.
    STANDING_OTHER_HISTORY = ("standing.other-history", 503, "Make sure that every worker uses the intended database, then restart this process: it reads the new history from its start.");
    /// More is withdrawn than the view has room for, so nothing can be allowed on it.
    STANDING_FULL = ("standing.full", 503, "Give the process a larger capacity for withdrawn subjects and restart it.");
}
