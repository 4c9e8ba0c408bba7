//! JSON as tokens, keys and issuers write it, read strictly: duplicate members and deep nesting are refused, nothing may follow
//! the value. Numbers are kept as floating point, which is exact for every date and count that is asked of them.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Deepest nesting; Keycloak's permission tickets need five levels.
const MAX_DEPTH: usize = 16;

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Tree {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Any number.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object; no name occurs twice.
    Members(BTreeMap<String, Tree>),
}

impl Tree {
    /// The member of that name, when this is an object that has one.
    pub fn member(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Members(members) => members.get(name),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::List(_) => None,
        }
    }

    /// The text, when this is a string.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::List(_) | Self::Members(_) => None,
        }
    }

    /// The items, when this is an array.
    pub fn list(&self) -> Option<&[Self]> {
        match self {
            Self::List(items) => Some(items),
            Self::Null | Self::Bool(_) | Self::Number(_) | Self::Text(_) | Self::Members(_) => None,
        }
    }
}

/// Why a text was not taken. Says nothing of its content, which may be a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JsonFault {
    /// No JSON text (RFC 8259).
    #[error("is not one JSON value in UTF-8")]
    Malformed,
    /// A member's name occurs twice in one object.
    #[error("names a member twice in one object")]
    Duplicate,
    /// Too deep.
    #[error("is nested deeper than {MAX_DEPTH} levels")]
    Deep,
    /// Something else than an object.
    #[error("is not a JSON object")]
    NotAnObject,
}

/// Reads one JSON object.
///
/// # Errors
/// [`JsonFault`].
pub fn parse(bytes: &[u8]) -> Result<Tree, JsonFault> {
    let found = Cell::new(None);
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let tree = Node { depth: 0, found: &found }.deserialize(&mut json).map_err(|_| found.take().unwrap_or(JsonFault::Malformed))?;
    json.end().map_err(|_| JsonFault::Malformed)?;
    if matches!(tree, Tree::Members(_)) { Ok(tree) } else { Err(JsonFault::NotAnObject) }
}

/// One value at a depth; a fault is left in `found`, since serde's errors carry only text.
#[derive(Clone, Copy)]
struct Node<'a> {
    depth: usize,
    found: &'a Cell<Option<JsonFault>>,
}

impl Node<'_> {
    fn fail<E: Error>(self, fault: JsonFault) -> E {
        self.found.set(Some(fault));
        E::custom("refused")
    }

    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fail(JsonFault::Deep));
        }
        Ok(Self { depth: self.depth.saturating_add(1), ..self })
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

    #[expect(clippy::cast_precision_loss, reason = "numbers above 2^53 are outside of every range that is asked for")]
    fn visit_u64<E: Error>(self, value: u64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers below -2^53 are outside of every range that is asked for")]
    fn visit_i64<E: Error>(self, value: i64) -> Result<Tree, E> {
        Ok(Tree::Number(value as f64))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Tree, E> {
        Ok(Tree::Number(value))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Tree, E> {
        Ok(Tree::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
        let inner = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inner)? {
            list.push(item);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
        let inner = self.deeper()?;
        let mut members = BTreeMap::new();
        while let Some(name) = entries.next_key::<String>()? {
            let value = entries.next_value_seed(inner)?;
            if members.insert(name, value).is_some() {
                return Err(self.fail(JsonFault::Duplicate));
            }
        }
        Ok(Tree::Members(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_read_whole() {
        let tree = parse(br#"{"a":[1,-2,0.5,null,true],"b":{"c":"d"}}"#).unwrap();
        let list = [Tree::Number(1.0), Tree::Number(-2.0), Tree::Number(0.5), Tree::Null, Tree::Bool(true)];
        assert_eq!(tree.member("a").and_then(Tree::list), Some(&list[..]));
        assert_eq!(tree.member("b").and_then(|b| b.member("c")).and_then(Tree::text), Some("d"));
    }

    #[test]
    fn duplicates_are_refused_at_any_level_also_when_spelled_otherwise() {
        for text in [r#"{"a":1,"a":1}"#, r#"{"x":{"a":1,"a":2}}"#, r#"{"x":[{"a":1,"\u0061":2}]}"#] {
            assert_eq!(parse(text.as_bytes()), Err(JsonFault::Duplicate), "{text}");
        }
    }

    #[test]
    fn depth_and_form_are_bounded() {
        let nested = |depth: usize| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(parse(nested(MAX_DEPTH - 1).as_bytes()).is_ok());
        assert_eq!(parse(nested(MAX_DEPTH).as_bytes()), Err(JsonFault::Deep));
        assert_eq!(parse(nested(20_000).as_bytes()), Err(JsonFault::Deep));
        for bad in ["", "{", "{}{}", "{} x", "{\"a\":1,}", "{\"a\":NaN}", "\u{feff}{}", "{\"a\":1e999}"] {
            assert_eq!(parse(bad.as_bytes()), Err(JsonFault::Malformed), "{bad}");
        }
        assert_eq!(parse(b"{\"\xff\":1}"), Err(JsonFault::Malformed));
        assert_eq!(parse(b"[]"), Err(JsonFault::NotAnObject));
    }
}
