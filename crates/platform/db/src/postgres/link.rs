//! One connection with its prepared statements and the task that moves its bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::task::AbortHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Error, NoTls, Statement as Prepared};

use super::checks;
use super::fault::{TRANSACTION_POOLER, fault};
use super::statements::Statements;
use super::target::Target;
use crate::{DbError, Row, Statement, Value};

/// A connection that is given up may take so long to say goodbye.
const GOODBYE: Duration = Duration::from_secs(1);

/// What a connection is for; it decides what the server lets it do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// Reads of everybody.
    Shared,
    /// One owner's writes and locks.
    Dedicated,
}

impl Purpose {
    /// Settings of the session, in milliseconds where they are times. The server ends a statement a little before we would
    /// stop waiting, so that a slow statement is told from a lost connection.
    pub(super) fn settings(self, deadline: Duration) -> Vec<(&'static str, String)> {
        let millis = |part: u32| deadline.saturating_mul(part).as_millis().checked_div(10).unwrap_or(0).max(1).to_string();
        let mut settings = vec![
            ("statement_timeout", millis(9)),
            ("lock_timeout", millis(8)),
            ("idle_in_transaction_session_timeout", millis(10)),
            ("jit", "off".to_owned()),
        ];
        match self {
            Self::Shared => settings.push(("default_transaction_read_only", "on".to_owned())),
            // The server notices a client that vanished, and lets its locks go.
            Self::Dedicated => settings.extend([
                ("tcp_keepalives_idle", "3".to_owned()),
                ("tcp_keepalives_interval", "1".to_owned()),
                ("tcp_keepalives_count", "3".to_owned()),
                ("tcp_user_timeout", "6000".to_owned()),
            ]),
        }
        settings
    }
}

/// An open connection that has passed the checks.
pub(super) struct Link {
    pub(super) client: Client,
    purpose: Purpose,
    statements: Statements,
    /// The server process behind it.
    pub(super) backend: i64,
    task: AbortHandle,
    /// Set at once; the task itself ends a moment later.
    was_cut: AtomicBool,
    /// The task sees it go.
    _alive: oneshot::Sender<()>,
}

impl Link {
    /// Connects and checks what is at the other end; ends a little before the target's deadline, so that who waits for it
    /// hears the outcome.
    pub(super) async fn open(target: &Target, purpose: Purpose, application_name: &str) -> Result<Self, DbError> {
        let attempt = async {
            let mut link = Self::connect(target, purpose, application_name).await?;
            link.backend = checks::check(&link.client, purpose, target).await?;
            Ok(link)
        };
        let limit = target.deadline.mul_f64(0.8);
        let opened = tokio::time::timeout(limit, attempt).await;
        opened.unwrap_or_else(|_| Err(DbError::Unavailable(format!("{}: no connection within {limit:?}", target.place))))
    }

    async fn connect(target: &Target, purpose: Purpose, application_name: &str) -> Result<Self, DbError> {
        let mut config: Config = target.config.clone();
        let settings = purpose.settings(target.deadline);
        let mut options = config.get_options().map(|given| format!("{given} ")).unwrap_or_default();
        options.push_str(&settings.iter().map(|(name, value)| format!("-c {name}={value}")).collect::<Vec<_>>().join(" "));
        config.options(options).application_name(application_name);
        let words = |error| fault(&target.place, error);
        let (alive, given_up) = oneshot::channel();
        let (client, task) = match &target.tls {
            Some(tls) => {
                let (client, connection) = config.connect(tls.clone()).await.map_err(words)?;
                (client, tokio::spawn(drive(connection, given_up)))
            }
            None => {
                let (client, connection) = config.connect(NoTls).await.map_err(words)?;
                (client, tokio::spawn(drive(connection, given_up)))
            }
        };
        Ok(Self {
            client,
            purpose,
            statements: Statements::default(),
            backend: 0,
            task: task.abort_handle(),
            was_cut: AtomicBool::new(false),
            _alive: alive,
        })
    }

    /// Closes the socket at once; whatever waits for an answer fails.
    pub(super) fn cut(&self) {
        self.was_cut.store(true, Ordering::Release);
        self.task.abort();
    }

    pub(super) fn is_closed(&self) -> bool {
        self.was_cut.load(Ordering::Acquire) || self.client.is_closed() || self.task.is_finished()
    }

    pub(super) async fn query(&self, statement: &Statement) -> Result<Vec<Row>, DbError> {
        let params = as_params(&statement.params);
        let mut answer = self.client.query(&self.prepare(statement).await?, &params).await;
        if answer.as_ref().err().is_some_and(is_outdated) {
            self.statements.forget();
            answer = self.client.query(&self.prepare(statement).await?, &params).await;
        }
        let rows = answer.map_err(|error| self.explained(error))?;
        rows.iter().map(Row::from_postgres).collect()
    }

    pub(super) async fn execute(&self, statement: &Statement) -> Result<u64, DbError> {
        let params = as_params(&statement.params);
        let mut answer = self.client.execute(&self.prepare(statement).await?, &params).await;
        if answer.as_ref().err().is_some_and(is_outdated) {
            self.statements.forget();
            answer = self.client.execute(&self.prepare(statement).await?, &params).await;
        }
        Ok(answer?)
    }

    /// Whether the server answers, and with the process that answered first.
    pub(super) async fn ping(&self) -> Result<(), DbError> {
        let rows = self.query(&Statement::new("SELECT CAST(pg_backend_pid() AS bigint)", Vec::new())).await?;
        match rows.first().map(|row| row.int(0)).transpose()? {
            Some(backend) if backend == self.backend => Ok(()),
            _ => Err(DbError::Unsupported(TRANSACTION_POOLER.to_owned())),
        }
    }

    async fn prepare(&self, statement: &Statement) -> Result<Prepared, DbError> {
        self.statements.prepare(&self.client, statement.sql.postgres(), &statement.params).await
    }

    /// That shared connections only read is our doing (25006), not the server's state.
    fn explained(&self, error: Error) -> DbError {
        match error.code().map(SqlState::code) {
            Some("25006") if self.purpose == Purpose::Shared => {
                DbError::Internal("a statement that writes was sent to the readers".to_owned())
            }
            _ => error.into(),
        }
    }
}

fn as_params(values: &[Value]) -> Vec<&(dyn ToSql + Sync)> {
    values.iter().map(|value| value as _).collect()
}

/// The result's columns have changed (0A000), or the server does not know what we prepared (26000). It has refused the statement
/// before doing anything, so it may be prepared and run again.
fn is_outdated(error: &Error) -> bool {
    error.as_db_error().is_some_and(|told| match told.code().code() {
        "0A000" => told.message().contains("cached plan"),
        "26000" => true,
        _ => false,
    })
}

/// Moves the connection's bytes until it ends, or until shortly after its owner has gone: a peer that does not listen any more
/// must not keep the socket.
async fn drive<C>(connection: C, given_up: oneshot::Receiver<()>)
where
    C: Future<Output = Result<(), Error>>,
{
    let goodbye = async {
        // It is never sent to; it ends when the owner drops the other end.
        let _dropped = given_up.await;
        tokio::time::sleep(GOODBYE).await;
    };
    tokio::select! {
        ended = connection => {
            if let Err(error) = ended {
                tracing::info!(error = %DbError::from(error), "database.connection-ended");
            }
        }
        () = goodbye => tracing::info!("database.connection-cut"),
    }
}
