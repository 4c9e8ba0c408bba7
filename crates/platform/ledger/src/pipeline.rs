//! Sending many statements over one PostgreSQL connection before the first answer is awaited.

use std::pin::Pin;
use std::task::Poll;

use signet_db::Value;
use tokio_postgres::types::ToSql;

/// How talking to the server failed.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The server refused a statement; the transaction was rolled back.
    Statement(tokio_postgres::Error),
    /// The connection broke or stayed silent: what was sent may have been done.
    Lost,
}

impl Failure {
    pub(crate) fn of(error: tokio_postgres::Error) -> Self {
        // An error of the server has a code, unless the server ended the session with it.
        let ended = error.code().is_some_and(|code| code.code().starts_with("57P"));
        let of_client =
            error.code().is_none() && (error.is_closed() || std::error::Error::source(&error).is_some_and(|e| e.is::<std::io::Error>()));
        if ended || of_client { Self::Lost } else { Self::Statement(error) }
    }
}

/// A statement under way.
pub(crate) enum Sent<'a, T> {
    Waiting(Pin<Box<dyn Future<Output = T> + Send + 'a>>),
    Done(T),
}

impl<T> Sent<'_, T> {
    /// The answer.
    pub(crate) async fn answer(self) -> T {
        match self {
            Self::Waiting(future) => future.await,
            Self::Done(answer) => answer,
        }
    }
}

/// Sends `statement` and comes back before its answer: tokio-postgres writes a request when its future is first polled, so one
/// poll in order is what makes the order on the wire.
pub(crate) async fn send<'a, T>(statement: impl Future<Output = T> + Send + 'a) -> Sent<'a, T> {
    let mut future: Pin<Box<dyn Future<Output = T> + Send + 'a>> = Box::pin(statement);
    let answer = std::future::poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(answer) => Poll::Ready(Some(answer)),
        Poll::Pending => Poll::Ready(None),
    })
    .await;
    answer.map_or(Sent::Waiting(future), Sent::Done)
}

/// Values as the driver takes them.
pub(crate) fn as_params(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}
