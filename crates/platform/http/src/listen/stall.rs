//! A stream whose peer must go on taking bytes, and that is closed so that the last answer is not lost.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// Fails a write that makes no progress for `longest`, so that a peer that stops reading cannot hold our buffers.
pub(crate) struct StallGuard<T> {
    inner: T,
    longest: Duration,
    /// Made at the first stall.
    clock: Option<Pin<Box<Sleep>>>,
    stalled: bool,
    ending: Ending,
}

/// How far the end of the stream has come.
#[derive(Debug)]
enum Ending {
    /// Not begun. The flag says whether a body was left unread.
    Open(Arc<AtomicBool>),
    /// Our side is closed; what the peer still sends is dropped. Closing with unread bytes would reset the connection,
    /// and the peer would lose an answer that it has not read yet (RFC 9112 section 9.6).
    Lingering { until: Pin<Box<Sleep>>, left: usize },
    /// Both sides are done with.
    Over,
}

/// Longest time and most bytes of lingering.
const LINGER: Duration = Duration::from_secs(2);
const LINGER_BYTES: usize = 4 * 1024 * 1024;

impl<T> StallGuard<T> {
    /// `unread` is set by whoever leaves a request's body unread.
    pub(crate) fn new(inner: T, longest: Duration, unread: Arc<AtomicBool>) -> Self {
        Self { inner, longest, clock: None, stalled: false, ending: Ending::Open(unread) }
    }

    /// Passes progress on; starts or asks the clock when there is none.
    fn watch<R>(&mut self, cx: &mut Context<'_>, outcome: Poll<io::Result<R>>) -> Poll<io::Result<R>> {
        if outcome.is_ready() {
            self.stalled = false;
            return outcome;
        }
        let longest = self.longest;
        let clock = self.clock.get_or_insert_with(|| Box::pin(sleep(longest)));
        if !self.stalled {
            self.stalled = true;
            let now = Instant::now();
            clock.as_mut().reset(now.checked_add(longest).unwrap_or(now));
        }
        match clock.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the peer takes no bytes"))),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for StallGuard<T> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl<T: AsyncRead + AsyncWrite + Unpin> AsyncWrite for StallGuard<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.watch(cx, outcome)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context<'_>, slices: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.watch(cx, outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = Pin::new(&mut self.inner).poll_flush(cx);
        self.watch(cx, outcome)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Ending::Open(unread) = &self.ending {
            let unread = unread.load(Ordering::Acquire);
            let outcome = Pin::new(&mut self.inner).poll_shutdown(cx);
            ready!(self.watch(cx, outcome))?;
            let until = if unread { LINGER } else { Duration::ZERO };
            self.ending = Ending::Lingering { until: Box::pin(sleep(until)), left: LINGER_BYTES };
        }
        self.linger(cx);
        if matches!(self.ending, Ending::Over) { Poll::Ready(Ok(())) } else { Poll::Pending }
    }
}

impl<T: AsyncRead + Unpin> StallGuard<T> {
    /// Drops what comes, until the peer is done, or the time or the bytes are used up.
    fn linger(&mut self, cx: &mut Context<'_>) {
        let Ending::Lingering { until, left } = &mut self.ending else { return };
        let mut bytes = [0_u8; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut bytes);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && *left > 0 => {
                    *left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Pending if until.as_mut().poll(cx).is_pending() => return,
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        self.ending = Ending::Over;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    #[tokio::test]
    async fn a_peer_that_takes_nothing_fails_the_write_and_a_slow_one_does_not() {
        let (near, mut far) = tokio::io::duplex(4);
        let mut near = StallGuard::new(near, Duration::from_secs(2), Arc::default());
        let slow = tokio::spawn(async move {
            let mut taken = [0_u8; 2];
            for _ in 0..6 {
                tokio::time::sleep(Duration::from_millis(100)).await;
                far.read_exact(&mut taken).await.expect("read");
            }
            far
        });
        near.write_all(&[7; 16]).await.expect("a slow peer is borne");
        let _far = slow.await.expect("task");
        let error = near.write_all(&[7; 16]).await.expect_err("a dead one is not");
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
}
