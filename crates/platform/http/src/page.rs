//! Keyset paging: a page says where the next one begins, and nothing is counted or skipped.

use std::borrow::Cow;

use axum::extract::FromRequestParts;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::request::Parts;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use signet_model::{Refusal, kinds};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use crate::query::{read_filter, read_words, words};
use crate::strict::{parse, read};
use crate::{Problem, reasons};

/// Length of a page when the caller does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// Longest page.
pub const MAX_LIMIT: u32 = 1_000;
/// Longest cursor that is looked at, in bytes.
const MAX_CURSOR: usize = 1_024;

/// One page of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What to pass as `after` for the next page; null on the last.
    pub next: Option<String>,
}

impl<T> Page<T> {
    /// A page out of up to `limit + 1` rows: the extra row only shows that there is a next page, which begins after the
    /// last item kept.
    pub fn cut<K: Serialize>(mut rows: Vec<T>, limit: u32, key: impl Fn(&T) -> K) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = if more { rows.last().map(|last| cursor(&key(last))) } else { None };
        Self { items: rows, next }
    }

    /// The same page with each item turned into another.
    pub fn map<U>(self, turn: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(turn).collect(), next: self.next }
    }
}

/// The cursor that stands for `key`: opaque to the caller, not secret, not trusted when it comes back.
pub fn cursor<K: Serialize>(key: &K) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(key).unwrap_or_default())
}

/// Which page is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct PageQuery {
    limit: Option<u32>,
    after: Option<String>,
}

impl PageQuery {
    /// A page of `limit` items after a cursor; checked like one from a caller.
    pub fn new(limit: Option<u32>, after: Option<String>) -> Result<Self, Refusal> {
        match limit {
            Some(limit) if !(1..=MAX_LIMIT).contains(&limit) => {
                Err(Refusal::new(&kinds::INPUT_INVALID, format!("`limit` of the query: wanted 1 to {MAX_LIMIT}, got {limit}")))
            }
            _ => Ok(Self { limit, after }),
        }
    }

    /// How many items are wanted.
    pub fn limit(&self) -> u32 {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// The key after which the page begins, as [`Page::cut`] wrote it; none for the first page.
    pub fn after<K: DeserializeOwned>(&self) -> Result<Option<K>, Refusal> {
        let Some(after) = &self.after else { return Ok(None) };
        let refuse = || Refusal::new(&reasons::PAGE_CURSOR_INVALID, "`after` of the query is not a cursor of this list");
        if after.len() > MAX_CURSOR {
            return Err(refuse());
        }
        let bytes = URL_SAFE_NO_PAD.decode(after).map_err(|_| refuse())?;
        parse(&bytes).and_then(read).map(Some).map_err(|_| refuse())
    }
}

/// The query of a list: the page, and the filter `F` in the other parameters.
#[derive(Clone, Debug)]
pub struct Listing<F> {
    /// Which page.
    pub page: PageQuery,
    /// Which items; a struct with optional members.
    pub filter: F,
}

/// No filter.
#[derive(Clone, Copy, Debug, Default, Deserialize, ToSchema)]
pub struct NoFilter {}

impl<F: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Listing<F> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut filter = words(parts.uri.query().unwrap_or(""))?;
        let page = ["limit", "after"].into_iter().filter_map(|name| filter.remove_entry(name)).collect();
        let PageQuery { limit, after } = read_words(page)?;
        Ok(Self { page: PageQuery::new(limit, after)?, filter: read_filter(filter)? })
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let text_or_null = SchemaType::from_iter([Type::String, Type::Null]);
        ObjectBuilder::new()
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property(
                "next",
                ObjectBuilder::new()
                    .schema_type(text_or_null)
                    .description(Some("What to pass as `after` for the next page; null on the last.")),
            )
            .required("next")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Page", T::name()))
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_ends_where_the_next_begins() {
        let page = Page::cut(vec![1_u64, 2, 3], 2, |item| *item);
        assert_eq!(page.items, [1, 2]);
        let query = PageQuery::new(Some(2), page.next).expect("good");
        assert_eq!(query.after::<u64>().expect("cursor"), Some(2));
        assert_eq!(Page::cut(vec![1_u64, 2], 2, |item| *item).next, None);
        assert_eq!(Page::<u64>::cut(vec![], 2, |item| *item).next, None);
    }

    #[test]
    fn odd_limits_and_cursors_are_refused() {
        for limit in [0, 1_001, u32::MAX] {
            assert!(PageQuery::new(Some(limit), None).is_err(), "{limit}");
        }
        for after in ["", "x", "%", &cursor(&"text"), &"A".repeat(2_000)] {
            let refusal = PageQuery::new(None, Some(after.to_owned())).and_then(|query| query.after::<u64>()).expect_err(after);
            assert_eq!(refusal.reason.code, "page.cursor-invalid");
        }
    }
}
