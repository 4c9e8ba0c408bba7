//! A decision is data: allowed or refused, why, and what it rests on (design 3). `explain` and `enforce` are the same function.

use serde::Serialize;

use crate::{Reason, Refusal};

/// Allowed or refused, with its evidence `E`.
#[derive(Clone, Debug, Serialize)]
pub struct Decision<E> {
    /// Whether it is allowed.
    pub allowed: bool,
    /// Reason code of a refusal; absent when allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// What was seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// The command or step that would change the decision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
    /// What the decision is about.
    #[serde(flatten)]
    pub evidence: E,
}

impl<E> Decision<E> {
    /// Allowed on this evidence.
    pub fn allow(evidence: E) -> Self {
        Self { allowed: true, reason: None, detail: None, fix: None, evidence }
    }

    /// Refused for this reason on this evidence.
    pub fn refuse(refusal: &Refusal, evidence: E) -> Self {
        let reason: &'static Reason = refusal.reason;
        Self {
            allowed: false,
            reason: Some(reason.code),
            detail: Some(refusal.detail.clone()),
            fix: Some(refusal.fix().to_owned()),
            evidence,
        }
    }
}
