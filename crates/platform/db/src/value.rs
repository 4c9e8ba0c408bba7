//! Parameters and column values: the four types that both databases share. Texts with a NUL are refused here, where a value
//! turns into a parameter, so that no path around it exists (PostgreSQL cannot store one, SQLite can).

use std::error::Error;
use std::fmt;

use rusqlite::types::{ToSqlOutput, ValueRef};
use signet_model::{
    AnchorId, ApiTokenId, ApplicationName, CredentialId, CredentialKind, CredentialState, Enabled, EndpointId, EventId, IdentityId,
    IdentityKind, IdentityName, Position, ReplicaId, TenantId, Timestamp, TraceId, Username,
};
use tokio_postgres::types::private::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A parameter or the value of a column. Booleans are 0 and 1, times microseconds since the epoch, JSON is text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// No value.
    Null,
    /// A 64-bit integer.
    Int(i64),
    /// UTF-8 text without NUL.
    Text(String),
    /// Any bytes.
    Bytes(Vec<u8>),
}

impl Value {
    /// What it is, for messages; never the value itself.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Int(_) => "an integer",
            Self::Text(_) => "a text",
            Self::Bytes(_) => "bytes",
        }
    }

    /// The PostgreSQL type to prepare a parameter with; a null takes what the statement implies.
    pub(crate) fn postgres_type(&self) -> Type {
        match self {
            Self::Null => Type::UNKNOWN,
            Self::Int(_) => Type::INT8,
            Self::Text(_) => Type::TEXT,
            Self::Bytes(_) => Type::BYTEA,
        }
    }
}

/// The parameters of a statement: `params![tenant, 7, None::<i64>]`.
#[macro_export]
macro_rules! params {
    () => { Vec::<$crate::Value>::new() };
    ($($value:expr),+ $(,)?) => { vec![$($crate::Value::from($value)),+] };
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Int(value)
    }
}
impl From<i32> for Value {
    fn from(value: i32) -> Self {
        Self::Int(value.into())
    }
}
impl From<u32> for Value {
    fn from(value: u32) -> Self {
        Self::Int(value.into())
    }
}
impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Int(value.into())
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}
impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}
impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}
impl From<Vec<u8>> for Value {
    fn from(value: Vec<u8>) -> Self {
        Self::Bytes(value)
    }
}
impl From<&[u8]> for Value {
    fn from(value: &[u8]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl<const N: usize> From<[u8; N]> for Value {
    fn from(value: [u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl<const N: usize> From<&[u8; N]> for Value {
    fn from(value: &[u8; N]) -> Self {
        Self::Bytes(value.to_vec())
    }
}
impl From<Timestamp> for Value {
    fn from(value: Timestamp) -> Self {
        Self::Int(value.micros())
    }
}
impl From<Position> for Value {
    fn from(value: Position) -> Self {
        Self::Int(value.value())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

macro_rules! from_texts {
    ($($name:ty),+ $(,)?) => {$(
        impl From<$name> for Value {
            fn from(value: $name) -> Self {
                Self::Text(value.as_str().to_owned())
            }
        }
        impl From<&$name> for Value {
            fn from(value: &$name) -> Self {
                Self::Text(value.as_str().to_owned())
            }
        }
    )+};
}
from_texts!(
    TenantId,
    IdentityId,
    IdentityName,
    CredentialId,
    ApiTokenId,
    AnchorId,
    EventId,
    ReplicaId,
    TraceId,
    Username,
    ApplicationName,
    EndpointId,
    CredentialKind,
    CredentialState,
    Enabled,
    IdentityKind,
);

/// A text parameter held a NUL.
#[derive(Debug)]
pub(crate) struct NulInText;

impl fmt::Display for NulInText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a text holds a NUL character, which no text of ours may")
    }
}
impl Error for NulInText {}

/// A value was given for a parameter of another type.
#[derive(Debug)]
struct WrongType {
    given: &'static str,
    wanted: String,
}

impl fmt::Display for WrongType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} was given for a parameter of type {}", self.given, self.wanted)
    }
}
impl Error for WrongType {}

fn without_nul(text: &str) -> Result<&str, NulInText> {
    if text.as_bytes().contains(&0) { Err(NulInText) } else { Ok(text) }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Null => ValueRef::Null,
            Self::Int(number) => ValueRef::Integer(*number),
            Self::Text(text) => {
                let text = without_nul(text).map_err(|nul| rusqlite::Error::ToSqlConversionFailure(Box::new(nul)))?;
                ValueRef::Text(text.as_bytes())
            }
            Self::Bytes(bytes) => ValueRef::Blob(bytes),
        };
        Ok(ToSqlOutput::Borrowed(value))
    }
}

impl ToSql for Value {
    fn to_sql(&self, wanted: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        let wrong_type = || Box::new(WrongType { given: self.kind(), wanted: wanted.to_string() });
        match self {
            Self::Null => Ok(IsNull::Yes),
            // Where the statement itself names a narrower type.
            Self::Int(number) => match *wanted {
                Type::INT8 => number.to_sql(wanted, out),
                Type::INT4 => i32::try_from(*number).map_err(|_| wrong_type())?.to_sql(wanted, out),
                Type::INT2 => i16::try_from(*number).map_err(|_| wrong_type())?.to_sql(wanted, out),
                Type::BOOL if matches!(number, 0 | 1) => (*number == 1).to_sql(wanted, out),
                _ => Err(wrong_type()),
            },
            Self::Text(text) => {
                let text = without_nul(text)?;
                if <&str as ToSql>::accepts(wanted) { text.to_sql(wanted, out) } else { Err(wrong_type()) }
            }
            Self::Bytes(bytes) => match *wanted {
                Type::BYTEA => bytes.as_slice().to_sql(wanted, out),
                _ => Err(wrong_type()),
            },
        }
    }

    /// Any; a pair that does not fit is told apart value by value.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_made_from_what_rooms_hold() {
        let tenant: TenantId = "acme".parse().unwrap();
        let values = params![1_i64, true, "a", String::from("b"), vec![1_u8], None::<&str>, &tenant, Timestamp::from_micros(5), [7_u8; 2]];
        let expected = [
            Value::Int(1),
            Value::Int(1),
            Value::Text("a".into()),
            Value::Text("b".into()),
            Value::Bytes(vec![1]),
            Value::Null,
            Value::Text("acme".into()),
            Value::Int(5),
            Value::Bytes(vec![7, 7]),
        ];
        assert_eq!(values, expected);
        assert_eq!(params![], Vec::<Value>::new());
    }

    #[test]
    fn a_nul_never_becomes_a_parameter() {
        let text = Value::from("a\0b");
        assert!(rusqlite::ToSql::to_sql(&text).is_err());
        assert!(ToSql::to_sql(&text, &Type::TEXT, &mut BytesMut::new()).err().unwrap().is::<NulInText>());
        assert!(rusqlite::ToSql::to_sql(&Value::from(b"a\0b")).is_ok());
    }

    #[test]
    fn a_number_that_does_not_fit_is_refused_instead_of_cut() {
        let mut out = BytesMut::new();
        assert!(ToSql::to_sql(&Value::Int(i64::MAX), &Type::INT4, &mut out).is_err());
        assert!(ToSql::to_sql(&Value::Int(2), &Type::BOOL, &mut out).is_err());
        assert!(ToSql::to_sql(&Value::Int(2), &Type::TEXT, &mut out).is_err());
        assert!(ToSql::to_sql(&Value::Int(2), &Type::INT4, &mut out).is_ok());
    }
}
