//! Bodies with a clock: a request's body that must arrive in time, and an answer's body that counts as work until taken.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Instant, Sleep, sleep_until};

use super::BodyTooSlow;
use super::activity::ExchangeMark;

/// A request's body under two deadlines: for each pause and for the whole.
pub(crate) struct TimedBody<B> {
    inner: B,
    pause: Duration,
    end: Instant,
    /// Made at the first pause: most bodies never make one.
    clock: Option<Pin<Box<Sleep>>>,
    waiting: bool,
    /// Set when the body is dropped before its end.
    unread: Arc<AtomicBool>,
    ended: bool,
}

impl<B: HttpBody> TimedBody<B> {
    pub(crate) fn new(inner: B, pause: Duration, whole: Duration, unread: Arc<AtomicBool>) -> Self {
        let now = Instant::now();
        let (end, ended) = (now.checked_add(whole).unwrap_or(now), inner.is_end_stream());
        Self { inner, pause, end, clock: None, waiting: false, unread, ended }
    }
}

impl<B> Drop for TimedBody<B> {
    fn drop(&mut self) {
        if !self.ended {
            self.unread.store(true, Ordering::Release);
        }
    }
}

impl<B> HttpBody for TimedBody<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BoxError>,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let this = &mut *self;
        if let Poll::Ready(frame) = Pin::new(&mut this.inner).poll_frame(cx) {
            this.waiting = false;
            this.ended |= frame.is_none() || this.inner.is_end_stream();
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        if !this.waiting {
            let pause = Instant::now().checked_add(this.pause).unwrap_or(this.end);
            let until = pause.min(this.end);
            match &mut this.clock {
                Some(clock) => clock.as_mut().reset(until),
                None => this.clock = Some(Box::pin(sleep_until(until))),
            }
            this.waiting = true;
        }
        if let Some(clock) = &mut this.clock {
            ready!(clock.as_mut().poll(cx));
        }
        Poll::Ready(Some(Err(Box::new(BodyTooSlow))))
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

/// An answer's body that keeps its exchange marked as running. The clock of the exchange starts again with each piece but the
/// first, so that a list may be long, while a peer that does not take its pieces is cut all the same.
pub(crate) struct MarkedBody {
    inner: Body,
    mark: ExchangeMark,
    begun: bool,
}

impl MarkedBody {
    pub(crate) fn new(inner: Body, mark: ExchangeMark) -> Self {
        Self { inner, mark, begun: false }
    }
}

impl HttpBody for MarkedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(cx));
        if self.begun {
            self.mark.goes_on();
        }
        self.begun = true;
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
