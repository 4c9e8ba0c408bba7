//! The one writer: a thread that owns the only connection that may write, and runs what it is given in order.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::connection::open_writer;
use super::fault::fault;
use crate::DbError;

/// Pieces of work that may wait for the writer; who comes later waits for a place, up to the deadline.
const QUEUE: usize = 1024;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Order {
    Run(Work),
    Close(oneshot::Sender<()>),
}

/// The way to the writer thread. Clones share it.
#[derive(Clone)]
pub struct SqliteWriter {
    orders: mpsc::Sender<Order>,
    path: PathBuf,
    deadline: Duration,
}

impl SqliteWriter {
    pub(super) async fn start(path: &Path, deadline: Duration) -> Result<Self, DbError> {
        let (orders, queue) = mpsc::channel(QUEUE);
        let (opened, answer) = oneshot::channel();
        let file = path.to_owned();
        std::thread::Builder::new()
            .name("sqlite-writer".to_owned())
            .spawn(move || match open_writer(&file, deadline) {
                Ok(connection) => {
                    // Nobody waits any more: the queue is closed, and so the loop ends at once.
                    let _nobody_waits = opened.send(Ok(()));
                    obey(connection, queue);
                }
                Err(error) => {
                    let _nobody_waits = opened.send(Err(error));
                }
            })
            .map_err(|error| DbError::Unavailable(format!("no thread for the database: {error}")))?;
        answer.await.map_err(|_| DbError::Internal("the thread that opens the database ended".to_owned()))??;
        Ok(Self { orders, path: path.to_owned(), deadline })
    }

    /// Runs `work` on the writer thread and returns what it returns. A transaction that it leaves open, by an error or a panic,
    /// is rolled back, and the connection stays usable. Work whose caller has gone before its turn is not begun; work that
    /// has begun runs to its end.
    ///
    /// # Errors
    /// [`DbError::Timeout`] when no place in the queue became free in time; [`DbError::Internal`] when `work` panicked;
    /// [`DbError::Unavailable`] when the database was closed. `work`'s own errors are part of `R`.
    pub async fn run<R: Send + 'static>(&self, work: impl FnOnce(&mut Connection) -> R + Send + 'static) -> Result<R, DbError> {
        let (reply, answer) = oneshot::channel();
        let order = move |connection: &mut Connection| {
            if reply.is_closed() {
                return;
            }
            let result = catch_unwind(AssertUnwindSafe(|| work(connection)));
            settle(connection);
            let result = result.map_err(|_| DbError::Internal("a piece of work panicked on the database's writer thread".to_owned()));
            // The caller may have gone meanwhile.
            let _nobody_waits = reply.send(result);
        };
        let place = timeout(self.deadline, self.orders.reserve()).await.map_err(|_| DbError::Timeout)?;
        place.map_err(|_| self.closed())?.send(Order::Run(Box::new(order)));
        answer.await.map_err(|_| self.closed())?
    }

    /// Runs `work` in one immediate transaction, which is committed when it succeeds and rolled back otherwise.
    pub async fn transaction<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, DbError> + Send + 'static,
    ) -> Result<T, DbError> {
        let path = self.path.clone();
        let done = self.run(move |connection| {
            let words = |error| fault(&path, error);
            connection.execute_batch("BEGIN IMMEDIATE").map_err(words)?;
            let value = work(connection)?;
            connection.execute_batch("COMMIT").map_err(words)?;
            Ok(value)
        });
        done.await?
    }

    pub(super) async fn close(&self) {
        let (done, ended) = oneshot::channel();
        if self.orders.send(Order::Close(done)).await.is_ok() {
            // An error means that the thread has ended, which is what we wait for.
            let _ended = ended.await;
        }
    }

    fn closed(&self) -> DbError {
        DbError::Unavailable(format!("{}: the database was closed", self.path.display()))
    }
}

fn obey(mut connection: Connection, mut queue: mpsc::Receiver<Order>) {
    let mut asked_to_close = None;
    while let Some(order) = queue.blocking_recv() {
        match order {
            Order::Run(work) => work(&mut connection),
            Order::Close(done) => {
                queue.close();
                // Whoever asked first is told last, like everybody else: when the file is closed.
                asked_to_close = asked_to_close.or(Some(done));
            }
        }
    }
    if let Err((_, error)) = connection.close() {
        tracing::warn!(%error, "database.close-failed");
    }
    if let Some(done) = asked_to_close {
        // The caller may have gone meanwhile.
        let _nobody_waits = done.send(());
    }
}

/// Rolls back what work has left open; SQLite has done so itself after some errors.
fn settle(connection: &Connection) {
    if !connection.is_autocommit()
        && let Err(error) = connection.execute_batch("ROLLBACK")
    {
        tracing::error!(%error, "database.rollback-failed");
    }
}
