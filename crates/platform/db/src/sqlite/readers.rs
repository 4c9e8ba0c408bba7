//! Readers: a few threads with read-only connections, fed from one bounded queue.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{timeout, timeout_at};

use super::connection::open_reader;
use super::run;
use crate::{DbError, Row, Statement};

/// Reads that may wait or run; who comes later waits for a place, up to the deadline.
const QUEUE: usize = 1024;
/// Steps of SQLite's machine between two looks at the clock: some tens of microseconds.
const STEPS: i32 = 2_000;
/// What a read may take past its deadline before its caller stops waiting for the disk.
const GRACE: Duration = Duration::from_millis(250);

struct Read {
    statement: Statement,
    deadline: Instant,
    reply: oneshot::Sender<Result<Vec<Row>, DbError>>,
    _place: OwnedSemaphorePermit,
}

pub(super) struct Readers {
    /// None after the close.
    queue: Mutex<Option<Sender<Read>>>,
    places: Arc<Semaphore>,
    /// Every thread holds a sender, so it yields nothing when all have ended.
    ended: tokio::sync::Mutex<mpsc::Receiver<()>>,
    path: PathBuf,
    deadline: Duration,
}

impl Readers {
    pub(super) fn start(path: &Path, deadline: Duration) -> Result<Self, DbError> {
        let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 4));
        let (queue, reads) = crossbeam_channel::bounded(QUEUE);
        let (alive, ended) = mpsc::channel(1);
        for number in 0..threads {
            let (path, reads, alive) = (path.to_owned(), reads.clone(), alive.clone());
            std::thread::Builder::new()
                .name(format!("sqlite-reader-{number}"))
                .spawn(move || {
                    serve(&path, deadline, &reads);
                    drop(alive);
                })
                .map_err(|error| DbError::Unavailable(format!("no thread for the database: {error}")))?;
        }
        let places = Arc::new(Semaphore::new(QUEUE));
        Ok(Self { queue: Mutex::new(Some(queue)), places, ended: tokio::sync::Mutex::new(ended), path: path.to_owned(), deadline })
    }

    pub(super) async fn query(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        let deadline = Instant::now().checked_add(self.deadline).ok_or(DbError::Timeout)?;
        let place = timeout(self.deadline, Arc::clone(&self.places).acquire_owned()).await.map_err(|_| DbError::Timeout)?;
        let place = place.map_err(|_| self.closed())?;
        let (reply, answer) = oneshot::channel();
        // There are as many places as the queue is long, so it is never full.
        let queue = self.queue.lock().clone().ok_or_else(|| self.closed())?;
        queue.try_send(Read { statement, deadline, reply, _place: place }).map_err(|_| self.closed())?;
        drop(queue);
        let patience = deadline.checked_add(GRACE).unwrap_or(deadline);
        let answer = timeout_at(patience.into(), answer).await.map_err(|_| DbError::Timeout)?;
        answer.map_err(|_| self.closed())?
    }

    /// Ends the threads when they have answered what waits.
    pub(super) async fn close(&self) {
        self.places.close();
        self.queue.lock().take();
        while self.ended.lock().await.recv().await.is_some() {}
    }

    fn closed(&self) -> DbError {
        DbError::Unavailable(format!("{}: the database was closed", self.path.display()))
    }
}

/// A connection whose statements are interrupted at the deadline of the read that runs.
struct Reader {
    connection: Connection,
    deadline: Arc<Mutex<Option<Instant>>>,
}

impl Reader {
    fn open(path: &Path, busy: Duration) -> Result<Self, DbError> {
        let mut connection = open_reader(path, busy)?;
        let deadline: Arc<Mutex<Option<Instant>>> = Arc::default();
        let watched = Arc::clone(&deadline);
        connection.progress_handler(STEPS, Some(move || watched.lock().is_some_and(|deadline| Instant::now() >= deadline)))?;
        Ok(Self { connection, deadline })
    }

    fn query(&self, read: &Read) -> Result<Vec<Row>, DbError> {
        *self.deadline.lock() = Some(read.deadline);
        run::query(&self.connection, &read.statement)
    }
}

fn serve(path: &Path, busy: Duration, reads: &Receiver<Read>) {
    let mut reader: Option<Reader> = None;
    while let Ok(read) = reads.recv() {
        if read.reply.is_closed() {
            continue;
        }
        let result = if Instant::now() >= read.deadline { Err(DbError::Timeout) } else { answer(path, busy, &mut reader, &read) };
        // The caller may have gone meanwhile.
        let _nobody_waits = read.reply.send(result);
    }
}

fn answer(path: &Path, busy: Duration, reader: &mut Option<Reader>, read: &Read) -> Result<Vec<Row>, DbError> {
    let open = match reader.take() {
        Some(open) => open,
        None => Reader::open(path, busy)?,
    };
    let result = open.query(read).map_err(|error| match error {
        DbError::Denied(_) => DbError::Internal("a statement that writes was sent to the readers".to_owned()),
        other => other.at(&path.display().to_string()),
    });
    let broken = matches!(result, Err(DbError::Unavailable(_) | DbError::Corrupt(_) | DbError::Full(_) | DbError::NetworkFilesystem(_)));
    // A broken connection is opened anew by the next read: the fault may have passed.
    *reader = (!broken).then_some(open);
    result
}
