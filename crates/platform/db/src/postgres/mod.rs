//! PostgreSQL: reads on a few shared, pipelined connections; writes and locks on sessions of their own.
//!
//! Opening needs no server. Connections are made when they are wanted, and every request ends by its deadline, also when
//! packets vanish without a word (field case H09): the connection that hangs is closed and another one takes its place.

mod checks;
mod fault;
mod link;
pub(crate) mod migrate;
mod session;
mod shared;
mod statements;
mod target;
mod tls;

use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::time::timeout;

pub use session::PgSession;
pub(crate) use target::check_url;

use crate::{DatabaseConfig, DbError, Row, Statement};
use link::Purpose;
use shared::SharedLinks;
use target::Target;

/// Shared connections at most: each is pipelined, and reads at full speed keep about one core of ours busy per connection.
const SHARED: usize = 4;
/// Sessions that there must always be room for: the ledger's batches, the leader, migrations, one that is being replaced.
const FEWEST_SESSIONS: usize = 5;

/// A PostgreSQL database. Clones share its connections.
#[derive(Clone)]
pub struct Postgres {
    target: Arc<Target>,
    links: Arc<SharedLinks>,
    sessions: Arc<Semaphore>,
}

impl Postgres {
    /// Takes the configuration; nothing is connected yet.
    ///
    /// # Errors
    /// [`DbError::InvalidUrl`] for a URL that cannot be used, [`DbError::Denied`] for a `ca_file` that cannot be read.
    pub fn open(config: &DatabaseConfig) -> Result<Self, DbError> {
        let target = Arc::new(Target::parse(config)?);
        let shared = config.max_connections.saturating_sub(FEWEST_SESSIONS).clamp(1, SHARED);
        let sessions = config.max_connections.saturating_sub(shared).max(FEWEST_SESSIONS);
        Ok(Self { links: Arc::new(SharedLinks::new(Arc::clone(&target), shared)), sessions: Arc::new(Semaphore::new(sessions)), target })
    }

    /// Where it is, in words: `PostgreSQL at HOST:PORT, database D, user U`.
    pub fn place(&self) -> &str {
        &self.target.place
    }

    /// Runs a read on a shared connection. A read that meets a broken connection is repeated once on a new one.
    pub async fn query(&self, statement: Statement) -> Result<Vec<Row>, DbError> {
        self.links.query(statement).await
    }

    /// Asks the server whether it is there, on a shared connection.
    pub async fn ping(&self) -> Result<(), DbError> {
        self.links.ping().await
    }

    /// A connection of the caller's own, for writes and for locks: with server-side limits on statements, lock waits and idle
    /// transactions, and with keepalives on both ends, so that neither side holds on to a dead peer for long.
    ///
    /// # Errors
    /// [`DbError::Unavailable`] when the server cannot be reached by the deadline, is a read-only standby, or all sessions are
    /// in use; [`DbError::Unsupported`] behind a pooler in transaction mode.
    pub async fn dedicated(&self, application_name: &str) -> Result<PgSession, DbError> {
        let place = timeout(self.target.deadline, Arc::clone(&self.sessions).acquire_owned()).await;
        let Ok(Ok(permit)) = place else {
            return Err(DbError::Unavailable(format!("{}: all dedicated connections are in use (database.max_connections)", self.place())));
        };
        let link = self.links.connect(Purpose::Dedicated, application_name).await?;
        Ok(PgSession::new(link, Arc::clone(&self.target), permit))
    }

    /// Closes the shared connections. Later reads open new ones.
    pub fn close(&self) {
        self.links.close();
    }
}
