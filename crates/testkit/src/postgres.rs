//! A real PostgreSQL on a free loopback port, with SCRAM passwords as in production.
//!
//! As root the server runs as the user `postgres`, whom the Debian package makes. Durability is off where a test may
//! lose nothing by it; suites that stop or kill the server ask for [`TestPostgres::private`], which keeps
//! `synchronous_commit`.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::error::or_fail;
use crate::process::{self, Signal};
use crate::{TestkitError, debian, free_port, scratch_dir};

/// Names the administrator's URL of a cluster with locale C that `xtask` started for the whole run.
pub const POSTGRES_ENV: &str = "SIGNET_TEST_POSTGRES";
/// The same for a cluster whose default collation is ICU `en-US`, where `'a' < 'B'`.
pub const POSTGRES_ICU_ENV: &str = "SIGNET_TEST_POSTGRES_ICU";

/// The password of the test clusters' only user; they listen on loopback and live as long as a test.
const PASSWORD: &str = "scram-of-the-test-cluster";

/// How a cluster is made.
#[derive(Clone, Debug, Default)]
pub struct PostgresOptions {
    /// Default collation ICU `en-US` instead of C.
    pub icu: bool,
    /// Keep `synchronous_commit` on: for suites that stop or kill the server.
    pub survives_kill: bool,
    /// Keep `fsync` and `full_page_writes` on too: for benchmarks.
    pub durable: bool,
    /// More settings, as `name=value`.
    pub settings: Vec<String>,
}

/// A PostgreSQL cluster. It stops when dropped, and when this process dies.
pub struct TestPostgres {
    admin_url: String,
    own: Option<Own>,
}

struct Own {
    directory: TempDir,
    port: u16,
    options: PostgresOptions,
    child: Mutex<Option<Child>>,
}

impl TestPostgres {
    /// The cluster of the whole run (locale C), or one for this process.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::of_the_run(POSTGRES_ENV, PostgresOptions::default()))
    }

    /// The cluster of the whole run whose default collation is not C, or one for this process.
    pub fn shared_icu() -> &'static Self {
        static SHARED: OnceLock<TestPostgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::of_the_run(POSTGRES_ICU_ENV, PostgresOptions { icu: true, ..PostgresOptions::default() }))
    }

    /// A cluster of one's own, for suites that stop or kill it (about 1.5 s).
    pub fn private() -> Self {
        or_fail(Self::start(PostgresOptions { survives_kill: true, ..PostgresOptions::default() }))
    }

    /// A cluster of one's own with options.
    pub fn start(options: PostgresOptions) -> Result<Self, TestkitError> {
        let directory = scratch_dir("pg")?;
        let port = free_port()?;
        initialise(directory.path(), options.icu)?;
        let admin_url = format!("postgres://signet:{PASSWORD}@127.0.0.1:{port}/postgres");
        let own = Own { directory, port, options, child: Mutex::new(None) };
        let cluster = Self { admin_url, own: Some(own) };
        cluster.resume()?;
        Ok(cluster)
    }

    fn of_the_run(variable: &str, options: PostgresOptions) -> Self {
        match std::env::var(variable) {
            Ok(admin_url) => Self::of_others(&admin_url),
            Err(_) => or_fail(Self::start(options)),
        }
    }

    /// A cluster that somebody else started and will stop, by its administrator's URL.
    pub fn of_others(admin_url: &str) -> Self {
        Self { admin_url: admin_url.to_owned(), own: None }
    }

    /// The administrator's URL (database `postgres`): `postgres://USER:PASSWORD@127.0.0.1:PORT/postgres`.
    pub fn admin_url(&self) -> &str {
        &self.admin_url
    }

    /// `host:port`, as a [`crate::FaultProxy`] wants it.
    pub fn address(&self) -> &str {
        let after_user = self.admin_url.rsplit_once('@').map_or(self.admin_url.as_str(), |(_, rest)| rest);
        after_user.split_once('/').map_or(after_user, |(address, _)| address)
    }

    /// Makes an empty database of its own for this call; its URL. The name is unlike any other of the run. In the
    /// cluster of the whole run it goes when the calling thread ends, that is with its test: a thousand tests would
    /// else leave 8 MB each behind.
    #[expect(clippy::disallowed_methods, reason = "tests make few databases at a time, and psql blocks")]
    pub async fn fresh_database(&self) -> String {
        let admin_url = self.admin_url.clone();
        let made = tokio::task::spawn_blocking(move || make_database(&admin_url)).await;
        self.until_the_thread_ends(or_fail(
            made.unwrap_or_else(|lost| Err(TestkitError::Command { program: "psql".into(), detail: lost.to_string() })),
        ))
    }

    /// As [`TestPostgres::fresh_database`], where there is no runtime.
    pub fn fresh_database_blocking(&self) -> String {
        self.until_the_thread_ends(or_fail(make_database(&self.admin_url)))
    }

    /// Notes a database of the whole run's cluster to go with this thread, and gives its URL. A cluster of one's own
    /// goes whole.
    fn until_the_thread_ends(&self, database: Database) -> String {
        let url = database.url();
        if self.own.is_none() {
            OF_THIS_TEST.with_borrow_mut(|databases| databases.0.push(database));
        }
        url
    }

    /// Ends the server politely: SIGINT, PostgreSQL's fast shutdown.
    pub fn stop(&self) -> Result<(), TestkitError> {
        let own = self.owned()?;
        let ended = own.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut child) = ended {
            process::end(&mut child, Signal::INT, Duration::from_secs(30)).map_err(TestkitError::at("postgres"))?;
        }
        Ok(())
    }

    /// Kills the server and every process of it with SIGKILL, as a power cut does (what the kernel holds is kept).
    pub fn kill(&self) -> Result<(), TestkitError> {
        let own = self.owned()?;
        let ended = own.child.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut child) = ended else { return Ok(()) };
        let backends = process::children(child.id());
        child.kill().and_then(|()| child.wait()).map_err(TestkitError::at("postgres"))?;
        for backend in &backends {
            if let Some(pid) = i32::try_from(*backend).ok().and_then(rustix::process::Pid::from_raw) {
                // It may have noticed the postmaster's death already.
                let _already_gone = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        let started = Instant::now();
        while backends.iter().any(|backend| process::is_running(*backend)) && started.elapsed() < Duration::from_secs(10) {
            process::pause(Duration::from_millis(5));
        }
        Ok(())
    }

    /// Starts the server again on the same port.
    pub fn resume(&self) -> Result<(), TestkitError> {
        let own = self.owned()?;
        let mut slot = own.child.lock().unwrap_or_else(PoisonError::into_inner);
        if slot.is_none() {
            *slot = Some(launch(own)?);
        }
        Ok(())
    }

    /// The server's data directory. `None` for the cluster of the whole run.
    pub fn data_directory(&self) -> Option<PathBuf> {
        self.own.as_ref().map(|own| own.directory.path().join("data"))
    }

    /// The server's process id while it runs; `None` for the cluster of the whole run.
    pub fn pid(&self) -> Option<u32> {
        self.own.as_ref()?.child.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Child::id)
    }

    fn owned(&self) -> Result<&Own, TestkitError> {
        self.own.as_ref().ok_or_else(|| TestkitError::NotReady {
            server: "PostgreSQL".into(),
            detail: "the cluster of the whole run is not ours to stop; use TestPostgres::private".into(),
        })
    }
}

impl Drop for TestPostgres {
    fn drop(&mut self) {
        if self.own.is_some() {
            // Nobody is left to tell; the parent-death signal ends it at the latest.
            let _best_effort = self.kill();
        }
    }
}

/// Runs SQL against a database and returns the rows, one a line, fields parted by `|`.
pub fn psql(url: &str, sql: &str) -> Result<String, TestkitError> {
    let mut command = Command::new(debian::postgres_programs()?.join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", url, "-c", sql]).stdin(Stdio::null());
    run(&mut command, "psql")
}

/// A database of a test, in the cluster at `admin_url`.
struct Database {
    admin_url: String,
    name: String,
}

impl Database {
    fn url(&self) -> String {
        let (server, _) = self.admin_url.rsplit_once('/').unwrap_or((&self.admin_url, ""));
        format!("{server}/{}", self.name)
    }
}

/// The databases that a test made, dropped with its thread.
struct Databases(Vec<Database>);

impl Drop for Databases {
    fn drop(&mut self) {
        for database in &self.0 {
            // The test has spoken already; what stays behind costs room only.
            let _best_effort = psql(&database.admin_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", database.name));
        }
    }
}

thread_local! {
    static OF_THIS_TEST: RefCell<Databases> = const { RefCell::new(Databases(Vec::new())) };
}

fn make_database(admin_url: &str) -> Result<Database, TestkitError> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    static RUN: OnceLock<u64> = OnceLock::new();
    let run = *RUN.get_or_init(|| RandomState::new().build_hasher().finish());
    let name = format!("t{run:016x}_{}", NEXT.fetch_add(1, Ordering::Relaxed));
    psql(admin_url, &format!("CREATE DATABASE {name}"))?;
    Ok(Database { admin_url: admin_url.to_owned(), name })
}

fn initialise(directory: &Path, icu: bool) -> Result<(), TestkitError> {
    let programs = debian::postgres_programs()?;
    let password_file = directory.join("pw");
    std::fs::write(&password_file, PASSWORD).map_err(TestkitError::at(&password_file))?;
    if debian::is_root() {
        run(Command::new("chown").args(["-R", "postgres:postgres"]).arg(directory), "chown")?;
    }
    let mut command = as_server_user(None);
    command.arg(programs.join("initdb")).arg("-D").arg(directory.join("data"));
    command.args(["-U", "signet", "-E", "UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"]);
    command.arg(format!("--pwfile={}", password_file.display()));
    if icu {
        command.args(["--locale-provider=icu", "--icu-locale=en-US"]);
    }
    run(command.current_dir(directory), "initdb").map(drop)
}

fn launch(own: &Own) -> Result<Child, TestkitError> {
    let programs = debian::postgres_programs()?;
    let directory = own.directory.path();
    let log = directory.join("log");
    let mut settings = vec![
        "listen_addresses=127.0.0.1".to_owned(),
        format!("port={}", own.port),
        format!("unix_socket_directories={}", directory.display()),
        "max_connections=400".to_owned(),
        "max_wal_size=512MB".to_owned(),
    ];
    if !own.options.durable {
        settings.extend(["fsync=off", "full_page_writes=off"].map(str::to_owned));
        if !own.options.survives_kill {
            settings.push("synchronous_commit=off".to_owned());
        }
    }
    settings.extend(own.options.settings.iter().cloned());
    let started = Instant::now();
    loop {
        let output = File::options().create(true).append(true).open(&log).map_err(TestkitError::at(&log))?;
        let errors = output.try_clone().map_err(TestkitError::at(&log))?;
        let mut command = as_server_user(Some("INT"));
        command.arg(programs.join("postgres")).arg("-D").arg(directory.join("data"));
        for setting in &settings {
            command.arg("-c").arg(setting);
        }
        command.current_dir(directory).stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut child = process::spawn(command).map_err(TestkitError::at("postgres"))?;
        let ready = process::until_ready("PostgreSQL", &mut child, &log, Duration::from_secs(60), || accepts(&programs, own));
        match ready {
            Ok(()) => return Ok(child),
            // After a kill the old shared memory or the port may take a moment to go.
            Err(_) if started.elapsed() < Duration::from_secs(20) => {
                process::end(&mut child, Signal::KILL, Duration::ZERO).map_err(TestkitError::at("postgres"))?;
                process::pause(Duration::from_millis(100));
            }
            Err(error) => return Err(error),
        }
    }
}

fn accepts(programs: &Path, own: &Own) -> bool {
    let mut command = Command::new(programs.join("pg_isready"));
    command.arg("-q").arg("-h").arg("127.0.0.1").arg("-p").arg(own.port.to_string());
    command.status().is_ok_and(|status| status.success())
}

/// A clean environment, as the user `postgres` when we are root; the program and its arguments follow.
fn as_server_user(signal_on_our_death: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    if debian::is_root() {
        command.args(["--reuid=postgres", "--regid=postgres", "--init-groups"]);
    }
    if let Some(signal) = signal_on_our_death {
        command.args(["--pdeathsig", signal]);
    }
    command.args(["--", "env", "-i", "PATH=/usr/bin:/bin", "LC_ALL=C"]);
    command
}

fn run(command: &mut Command, program: &str) -> Result<String, TestkitError> {
    let output = command.output().map_err(TestkitError::at(program))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(TestkitError::Command { program: program.to_owned(), detail: String::from_utf8_lossy(&output.stderr).into_owned() })
}
