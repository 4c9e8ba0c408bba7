//! Changes to DER that keep its shape, so that what is changed still reads far enough to be judged: elements dropped, doubled, swapped,
//! with other tags, values or forms of length.

/// Numbers that look random and are the same in each run (xorshift64*).
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides
    }
}

/// An element of DER.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    tag: u8,
    body: Body,
    /// How its length is written.
    long: bool,
}

#[derive(Clone, Debug)]
enum Body {
    Bytes(Vec<u8>),
    Nodes(Vec<Node>),
}

impl Node {
    /// Reads one element; values of OCTET STRING and BIT STRING are read too where they are DER themselves.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let (node, rest) = Self::take(bytes).unwrap();
        assert!(rest.is_empty());
        node
    }

    fn take(bytes: &[u8]) -> Option<(Self, &[u8])> {
        let (&tag, rest) = bytes.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81 => (usize::from(*rest.first()?), &rest[1..]),
            0x82 => (usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?])), &rest[2..]),
            _ => return None,
        };
        let (body, rest) = rest.split_at_checked(length)?;
        let nested = if tag & 0x20 != 0 || tag == 4 { Self::all(body) } else { None };
        let body = nested.map_or_else(|| Body::Bytes(body.to_vec()), Body::Nodes);
        Some((Self { tag, body, long: false }, rest))
    }

    fn all(mut bytes: &[u8]) -> Option<Vec<Self>> {
        let mut nodes = Vec::new();
        while !bytes.is_empty() {
            let (node, rest) = Self::take(bytes)?;
            nodes.push(node);
            bytes = rest;
        }
        Some(nodes)
    }

    pub(crate) fn write(&self) -> Vec<u8> {
        let body = match &self.body {
            Body::Bytes(bytes) => bytes.clone(),
            Body::Nodes(nodes) => nodes.iter().flat_map(Self::write).collect(),
        };
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        let head = match (body.len(), self.long) {
            (0..0x80, false) => vec![length[1]],
            (0x80..0x100, false) => vec![0x81, length[1]],
            _ => vec![0x82, length[0], length[1]],
        };
        [vec![self.tag], head, body].concat()
    }

    fn count(&self) -> usize {
        match &self.body {
            Body::Bytes(_) => 1,
            Body::Nodes(nodes) => 1 + nodes.iter().map(Self::count).sum::<usize>(),
        }
    }

    /// Changes one element somewhere inside.
    pub(crate) fn change(&mut self, dice: &mut Dice) {
        let mut steps = dice.roll(self.count());
        self.change_at(&mut steps, dice);
    }

    fn change_at(&mut self, steps: &mut usize, dice: &mut Dice) -> bool {
        if *steps == 0 {
            self.change_here(dice);
            return true;
        }
        *steps -= 1;
        match &mut self.body {
            Body::Bytes(_) => false,
            Body::Nodes(nodes) => nodes.iter_mut().any(|node| node.change_at(steps, dice)),
        }
    }

    fn change_here(&mut self, dice: &mut Dice) {
        const TAGS: [u8; 16] = [1, 2, 3, 4, 5, 6, 12, 19, 22, 23, 24, 30, 0x30, 0x31, 0xa0, 0x82];
        match &mut self.body {
            Body::Bytes(bytes) => match dice.roll(12) {
                0 => self.tag = TAGS[dice.roll(TAGS.len())],
                1 => self.long = true,
                2 => bytes.clear(),
                3 => bytes.insert(0, [0, 0xff, 0x80, 1][dice.roll(4)]),
                4 => drop(bytes.pop()),
                5 => bytes.extend_from_slice(&[0; 21][..1 + dice.roll(20)]),
                _ if bytes.is_empty() => bytes.push(0),
                6 => *bytes = vec![[0, 1, 0x7f, 0xff][dice.roll(4)]],
                7 => {
                    let place = dice.roll(bytes.len());
                    bytes[place] = [0, 0x20, 0x2a, 0x2e, 0x30, 0x39, 0x7f, 0xff][dice.roll(8)];
                }
                _ => {
                    let place = dice.roll(bytes.len());
                    bytes[place] ^= 1 << dice.roll(8);
                }
            },
            Body::Nodes(nodes) => match dice.roll(8) {
                0 => self.tag = TAGS[dice.roll(TAGS.len())],
                1 => self.long = true,
                2 => nodes.clear(),
                _ if nodes.is_empty() => {}
                3 | 4 => drop(nodes.remove(dice.roll(nodes.len()))),
                5 | 6 => {
                    let node = nodes[dice.roll(nodes.len())].clone();
                    nodes.insert(dice.roll(nodes.len() + 1), node);
                }
                _ => {
                    let (one, other) = (dice.roll(nodes.len()), dice.roll(nodes.len()));
                    nodes.swap(one, other);
                }
            },
        }
    }
}
