//! How it stands between Signet and the Tenant Manager: one line of health, a few numbers.

use std::sync::Arc;

use parking_lot::Mutex;
use signet_http::{HealthLine, HealthSource};
use signet_model::{Reason, Refusal};

/// What is known of the last attempt. Clones are the same.
#[derive(Clone, Default)]
pub(super) struct Status(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    /// None until the first attempt has ended.
    last: Option<Outcome>,
    ever_well: bool,
    known: usize,
}

enum Outcome {
    Well,
    /// The Tenant Manager cannot be asked, or not understood.
    Failed(&'static Reason),
    /// What it says cannot be applied here to some tenants.
    Unapplied(usize),
}

impl Status {
    /// So many tenants are known, from wherever.
    pub(super) fn knows(&self, tenants: usize) {
        self.0.lock().known = tenants;
    }

    /// The list was read and applied, but for so many tenants. Whether that is news.
    pub(super) fn refreshed(&self, unapplied: usize) -> bool {
        let mut inner = self.0.lock();
        let news = !matches!(inner.last, Some(Outcome::Well));
        inner.last = Some(if unapplied == 0 { Outcome::Well } else { Outcome::Unapplied(unapplied) });
        inner.ever_well = true;
        news
    }

    /// It could not be read.
    pub(super) fn failed(&self, refusal: &Refusal) {
        self.0.lock().last = Some(Outcome::Failed(refusal.reason));
    }
}

impl HealthSource for Status {
    fn lines(&self) -> Vec<HealthLine> {
        let inner = self.0.lock();
        let detail = match &inner.last {
            Some(Outcome::Well) => None,
            None => Some("not asked yet".to_owned()),
            Some(Outcome::Unapplied(tenants)) => {
                Some(format!("{tenants} of its tenants cannot be taken over as they are; the log says why"))
            }
            Some(Outcome::Failed(reason)) => {
                let meanwhile = if inner.ever_well || inner.known > 0 { "its last known list holds" } else { "no list of it is known yet" };
                Some(format!("{}: {}; {meanwhile}", reason.code, reason.title.trim().trim_end_matches('.')))
            }
        };
        vec![HealthLine { name: "tenant-manager", ok: detail.is_none(), detail: detail.unwrap_or_default() }]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reasons::TENANT_MANAGER_ANSWER;

    #[test]
    fn the_line_says_what_holds_meanwhile() {
        let status = Status::default();
        let line = || status.lines().remove(0);
        assert!(!line().ok && line().detail == "not asked yet");
        status.failed(&Refusal::new(&TENANT_MANAGER_ANSWER, "canary"));
        assert!(line().detail.starts_with("tenant-manager.answer-invalid: ") && line().detail.ends_with("no list of it is known yet"));
        assert!(status.refreshed(0) && !status.refreshed(0));
        assert!(line().ok && line().detail.is_empty());
        status.failed(&Refusal::new(&TENANT_MANAGER_ANSWER, "canary"));
        assert!(line().detail.ends_with("its last known list holds") && !line().detail.contains("canary"));
        assert!(status.refreshed(2));
        assert!(line().detail.starts_with("2 of its tenants"));
    }
}
