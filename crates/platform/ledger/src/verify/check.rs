//! The verification itself, over rows in the order of their positions. Pure: rows and stored hashes come in, a verdict goes out.

use serde::Deserialize;
use signet_model::Checkpoint;

use super::{Damage, Fault, Verdict, base64};
use crate::merkle::{Hash, Tree, leaf_hash};

/// A row of the log, its bytes as they are stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AuditRow {
    pub(crate) position: i64,
    pub(crate) tenant: Option<Vec<u8>>,
    pub(crate) object: Vec<u8>,
    pub(crate) record: Vec<u8>,
}

/// A signed size and root that the log must agree with.
#[derive(Clone, Debug)]
pub(crate) struct Anchor {
    size: u64,
    root: Hash,
    from: &'static str,
}

impl Anchor {
    pub(crate) fn of(checkpoint: &Checkpoint, from: &'static str) -> Self {
        Self { size: checkpoint.size, root: checkpoint.root, from }
    }
}

/// What is read of a record to compare it with the columns beside it.
#[derive(Deserialize)]
struct Facts {
    position: i64,
    tenant: Option<String>,
    object: String,
}

/// A record that stands at another's place: is its own place's record further on, or nowhere?
#[derive(Debug)]
struct Displaced {
    at: u64,
    holds: i64,
}

/// The state of a verification. Constant in size.
#[derive(Debug, Default)]
pub(crate) struct Check {
    tree: Tree,
    records: u64,
    anchors: Vec<Anchor>,
    reached: usize,
    /// The newest anchor's size with the root found there, or that of all records.
    summary: Option<(u64, Hash)>,
    /// The first record that differs from the stored tree; the next anchor decides which of both is wrong.
    suspect: Option<u64>,
    displaced: Option<Displaced>,
}

/// Whether the next rows are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Go,
    Stop,
}

impl Check {
    /// What the log must agree with.
    pub(crate) fn expect(&mut self, mut anchors: Vec<Anchor>) {
        anchors.sort_by_key(|anchor| anchor.size);
        self.anchors = anchors;
    }

    /// The next row, with the hash that the stored tree holds for its place.
    pub(crate) fn row(&mut self, row: &AuditRow, stored: Option<Hash>, hash_at: impl FnOnce(u64) -> Option<Hash>) -> Result<Next, Fault> {
        if let Some(displaced) = &self.displaced {
            let wanted = i64::try_from(displaced.at).unwrap_or(i64::MAX);
            return if facts(row).is_some_and(|facts| facts.position == wanted) { Err(self.reordered()) } else { Ok(Next::Go) };
        }
        self.anchors_reached()?;
        let place = self.tree.size().saturating_add(1);
        if u64::try_from(row.position) != Ok(place) {
            return Err(Fault::new(Damage::Missing, Some(place), format!("record {place} is not there; the next one is {}", row.position)));
        }
        let hash = leaf_hash(&row.record);
        let altered = |detail: &str| Fault::new(Damage::Altered, Some(place), format!("record {place}: {detail}"));
        let facts = facts(row).ok_or_else(|| altered("it cannot be read"))?;
        if facts.position != row.position {
            // A genuine record of another place was moved here; anything else was made up.
            let there = u64::try_from(facts.position).ok().and_then(hash_at);
            let genuine = there.map_or(stored.is_none(), |there| there == hash);
            if !genuine {
                return Err(altered("it names another position and is not that record"));
            }
            self.displaced = Some(Displaced { at: place, holds: facts.position });
            return Ok(Next::Go);
        }
        if facts.tenant.as_deref().map(str::as_bytes) != row.tenant.as_deref() {
            return Err(altered("the tenant beside it is another than inside"));
        }
        if facts.object.as_bytes() != row.object {
            return Err(altered("the object beside it is another than inside"));
        }
        if self.suspect.is_none() && stored.is_some_and(|stored| stored != hash) {
            self.suspect = Some(place);
        }
        self.tree.append(hash);
        self.records = place;
        Ok(Next::Go)
    }

    fn reordered(&self) -> Fault {
        let (at, holds) = self.displaced.as_ref().map_or((0, 0), |d| (d.at, d.holds));
        Fault::new(Damage::Reordered, Some(at), format!("place {at} holds record {holds}, and record {at} stands elsewhere"))
    }

    /// Compares with the anchors of the present size.
    fn anchors_reached(&mut self) -> Result<(), Fault> {
        while let Some(anchor) = self.anchors.get(self.reached).filter(|anchor| anchor.size <= self.tree.size()) {
            // Anchors are met in order of size, so none is passed over.
            let root = self.tree.root();
            self.summary = Some((anchor.size, root));
            if root != anchor.root {
                let detail = match self.suspect {
                    Some(place) => format!("record {place} is not the one that was signed ({})", anchor.from),
                    None => format!("the first {} records do not give the signed root of {}", anchor.size, anchor.from),
                };
                return Err(Fault::new(Damage::Altered, self.suspect, detail));
            }
            if let Some(place) = self.suspect {
                let detail = format!("the stored tree differs at {place}, though the records agree with {}", anchor.from);
                return Err(Fault::new(Damage::Altered, Some(place), detail));
            }
            self.reached = self.reached.saturating_add(1);
        }
        Ok(())
    }

    /// After the last row: in words what holds, or the fault.
    pub(crate) fn finish(&mut self) -> Result<String, Fault> {
        if let Some(displaced) = &self.displaced {
            let at = displaced.at;
            return Err(Fault::new(
                Damage::Missing,
                Some(at),
                format!("record {at} is not there; its place holds record {}", displaced.holds),
            ));
        }
        self.anchors_reached()?;
        if let Some(anchor) = self.anchors.last().filter(|anchor| anchor.size > self.tree.size()) {
            let first = self.tree.size().saturating_add(1);
            let detail = format!("{} records were signed ({}), {} are there", anchor.size, anchor.from, self.tree.size());
            return Err(Fault::new(Damage::Truncated, Some(first), detail));
        }
        if let Some(place) = self.suspect {
            return Err(Fault::new(Damage::Altered, Some(place), format!("record {place} differs from the stored tree")));
        }
        Ok(match self.anchors.last() {
            Some(anchor) => format!("{} records agree with {} of size {}", self.records, anchor.from, anchor.size),
            None => format!("{} records are in order; there is no checkpoint to compare them with yet", self.records),
        })
    }

    /// Puts the result into its form.
    pub(crate) fn verdict(&self, result: Result<String, Fault>) -> Verdict {
        let (size, root) = self.summary.filter(|_| !self.anchors.is_empty()).unwrap_or_else(|| (self.tree.size(), self.tree.root()));
        let (ok, first_bad, kind, detail, checkpoint_unusable) = match result {
            Ok(detail) => (true, None, None, detail, false),
            Err(fault) => (false, fault.first_bad, Some(fault.kind), fault.detail, fault.given),
        };
        Verdict { ok, records: self.records, size, root: base64(&root), first_bad, kind, detail, checkpoint_unusable }
    }
}

fn facts(row: &AuditRow) -> Option<Facts> {
    serde_json::from_slice(&row.record).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn row(position: i64) -> AuditRow {
        AuditRow {
            position,
            tenant: Some(b"acme".to_vec()),
            object: format!("o{position}").into_bytes(),
            record: format!("{{\"position\":{position},\"v\":1,\"tenant\":\"acme\",\"object\":\"o{position}\"}}").into_bytes(),
        }
    }

    fn log(n: i64) -> Vec<AuditRow> {
        (1..=n).map(row).collect()
    }

    /// What was stored and signed when the log held these rows.
    fn signed(rows: &[AuditRow]) -> (Vec<Hash>, Anchor) {
        let hashes: Vec<Hash> = rows.iter().map(|row| leaf_hash(&row.record)).collect();
        let mut tree = Tree::default();
        hashes.iter().for_each(|hash| tree.append(*hash));
        (hashes, Anchor { size: tree.size(), root: tree.root(), from: "a test" })
    }

    fn verdict(rows: &[AuditRow], hashes: &[Hash], anchors: Vec<Anchor>) -> Verdict {
        let mut check = Check::default();
        check.expect(anchors);
        let at = |place: u64| hashes.get(usize::try_from(place).unwrap().wrapping_sub(1)).copied();
        let fed = rows.iter().try_for_each(|row| check.row(row, at(u64::try_from(row.position).unwrap()), at).map(|_| ()));
        let result = fed.and_then(|()| check.finish());
        check.verdict(result)
    }

    fn found(verdict: &Verdict) -> (Option<Damage>, Option<u64>) {
        (verdict.kind, verdict.first_bad)
    }

    #[test]
    fn an_untouched_log_holds_at_every_size() {
        for n in 0..=1_000 {
            let rows = log(n);
            let (hashes, anchor) = signed(&rows);
            let verdict = verdict(&rows, &hashes, vec![anchor]);
            assert!(verdict.ok, "{n}: {verdict:?}");
            assert_eq!((verdict.records, verdict.size), (n as u64, n as u64));
        }
    }

    #[test]
    fn records_behind_the_last_checkpoint_are_fine() {
        let rows = log(20);
        let (hashes, anchor) = signed(&rows[..12]);
        let verdict = verdict(&rows, &hashes, vec![anchor]);
        assert_eq!((verdict.ok, verdict.records, verdict.size), (true, 20, 12));
    }

    #[test]
    fn a_log_rebuilt_with_its_tree_is_found_by_an_older_checkpoint() {
        let mut rows = log(20);
        let (_, old) = signed(&rows[..10]);
        rows[4].record = rows[4].record.replace_byte(b'o', b'x');
        rows[4].object = b"x5".to_vec();
        let (hashes, new) = signed(&rows);
        assert!(verdict(&rows, &hashes, vec![new.clone()]).ok || !rows[4].object.is_empty());
        let verdict = verdict(&rows, &hashes, vec![new, old]);
        assert_eq!(found(&verdict), (Some(Damage::Altered), None));
    }

    trait ReplaceByte {
        fn replace_byte(&self, from: u8, to: u8) -> Vec<u8>;
    }
    impl ReplaceByte for Vec<u8> {
        /// Only the object's value: the last `o` of the text.
        fn replace_byte(&self, from: u8, to: u8) -> Vec<u8> {
            let mut bytes = self.clone();
            let at = bytes.iter().rposition(|b| *b == from).unwrap();
            bytes[at] = to;
            bytes
        }
    }

    #[test]
    fn a_damaged_tree_is_told_from_a_damaged_record() {
        let rows = log(10);
        let (mut hashes, anchor) = signed(&rows);
        hashes[3] = [0; 32];
        let verdict = verdict(&rows, &hashes, vec![anchor]);
        assert_eq!(found(&verdict), (Some(Damage::Altered), Some(4)));
        assert!(verdict.detail.contains("stored tree"), "{}", verdict.detail);
    }

    #[test]
    fn records_shifted_over_a_gap_are_missing_not_reordered() {
        let mut rows = log(10);
        let (hashes, anchor) = signed(&rows);
        rows.remove(4);
        for (position, row) in (1..).zip(&mut rows) {
            row.position = position;
        }
        assert_eq!(found(&verdict(&rows, &hashes, vec![anchor])), (Some(Damage::Missing), Some(5)));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn one_touched_byte_is_found_where_it_is(n in 1_i64..300, at in 0_usize..300, byte in 0_usize..200, flip in 1_u8..=255) {
            let mut rows = log(n);
            let (hashes, anchor) = signed(&rows);
            let at = at % rows.len();
            let record = &mut rows[at].record;
            let byte = byte % record.len();
            record[byte] ^= flip;
            let verdict = verdict(&rows, &hashes, vec![anchor]);
            prop_assert_eq!(found(&verdict), (Some(Damage::Altered), Some(at as u64 + 1)));
        }

        #[test]
        fn a_removed_record_is_found(n in 2_i64..300, at in 0_usize..300) {
            let mut rows = log(n);
            let (hashes, anchor) = signed(&rows);
            let at = at % (rows.len() - 1);
            rows.remove(at);
            let verdict = verdict(&rows, &hashes, vec![anchor]);
            prop_assert_eq!(found(&verdict), (Some(Damage::Missing), Some(at as u64 + 1)));
        }

        #[test]
        fn removed_last_records_are_found_with_or_without_the_tree(n in 1_i64..300, cut in 1_usize..300, tree in any::<bool>()) {
            let mut rows = log(n);
            let (mut hashes, anchor) = signed(&rows);
            let left = rows.len() - 1 - (cut - 1) % rows.len();
            rows.truncate(left);
            if tree {
                hashes.truncate(left);
            }
            let verdict = verdict(&rows, &hashes, vec![anchor]);
            prop_assert_eq!(found(&verdict), (Some(Damage::Truncated), Some(left as u64 + 1)));
        }

        #[test]
        fn two_swapped_records_are_found(n in 2_i64..300, a in 0_usize..300, b in 0_usize..300, columns in any::<bool>()) {
            let mut rows = log(n);
            let (hashes, anchor) = signed(&rows);
            let (a, b) = (a % rows.len(), b % rows.len());
            prop_assume!(a != b);
            let (low, high) = (a.min(b), a.max(b));
            let (left, right) = rows.split_at_mut(high);
            std::mem::swap(&mut left[low].record, &mut right[0].record);
            if columns {
                std::mem::swap(&mut left[low].object, &mut right[0].object);
            }
            let verdict = verdict(&rows, &hashes, vec![anchor]);
            prop_assert_eq!(found(&verdict), (Some(Damage::Reordered), Some(low as u64 + 1)));
        }
    }
}
