//! What the path and the query say: decoded exactly once, strict, without NUL.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;
use serde::de::DeserializeOwned;
use signet_model::{Refusal, kinds, log_text};

use crate::strict::{Fault, Tree, read};
use crate::{Problem, reasons};

/// The parameters of the query as a struct `T`; every member of it is a text, number, boolean or a word of an enum.
#[derive(Clone, Copy, Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(query_from_str(parts.uri.query().unwrap_or(""))?))
    }
}

/// The same, where a parameter may come several times if its member is a list; a list takes a single one too.
#[derive(Clone, Copy, Debug)]
pub struct RepeatedQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for RepeatedQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(repeated_from_str(parts.uri.query().unwrap_or(""))?))
    }
}

/// A query, without its `?`, of which members that are lists may come several times.
fn repeated_from_str<T: DeserializeOwned>(query: &str) -> Result<T, Refusal> {
    let mut members: BTreeMap<String, Vec<Tree>> = BTreeMap::new();
    for pair in pairs(query) {
        let (name, word) = pair?;
        members.entry(name).or_default().push(Tree::Word(word));
    }
    let one_or_many = |mut words: Vec<Tree>| match (words.pop(), words.is_empty()) {
        (Some(only), true) => only,
        (last, _) => Tree::List(words.into_iter().chain(last).collect()),
    };
    let members = members.into_iter().map(|(name, words)| (name, one_or_many(words))).collect();
    read(Tree::Members(members)).map_err(|fault| fault.refusal("the query"))
}

/// A query, without its `?`.
fn query_from_str<T: DeserializeOwned>(query: &str) -> Result<T, Refusal> {
    read_words(words(query)?)
}

/// Reads a struct out of decoded parameters.
pub(crate) fn read_words<T: DeserializeOwned>(words: BTreeMap<String, String>) -> Result<T, Refusal> {
    let members = words.into_iter().map(|(name, word)| (name, Tree::Word(word))).collect();
    read(Tree::Members(members)).map_err(|fault| fault.refusal("the query"))
}

/// The same for the filter of a list, where a page may be chosen too: whoever mistypes `limit` is to read of it.
pub(crate) fn read_filter<T: DeserializeOwned>(words: BTreeMap<String, String>) -> Result<T, Refusal> {
    let members = words.into_iter().map(|(name, word)| (name, Tree::Word(word))).collect();
    read(Tree::Members(members)).map_err(|fault| match fault {
        Fault::Unknown { .. } => {
            let refusal = fault.refusal("the query");
            Refusal { detail: format!("{}; besides, `limit` and `after` choose the page", refusal.detail), ..refusal }
        }
        fault => fault.refusal("the query"),
    })
}

/// Splits and decodes a query (WHATWG URL, urlencoded); a repeated parameter is refused, since which one counts is
/// what parsers disagree about.
pub(crate) fn words(query: &str) -> Result<BTreeMap<String, String>, Refusal> {
    let mut words = BTreeMap::new();
    for pair in pairs(query) {
        let (name, word) = pair?;
        if words.contains_key(&name) {
            let name = log_text(&name, 64);
            return Err(Refusal::new(&kinds::INPUT_INVALID, format!("the query has `{name}` more than once")));
        }
        words.insert(name, word);
    }
    Ok(words)
}

/// The pairs of a query in their order, decoded.
fn pairs(query: &str) -> impl Iterator<Item = Result<(String, String), Refusal>> {
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, word) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, word) = (decode(name)?, decode(word)?);
        if name.contains('\0') || word.contains('\0') {
            let name = log_text(&name, 64);
            return Err(Refusal::new(&reasons::INPUT_NUL, format!("`{name}` of the query holds a NUL character")));
        }
        Ok((name, word))
    })
}

fn decode(text: &str) -> Result<String, Refusal> {
    let fault = |why: &str| Refusal::new(&kinds::INPUT_INVALID, format!("the query is not well-formed: {why}"));
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| byte.and_then(|b| char::from(b).to_digit(16)).and_then(|d| u8::try_from(d).ok());
                match (digit(rest.next()), digit(rest.next())) {
                    (Some(high), Some(low)) => (high << 4) | low,
                    _ => return Err(fault("`%` is not followed by two hex digits")),
                }
            }
            other => other,
        });
    }
    String::from_utf8(bytes).map_err(|_| fault("it is not UTF-8"))
}

/// The last parameter of the path; the tenant before it is in the [`Scoped`](crate::Scoped) scope already.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

impl<T: FromStr<Err: Display> + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let parameters = path_parameters(parts, state).await?;
        let Some((name, text)) = parameters.last() else {
            return Err(Problem::internal(&"a handler wants a path parameter that its route does not have"));
        };
        let refuse = |why: T::Err| Problem::new(&kinds::INPUT_INVALID, format!("`{name}` of the path: {why}"));
        text.parse().map(Self).map_err(refuse)
    }
}

/// Every parameter of the path, percent-decoded once.
pub(crate) async fn path_parameters<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<Vec<(String, String)>, Problem> {
    let raw = RawPathParams::from_request_parts(parts, state).await;
    let raw = raw.map_err(|_| Problem::new(&kinds::INPUT_INVALID, "the path is not UTF-8 once it is percent-decoded"))?;
    let mut parameters = Vec::new();
    for (name, text) in &raw {
        if text.contains('\0') {
            return Err(Problem::new(&reasons::INPUT_NUL, format!("`{name}` of the path holds a NUL character")));
        }
        parameters.push((name.to_owned(), text.to_owned()));
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Default, PartialEq, Deserialize)]
    struct Filter {
        username: Option<String>,
        limit: Option<u32>,
        all: Option<bool>,
    }

    fn filter(query: &str) -> Result<Filter, &'static str> {
        words(query).and_then(read_words).map_err(|refusal| refusal.reason.code)
    }

    #[test]
    fn parameters_are_decoded_once_and_typed() {
        let found = filter("username=a%5Cb%2525+c&limit=7&all=true").expect("good");
        assert_eq!(found, Filter { username: Some("a\\b%25 c".to_owned()), limit: Some(7), all: Some(true) });
        assert_eq!(filter(""), Ok(Filter::default()));
        assert_eq!(filter("&&username=100%25").expect("good").username.as_deref(), Some("100%"));
    }

    #[test]
    fn a_mistyped_page_is_answered_with_its_members() {
        let said = words("limt=5").and_then(read_filter::<Filter>).expect_err("unknown").detail;
        assert!(said.contains("`limt`") && said.contains("`limit` and `after`"), "{said}");
    }

    #[test]
    fn odd_queries_are_refused_with_their_reason() {
        for (query, code) in [
            ("username=a%00b", "input.nul"),
            ("a%00=b", "input.nul"),
            ("usrname=a", "input.unknown-member"),
            ("username=a&username=b", "input.invalid"),
            ("username=%zz", "input.invalid"),
            ("username=%f", "input.invalid"),
            ("username=%ff", "input.invalid"),
            ("limit=", "input.invalid"),
            ("limit=-1", "input.invalid"),
            ("limit=99999999999", "input.invalid"),
            ("all=yes", "input.invalid"),
        ] {
            assert_eq!(filter(query), Err(code), "{query}");
        }
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Repeated {
        #[serde(default)]
        status: Vec<String>,
        offset: Option<u32>,
    }

    #[test]
    fn only_a_list_takes_a_parameter_several_times() {
        let read = |query| repeated_from_str::<Repeated>(query).map_err(|refusal| refusal.reason.code);
        let found = |status: &[&str], offset| Ok(Repeated { status: status.iter().map(|s| (*s).to_owned()).collect(), offset });
        assert_eq!(read(""), found(&[], None));
        assert_eq!(read("status=a"), found(&["a"], None));
        assert_eq!(read("status=a&offset=7&status=b%20c&status=a"), found(&["a", "b c", "a"], Some(7)));
        for (query, code) in [
            ("offset=1&offset=1", "input.invalid"),
            ("offset=x", "input.invalid"),
            ("status=a%00", "input.nul"),
            ("states=a", "input.unknown-member"),
            ("status=%zz", "input.invalid"),
        ] {
            assert_eq!(read(query), Err(code), "{query}");
        }
    }
}
