//! The Merkle tree over audit records: RFC 6962 section 2.1 hashing, kept as the right edge of C2SP tlog-tiles of height 8.
//!
//! Pure: leaves in, roots and tiles out. Where tiles are stored is not told here.

use signet_crypto::sha256_parts;

/// A node's hash.
pub(crate) type Hash = [u8; 32];

/// Hashes in a full tile: the tile's height is 8.
pub(crate) const TILE_WIDTH: usize = 256;
const TILE_HEIGHT: u32 = 8;
/// Levels of tiles that a 64-bit size can need.
const MOST_LEVELS: u32 = 8;

/// The hash of a leaf (RFC 6962 section 2.1: domain byte 0).
pub(crate) fn leaf_hash(leaf: &[u8]) -> Hash {
    sha256_parts(&[&[0], leaf])
}

/// The hash of an inner node (domain byte 1).
pub(crate) fn node_hash(left: &Hash, right: &Hash) -> Hash {
    sha256_parts(&[&[1], left, right])
}

/// The root of an empty tree.
pub(crate) fn empty_root() -> Hash {
    sha256_parts(&[])
}

/// A tile to be stored: `hashes` are the nodes of tree level `8 * level` from `tile * 256` on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// Level of tiles, 0 at the leaves.
    pub level: u32,
    /// Which tile of the level.
    pub tile: u64,
    /// Up to 256 hashes, one behind the other.
    pub hashes: Vec<u8>,
}

/// A stored tile that does not hold what the size demands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TileMissing {
    pub level: u32,
    pub tile: u64,
}

/// A tree that only grows; the default one forgets its full tiles, for checking. Memory: at most 255 hashes per level, and the tiles that were filled since the last store.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tree {
    size: u64,
    /// Per level the hashes of its last, not yet full tile.
    edge: Vec<Vec<Hash>>,
    filled: Vec<Tile>,
    keep_filled: bool,
}

impl Tree {
    /// An empty tree whose tiles will be stored.
    pub(crate) fn new() -> Self {
        Self { keep_filled: true, ..Self::default() }
    }

    /// The partial tiles that a tree of `size` leaves needs to go on: level, tile and width.
    pub(crate) fn edge_of(size: u64) -> Vec<(u32, u64, usize)> {
        let width = TILE_WIDTH as u64;
        (0..MOST_LEVELS)
            .map(|level| (level, size.checked_shr(level.saturating_mul(TILE_HEIGHT)).unwrap_or(0)))
            .take_while(|(_, nodes)| *nodes > 0)
            .map(|(level, nodes)| (level, nodes >> TILE_HEIGHT, usize::try_from(nodes & width.saturating_sub(1)).unwrap_or(0)))
            .collect()
    }

    /// A tree of `size` leaves from its stored tiles, which are asked for as [`Tree::edge_of`] says.
    pub(crate) fn restore(size: u64, mut stored: impl FnMut(u32, u64) -> Option<Vec<u8>>) -> Result<Self, TileMissing> {
        let mut tree = Self { size, keep_filled: true, ..Self::default() };
        for (level, tile, width) in Self::edge_of(size) {
            let bytes = if width == 0 { Vec::new() } else { stored(level, tile).unwrap_or_default() };
            let hashes: Vec<Hash> = hashes_of(&bytes).take(width).collect();
            if hashes.len() != width {
                return Err(TileMissing { level, tile });
            }
            tree.edge.push(hashes);
        }
        Ok(tree)
    }

    /// Number of leaves.
    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    /// Adds the next leaf by its hash.
    pub(crate) fn append(&mut self, leaf: Hash) {
        let mut carried = Some(leaf);
        let mut level = 0_usize;
        while let Some(hash) = carried.take() {
            if self.edge.len() <= level {
                self.edge.push(Vec::with_capacity(TILE_WIDTH));
            }
            let Some(row) = self.edge.get_mut(level) else { break };
            row.push(hash);
            if row.len() == TILE_WIDTH {
                let full = std::mem::take(row);
                carried = perfect_root(&full);
                if self.keep_filled {
                    let height = u32::try_from(level).unwrap_or(u32::MAX).saturating_add(1).saturating_mul(TILE_HEIGHT);
                    self.filled.push(Tile {
                        level: u32::try_from(level).unwrap_or(u32::MAX),
                        tile: self.size.checked_shr(height).unwrap_or(0),
                        hashes: full.concat(),
                    });
                }
            }
            level = level.saturating_add(1);
        }
        self.size = self.size.saturating_add(1);
    }

    /// The root over all leaves.
    pub(crate) fn root(&self) -> Hash {
        let mut root: Option<Hash> = None;
        for row in &self.edge {
            let mut end = row.len();
            while end > 0 {
                // The rightmost perfect subtree inside this tile is as wide as the lowest bit that is set.
                let width = 1_usize << end.trailing_zeros();
                let start = end.saturating_sub(width);
                if let Some(left) = row.get(start..end).and_then(perfect_root) {
                    root = Some(root.map_or(left, |right| node_hash(&left, &right)));
                }
                end = start;
            }
        }
        root.unwrap_or_else(empty_root)
    }

    /// The tiles to store now: those filled since [`Tree::forget_filled`], and the partial ones of the edge.
    pub(crate) fn tiles(&self) -> Vec<Tile> {
        let mut tiles = self.filled.clone();
        for (level, tile, width) in Self::edge_of(self.size) {
            let row = usize::try_from(level).ok().and_then(|level| self.edge.get(level));
            if let Some(row) = row.filter(|_| width > 0) {
                tiles.push(Tile { level, tile, hashes: row.concat() });
            }
        }
        tiles
    }

    /// The filled tiles are stored.
    pub(crate) fn forget_filled(&mut self) {
        self.filled.clear();
    }
}

/// The hashes inside a stored tile; bytes beyond the last whole hash are ignored.
pub(crate) fn hashes_of(bytes: &[u8]) -> impl Iterator<Item = Hash> + '_ {
    let (chunks, _) = bytes.as_chunks::<32>();
    chunks.iter().copied()
}

/// The root of a perfect subtree, whose number of hashes is a power of two.
fn perfect_root(hashes: &[Hash]) -> Option<Hash> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    level.first().copied()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// RFC 6962 section 2.1, word for word.
    fn naive(leaves: &[Vec<u8>]) -> Hash {
        match leaves {
            [] => sha256_parts(&[]),
            [one] => leaf_hash(one),
            many => {
                let k = many.len().next_power_of_two() / 2;
                node_hash(&naive(&many[..k]), &naive(&many[k..]))
            }
        }
    }

    fn leaves(n: usize) -> Vec<Vec<u8>> {
        (0..n).map(|i| format!("leaf {i}").into_bytes()).collect()
    }

    #[test]
    fn roots_agree_with_rfc_6962_for_every_size_up_to_a_thousand() {
        let all = leaves(1_000);
        let mut tree = Tree::new();
        assert_eq!(tree.root(), naive(&[]));
        for (i, leaf) in all.iter().enumerate() {
            tree.append(leaf_hash(leaf));
            assert_eq!(tree.root(), naive(&all[..=i]), "{} leaves", i + 1);
        }
        assert_eq!(tree.size(), 1_000);
    }

    #[test]
    fn the_known_vectors_of_certificate_transparency_hold() {
        let hex = |h: Hash| h.iter().map(|b| format!("{b:02x}")).collect::<String>();
        assert_eq!(hex(empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let mut tree = Tree::new();
        tree.append(leaf_hash(b""));
        assert_eq!(hex(tree.root()), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        tree.append(leaf_hash(&[0]));
        assert_eq!(hex(tree.root()), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    #[test]
    fn two_levels_of_tiles_agree_with_rfc_6962() {
        let all = leaves(66_000); // beyond 256 * 256: a full tile of level 1
        let mut tree = Tree::new();
        all.iter().for_each(|leaf| tree.append(leaf_hash(leaf)));
        assert_eq!(tree.root(), naive(&all));
        let full: Vec<_> = tree.tiles().into_iter().filter(|t| t.level == 1).map(|t| (t.tile, t.hashes.len())).collect();
        assert_eq!(full, [(0, 8_192), (1, 32)]);
    }

    #[test]
    fn a_short_tile_is_noticed() {
        let short = Tree::restore(10, |_, _| Some(vec![0; 9 * 32]));
        assert_eq!(short.err(), Some(TileMissing { level: 0, tile: 0 }));
        assert_eq!(Tree::restore(0, |_, _| None).map(|t| t.root()), Ok(empty_root()));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn a_tree_restored_from_its_tiles_goes_on_as_if_never_stopped(cuts in proptest::collection::vec(0_usize..400, 1..8)) {
            let mut stored: HashMap<(u32, u64), Vec<u8>> = HashMap::new();
            let (mut kept, mut restored) = (Tree::new(), Tree::new());
            let mut n = 0_usize;
            for cut in cuts {
                for _ in 0..cut {
                    let leaf = leaf_hash(format!("{n}").as_bytes());
                    kept.append(leaf);
                    restored.append(leaf);
                    n += 1;
                }
                for tile in restored.tiles() {
                    stored.insert((tile.level, tile.tile), tile.hashes);
                }
                restored = Tree::restore(n as u64, |level, tile| stored.get(&(level, tile)).cloned()).unwrap();
                prop_assert_eq!(restored.root(), kept.root());
            }
            let mut first = Tree::default();
            for (i, hash) in hashes_of(stored.get(&(0, 0)).map_or(&[][..], |t| t)).enumerate() {
                prop_assert_eq!(hash, leaf_hash(format!("{i}").as_bytes()));
                first.append(hash);
            }
            prop_assert!(first.size() <= 256);
        }
    }
}
