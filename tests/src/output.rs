//! What a command of the binary answered.

use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use signet_testkit::process;

use crate::signet_binary;

/// No command may take longer, one of a deep run ten times as long; one that waits for ever would hang the suite.
const LONGEST: Duration = Duration::from_secs(60);

/// Exit code and output of one command.
#[derive(Clone, Debug)]
pub struct Output {
    /// The exit code; 128 plus the signal when one ended it.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Output {
    /// Standard output as one JSON value; `Null` when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or(Value::Null)
    }

    /// The error object on standard error, as `-o json` writes it; `Null` when there is none.
    pub fn error(&self) -> Value {
        let lines = self.stderr.lines().filter(|line| line.starts_with('{'));
        let mut objects = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        objects.find_map(|object| object.get("error").cloned()).unwrap_or(Value::Null)
    }

    /// The reason code: of the error on standard error, else of the decision on standard output.
    pub fn reason(&self) -> String {
        let named = |value: &Value| value.get("reason").and_then(Value::as_str).map(str::to_owned);
        named(&self.error()).or_else(|| named(&self.json())).unwrap_or_default()
    }

    /// The JSON on standard output, after checking the exit code.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.exits(0).json()
    }

    /// Checks the exit code.
    #[track_caller]
    pub fn exits(&self, code: i32) -> &Self {
        assert_eq!(self.code, code, "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }

    /// Checks exit code and reason.
    #[track_caller]
    pub fn refused(&self, code: i32, reason: &str) -> &Self {
        assert_eq!((self.code, self.reason().as_str()), (code, reason), "stdout: {}\nstderr: {}", self.stdout, self.stderr);
        self
    }
}

/// Runs the binary in a directory, with only the given `SIGNET_…` variables.
pub fn run<I, S>(directory: &Path, variables: &[(&str, &str)], arguments: I, stdin: &[u8]) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    run_in(Command::new(signet_binary()), directory, variables, arguments, stdin)
}

/// As [`run`], for a command that wraps the binary, such as a shell.
pub fn run_in<I, S>(mut command: Command, directory: &Path, variables: &[(&str, &str)], arguments: I, stdin: &[u8]) -> Output
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    clean_environment(&mut command);
    command.args(arguments).envs(variables.iter().copied()).current_dir(directory);
    finish(command, stdin)
}

/// Removes what the machine or the run of the tests may have set for `signet`.
pub(crate) fn clean_environment(command: &mut Command) {
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("SIGNET_")) {
        command.env_remove(name);
    }
    command.env("NO_COLOR", "1");
}

#[expect(clippy::panic, reason = "test support: a binary that cannot be run ends the test")]
fn finish(mut command: Command, stdin: &[u8]) -> Output {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = match process::spawn(command) {
        Ok(child) => child,
        Err(error) => panic!("{}: {error}", signet_binary().display()),
    };
    let (out, err) = (child.stdout.take().map(collect), child.stderr.take().map(collect));
    if let Some(mut pipe) = child.stdin.take() {
        // A command that does not read its input may have closed it.
        let _not_wanted = pipe.write_all(stdin);
    }
    let longest = if crate::deep() { LONGEST.saturating_mul(10) } else { LONGEST };
    let status = match process::wait(&mut child, longest) {
        Ok(Some(status)) => status,
        Ok(None) | Err(_) => {
            let _already_gone = child.kill();
            panic!("the command did not end within {longest:?}");
        }
    };
    let text = |pipe: Option<std::thread::JoinHandle<Vec<u8>>>| {
        let bytes = pipe.and_then(|reader| reader.join().ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    };
    use std::os::unix::process::ExitStatusExt;
    let code = status.code().or_else(|| status.signal().map(|signal| signal.saturating_add(128))).unwrap_or(-1);
    Output { code, stdout: text(out), stderr: text(err) }
}

fn collect(mut pipe: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a broken pipe is still worth showing.
        let _until_broken = pipe.read_to_end(&mut bytes);
        bytes
    })
}
