//! The message bus of a process, as the settings name it.

use signet_bus::{Bus, BusError, NatsConfig, NatsLogin};

use crate::config::Settings;

/// How the settings say NATS is reached, with the login of a drop-in; none for the bus inside the process.
pub(crate) fn configuration(settings: &Settings, login: Option<NatsLogin>) -> Option<NatsConfig> {
    let nats = &settings.nats;
    let url = nats.url.as_ref()?;
    Some(NatsConfig {
        url: url.0.0.clone(),
        user: nats.user.clone(),
        password_file: nats.password_file.clone(),
        login,
        creds_file: nats.creds_file.clone(),
        ca_file: nats.ca_file.clone(),
        cert_file: nats.cert_file.clone(),
        key_file: nats.key_file.clone(),
        name: "signet".to_owned(),
        inbox_prefix: None,
    })
}

/// Opens it; a NATS server need not be there yet, but what is configured must make sense.
pub(crate) async fn open(settings: &Settings, login: Option<NatsLogin>) -> Result<Bus, BusError> {
    match configuration(settings, login) {
        Some(config) => Bus::nats(config).await,
        None => Ok(Bus::in_process()),
    }
}
