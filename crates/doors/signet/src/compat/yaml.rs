//! A foreign YAML file as a list of dotted keys, each with its line and its text as written: `12345` and `1.50` stay what they
//! are, since either may be a password. What the keys mean is not known here.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// Nothing: an empty value, `~` or `null`.
    Nothing,
    /// A scalar, quotes taken off.
    Text(String),
    /// A list of scalars.
    List(Vec<String>),
    /// A list that holds more than scalars.
    DeepList,
}

/// One key of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    /// The path, such as `kaa.postgresql.host`, as written.
    pub(crate) path: String,
    /// The line where its value stands, counted from 1.
    pub(crate) line: u64,
    /// Its value.
    pub(crate) found: Found,
}

/// Why a text is no configuration; without anything of the text itself, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Where, counted from 1; 0 when the parser did not say.
    pub(crate) line: u64,
    /// What is wrong.
    pub(crate) what: String,
}

/// Reads `text`. Anchors, aliases and merges are followed within the parser's bounds (a million events, depth 64).
pub(crate) fn read(text: &str) -> Result<Vec<Entry>, Fault> {
    let options = serde_saphyr::options! { with_snippet: false };
    let root: Spanned<Node> = serde_saphyr::from_str_with_options(text, options).map_err(|error| fault(&error))?;
    let mut entries = Vec::new();
    match &root.value {
        Node::Null => {}
        Node::Map(_) => flatten(text, "", &root, &mut entries),
        Node::Text(_) | Node::Typed | Node::List(_) => {
            return Err(Fault { line: root.referenced.line(), what: "not a mapping of keys to values".to_owned() });
        }
    }
    Ok(entries)
}

fn flatten(text: &str, path: &str, node: &Spanned<Node>, entries: &mut Vec<Entry>) {
    if let Node::Map(members) = &node.value {
        for (name, member) in members {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            flatten(text, &path, member, entries);
        }
        return;
    }
    let found = match &node.value {
        Node::Map(_) | Node::Null => Found::Nothing,
        Node::Text(_) | Node::Typed => scalar(text, node).map_or(Found::DeepList, Found::Text),
        Node::List(items) => items.iter().map(|item| scalar(text, item)).collect::<Option<_>>().map_or(Found::DeepList, Found::List),
    };
    entries.push(Entry { path: path.to_owned(), line: node.referenced.line(), found });
}

/// The text of a scalar: of a number or a boolean the letters in the file, not what the parser made of them.
fn scalar(text: &str, node: &Spanned<Node>) -> Option<String> {
    match &node.value {
        Node::Text(value) => Some(value.clone()),
        Node::Typed => written(text, &node.defined),
        Node::Null => Some(String::new()),
        Node::List(_) | Node::Map(_) => None,
    }
}

fn written(text: &str, place: &Location) -> Option<String> {
    let start = usize::try_from(place.span().byte_offset()?).ok()?;
    let length = usize::try_from(place.span().byte_len()?).ok()?;
    Some(text.get(start..start.checked_add(length)?)?.trim().to_owned())
}

/// The parser's words name kinds and places; those of type errors could quote a value, but no type is asked for here.
fn fault(error: &serde_saphyr::Error) -> Fault {
    let error = error.without_snippet();
    let line = error.location().map_or(0, |place| place.line());
    let what = error.to_string();
    Fault { line, what: signet_model::log_text(what.lines().next().unwrap_or_default(), 200) }
}

/// A node as the parser sees it.
#[derive(Debug)]
enum Node {
    Null,
    /// A number or a boolean.
    Typed,
    Text(String),
    List(Vec<Spanned<Node>>),
    Map(Vec<(String, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyNode;

        impl<'de> Visitor<'de> for AnyNode {
            type Value = Node;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_none<E: de::Error>(self) -> Result<Node, E> {
                Ok(Node::Null)
            }

            fn visit_bool<E: de::Error>(self, _: bool) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_i64<E: de::Error>(self, _: i64) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_u64<E: de::Error>(self, _: u64) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_i128<E: de::Error>(self, _: i128) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_u128<E: de::Error>(self, _: u128) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_f64<E: de::Error>(self, _: f64) -> Result<Node, E> {
                Ok(Node::Typed)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Node, E> {
                Ok(Node::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Node::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
                let mut map = Vec::new();
                while let Some(Name(name)) = members.next_key()? {
                    match name {
                        Some(name) => map.push((name, members.next_value()?)),
                        // A list or a mapping as a key names nothing that anybody could ask for.
                        None => drop(members.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(Node::Map(map))
            }
        }

        deserializer.deserialize_any(AnyNode)
    }
}

/// A key: its text, also of `80:` and `true:`.
struct Name(Option<String>);

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(Option::<String>::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_one(text: &str) -> Found {
        let entries = read(text).unwrap();
        assert_eq!(entries.len(), 1, "{entries:?}");
        entries[0].found.clone()
    }

    #[test]
    fn nested_and_dotted_keys_are_the_same_and_lines_are_told() {
        let text = "# a comment\r\nkaa:\r\n  postgresql:\r\n    host: db # where\r\nserver.port: 80\r\n";
        let entries: Vec<_> = read(text).unwrap().into_iter().map(|e| (e.path, e.line, e.found)).collect();
        assert_eq!(
            entries,
            [
                ("kaa.postgresql.host".to_owned(), 4, Found::Text("db".to_owned())),
                ("server.port".to_owned(), 5, Found::Text("80".to_owned()))
            ]
        );
    }

    #[test]
    fn scalars_keep_the_letters_they_are_written_with() {
        for (written, text) in [
            ("0123", "0123"),
            ("1.50", "1.50"),
            ("1e3", "1e3"),
            ("0x1F", "0x1F"),
            ("12345678901234567890123", "12345678901234567890123"),
            ("true", "true"),
            ("\"a b\"", "a b"),
            ("'it''s'", "it's"),
            ("\"\"", ""),
            ("pa#ss", "pa#ss"),
            ("ünï", "ünï"),
            ("+5", "+5"),
        ] {
            for end in ["\n", "\r\n", "   # why\n", ""] {
                assert_eq!(read_one(&format!("# ä\nx: {written}{end}")), Found::Text(text.to_owned()), "{written:?} {end:?}");
            }
        }
        assert_eq!(read_one("a: &x 007\n"), Found::Text("007".to_owned()));
        assert_eq!(read("a: &x 007\nb: *x\n").unwrap()[1].found, Found::Text("007".to_owned()));
    }

    #[test]
    fn nothing_lists_and_deep_lists_are_told_apart() {
        for nothing in ["x:\n", "x: ~\n", "x: null\n"] {
            assert_eq!(read_one(nothing), Found::Nothing);
        }
        assert_eq!(read_one("x: [a, 1, true]\n"), Found::List(vec!["a".to_owned(), "1".to_owned(), "true".to_owned()]));
        assert_eq!(read_one("x:\n  - a: b\n"), Found::DeepList);
        for empty in ["", "# only a comment\n", "---\n", "{}\n", "x: {}\n"] {
            assert_eq!(read(empty), Ok(Vec::new()), "{empty:?}");
        }
    }

    #[test]
    fn what_is_no_mapping_is_refused_with_its_line_and_without_its_text() {
        for (text, line) in [
            ("canary", 1),
            ("- canary\n", 1),
            ("a: 1\nb: [canary\n", 2),
            ("a: 1\n\tb: canary\n", 1),
            ("a: 1\na: canary\n", 2),
            ("a: \"canary\n", 1),
        ] {
            let fault = read(text).unwrap_err();
            assert!(fault.line >= line && !fault.what.is_empty(), "{text:?}: {fault:?}");
            assert!(!fault.what.contains("canary"), "{fault:?}");
        }
    }

    #[test]
    fn a_file_made_to_grow_without_end_is_refused() {
        let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = format!("*a{}", level - 1);
            text.push_str(&format!("a{level}: &a{level} [{}]\n", [before.as_str(); 9].join(", ")));
        }
        assert!(read(&text).is_err());
        assert!(read(&format!("a: {}{}", "[".repeat(5_000), "]".repeat(5_000))).is_err());
    }
}
