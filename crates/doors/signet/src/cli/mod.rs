//! The command line: `signet NOUN VERB` (design 10), one file per noun. Here: the grammar's root, how arguments that are no
//! text are refused, and how every outcome becomes an exit code.

mod api_token;
mod audit;
mod ca;
mod cert;
mod compat;
mod completions;
mod config;
mod config_check;
mod confirm;
mod credential;
mod doctor;
mod endpoint_token;
mod failure;
mod globals;
mod identity;
mod import;
mod list;
mod openapi;
mod operator;
mod output;
mod output_file;
mod runtime;
mod secret;
mod serve;
mod tenant;
mod up;
mod verify;

use std::ffi::OsString;

use clap::error::ErrorKind;
use clap::{Parser, Subcommand};
use signet_model::ExitCode;

pub(crate) use failure::REASONS;
#[cfg(test)]
pub(crate) use failure::exit_of;
use failure::{Failure, Outcome, USAGE};
use globals::Format;
pub(crate) use globals::Globals;
pub(crate) use operator::REASONS as OPERATOR_REASONS;
pub(crate) use output::Output;
pub(crate) use output_file::REASONS as OUTPUT_FILE_REASONS;
pub(crate) use verify::REASONS as VERIFY_REASONS;

const EXAMPLES: &str = "\
Examples:
  signet up                                   start everything in ./signet-data
  signet tenant create acme
  signet identity create dev-1 --kind device --tenant acme
  printf %s \"$PW\" | signet credential create basic bob --identity dev-1 --password-stdin --tenant acme
  printf %s \"$PW\" | signet credential check bob@acme --password-stdin
  signet cert issue --csr dev-1.csr --identity dev-1 --out-cert dev-1.pem --tenant acme
  signet audit list --tenant acme

Exit codes: 0 ok, 1 internal, 2 usage, 3 refused, 4 not found, 5 conflict, 6 invalid input,
            7 unreachable or unavailable, 8 check failed";

/// Signet gives every machine an identity, lets it prove that identity, and takes it back everywhere at once.
#[derive(Parser, Debug)]
#[command(name = "signet", version, after_help = EXAMPLES, subcommand_value_name = "NOUN", subcommand_help_heading = "Nouns")]
pub(crate) struct Cli {
    #[command(flatten)]
    globals: Globals,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Up(up::UpArgs),
    Serve(serve::ServeArgs),
    Compat(compat::CompatArgs),
    Tenant(tenant::TenantArgs),
    Identity(identity::IdentityArgs),
    Credential(credential::CredentialArgs),
    EndpointToken(endpoint_token::EndpointTokenArgs),
    Cert(cert::CertArgs),
    Ca(ca::CaArgs),
    ApiToken(api_token::ApiTokenArgs),
    Audit(audit::AuditArgs),
    Operator(operator::OperatorArgs),
    Config(config::ConfigArgs),
    Import(import::ImportArgs),
    Doctor(doctor::DoctorArgs),
    Openapi(openapi::OpenapiArgs),
    Completions(completions::CompletionsArgs),
}

/// Runs the program with its arguments, the first of which is its own name; the answer is the exit code.
pub(crate) fn main(args: Vec<OsString>) -> u8 {
    let format = wanted_format(&args);
    let outcome = parse(args).and_then(|cli| cli.map_or(Ok(ExitCode::Ok), |cli| run(&cli)));
    match outcome {
        Ok(exit) => exit as u8,
        Err(failure) => {
            failure.report(format);
            failure.exit() as u8
        }
    }
}

fn run(cli: &Cli) -> Outcome {
    let globals = &cli.globals;
    match &cli.command {
        Command::Up(args) => up::run(globals, args),
        Command::Serve(args) => serve::run(globals, args),
        Command::Compat(args) => compat::run(globals, args),
        Command::Tenant(args) => tenant::run(globals, args),
        Command::Identity(args) => identity::run(globals, args),
        Command::Credential(args) => credential::run(globals, args),
        Command::EndpointToken(args) => endpoint_token::run(globals, args),
        Command::Cert(args) => cert::run(globals, args),
        Command::Ca(args) => ca::run(globals, args),
        Command::ApiToken(args) => api_token::run(globals, args),
        Command::Audit(args) => audit::run(globals, args),
        Command::Operator(args) => operator::run(globals, args),
        Command::Import(args) => import::run(globals, args),
        Command::Doctor(args) => doctor::run(globals, args),
        Command::Openapi(_) => openapi::run(),
        Command::Config(args) => config::run(globals, args),
        Command::Completions(args) => completions::run(globals, args),
    }
}

/// None when the arguments asked for help or the version, which is then printed.
fn parse(args: Vec<OsString>) -> Result<Option<Cli>, Failure> {
    // Paths may be any bytes; whatever else is not text is refused by its number, since its text cannot be shown.
    let odd: Vec<String> = args.iter().enumerate().filter(|(_, arg)| arg.to_str().is_none()).map(|(n, _)| n.to_string()).collect();
    match Cli::try_parse_from(args) {
        Err(e) if !is_display(&e) && odd.is_empty() && e.kind() == ErrorKind::InvalidUtf8 => {
            let odd = globals::TEXT_VARIABLES.iter().filter(|name| std::env::var_os(name).is_some_and(|value| value.to_str().is_none()));
            let names = odd.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(" and ");
            Err(Failure::usage(&USAGE, format!("environment variable {names} is not UTF-8 text")))
        }
        Err(e)
            if e.kind() == ErrorKind::InvalidValue
                && let Some((name, flag)) = empty_path(&e) =>
        {
            Err(Failure::usage(&USAGE, format!("environment variable `{name}` is empty: unset it, or name a path as with `{flag}`")))
        }
        Err(e) if e.kind() == ErrorKind::InvalidUtf8 || (!odd.is_empty() && !is_display(&e)) => {
            Err(Failure::usage(&USAGE, format!("argument {} is not UTF-8 text", odd.join(" and "))))
        }
        Ok(cli) => Ok(Some(cli)),
        Err(e) if is_display(&e) => {
            output::print(&e.render().ansi().to_string())?;
            Ok(None)
        }
        Err(e) => Err(Failure::usage(&USAGE, said_by_parser(&e))),
    }
}

/// The environment variable whose empty value the parser took for that of a flag.
fn empty_path(error: &clap::Error) -> Option<(&'static str, &'static str)> {
    let text = error.render().to_string();
    globals::PATH_VARIABLES.into_iter().find(|(name, flag)| text.contains(flag) && std::env::var_os(name).is_some_and(|v| v.is_empty()))
}

/// Whether the "error" is the page that was asked for.
fn is_display(error: &clap::Error) -> bool {
    matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion)
}

/// The parser's message in one line: what is wrong, and its tips.
fn said_by_parser(error: &clap::Error) -> String {
    let text = error.render().to_string();
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "a noun and a verb are wanted".to_owned();
    }
    let lines = text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:")).filter(|line| !line.is_empty());
    let joined = lines.collect::<Vec<_>>().join("; ");
    signet_model::log_text(joined.strip_prefix("error: ").unwrap_or(&joined), 600)
}

/// How errors are to be written, found without the parser, since its own errors need it too.
fn wanted_format(args: &[OsString]) -> Format {
    let mut wanted = std::env::var_os("SIGNET_OUTPUT").is_some_and(|v| v == "json");
    let mut previous = "";
    for arg in args.iter().map(|arg| arg.to_str().unwrap_or("")) {
        if arg == "--" {
            break;
        }
        let value = match previous {
            "-o" | "--output" => Some(arg),
            _ => arg
                .strip_prefix("--output=")
                .or_else(|| arg.strip_prefix("-o="))
                .or_else(|| arg.strip_prefix("-o"))
                .filter(|v| !v.is_empty()),
        };
        wanted = value.map_or(wanted, |v| v == "json");
        previous = arg;
    }
    if wanted { Format::Json } else { Format::Table }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    fn os(args: &[&str]) -> Vec<OsString> {
        args.iter().map(OsString::from).collect()
    }

    #[test]
    fn the_grammar_is_consistent_and_every_page_ends_with_examples() {
        Cli::command().debug_assert();
        fn walk(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.starts_with("Example"), "{} has no example", command.get_name());
            command.get_subcommands().for_each(walk);
        }
        walk(&Cli::command());
    }

    #[test]
    fn the_form_of_errors_is_known_before_parsing() {
        for (args, json) in [
            (&["signet", "tenant", "list", "-o", "json"][..], true),
            (&["signet", "-ojson"], true),
            (&["signet", "--output=json", "x"], true),
            (&["signet", "-o", "json", "-o", "table"], false),
            (&["signet", "x"], false),
            (&["signet", "--", "-o", "json"], false),
        ] {
            assert_eq!(wanted_format(&os(args)) == Format::Json, json, "{args:?}");
        }
    }

    #[test]
    fn usage_faults_end_with_two_and_name_what_is_wrong() {
        use std::os::unix::ffi::OsStringExt as _;
        let odd = vec![OsString::from("signet"), OsString::from("tenant"), OsString::from_vec(vec![0xff])];
        let failure = parse(odd).map(|_| ()).unwrap_err();
        assert_eq!(failure.exit(), ExitCode::Usage);
        assert!(format!("{failure:?}").contains("argument 2 "), "{failure:?}");
        for args in [
            &["signet"][..],
            &["signet", "tenant"],
            &["signet", "tenants"],
            &["signet", "tenant", "create"],
            &["signet", "-o", "xml", "tenant", "list"],
        ] {
            assert_eq!(parse(os(args)).map(|_| ()).unwrap_err().exit(), ExitCode::Usage, "{args:?}");
        }
    }
}
