//! How a command fails: one reason, shown in four parts (what, why, what to do, reference) or as one JSON object, and the
//! exit code that follows from it (design 8, 10).

use std::io::Write as _;

use serde_json::json;
use signet_client::{ClientError, Problem};
use signet_model::{ExitCode, Reason, Refusal};

use super::globals::Format;

signet_model::reasons! {
    /// The command line is wrong.
    USAGE = ("usage", 400, "Run the command with `--help`; every help page ends with examples.");
    /// The command asks before it does something that cannot be undone, and there is no terminal to ask on.
    CONFIRMATION_REQUIRED = ("confirmation.required", 400, "Add `--yes`, or set SIGNET_YES=1.");
    /// The question was not answered with yes.
    CONFIRMATION_DECLINED = ("confirmation.declined", 400, "Nothing was done. Run the command again and answer `yes`.");
    /// A secret that the command needs was not given.
    SECRET_MISSING = ("secret.missing", 400, "Pipe it in with `--password-stdin`, name a file with `--password-file FILE`, or set SIGNET_PASSWORD.");
    /// A secret that was given cannot be read.
    SECRET_UNREADABLE = ("secret.unreadable", 400, "Name a readable file, or pipe the secret in; it must be UTF-8 text.");
    /// The passphrase is too short to guard a key for years.
    PASSPHRASE_SHORT = ("passphrase.too-short", 400, "Give at least 12 characters; six random words are easy to keep.");
    /// The command's output could not be written.
    OUTPUT_FAILED = ("output.failed", 500, "Check the place that stdout leads to; what the command did on the server is done.");
}

/// Reasons that say that the command line is wrong, whatever their status.
static USAGE_REASONS: [&Reason; 4] = [&USAGE, &CONFIRMATION_REQUIRED, &CONFIRMATION_DECLINED, &SECRET_MISSING];

/// The exit code of a command that ends with this reason.
pub(crate) fn exit_of(reason: &Reason) -> ExitCode {
    if USAGE_REASONS.iter().any(|usage| usage.code == reason.code) { ExitCode::Usage } else { reason.exit() }
}

/// A failed command.
#[derive(Debug)]
pub(crate) struct Failure {
    problem: Problem,
    exit: ExitCode,
}

/// What every command ends with.
pub(crate) type Outcome = Result<ExitCode, Failure>;

impl Failure {
    /// For `reason`, with what was seen.
    pub(crate) fn new(reason: &'static Reason, detail: impl Into<String>) -> Self {
        Refusal::new(reason, detail).into()
    }

    /// The command line is wrong: one of the reasons that end with exit code 2.
    pub(crate) fn usage(reason: &'static Reason, detail: impl Into<String>) -> Self {
        let failure = Self::new(reason, detail);
        debug_assert_eq!(failure.exit, ExitCode::Usage, "{} is no reason of the command line", reason.code);
        failure
    }

    /// The exit code.
    pub(crate) fn exit(&self) -> ExitCode {
        self.exit
    }

    /// Writes the error to stderr. A stderr that takes nothing leaves the exit code to speak.
    pub(crate) fn report(&self, format: Format) {
        let text = match format {
            Format::Json => self.json(),
            Format::Table => self.text(),
        };
        let _ = anstream::stderr().write_all(text.as_bytes());
    }

    fn json(&self) -> String {
        let p = &self.problem;
        let error = json!({"reason": p.reason, "detail": p.detail, "fix": p.fix, "status": p.status, "trace_id": p.trace_id});
        format!("{}\n", json!({ "error": error }))
    }

    fn text(&self) -> String {
        let p = &self.problem;
        let known = crate::reasons::all().find(|r| r.code == p.reason);
        let what = known.map_or("The request was refused.", |r| r.title.trim());
        let bold = anstyle::Style::new().bold();
        let red = anstyle::AnsiColor::Red.on_default().bold();
        let mut out = format!("{red}error:{red:#} {bold}{what}{bold:#}\n  why: {}\n", p.detail);
        if let Some(fix) = p.fix.as_deref().filter(|fix| !fix.is_empty()) {
            out.push_str(&format!("  fix: {fix}\n"));
        }
        let trace = p.trace_id.as_ref().map(|t| format!(", trace {t}")).unwrap_or_default();
        out.push_str(&format!("  see: {} (docs/reference/reasons.md){trace}\n", p.reason));
        out
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        ClientError::from(refusal).into()
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let problem = error.problem();
        let exit = match &error {
            ClientError::Local(refusal) => exit_of(refusal.reason),
            ClientError::Refused(problem) => problem.exit(),
        };
        Self { exit, problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_has_its_parts_in_both_forms() {
        let failure = Failure::usage(&CONFIRMATION_REQUIRED, "revoking x cannot be undone");
        assert_eq!(failure.exit(), ExitCode::Usage);
        let parsed: serde_json::Value = serde_json::from_str(&failure.json()).unwrap();
        let names: Vec<&str> = parsed["error"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(names, ["detail", "fix", "reason", "status", "trace_id"]);
        let text = failure.text();
        for part in ["error:", "  why: revoking x", "  fix: Add `--yes`", "  see: confirmation.required"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
