//! `signet up`: everything in one process and one directory.

use clap::Args;
use signet_model::ExitCode;

use super::failure::{Failure, Outcome, USAGE};
use super::globals::Globals;
use crate::config::{NatsUrl, settings_of_up};
use crate::lifecycle::{Launch, ListenFlag, Shape, launch};

const EXAMPLES: &str = "\
Examples:
  signet up                                        everything in ./signet-data, ports 7443, 7070 and 7480
  signet up --data-dir d --any-port -o json        free ports, remembered in d/ports.json
  signet up --listen api=0.0.0.0:7443              reachable from other machines
  signet up --nats nats://127.0.0.1:4222           on a real message bus

The first line on stdout says that it is ready and where it listens; `-o json` makes it one JSON object. SIGTERM drains.";

/// Start everything in one process: SQLite, all roles, nothing else to install
#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct UpArgs {
    /// Put it on a NATS server instead of a bus inside the process
    #[arg(long, value_name = "URL")]
    nats: Option<String>,
    #[command(flatten)]
    listen: ListenArgs,
}

/// Where to listen; the same for `up` and `serve`.
#[derive(Args, Clone, Debug)]
pub(crate) struct ListenArgs {
    /// Address of a listener (api, management, revocation), repeatable
    #[arg(long, value_name = "NAME=HOST:PORT")]
    listen: Vec<ListenFlag>,
    /// Free ports for all other listeners, remembered in DIR/ports.json and taken again
    #[arg(long)]
    any_port: bool,
}

pub(crate) fn run(globals: &Globals, args: &UpArgs) -> Outcome {
    let mut settings = settings_of_up(globals.data_dir.as_deref())?;
    if let Some(url) = &args.nats {
        let parsed = NatsUrl::parse(url).ok_or_else(|| Failure::usage(&USAGE, "`--nats` wants nats://HOST:PORT or tls://HOST:PORT"))?;
        settings.nats.url = Some(parsed);
    }
    start(globals, settings, &args.listen)
}

/// Starts a server with these settings and stays until it ends.
pub(crate) fn start(globals: &Globals, settings: crate::config::Settings, listen: &ListenArgs) -> Outcome {
    start_in_shape(globals, settings, listen, Shape::own(), Vec::new())
}

/// The same for a process of another shape, with what was odd in its configuration.
pub(crate) fn start_in_shape(
    globals: &Globals,
    settings: crate::config::Settings,
    listen: &ListenArgs,
    shape: Shape,
    warnings: Vec<String>,
) -> Outcome {
    launch(Launch { settings, flags: listen.listen.clone(), any_port: listen.any_port, shape, warnings, out: globals.out() })?;
    Ok(ExitCode::Ok)
}
