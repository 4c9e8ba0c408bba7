//! Batches on PostgreSQL: one pipelined transaction under an advisory lock, one statement per Change (`compose`). A Change that
//! cannot be one statement, and every Change of a batch in which a statement failed, is written in a transaction of its own.
//!
//! A connection that breaks between the commit's sending and its answer leaves the outcome unknown. Then the old server process
//! is ended, and what the log holds decides: a Change is never committed twice, and never called lost when it was committed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use signet_db::{DbError, PgSession, Postgres, Statement};
use tokio::time::timeout;

use crate::batch::Outcome;
use crate::change::Change;
use crate::compose::{self, Shape};
use crate::pipeline::{Failure, as_params, send};
use crate::postgres_single;
use crate::recovery;

/// The advisory lock under which positions are given: the only thing held across a commit.
pub(crate) const COMMIT_LOCK: i64 = 0x5349_474e_4554_0001; // "SIGNET", 1
/// A batch ends by then.
pub(crate) const BATCH_DEADLINE: Duration = Duration::from_secs(4);
/// Shapes whose statements stay prepared; rooms have a few dozen.
const MOST_PREPARED: usize = 512;

/// What the session of the batches is set to: a dead holder of the lock is ended by the server, and the texts, which are all
/// look-ups by key, are planned once.
const SESSION: &str = "SET idle_in_transaction_session_timeout = '5s'; SET plan_cache_mode = force_generic_plan; SET jit = off";

/// Commits batches over a connection of its own.
pub(crate) struct PostgresWriter {
    postgres: Postgres,
    session: Option<Session>,
}

/// A connection with what is prepared on it.
pub(crate) struct Session {
    pub(crate) pg: PgSession,
    prepared: HashMap<Shape, tokio_postgres::Statement>,
    upkeep: HashMap<&'static str, tokio_postgres::Statement>,
    /// Server process and its start, to end exactly that one.
    pub(crate) backend: (i32, String),
    /// A position that was committed before the running batch began.
    pub(crate) floor: i64,
}

impl Session {
    pub(crate) async fn open(postgres: &Postgres) -> Result<Self, DbError> {
        let pg = postgres.dedicated("signet-ledger").await?;
        pg.client().batch_execute(SESSION).await?;
        let text = "SELECT pid, backend_start::text, (SELECT coalesce(max(position), 0) FROM audit) \
                    FROM pg_stat_activity WHERE pid = pg_backend_pid()";
        let row = pg.client().query_one(text, &[]).await?;
        let backend = (row.try_get(0)?, row.try_get(1)?);
        Ok(Self { pg, prepared: HashMap::new(), upkeep: HashMap::new(), backend, floor: row.try_get(2)? })
    }

    async fn prepare(&mut self, shape: &Shape) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(known) = self.prepared.get(shape) {
            return Ok(known.clone());
        }
        let statement = self.pg.client().prepare(&shape.text()).await?;
        if self.prepared.len() >= MOST_PREPARED {
            self.prepared.clear();
        }
        self.prepared.insert(shape.clone(), statement.clone());
        Ok(statement)
    }

    async fn prepare_upkeep(&mut self, text: &'static str) -> Result<tokio_postgres::Statement, tokio_postgres::Error> {
        if let Some(known) = self.upkeep.get(text) {
            return Ok(known.clone());
        }
        let statement = self.pg.client().prepare(text).await?;
        if self.upkeep.len() >= MOST_PREPARED {
            self.upkeep.clear();
        }
        self.upkeep.insert(text, statement.clone());
        Ok(statement)
    }
}

impl PostgresWriter {
    pub(crate) fn new(postgres: Postgres) -> Self {
        Self { postgres, session: None }
    }

    pub(crate) async fn commit(&mut self, changes: Vec<Change>) -> Vec<Outcome> {
        let mut outcomes: Vec<Option<Outcome>> = changes.iter().map(|_| None).collect();
        if let Err(error) = self.commit_into(&changes, &mut outcomes).await {
            let error = Arc::new(error);
            for open in outcomes.iter_mut().filter(|outcome| outcome.is_none()) {
                *open = Some(Outcome::Refused(Arc::clone(&error)));
            }
        }
        let lost = || Outcome::Refused(Arc::new(DbError::Internal("a change was left without an outcome".to_owned())));
        outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
    }

    /// Fills in the outcomes; those left open are refused with the error.
    async fn commit_into(&mut self, changes: &[Change], outcomes: &mut [Option<Outcome>]) -> Result<(), DbError> {
        let mut session = match self.session.take().filter(|session| !session.pg.is_closed()) {
            Some(session) => session,
            None => within(Session::open(&self.postgres)).await?,
        };
        let (together, mut alone) = within(sort(&mut session, changes)).await?;
        if !together.is_empty() {
            match timeout(BATCH_DEADLINE, batch(&session, changes, &together)).await.unwrap_or(Err(Failure::Lost)) {
                Ok(positions) => {
                    for ((index, _), position) in together.iter().zip(positions) {
                        session.floor = session.floor.max(position.unwrap_or(0));
                        set(outcomes, *index, position.map_or(Outcome::Conflict, Outcome::Committed));
                    }
                }
                // One statement failed and everything was rolled back: find out which by writing each on its own.
                Err(Failure::Statement(error)) if !concerns_all(&error) => {
                    alone.extend(together.iter().map(|(index, _)| *index));
                    alone.sort_unstable();
                }
                Err(Failure::Statement(error)) => {
                    self.session = Some(session);
                    return Err(error.into());
                }
                Err(Failure::Lost) => {
                    let open: Vec<usize> = together.iter().map(|(index, _)| *index).collect();
                    session = recovery::settle(&self.postgres, session, changes, &open, outcomes).await?;
                }
            }
        }
        for index in alone {
            let Some(change) = changes.get(index) else { continue };
            let written = timeout(BATCH_DEADLINE, postgres_single::write(session.pg.client(), change)).await;
            match written.unwrap_or(Err(Failure::Lost)) {
                Ok(position) => {
                    session.floor = session.floor.max(position.unwrap_or(0));
                    set(outcomes, index, position.map_or(Outcome::Conflict, Outcome::Committed));
                }
                Err(Failure::Statement(error)) if !concerns_all(&error) => set(outcomes, index, Outcome::Refused(Arc::new(error.into()))),
                Err(Failure::Statement(error)) => {
                    self.session = Some(session);
                    return Err(error.into());
                }
                Err(Failure::Lost) => session = recovery::settle(&self.postgres, session, changes, &[index], outcomes).await?,
            }
        }
        self.session = Some(session);
        Ok(())
    }

    /// Runs upkeep in one transaction that does not wait for the disk; all of it or, after an error, none.
    pub(crate) async fn upkeep(&mut self, statements: Vec<Statement>) -> Result<(), DbError> {
        let mut session = match self.session.take().filter(|session| !session.pg.is_closed()) {
            Some(session) => session,
            None => within(Session::open(&self.postgres)).await?,
        };
        let done = timeout(BATCH_DEADLINE, upkeep(&mut session, &statements)).await;
        match done {
            // An error of the server leaves a session that works.
            Ok(result) => {
                self.session = Some(session);
                Ok(result?)
            }
            Err(_) => Err(DbError::Timeout),
        }
    }
}

async fn upkeep(session: &mut Session, statements: &[Statement]) -> Result<(), tokio_postgres::Error> {
    let mut prepared = Vec::with_capacity(statements.len());
    for statement in statements {
        prepared.push(session.prepare_upkeep(statement.sql.postgres()).await?);
    }
    let client = session.pg.client();
    let begun = send(client.batch_execute("BEGIN; SET LOCAL synchronous_commit = off")).await;
    let mut sent = Vec::with_capacity(statements.len());
    for (prepared, statement) in prepared.iter().zip(statements) {
        sent.push(send(async move { client.execute(prepared, &as_params(&statement.params)).await }).await);
    }
    let committed = send(client.batch_execute("COMMIT")).await;
    let mut result = begun.answer().await;
    for answer in sent {
        result = result.and(answer.answer().await.map(|_| ()));
    }
    result.and(committed.answer().await)
}

fn set(outcomes: &mut [Option<Outcome>], index: usize, outcome: Outcome) {
    if let Some(open) = outcomes.get_mut(index) {
        *open = Some(outcome);
    }
}

/// Under the batch deadline; what does not end by then is a timeout.
pub(crate) async fn within<T>(work: impl Future<Output = Result<T, DbError>>) -> Result<T, DbError> {
    timeout(BATCH_DEADLINE, work).await.unwrap_or(Err(DbError::Timeout))
}

/// Which changes go together, with their prepared statements, and which alone. An error says that the connection is gone; nothing
/// was sent then.
async fn sort(session: &mut Session, changes: &[Change]) -> Result<(Vec<(usize, tokio_postgres::Statement)>, Vec<usize>), DbError> {
    let (mut together, mut alone) = (Vec::with_capacity(changes.len()), Vec::new());
    for (index, change) in changes.iter().enumerate() {
        let Some(shape) = Shape::of(change) else {
            alone.push(index);
            continue;
        };
        match session.prepare(&shape).await.map_err(Failure::of) {
            Ok(statement) => together.push((index, statement)),
            // A text that cannot be prepared fails on its own as well, and there its error is told.
            Err(Failure::Statement(_)) => alone.push(index),
            Err(Failure::Lost) => return Err(DbError::Unavailable("the connection broke".to_owned())),
        }
    }
    Ok((together, alone))
}

/// One transaction, sent as one: the position of each change, or none where an expectation failed.
async fn batch(
    session: &Session,
    changes: &[Change],
    together: &[(usize, tokio_postgres::Statement)],
) -> Result<Vec<Option<i64>>, Failure> {
    let client = session.pg.client();
    let values: Vec<Vec<signet_db::Value>> =
        together.iter().map(|(index, _)| changes.get(*index).map(compose::params).unwrap_or_default()).collect();
    let begin = format!("BEGIN ISOLATION LEVEL READ COMMITTED; SELECT pg_advisory_xact_lock({COMMIT_LOCK})");
    let begun = send(client.batch_execute(&begin)).await;
    let mut sent = Vec::with_capacity(together.len());
    for ((_, statement), values) in together.iter().zip(&values) {
        let query = async move { client.query_one(statement, &as_params(values)).await?.try_get::<_, Option<i64>>(0) };
        sent.push(send(query).await);
    }
    let committed = send(client.batch_execute("COMMIT")).await;
    let begun = begun.answer().await;
    let mut positions = Vec::with_capacity(sent.len());
    let mut failed = begun.err();
    for answer in sent {
        match answer.answer().await {
            Ok(position) => positions.push(position),
            Err(error) => failed = failed.or(Some(error)), // the first one is the cause; the rest says "aborted"
        }
    }
    // Behind a failed statement `COMMIT` rolls back, without an error of its own.
    let committed = committed.answer().await;
    match (failed, committed) {
        (None, Ok(())) => Ok(positions),
        // An error that the server did not tell (a value that could not be sent) has rolled back nothing: what the commit did has to
        // be found out.
        (Some(error), Ok(())) if error.as_db_error().is_none() => Err(Failure::Lost),
        (Some(error), Ok(())) => Err(Failure::of(error)),
        (_, Err(error)) => Err(Failure::of(error)),
    }
}

/// Whether an SQL error has nothing to do with the statement: out of space, shutting down, read-only, a deadline, the lock held by
/// another replica for too long.
fn concerns_all(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(|code| code.code().get(..2).unwrap_or_default().to_owned());
    matches!(code.as_deref(), Some("25" | "40" | "53" | "55" | "57" | "58" | "XX"))
}
