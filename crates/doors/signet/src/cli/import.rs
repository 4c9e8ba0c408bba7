//! `signet import`: what another system holds becomes ours. Works without a server, and into the database of a running one.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use signet_credentials::MOST_ROWS_OF_A_PAGE;
use signet_model::{ExitCode, Refusal};

use super::failure::Outcome;
use super::globals::Globals;
use super::output::pairs;
use super::runtime;
use crate::compat::read_kaa_ccm;
use crate::config::{SecretUrl, Settings, settings_of_serve};
use crate::import::{self, IMPORT_INTERRUPTED, Layout, Report, Source, Summary, Target, Teller};
use crate::lifecycle::Shape;

const EXAMPLES: &str = "\
Examples:
  signet import kaa-ccm --from postgres://ccm@ccm-postgresql/ccm --compat --create-tenants --dry-run
  signet import kaa-ccm --from postgres://ccm@ccm-postgresql/ccm --config signet.toml --create-tenants";

const CCM_EXAMPLES: &str = "\
Examples:
  signet import kaa-ccm --from postgres://ccm@ccm-postgresql/ccm --compat --create-tenants --dry-run
  SIGNET_IMPORT_FROM=postgres://ccm:PASSWORD@db/ccm signet import kaa-ccm --data-dir d --create-tenants
  signet import kaa-ccm --from postgres://db/ccm --table ccm.credentials --tenant-column tenant_id --compat
  signet import kaa-ccm --from postgres://db/ccm --compat \\
    --query \"SELECT 'kaa' AS tenant, id, username, password_hash, state, created_at, updated_at, last_used_at FROM users\"

Ids, states, dates and hashes ($2a$, $2b$, $2y$) are kept as they are. Rows that are there already are recognised, so the command can be
run again at any time, also after it was killed. Rows that cannot be taken are left out and told in the report; the exit code is 0 all the
same. Steps before and after: docs/how-to/replace-kaa-ccm.md.";

/// Take over what another system holds (works without a server)
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand, Debug)]
enum What {
    /// The basic credentials of Kaa's CCM, out of its PostgreSQL database
    #[command(after_help = CCM_EXAMPLES)]
    KaaCcm(Box<CcmArgs>),
}

#[derive(Args, Debug)]
struct CcmArgs {
    /// The source; in SIGNET_IMPORT_FROM a password in it is not seen by other users
    #[arg(long, value_name = "URL", env = "SIGNET_IMPORT_FROM", hide_env_values = true)]
    from: String,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    /// Make the tenants that are not there; else their rows are left out
    #[arg(long)]
    create_tenants: bool,
    /// The target is that of `signet compat kaa-ccm`: read its file and environment
    #[arg(long, conflicts_with = "config")]
    compat: bool,
    /// Configuration that names the target; else `signet.toml` in the data directory, else `signet.db` there
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// File for the rows that are left out, one JSON object a line; written anew, removed when there are none
    #[arg(long, value_name = "FILE", default_value = "signet-import-skipped.jsonl")]
    report: PathBuf,
    /// Rows of one commit (1 to 250)
    #[arg(long, value_name = "ROWS", default_value_t = MOST_ROWS_OF_A_PAGE, value_parser = rows_of_a_page)]
    page: usize,
    /// Table of the source, TABLE or SCHEMA.TABLE
    #[arg(long, value_name = "TABLE", default_value = "basic_credentials")]
    table: String,
    /// A SELECT in place of table and columns; its columns are called as the defaults below
    #[arg(long, value_name = "SQL")]
    query: Option<String>,
    #[command(flatten)]
    columns: Columns,
}

#[derive(Args, Debug)]
struct Columns {
    /// Column of the tenant's name
    #[arg(long, value_name = "COLUMN", default_value = "tenant")]
    tenant_column: String,
    /// Column of the credential's id
    #[arg(long, value_name = "COLUMN", default_value = "id")]
    id_column: String,
    /// Column of the username, without the tenant
    #[arg(long, value_name = "COLUMN", default_value = "username")]
    username_column: String,
    /// Column of the password's bcrypt hash
    #[arg(long, value_name = "COLUMN", default_value = "password_hash")]
    password_hash_column: String,
    /// Column of the state
    #[arg(long, value_name = "COLUMN", default_value = "state")]
    state_column: String,
    /// Column of the date of creation
    #[arg(long, value_name = "COLUMN", default_value = "created_at")]
    created_column: String,
    /// Column of the date of the last change
    #[arg(long, value_name = "COLUMN", default_value = "updated_at")]
    updated_column: String,
    /// Column of the date of the last use
    #[arg(long, value_name = "COLUMN", default_value = "last_used_at")]
    last_use_column: String,
}

fn rows_of_a_page(text: &str) -> Result<usize, String> {
    let rows = text.parse().ok().filter(|rows| (1..=MOST_ROWS_OF_A_PAGE).contains(rows));
    rows.ok_or_else(|| format!("wanted a number from 1 to {MOST_ROWS_OF_A_PAGE}"))
}

pub(crate) fn run(globals: &Globals, args: &ImportArgs) -> Outcome {
    let What::KaaCcm(args) = &args.what;
    let (settings, shape) = target_of(globals, args)?;
    let mut report = Report::create(&args.report)?;
    let out = globals.out();
    let mut teller = if out.progress() { Teller::bar() } else { Teller::lines(move |line| out.note(line)) };
    runtime::client(async {
        let mut source = Source::open(&args.from, &args.layout()).await?;
        let target = Target::open(&settings, &shape, args.dry_run).await?;
        out.note(&format!("from {}\ninto {}", source.place(), target.place()));
        let mut import = target.import(source.place(), args.create_tenants);
        let mut summary = Summary { source: source.place().to_owned(), total: source.total(), dry_run: args.dry_run, ..Summary::default() };
        let outcome = import::run(&mut source, &mut import, &mut report, args.page, &mut teller, &mut summary).await;
        target.close().await;
        summary.report = report.close()?.map(|path| path.to_string_lossy().into_owned());
        match outcome {
            Ok(()) => {
                out.data(&summary, told)?;
                if let Some(report) = &summary.report {
                    out.note(&format!("{} rows were left out; {report} says which and why.", summary.skipped));
                }
                Ok(ExitCode::Ok)
            }
            Err(refusal) if refusal.reason == &IMPORT_INTERRUPTED => {
                Err(refusal.with_fix(format!("Run it again, rows that are there are recognised: {}", again())).into())
            }
            Err(refusal) => Err(refusal.into()),
        }
    })
}

impl CcmArgs {
    fn layout(&self) -> Layout {
        let Columns { tenant_column, id_column, username_column, password_hash_column, state_column, .. } = &self.columns;
        let Columns { created_column, updated_column, last_use_column, .. } = &self.columns;
        let columns = [
            tenant_column,
            id_column,
            username_column,
            password_hash_column,
            state_column,
            created_column,
            updated_column,
            last_use_column,
        ];
        Layout { table: self.table.clone(), columns: columns.map(String::clone), query: self.query.clone() }
    }
}

fn target_of(globals: &Globals, args: &CcmArgs) -> Result<(Settings, Shape), Refusal> {
    if !args.compat {
        return Ok((settings_of_serve(globals.data_dir.as_deref(), args.config.as_deref())?, Shape::own()));
    }
    let mut drop_in = read_kaa_ccm(&std::env::vars_os().collect())?;
    if let Some(dir) = &globals.data_dir {
        drop_in.settings.process.data_dir.clone_from(dir);
    }
    Ok((drop_in.settings, drop_in.shape))
}

/// The command line as it was given, without the password of a URL.
fn again() -> String {
    let quoted =
        |arg: String| if arg.contains([' ', '"', '\'', '$', '*', '(']) { format!("'{}'", arg.replace('\'', "'\\''")) } else { arg };
    let masked = |arg: &str| match arg.split_once("postgres") {
        Some((before, _)) if arg.contains("://") && !before.contains(' ') => {
            format!("{before}{}", SecretUrl(arg.get(before.len()..).unwrap_or_default().to_owned()).masked())
        }
        _ => arg.to_owned(),
    };
    let args = std::env::args_os().skip(1).map(|arg| quoted(masked(&arg.to_string_lossy())));
    std::iter::once("signet".to_owned()).chain(args).collect::<Vec<_>>().join(" ")
}

fn told(summary: &Summary) -> String {
    let done = if summary.dry_run { "would be imported" } else { "imported" };
    pairs([
        ("rows", summary.total.to_string()),
        (done, summary.imported.to_string()),
        ("already there", summary.already_there.to_string()),
        ("left out", summary.skipped.to_string()),
        ("tenants created", summary.tenants_created.to_string()),
        ("report", summary.report.clone().unwrap_or_else(|| "none, all were taken".to_owned())),
    ])
}
