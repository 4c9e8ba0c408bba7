//! What an early answer leaves unread of a request. Over HTTP/2 a stream whose body is not read to its end is reset behind the
//! answer (RFC 9113 section 8.1), and some clients then lose the answer. So a body that is short and under way already is read
//! and forgotten before a refusal leaves.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;
use parking_lot::Mutex;

use crate::json::MAX_BODY_BYTES;

/// How long the rest of a body may take; what comes later is not waited for.
const PATIENCE: Duration = Duration::from_millis(250);

/// A body, and whether its end was seen: it is not asked again after that.
struct Rest {
    body: Body,
    ended: bool,
}

/// A body that its handler may leave unread.
struct Shared(Arc<Mutex<Rest>>);

impl http_body::Body for Shared {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let mut rest = self.0.lock();
        if rest.ended {
            return Poll::Ready(None);
        }
        let frame = Pin::new(&mut rest.body).poll_frame(context);
        rest.ended = matches!(frame, Poll::Ready(None | Some(Err(_))));
        frame
    }

    fn is_end_stream(&self) -> bool {
        let rest = self.0.lock();
        rest.ended || rest.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.0.lock().body.size_hint()
    }
}

/// The other handle of a body given to a handler.
pub(crate) struct Leftover(Option<Arc<Mutex<Rest>>>);

/// The body for the handler, and what is kept to read the rest.
pub(crate) fn keep(body: Body) -> (Body, Leftover) {
    if body.is_end_stream() {
        return (body, Leftover(None));
    }
    let shared = Arc::new(Mutex::new(Rest { body, ended: false }));
    (Body::new(Shared(Arc::clone(&shared))), Leftover(Some(shared)))
}

impl Leftover {
    /// Reads what the handler left, as far as a refusal would have read it: as much as any body may hold, and not for long.
    pub(crate) async fn drain(self) {
        let Some(shared) = self.0 else { return };
        let mut rest = Shared(shared);
        if rest.is_end_stream() {
            return;
        }
        let mut left = MAX_BODY_BYTES;
        let read = async {
            while let Some(Ok(frame)) = rest.frame().await {
                let length = frame.data_ref().map_or(0, Bytes::len);
                match left.checked_sub(length) {
                    Some(less) => left = less,
                    None => return,
                }
            }
        };
        // Whoever is slower than this has the answer reset behind it, as everybody had.
        let _unread = tokio::time::timeout(PATIENCE, read).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A body of 1 KiB pieces that counts those that are taken; the last one never comes when it is `endless`.
    fn body(pieces: usize, endless: bool, taken: &Arc<AtomicUsize>) -> Body {
        let taken = Arc::clone(taken);
        let stream = futures_util::stream::unfold((), move |()| {
            let n = taken.fetch_add(1, Ordering::SeqCst);
            async move {
                if n < pieces {
                    return Some((Ok::<_, std::convert::Infallible>(Bytes::from_static(&[0; 1_024])), ()));
                }
                if endless {
                    std::future::pending::<()>().await;
                }
                None
            }
        });
        Body::from_stream(stream)
    }

    #[tokio::test]
    async fn what_a_handler_leaves_is_read_to_its_end_but_neither_for_long_nor_without_end() {
        for (pieces, endless, wanted) in [(3, false, 4), (3, true, 4), (1_000, false, MAX_BODY_BYTES / 1_024 + 1)] {
            let taken = Arc::new(AtomicUsize::new(0));
            let (body, leftover) = keep(body(pieces, endless, &taken));
            drop(body);
            leftover.drain().await;
            assert_eq!(taken.load(Ordering::SeqCst), wanted, "{pieces} {endless}");
        }
    }

    #[tokio::test]
    async fn a_handler_reads_its_body_as_ever() {
        let (body, leftover) = keep(body(2, false, &Arc::default()));
        assert_eq!(body.collect().await.unwrap().to_bytes().len(), 2_048);
        leftover.drain().await;
        let (empty, leftover) = keep(Body::empty());
        assert!(empty.is_end_stream() && leftover.0.is_none());
    }
}
