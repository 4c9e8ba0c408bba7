//! Audit records: what is written in the same commit as the change it tells of. A record is one JSON text; that text,
//! byte for byte, is the leaf of the Merkle log (design 6).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Position, Scope, TenantId, Timestamp, TraceId};

/// A record on its way into the ledger; the position is given at the commit.
#[derive(Clone, Debug)]
pub struct AuditRecord {
    /// The tenant it belongs to; none for what stands above the tenants.
    pub tenant: Option<TenantId>,
    /// When it was decided.
    pub time: Timestamp,
    /// Who did it, as [`Caller`](crate::Caller) writes itself.
    pub actor: String,
    /// What was done, such as `credential.suspend`.
    pub action: &'static str,
    /// The id of what it was done to.
    pub object: String,
    /// The reason that the caller gave, or the reason code of an automatic step.
    pub reason: Option<String>,
    /// The trace of the request.
    pub trace_id: TraceId,
    /// Further facts, each under a name fixed in the code; never a secret.
    pub detail: BTreeMap<&'static str, String>,
}

#[derive(Serialize)]
struct Suffix<'a> {
    v: u8,
    time: Timestamp,
    tenant: Option<&'a TenantId>,
    actor: &'a str,
    action: &'a str,
    object: &'a str,
    reason: Option<&'a str>,
    trace_id: &'a TraceId,
    detail: &'a BTreeMap<&'static str, String>,
}

impl AuditRecord {
    /// A record of `action` on `object` in the tenant of `scope`.
    pub fn new(scope: &Scope, action: &'static str, object: impl Into<String>) -> Self {
        Self {
            tenant: Some(scope.tenant.clone()),
            time: scope.now(),
            actor: scope.caller.to_string(),
            action,
            object: object.into(),
            reason: None,
            trace_id: scope.trace.clone(),
            detail: BTreeMap::new(),
        }
    }

    /// The same with the reason that was given.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// The same with a further fact.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.detail.insert(name, value.into());
        self
    }

    /// The leaf's text behind the position: `,"v":1,…}`. [`AuditRecord::LEAF_PREFIX`], the position and this text are the leaf.
    pub fn leaf_suffix(&self) -> String {
        let suffix = Suffix {
            v: 1,
            time: self.time,
            tenant: self.tenant.as_ref(),
            actor: &self.actor,
            action: self.action,
            object: &self.object,
            reason: self.reason.as_deref(),
            trace_id: &self.trace_id,
            detail: &self.detail,
        };
        // Serialising strings and maps with string keys cannot fail; were it to, the leaf would be refused as unreadable.
        let json = serde_json::to_string(&suffix).unwrap_or_default();
        json.strip_prefix('{').map(|rest| format!(",{rest}")).unwrap_or_default()
    }

    /// What a leaf begins with, before the position's decimal digits.
    pub const LEAF_PREFIX: &'static str = "{\"position\":";

    /// The whole leaf at `position`.
    pub fn leaf(&self, position: Position) -> String {
        format!("{}{}{}", Self::LEAF_PREFIX, position.value(), self.leaf_suffix())
    }
}

/// A record as read back from the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Its place in the one order.
    pub position: Position,
    /// Version of the record's form.
    pub v: u8,
    /// When it was decided.
    pub time: Timestamp,
    /// The tenant, if any.
    pub tenant: Option<TenantId>,
    /// Who did it.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why.
    pub reason: Option<String>,
    /// Under which trace.
    pub trace_id: TraceId,
    /// Further facts.
    #[serde(default)]
    pub detail: BTreeMap<String, String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_reads_back_as_its_entry() -> Result<(), Box<dyn std::error::Error>> {
        let record = AuditRecord {
            tenant: Some("acme".parse()?),
            time: Timestamp::EPOCH,
            actor: "operator-token".to_owned(),
            action: "credential.suspend",
            object: "x\"\u{7}".to_owned(),
            reason: None,
            trace_id: "00000000000000000000000000000001".parse()?,
            detail: BTreeMap::from([("from", "Active".to_owned())]),
        };
        let leaf = record.leaf(Position::new(7));
        let entry: AuditEntry = serde_json::from_str(&leaf)?;
        assert_eq!((entry.position, entry.object.as_str(), entry.detail.len()), (Position::new(7), "x\"\u{7}", 1));
        assert!(leaf.starts_with("{\"position\":7,\"v\":1,\"time\":\"1970-"));
        Ok(())
    }
}
