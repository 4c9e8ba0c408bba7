//! Prepared statements of one connection: kept by text and kinds of parameters, the longest unused one goes first.

use std::collections::HashMap;

use parking_lot::Mutex;
use tokio_postgres::types::Type;
use tokio_postgres::{Client, Statement as Prepared};

use crate::statement::highest_parameter;
use crate::{DbError, Value};

/// Statements kept prepared on each connection.
const MOST: usize = 256;

/// The text, and two bits for each parameter's kind behind a leading one. The kinds are part of it since a null is prepared
/// with whatever type the statement implies.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    text: &'static str,
    kinds: u128,
}

impl Key {
    /// None for more parameters than the kinds have room for; such a statement is not kept.
    fn of(text: &'static str, params: &[Value]) -> Option<Self> {
        let mut kinds = 1_u128;
        for param in params {
            if kinds.leading_zeros() < 2 {
                return None;
            }
            let kind = match param {
                Value::Null => 0,
                Value::Int(_) => 1,
                Value::Text(_) => 2,
                Value::Bytes(_) => 3,
            };
            kinds = (kinds << 2) | kind;
        }
        Some(Self { text, kinds })
    }
}

struct Kept {
    prepared: Prepared,
    used: u64,
}

#[derive(Default)]
struct Inner {
    kept: HashMap<Key, Kept>,
    uses: u64,
}

#[derive(Default)]
pub(super) struct Statements(Mutex<Inner>);

impl Statements {
    /// The statement, prepared on the client's connection.
    pub(super) async fn prepare(&self, client: &Client, text: &'static str, params: &[Value]) -> Result<Prepared, DbError> {
        let key = Key::of(text, params);
        if let Some(known) = key.and_then(|key| self.known(key)) {
            return Ok(known);
        }
        // The server would take more parameters than the text has.
        let (given, wanted) = (params.len(), highest_parameter(text));
        if given != wanted {
            return Err(DbError::Internal(format!("{given} parameters were given to a statement that has {wanted}")));
        }
        let types: Vec<Type> = params.iter().map(Value::postgres_type).collect();
        let prepared = client.prepare_typed(text, &types).await?;
        if let Some(key) = key {
            self.keep(key, prepared.clone());
        }
        Ok(prepared)
    }

    /// Forgets all: the schema has changed under them, or the server has.
    pub(super) fn forget(&self) {
        self.0.lock().kept.clear();
    }

    fn known(&self, key: Key) -> Option<Prepared> {
        let mut inner = self.0.lock();
        inner.uses = inner.uses.wrapping_add(1);
        let now = inner.uses;
        let kept = inner.kept.get_mut(&key)?;
        kept.used = now;
        Some(kept.prepared.clone())
    }

    fn keep(&self, key: Key, prepared: Prepared) {
        let mut inner = self.0.lock();
        if inner.kept.len() >= MOST
            && let Some(oldest) = inner.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(key, _)| *key)
        {
            inner.kept.remove(&oldest);
        }
        let used = inner.uses;
        inner.kept.insert(key, Kept { prepared, used });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::params;

    #[test]
    fn a_key_tells_kinds_and_numbers_of_parameters_apart() {
        let key = |params: Vec<Value>| Key::of("x", &params).map(|key| key.kinds);
        assert_ne!(key(params![1]), key(params!["a"]));
        assert_ne!(key(params![None::<i64>]), key(params![]));
        assert_eq!(key(params![1, "a"]), key(params![7, "b"]));
        assert!(key(vec![Value::Null; 63]).is_some());
        assert_eq!(key(vec![Value::Null; 64]), None);
    }
}
