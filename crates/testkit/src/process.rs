//! Child processes that end with us, and signals to exactly the ones we started.
//!
//! The kernel ties a parent-death signal to the *thread* that spawned the child (prctl(2)), and a test's thread ends
//! with the test. So one thread that lives as long as the process does all the spawning.

use std::ffi::OsStr;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::{OnceLock, mpsc};
use std::time::{Duration, Instant};

use crate::TestkitError;
pub use rustix::process::Signal;

type Job = (Command, mpsc::SyncSender<io::Result<Child>>);

/// A command that gets `signal` (a name such as `TERM`) when this process dies, however it dies.
pub fn bound_to_us(signal: &str, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig").arg(signal).arg("--").arg(program);
    command
}

/// Spawns from the thread that lives as long as this process.
pub fn spawn(command: Command) -> io::Result<Child> {
    static SPAWNER: OnceLock<mpsc::SyncSender<Job>> = OnceLock::new();
    let spawner = SPAWNER.get_or_init(|| {
        let (jobs, inbox) = mpsc::sync_channel::<Job>(64);
        std::thread::spawn(move || {
            for (mut command, answer) in inbox {
                // Whoever asked may have given up; then the child ends with its handle's owner, which is us.
                let _asker_gone = answer.send(command.spawn());
            }
        });
        jobs
    });
    let (answer, result) = mpsc::sync_channel(1);
    let gone = |_| io::Error::other("the spawning thread is gone");
    spawner.send((command, answer)).map_err(|_| io::Error::other("the spawning thread is gone"))?;
    result.recv().map_err(gone)?
}

/// Sends a signal to a child that has not been waited for yet.
pub fn signal(child: &Child, signal: Signal) -> io::Result<()> {
    let pid = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
    match pid {
        Some(pid) => rustix::process::kill_process(pid, signal).map_err(io::Error::from),
        None => Err(io::Error::other("a process id out of range")),
    }
}

/// Waits for a child for at most `limit`; `None` when it still runs.
pub fn wait(child: &mut Child, limit: Duration) -> io::Result<Option<ExitStatus>> {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        if started.elapsed() >= limit {
            return Ok(None);
        }
        pause(Duration::from_millis(5));
    }
}

/// Asks a child to end with `signal`; after `limit` it is killed.
pub fn end(child: &mut Child, how: Signal, limit: Duration) -> io::Result<ExitStatus> {
    if let Some(status) = child.try_wait()? {
        return Ok(status);
    }
    signal(child, how)?;
    if let Some(status) = wait(child, limit)? {
        return Ok(status);
    }
    child.kill()?;
    child.wait()
}

/// Whether a process runs. A zombie does not: `kill(pid, 0)` would still find it, so the state letter decides.
pub fn is_running(pid: u32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        // The name stands in parentheses and may hold anything: the state is what follows the last one.
        Ok(stat) => !matches!(stat.rsplit_once(") ").map(|(_, rest)| rest.chars().next()), Some(Some('Z' | 'X')) | None),
        Err(_) => false,
    }
}

/// The direct children of a process.
pub(crate) fn children(of: u32) -> Vec<u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok());
    pids.filter(|pid| parent(*pid) == Some(of)).collect()
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
}

/// Asks `ready` again and again until it says yes; fails when the child ends or `limit` passes.
pub(crate) fn until_ready(
    server: &str,
    child: &mut Child,
    log: &Path,
    limit: Duration,
    mut ready: impl FnMut() -> bool,
) -> Result<(), TestkitError> {
    let started = Instant::now();
    loop {
        if ready() {
            return Ok(());
        }
        let ended = child.try_wait().map_err(TestkitError::at(server))?;
        if ended.is_some() || started.elapsed() >= limit {
            let how = ended.map_or_else(|| format!("no answer in {limit:?}"), |status| format!("ended with {status}"));
            return Err(TestkitError::NotReady { server: server.to_owned(), detail: format!("{how}; log: {}", tail(log)) });
        }
        pause(Duration::from_millis(10));
    }
}

/// The last lines of a log file, for error messages.
pub(crate) fn tail(log: &Path) -> String {
    let text = std::fs::read(log).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(15)..).unwrap_or_default().join("\n")
}

/// A pause between two looks at something that has no event to wait for.
#[expect(clippy::disallowed_methods, reason = "the one place of the test support that waits by the clock, on threads of its own")]
pub fn pause(time: Duration) {
    std::thread::sleep(time);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_outlives_the_thread_that_asked_for_it() {
        let mut child = std::thread::spawn(|| {
            let mut command = bound_to_us("KILL", "sleep");
            command.arg("60");
            spawn(command).unwrap()
        })
        .join()
        .unwrap();
        pause(Duration::from_millis(200));
        assert!(is_running(child.id()), "the parent-death signal of the asking thread reached the child");
        assert!(children(std::process::id()).contains(&child.id()));
        end(&mut child, Signal::TERM, Duration::from_secs(5)).unwrap();
        assert!(!is_running(child.id()));
    }

    #[test]
    fn a_child_that_ignores_the_polite_signal_is_killed() {
        let mut command = bound_to_us("KILL", "sh");
        command.arg("-c").arg("trap '' TERM; while :; do sleep 1; done");
        let mut child = spawn(command).unwrap();
        pause(Duration::from_millis(200));
        let status = end(&mut child, Signal::TERM, Duration::from_millis(200)).unwrap();
        assert!(!status.success());
    }
}
