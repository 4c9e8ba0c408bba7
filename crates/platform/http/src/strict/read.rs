//! From a checked tree to a value of the target type, refusing what the type does not know and naming the place.

use std::collections::btree_map;
use std::fmt;
use std::iter::Enumerate;
use std::vec;

use serde::de::value::StringDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, Expected, MapAccess, SeqAccess, Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::{Fault, Tree, join};

/// Reads a `T` out of `tree`.
pub(crate) fn read<T: DeserializeOwned>(tree: Tree) -> Result<T, Fault> {
    T::deserialize(Reader(tree)).map_err(|Located(fault)| fault)
}

/// A fault as serde's error type.
#[derive(Debug)]
pub(crate) struct Located(Fault);

impl Located {
    fn under(self, step: &str) -> Self {
        Self(match self.0 {
            Fault::Unknown { path, known } => Fault::Unknown { path: join(step, &path), known },
            Fault::Missing(path) => Fault::Missing(join(step, &path)),
            Fault::Invalid { path, why } => Fault::Invalid { path: join(step, &path), why },
            other => other,
        })
    }

    fn invalid(why: String) -> Self {
        Self(Fault::Invalid { path: String::new(), why })
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Located {}

/// The kind of an unexpected value, never the value: it may be a secret in the wrong place.
fn kind(unexpected: &Unexpected<'_>) -> &'static str {
    match unexpected {
        Unexpected::Bool(_) => "a boolean",
        Unexpected::Unsigned(_) | Unexpected::Signed(_) | Unexpected::Float(_) => "a number",
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string",
        Unexpected::Unit | Unexpected::Option => "null",
        Unexpected::Seq => "an array",
        Unexpected::Map => "an object",
        _ => "a value of another form",
    }
}

impl de::Error for Located {
    fn custom<M: fmt::Display>(message: M) -> Self {
        Self::invalid(message.to_string())
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid(format!("wanted {expected}, got {}", kind(&unexpected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid(format!("wanted {expected}, got {} outside of that", kind(&unexpected)))
    }

    fn invalid_length(length: usize, expected: &dyn Expected) -> Self {
        Self::invalid(format!("wanted {expected}, got {length} elements"))
    }

    fn unknown_variant(_: &str, expected: &'static [&'static str]) -> Self {
        Self::invalid(format!("wanted one of {}", expected.join(", ")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        Self(Fault::Unknown { path: field.to_owned(), known: expected })
    }

    fn missing_field(field: &'static str) -> Self {
        Self(Fault::Missing(field.to_owned()))
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self(Fault::Duplicate(field.to_owned()))
    }
}

struct Reader(Tree);

/// A word of a parameter is read as the number or boolean that the type wants.
macro_rules! words {
    ($($method:ident $visit:ident $type:ty, $wanted:literal;)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
            match self.0 {
                Tree::Word(word) => match word.parse::<$type>() {
                    Ok(value) => visitor.$visit(value),
                    Err(_) => Err(Located::invalid(concat!("wanted ", $wanted).to_owned())),
                },
                other => Reader(other).deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Reader {
    type Error = Located;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
        match self.0 {
            Tree::Null => visitor.visit_unit(),
            Tree::Bool(value) => visitor.visit_bool(value),
            Tree::Unsigned(value) => visitor.visit_u64(value),
            Tree::Signed(value) => visitor.visit_i64(value),
            Tree::Float(value) => visitor.visit_f64(value),
            Tree::Text(text) | Tree::Word(text) => visitor.visit_string(text),
            Tree::List(list) => visitor.visit_seq(Elements(list.into_iter().enumerate())),
            Tree::Members(members) => visitor.visit_map(Members { entries: members.into_iter(), value: None }),
        }
    }

    words! {
        deserialize_bool visit_bool bool, "true or false";
        deserialize_u8 visit_u8 u8, "a number from 0 to 255";
        deserialize_u16 visit_u16 u16, "a number from 0 to 65535";
        deserialize_u32 visit_u32 u32, "a whole number that is not negative";
        deserialize_u64 visit_u64 u64, "a whole number that is not negative";
        deserialize_i8 visit_i8 i8, "a whole number";
        deserialize_i16 visit_i16 i16, "a whole number";
        deserialize_i32 visit_i32 i32, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_f32 visit_f32 f32, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
        match self.0 {
            Tree::Null => visitor.visit_none(),
            some => visitor.visit_some(Reader(some)),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Located> {
        visitor.visit_newtype_struct(self)
    }

    /// A parameter that comes once is a list of one.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Located> {
        match self.0 {
            word @ Tree::Word(_) => visitor.visit_seq(Elements(vec![word].into_iter().enumerate())),
            other => Reader(other).deserialize_any(visitor),
        }
    }

    /// A struct is an object; serde would also take an array of the members in order.
    fn deserialize_struct<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Located> {
        match self.0 {
            members @ Tree::Members(_) => Reader(members).deserialize_any(visitor),
            other => Err(Located::invalid(format!("wanted an object, got {}", other.kind()))),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(self, _: &'static str, _: &'static [&'static str], visitor: V) -> Result<V::Value, Located> {
        match self.0 {
            Tree::Text(name) | Tree::Word(name) => visitor.visit_enum(Variant { name, content: None }),
            Tree::Members(members) => {
                let mut entries = members.into_iter();
                match (entries.next(), entries.next()) {
                    (Some((name, content)), None) => visitor.visit_enum(Variant { name, content: Some(content) }),
                    _ => Err(Located::invalid("wanted an object with exactly one member".to_owned())),
                }
            }
            other => Err(Located::invalid(format!("wanted a string, got {}", other.kind()))),
        }
    }

    /// Whatever a type would skip is what it does not know.
    fn deserialize_ignored_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Located> {
        Err(Located(Fault::Unknown { path: String::new(), known: &[] }))
    }

    forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier
    }
}

struct Elements(Enumerate<vec::IntoIter<Tree>>);

impl<'de> SeqAccess<'de> for Elements {
    type Error = Located;

    fn next_element_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Located> {
        let Some((index, item)) = self.0.next() else { return Ok(None) };
        seed.deserialize(Reader(item)).map(Some).map_err(|error| error.under(&format!("[{index}]")))
    }
}

struct Members {
    entries: btree_map::IntoIter<String, Tree>,
    value: Option<(String, Tree)>,
}

impl<'de> MapAccess<'de> for Members {
    type Error = Located;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, Located> {
        let Some((name, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some((name.clone(), value));
        seed.deserialize(StringDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Located> {
        let (name, value) = self.value.take().ok_or_else(|| Located::invalid("a value without a name".to_owned()))?;
        seed.deserialize(Reader(value)).map_err(|error| error.under(&name))
    }
}

struct Variant {
    name: String,
    content: Option<Tree>,
}

impl<'de> EnumAccess<'de> for Variant {
    type Error = Located;
    type Variant = Content;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Content), Located> {
        let value = seed.deserialize(StringDeserializer::<Located>::new(self.name))?;
        Ok((value, Content(self.content)))
    }
}

struct Content(Option<Tree>);

impl Content {
    fn present(self) -> Result<Reader, Located> {
        self.0.map(Reader).ok_or_else(|| Located::invalid("wanted an object with the variant's content".to_owned()))
    }
}

impl<'de> VariantAccess<'de> for Content {
    type Error = Located;

    fn unit_variant(self) -> Result<(), Located> {
        match self.0 {
            None | Some(Tree::Null) => Ok(()),
            Some(other) => Err(Located::invalid(format!("wanted no content, got {}", other.kind()))),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Located> {
        seed.deserialize(self.present()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Located> {
        self.present()?.deserialize_any(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(self, fields: &'static [&'static str], visitor: V) -> Result<V::Value, Located> {
        self.present()?.deserialize_struct("", fields, visitor)
    }
}
