//! x
mod data_dir;
mod files;
mod hardening;
mod health;
mod listeners;
mod logs;
mod metrics;
mod notify;
mod ports;
mod reasons;
mod signals;
mod tls;
pub(crate) use reasons::REASONS;
