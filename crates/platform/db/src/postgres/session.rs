//! A connection of one owner.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;
use tokio_postgres::Client;

use super::fault::fault;
use super::link::Link;
use super::target::Target;
use crate::{DbError, Row, Statement};

/// A connection of one owner, for writes and locks. It is never replaced under its owner: when it breaks, its locks are gone,
/// and the owner has to see that. Dropping it closes it.
pub struct PgSession {
    link: Link,
    target: Arc<Target>,
    _permit: OwnedSemaphorePermit,
}

impl PgSession {
    pub(super) fn new(link: Link, target: Arc<Target>, permit: OwnedSemaphorePermit) -> Self {
        Self { link, target, _permit: permit }
    }

    /// The client itself, for what this type has no words for. Its requests end when the server ends them: whoever uses it
    /// sets a deadline, and calls [`PgSession::cut`] when it passes.
    pub fn client(&self) -> &Client {
        &self.link.client
    }

    /// Whether the connection is gone.
    pub fn is_closed(&self) -> bool {
        self.link.is_closed()
    }

    /// Closes the socket at once. What waits for an answer fails; whether it was done is not known.
    pub fn cut(&self) {
        self.link.cut();
    }

    /// The process id of the server's end.
    pub fn backend(&self) -> i64 {
        self.link.backend
    }

    /// Runs a statement that returns rows.
    pub async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        self.within(self.link.query(statement)).await
    }

    /// Runs a statement that returns no rows; the number of rows that it changed.
    pub async fn execute(&self, statement: &Statement) -> Result<u64, DbError> {
        self.within(self.link.execute(statement)).await
    }

    /// Runs fixed statements without parameters, such as `BEGIN` or a migration's step.
    pub async fn batch(&self, text: &str) -> Result<(), DbError> {
        self.within(async { Ok(self.link.client.batch_execute(text).await?) }).await
    }

    /// Whether the server answers, and is still the same process.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.within(self.link.ping()).await
    }

    /// Runs `request` under the deadline. When it passes the connection is cut, since nobody knows what became of the request.
    pub async fn within<T>(&self, request: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
        match timeout(self.target.deadline, request).await {
            Ok(result) => result.map_err(|error| error.at(&self.target.place)),
            Err(_) => {
                self.cut();
                Err(DbError::Unavailable(format!("{}: no answer within {:?}", self.target.place, self.target.deadline)))
            }
        }
    }

    /// The error of a request on [`PgSession::client`], told with the place.
    pub fn fault(&self, error: tokio_postgres::Error) -> DbError {
        fault(&self.target.place, error)
    }
}
