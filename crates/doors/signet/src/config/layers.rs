//! The layers in their order: defaults, file, environment; flags are laid over them by the command.

use std::path::{Path, PathBuf};

use signet_model::Refusal;

use super::{Settings, apply_environment, apply_file};

/// What `signet serve` runs with: the file named, else `signet.toml` in the data directory where it exists; then the environment.
/// The data directory given by flag wins over both.
pub(crate) fn settings_of_serve(data_dir: Option<&Path>, config: Option<&Path>) -> Result<Settings, Refusal> {
    let mut settings = Settings::default();
    let beside = data_dir.map_or_else(|| settings.process.data_dir.clone(), PathBuf::from).join("signet.toml");
    match config {
        Some(file) => apply_file(&mut settings, file)?,
        None if beside.exists() => apply_file(&mut settings, &beside)?,
        None => {}
    }
    apply_environment(&mut settings, std::env::vars_os())?;
    Ok(over(settings, data_dir))
}

/// What `signet up` runs with: no file, the environment, and the data directory given by flag.
pub(crate) fn settings_of_up(data_dir: Option<&Path>) -> Result<Settings, Refusal> {
    let mut settings = Settings::default();
    apply_environment(&mut settings, std::env::vars_os())?;
    Ok(over(settings, data_dir))
}

fn over(mut settings: Settings, data_dir: Option<&Path>) -> Settings {
    if let Some(dir) = data_dir {
        settings.process.data_dir = dir.to_path_buf();
    }
    settings
}
