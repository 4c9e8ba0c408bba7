//! A server's life: start, run, drain.
mod data_dir;
mod files;
mod hardening;
mod logs;
mod notify;
mod ports;
mod reasons;
pub(crate) use reasons::REASONS;
