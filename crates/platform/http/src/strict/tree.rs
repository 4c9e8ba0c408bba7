//! JSON text to a tree, checked while it is read: depth, duplicate members, NUL.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use super::{Fault, MAX_DEPTH, join};

/// A checked value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tree {
    Null,
    Bool(bool),
    Unsigned(u64),
    Signed(i64),
    Float(f64),
    Text(String),
    /// A parameter: a text that may also stand for a number or a boolean.
    Word(String),
    List(Vec<Tree>),
    Members(BTreeMap<String, Tree>),
}

impl Tree {
    /// The kind of value in words, for messages that must not show the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Unsigned(_) | Self::Signed(_) | Self::Float(_) => "a number",
            Self::Text(_) | Self::Word(_) => "a string",
            Self::List(_) => "an array",
            Self::Members(_) => "an object",
        }
    }
}

/// Reads one JSON text (RFC 8259); a byte order mark before it is dropped.
pub(crate) fn parse(bytes: &[u8]) -> Result<Tree, Fault> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(Fault::Malformed("it is empty".to_owned()));
    }
    let found = RefCell::new(None);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let tree = Node { depth: 0, path: "", found: &found }.deserialize(&mut json);
    let fault = |error: serde_json::Error| found.take().unwrap_or_else(|| Fault::Malformed(error.to_string()));
    let tree = tree.map_err(fault)?;
    json.end().map_err(|error| Fault::Malformed(error.to_string()))?;
    Ok(tree)
}

/// What of a member's name goes into paths: a path is made for each element, so a long name must not be copied into all of them.
fn shown(name: &str) -> &str {
    const LONGEST: usize = 64;
    name.char_indices().nth(LONGEST).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}

/// One value at a depth and path; a fault is left in `found`, since serde's errors carry only text.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    path: &'a str,
    found: &'a RefCell<Option<Fault>>,
}

impl Node<'_> {
    fn fail<E: Error>(&self, fault: Fault) -> E {
        self.found.borrow_mut().get_or_insert(fault);
        E::custom("refused")
    }

    fn text<E: Error>(&self, text: String) -> Result<Tree, E> {
        if text.contains('\0') { Err(self.fail(Fault::Nul(self.path.to_owned()))) } else { Ok(Tree::Text(text)) }
    }

    fn deeper<E: Error>(&self) -> Result<usize, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fail(Fault::Malformed(format!("it is nested deeper than {MAX_DEPTH} levels"))));
        }
        Ok(self.depth.saturating_add(1))
    }
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Tree;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Tree, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Tree;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E: Error>(self) -> Result<Tree, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Tree, E> {
        Ok(Tree::Bool(value))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Unsigned(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Signed(value))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Float(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        self.text(value.to_owned())
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Tree, E> {
        self.text(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let depth = self.deeper()?;
        let mut list = Vec::new();
        loop {
            let path = join(self.path, &format!("[{}]", list.len()));
            match items.next_element_seed(Node { depth, path: &path, found: self.found })? {
                Some(item) => list.push(item),
                None => return Ok(Tree::List(list)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let depth = self.deeper()?;
        let mut members = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            if name.contains('\0') {
                return Err(self.fail(Fault::Nul(self.path.to_owned())));
            }
            let path = join(self.path, shown(&name));
            let value = entries.next_value_seed(Node { depth, path: &path, found: self.found })?;
            if members.insert(name, value).is_some() {
                return Err(self.fail(Fault::Duplicate(path)));
            }
        }
        Ok(Tree::Members(members))
    }
}
