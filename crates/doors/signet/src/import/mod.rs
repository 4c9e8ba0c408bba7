//! Taking over the credentials of a Kaa installation: where they come from (`source`), where they go (`target`), what is told of
//! them (`report`). What may become of a row is the room's to say.

mod report;
mod source;
mod target;

use std::time::{Duration, Instant};

use serde::Serialize;
use signet_credentials::{Fate, Import};
use signet_model::{Refusal, log_text};

pub(crate) use report::Report;
pub(crate) use source::{Layout, Source};
pub(crate) use target::Target;

/// Where there is no terminal, progress is told this often.
const TELL_EVERY: Duration = Duration::from_secs(5);

signet_model::reasons! {
    /// The import stopped half-way: the source or the target went away.
    IMPORT_INTERRUPTED = ("import.interrupted", 503, "Run the same command again: rows that are there already are recognised.");
    /// The source has no such table or column, or a column of a type that is not understood.
    IMPORT_LAYOUT = ("import.source-layout", 400, "Name table and columns by `--table` and `--…-column`, or write a `--query`.");
    /// The source of an import cannot be reached or does not let us in.
    IMPORT_SOURCE = ("import.source-unreachable", 503, "Check the URL of `--from`, and that the server is up and lets this user in.");
    /// The file of rows that were left out cannot be written.
    IMPORT_REPORT = ("import.report-unwritable", 400, "Name a file that can be written by `--report FILE`.");
}

/// What became of an import.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Summary {
    /// Where the rows came from.
    pub(crate) source: String,
    /// Rows of the source.
    pub(crate) total: u64,
    /// Rows looked at.
    pub(crate) read: u64,
    /// Rows that are credentials now.
    pub(crate) imported: u64,
    /// Rows that were credentials already.
    pub(crate) already_there: u64,
    /// Rows left out.
    pub(crate) skipped: u64,
    /// Tenants made.
    pub(crate) tenants_created: u64,
    /// Whether nothing was written.
    pub(crate) dry_run: bool,
    /// The file that says which rows were left out and why; none when all were taken.
    pub(crate) report: Option<String>,
    /// How long it took.
    pub(crate) elapsed_ms: u64,
}

/// Who is told how far it is.
pub(crate) trait Progress {
    /// There are so many rows.
    fn begin(&mut self, total: u64);
    /// So far.
    fn so_far(&mut self, summary: &Summary);
    /// It is over, well or not.
    fn end(&mut self);
}

/// Reads the source to its end, page by page of `page` rows. `so_far` is true also when it fails half-way.
pub(crate) async fn run(
    source: &mut Source,
    import: &mut Import,
    report: &mut Report,
    page: usize,
    progress: &mut dyn Progress,
    so_far: &mut Summary,
) -> Result<(), Refusal> {
    let started = Instant::now();
    progress.begin(so_far.total);
    let outcome = take_all(source, import, report, page, progress, so_far, started).await;
    progress.end();
    so_far.tenants_created = u64::try_from(import.tenants_made()).unwrap_or(u64::MAX);
    so_far.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    outcome
}

async fn take_all(
    source: &mut Source,
    import: &mut Import,
    report: &mut Report,
    page: usize,
    progress: &mut dyn Progress,
    so_far: &mut Summary,
    started: Instant,
) -> Result<(), Refusal> {
    let interrupted = |so_far: &Summary, whose: &str, cause: &Refusal| {
        let detail = format!(
            "{whose} failed after {} of {} rows ({} imported, {} already there, {} left out): {}: {}",
            so_far.read, so_far.total, so_far.imported, so_far.already_there, so_far.skipped, cause.reason.code, cause.detail
        );
        Refusal::new(&IMPORT_INTERRUPTED, detail)
    };
    loop {
        let rows = source.next(page).await.map_err(|cause| interrupted(so_far, "the source", &cause))?;
        if rows.is_empty() {
            return Ok(());
        }
        let fates = import.take(&rows).await.map_err(|cause| interrupted(so_far, "the target", &cause))?;
        for (row, fate) in rows.iter().zip(fates) {
            so_far.read = so_far.read.saturating_add(1);
            let counter = match fate {
                Fate::Imported => &mut so_far.imported,
                Fate::AlreadyThere => &mut so_far.already_there,
                Fate::Skipped(skip) => {
                    report.skipped(row, &skip)?;
                    &mut so_far.skipped
                }
            };
            *counter = counter.saturating_add(1);
        }
        so_far.elapsed_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        progress.so_far(so_far);
    }
}

/// Progress as a bar on a terminal, and else as a line every few seconds.
pub(crate) enum Teller {
    /// On a terminal.
    Bar(indicatif::ProgressBar),
    /// In a log.
    Lines {
        /// Where a line goes.
        tell: Box<dyn Fn(&str)>,
        /// When the last one went.
        last: Instant,
    },
}

impl Teller {
    /// A bar.
    pub(crate) fn bar() -> Self {
        let style = "{bar:40} {pos}/{len} rows  {per_sec}  {eta} left  {msg}";
        let bar = indicatif::ProgressBar::new(0);
        // The template is fixed; were it broken, the plain bar tells as much.
        let style = indicatif::ProgressStyle::with_template(style).unwrap_or_else(|_| indicatif::ProgressStyle::default_bar());
        Self::Bar(bar.with_style(style))
    }

    /// Lines, handed to `tell`.
    pub(crate) fn lines(tell: impl Fn(&str) + 'static) -> Self {
        Self::Lines { tell: Box::new(tell), last: Instant::now() }
    }
}

impl Progress for Teller {
    fn begin(&mut self, total: u64) {
        match self {
            Self::Bar(bar) => bar.set_length(total),
            Self::Lines { tell, .. } => tell(&format!("{total} rows to look at")),
        }
    }

    fn so_far(&mut self, summary: &Summary) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(summary.read);
                if summary.skipped > 0 {
                    bar.set_message(format!("{} left out", summary.skipped));
                }
            }
            Self::Lines { tell, last } if last.elapsed() >= TELL_EVERY => {
                tell(&format!("{} of {} rows, {} left out", summary.read, summary.total, summary.skipped));
                *last = Instant::now();
            }
            Self::Lines { .. } => {}
        }
    }

    fn end(&mut self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

/// A text of a foreign row as a report shows it.
fn shown(bytes: &[u8]) -> String {
    log_text(&String::from_utf8_lossy(bytes), 255)
}
