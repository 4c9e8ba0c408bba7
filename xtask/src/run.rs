//! Runs commands as named steps, keeps their times and their test counts, and ends them all on Ctrl-C.

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{ChildStdout, Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signet_testkit::process;

use crate::workspace;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Process group of the command that runs now; 0 when none does.
static RUNNING_GROUP: AtomicU32 = AtomicU32::new(0);

/// What one step found.
struct Step {
    name: String,
    took: Duration,
    passed: u64,
    failed: u64,
    broken: bool,
}

/// The steps of one run of `xtask`.
pub(crate) struct Runner {
    /// The checkout.
    pub(crate) root: PathBuf,
    /// Where cargo builds.
    pub(crate) target: PathBuf,
    /// Variables that every later step gets.
    pub(crate) environment: Vec<(String, String)>,
    steps: Vec<Step>,
    started: Instant,
}

impl Runner {
    pub(crate) fn new() -> Result<Self> {
        let root = workspace::root()?;
        let target = workspace::target_directory(&root)?;
        end_everything_on_a_signal()?;
        Ok(Self { root, target, environment: Vec::new(), steps: Vec::new(), started: Instant::now() })
    }

    /// Cargo, in the checkout.
    pub(crate) fn cargo(&self, arguments: &[&str]) -> Command {
        let mut command = process::bound_to_us("TERM", std::env::var("CARGO").unwrap_or_else(|_| "cargo".into()));
        command.args(arguments);
        command
    }

    /// Where tools that the tests need are kept between runs.
    pub(crate) fn tools(&self) -> PathBuf {
        self.target.join("tools")
    }

    /// Runs a command as a step and counts the tests it reports. A command that fails without a failed test counts as one.
    pub(crate) fn step(&mut self, name: &str, command: Command) -> Result<bool> {
        self.heading(name);
        let started = Instant::now();
        let (success, passed, failed) = self.execute(command).with_context(|| format!("step {name}"))?;
        let broken = !success && failed == 0;
        self.steps.push(Step { name: name.to_owned(), took: started.elapsed(), passed, failed, broken });
        self.stop_if_interrupted()?;
        Ok(success)
    }

    /// Runs a step that is a function of ours; its error is reported and counted, and the run goes on.
    pub(crate) fn inner_step(&mut self, name: &str, work: impl FnOnce(&Self) -> Result<()>) -> Result<bool> {
        self.heading(name);
        let started = Instant::now();
        let outcome = work(self);
        if let Err(error) = &outcome {
            println!("{error:#}");
        }
        let broken = outcome.is_err();
        self.steps.push(Step { name: name.to_owned(), took: started.elapsed(), passed: 0, failed: 0, broken });
        self.stop_if_interrupted()?;
        Ok(!broken)
    }

    fn heading(&self, name: &str) {
        println!("\n== {name} ({} s)", self.started.elapsed().as_secs());
    }

    fn stop_if_interrupted(&self) -> Result<()> {
        if INTERRUPTED.load(Ordering::SeqCst) {
            bail!("interrupted; everything that was started has been stopped");
        }
        Ok(())
    }

    /// Runs in a process group of its own, shows what it writes, sums what it says about tests.
    fn execute(&self, mut command: Command) -> Result<(bool, u64, u64)> {
        use std::os::unix::process::CommandExt;
        command.current_dir(&self.root).envs(self.environment.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = process::spawn(command)?;
        RUNNING_GROUP.store(child.id(), Ordering::SeqCst);
        let counts = Arc::new((AtomicU64::new(0), AtomicU64::new(0)));
        let reader = child.stdout.take().map(|output| show_and_count(output, Arc::clone(&counts)));
        let status = child.wait()?;
        RUNNING_GROUP.store(0, Ordering::SeqCst);
        // What it leaves running may hold the pipe open; do not wait for that.
        let ended = Instant::now();
        while reader.as_ref().is_some_and(|reader| !reader.is_finished()) && ended.elapsed() < Duration::from_secs(5) {
            process::pause(Duration::from_millis(5));
        }
        Ok((status.success(), counts.0.load(Ordering::SeqCst), counts.1.load(Ordering::SeqCst)))
    }

    /// Prints what each step took and found; the last line sums the tests. A step that broke counts as one failure.
    pub(crate) fn finish(&self) -> ExitCode {
        println!("\n{:<42} {:>8}  {:>7} {:>7}", "step", "seconds", "passed", "failed");
        let (mut passed, mut failed) = (0u64, 0u64);
        for step in &self.steps {
            let step_failed = step.failed.saturating_add(u64::from(step.broken));
            let name = if step_failed > 0 { format!("{} FAILED", step.name) } else { step.name.clone() };
            println!("{:<42} {:>8.1}  {:>7} {:>7}", name, step.took.as_secs_f64(), step.passed, step_failed);
            passed = passed.saturating_add(step.passed);
            failed = failed.saturating_add(step_failed);
        }
        println!("{:<42} {:>8.1}", "all", self.started.elapsed().as_secs_f64());
        println!("{passed} passed, {failed} failed");
        // A pipe that was closed under us cannot be told anything more.
        let _reader_gone = std::io::stdout().flush();
        if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn show_and_count(output: ChildStdout, counts: Arc<(AtomicU64, AtomicU64)>) -> JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
            let text = String::from_utf8_lossy(&line);
            println!("{text}");
            let (passed, failed) = test_counts(&text);
            counts.0.fetch_add(passed, Ordering::SeqCst);
            counts.1.fetch_add(failed, Ordering::SeqCst);
        }
    })
}

/// Reads `test result: ok. 3 passed; 0 failed; …` of cargo and `3 passed, 0 failed` of our Python suites.
fn test_counts(line: &str) -> (u64, u64) {
    let text = match line.trim().strip_prefix("test result: ") {
        Some(rest) => rest.split_once(". ").map_or("", |(_, counts)| counts),
        None => line.trim(),
    };
    let number = |part: Option<&str>, word: &str| part.and_then(|part| part.trim().strip_suffix(word)?.trim().parse::<u64>().ok());
    let mut parts = text.split([';', ',']);
    match (number(parts.next(), "passed"), number(parts.next(), "failed")) {
        (Some(passed), Some(failed)) => (passed, failed),
        _ => (0, 0),
    }
}

/// On SIGINT and SIGTERM the command that runs is ended with its whole group; then the step returns and the servers go.
fn end_everything_on_a_signal() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let terminated = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
            let Ok(mut terminated) = terminated else { return };
            loop {
                tokio::select! {
                    _ = tokio::signal::ctrl_c() => {}
                    _ = terminated.recv() => {}
                }
                INTERRUPTED.store(true, Ordering::SeqCst);
                let group = i32::try_from(RUNNING_GROUP.load(Ordering::SeqCst)).unwrap_or(0);
                if let Some(group) = rustix::process::Pid::from_raw(group) {
                    // It may have ended by itself meanwhile.
                    let _already_gone = rustix::process::kill_process_group(group, process::Signal::TERM);
                }
            }
        });
    });
    Ok(())
}

/// Waits until somebody interrupts.
pub(crate) fn until_interrupted() {
    while !INTERRUPTED.load(Ordering::SeqCst) {
        process::pause(Duration::from_millis(100));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_lines_of_cargo_and_of_python_are_counted_and_nothing_else_is() {
        let cargo = "test result: ok. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 2.66s";
        assert_eq!(test_counts(cargo), (12, 3));
        assert_eq!(test_counts("test result: FAILED. 1 passed; 2 failed; 0 ignored"), (1, 2));
        assert_eq!(test_counts("17 passed, 1 failed"), (17, 1));
        for other in ["test walk::row_1 ... ok", "", "12 passed", "a, b", "running 3 tests"] {
            assert_eq!(test_counts(other), (0, 0), "{other}");
        }
    }
}
