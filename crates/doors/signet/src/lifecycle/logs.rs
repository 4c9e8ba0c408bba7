//! Log lines on stderr: events with fields, one line each; JSON unless a person is looking. Payloads and secrets are never
//! fields.

use std::io::IsTerminal as _;

use signet_model::{Refusal, kinds};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Layer as _, Registry, fmt};

use crate::config::{LogFormat, LogLevel};

/// Starts logging for the whole process.
pub(crate) fn start(format: LogFormat, level: LogLevel) -> Result<(), Refusal> {
    let people = match format {
        LogFormat::Auto => std::io::stderr().is_terminal(),
        LogFormat::Text => true,
        LogFormat::Json => false,
    };
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // Foreign crates speak only of trouble; ours as configured.
    let filter = Targets::new().with_default(level.min(LevelFilter::WARN)).with_target("signet", level);
    let colour = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty());
    // A stderr that nobody reads any more must not end the server, so failures to write are not reported to it.
    let layer = if people {
        fmt::layer().with_writer(std::io::stderr).with_ansi(colour).log_internal_errors(false).boxed()
    } else {
        fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_writer(std::io::stderr)
            .log_internal_errors(false)
            .boxed()
    };
    Registry::default()
        .with(layer.with_filter(filter))
        .try_init()
        .map_err(|e| Refusal::new(&kinds::INTERNAL, format!("logging cannot start: {e}")))
}
