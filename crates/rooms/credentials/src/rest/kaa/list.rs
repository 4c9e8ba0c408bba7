//! Lists as Kaa answers them: a JSON array, numbered by `offset` and `limit`, with the number of all in `X-Total-Count`. However
//! long, it is written page by page as the reader takes it, and a list that breaks off ends the connection, not the array.

use std::convert::Infallible;
use std::future::Future;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use futures_util::{StreamExt as _, stream};
use http::{HeaderName, HeaderValue, header};
use serde::Serialize;
use signet_http::Problem;
use signet_model::{Refusal, kinds};

/// The header with the number of all, whatever `offset` and `limit` leave of them.
const TOTAL_COUNT: HeaderName = HeaderName::from_static("x-total-count");

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// Rows that are skipped.
    pub(crate) offset: u32,
    /// Most rows; all of them when absent.
    pub(crate) limit: Option<u32>,
}

impl Part {
    /// The part between these two parameters of a query.
    ///
    /// # Errors
    /// A limit of nothing.
    pub(crate) fn new(offset: Option<u32>, limit: Option<u32>) -> Result<Self, Refusal> {
        match limit {
            Some(0) => Err(Refusal::new(&kinds::INPUT_INVALID, "`limit` of the query: wanted a whole number above 0")),
            limit => Ok(Self { offset: offset.unwrap_or(0), limit }),
        }
    }
}

/// One page of a list, and how to go on, if that was not all.
pub(super) type Step<T, R> = (Vec<T>, Option<R>);

/// The answer of a list of `total` rows that begins with `first`. `more` reads on, only when the reader has taken what was read
/// before; a page is all that is held.
pub(super) fn array<T, R, M, F>(total: u64, first: Step<T, R>, more: M) -> Result<Response, Problem>
where
    T: Serialize + Send + 'static,
    R: Send + 'static,
    M: Fn(R) -> F + Send + 'static,
    F: Future<Output = Result<Step<T, R>, Refusal>> + Send + 'static,
{
    let (rows, rest) = first;
    let beginning = piece(b'[', &rows, rest.is_none()).map_err(|error| Problem::internal(&error))?;
    let body = match rest {
        None => Body::from(beginning),
        Some(rest) => {
            let pages = stream::try_unfold(Some(rest), move |rest| {
                let reading = rest.map(&more);
                async move {
                    let Some(reading) = reading else { return Ok(None) };
                    let (rows, rest) = reading.await?;
                    let bytes = piece(b',', &rows, rest.is_none()).map_err(|error| crate::internal(&error))?;
                    Ok::<_, Refusal>(Some((bytes, rest)))
                }
            });
            let beginning = stream::once(std::future::ready(Ok::<_, Infallible>(beginning)));
            Body::from_stream(beginning.map(|bytes| bytes.map_err(|never| match never {})).chain(pages))
        }
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(TOTAL_COUNT, HeaderValue::from(total));
    Ok(response)
}

/// `rows` as a piece of an array: after `lead`, and closed when it is the last. A last page may be empty.
fn piece<T: Serialize>(lead: u8, rows: &[T], last: bool) -> Result<Bytes, serde_json::Error> {
    let mut bytes = Vec::new();
    for (number, row) in rows.iter().enumerate() {
        bytes.push(if number == 0 { lead } else { b',' });
        serde_json::to_writer(&mut bytes, row)?;
    }
    if rows.is_empty() && lead == b'[' {
        bytes.push(lead);
    }
    if last {
        bytes.extend_from_slice(b"]\n");
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use http_body_util::BodyExt as _;

    use super::*;

    /// Pages of numbers up to `end`, `size` at a time; fails where `broken` says. Counts the pages read.
    fn numbers(end: u32, size: u32, broken: Option<u32>) -> (Response, Arc<AtomicUsize>) {
        let read = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&read);
        let page = move |from: u32| {
            let to = from.saturating_add(size).min(end);
            ((from..to).collect::<Vec<_>>(), (to < end).then_some(to))
        };
        let more = move |from| {
            counter.fetch_add(1, Ordering::SeqCst);
            let step = if broken == Some(from) { Err(Refusal::new(&kinds::STORAGE_UNAVAILABLE, "gone")) } else { Ok(page(from)) };
            std::future::ready(step)
        };
        (array(end.into(), page(0), more).unwrap(), read)
    }

    #[tokio::test]
    async fn an_array_is_whole_however_many_pages_it_has() {
        for (end, size) in [(0, 3), (1, 3), (3, 3), (4, 3), (10, 3), (9, 1)] {
            let (response, read) = numbers(end, size, None);
            assert_eq!(response.headers()[TOTAL_COUNT], end.to_string());
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            assert_eq!(serde_json::from_slice::<Vec<u32>>(&bytes).unwrap(), (0..end).collect::<Vec<_>>());
            assert!(bytes.ends_with(b"]\n"));
            assert_eq!(u32::try_from(read.load(Ordering::SeqCst)).unwrap(), end.div_ceil(size).saturating_sub(1));
        }
    }

    #[tokio::test]
    async fn a_page_is_read_only_when_the_one_before_was_taken() {
        let (response, read) = numbers(10, 3, None);
        let mut body = response.into_body();
        for pages in [0, 1, 2] {
            body.frame().await.unwrap().unwrap();
            assert_eq!(read.load(Ordering::SeqCst), pages);
        }
    }

    #[tokio::test]
    async fn a_list_that_breaks_off_is_an_error_and_no_array() {
        let (response, _) = numbers(10, 3, Some(6));
        let mut body = response.into_body();
        let mut text = Vec::new();
        let error = loop {
            match body.frame().await.unwrap() {
                Ok(frame) => text.extend_from_slice(&frame.into_data().unwrap()),
                Err(error) => break error,
            }
        };
        assert!(error.to_string().contains("storage.unavailable"));
        assert_eq!(text, b"[0,1,2,3,4,5");
    }

    #[test]
    fn a_limit_of_nothing_is_refused() {
        assert_eq!(Part::new(None, None).unwrap(), Part { offset: 0, limit: None });
        assert_eq!(Part::new(Some(7), Some(1)).unwrap(), Part { offset: 7, limit: Some(1) });
        assert_eq!(Part::new(None, Some(0)).unwrap_err().reason.code, "input.invalid");
    }
}
