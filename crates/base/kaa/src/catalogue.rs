//! Every record by its full name, for tools that meet records at run time: fuzzing, the oracle, message dumps.

use crate::{DecodeError, Record};

/// Decodes a record and encodes it again.
pub type Reencode = fn(&[u8]) -> Result<Vec<u8>, DecodeError>;

macro_rules! catalogue {
    ($($module:ident::$name:ident),+ $(,)?) => {
        /// Full name and [`Reencode`] of every record.
        pub const RECORDS: &[(&str, Reencode)] =
            &[$((<crate::$module::$name<'static> as Record<'static>>::NAME, |bytes| Ok(crate::$module::$name::decode(bytes)?.encode()))),+];
    };
}

catalogue! {
    esp::ClientData,
    esp::ExtensionData,
    cap::ClientBasicAuthenticationRequest,
    cap::ClientBasicAuthenticationResponse,
    cap::ClientCertificateAuthenticationRequest,
    cap::ClientCertificateAuthenticationResponse,
    cap::ClientCredentialsRevokedEvent,
    ecap::EndpointTokenValidationRequest,
    ecap::EndpointTokenValidationResponse,
    ecap::EndpointTokenStatusTransitionRequest,
    ecap::EndpointTokenStatusTransitionResponse,
    ecap::EndpointTokenRevokedEvent,
    ecap::ClientUsernamePasswordValidationRequest,
    ecap::ClientUsernamePasswordValidationResponse,
    ecap::ClientCertificateValidationRequest,
    ecap::ClientCertificateValidationResponse,
    ecap::ClientCredentialRevokedEvent,
    elce::ConnectedEvent,
    elce::DisconnectedEvent,
    elce::RegisteredEvent,
    elce::UnregisteredEvent,
    elce::AppVersionUpdatedEvent,
    elce::TrafficReportEvent,
    scmp::BroadcastConfigurationUpdateEvent,
    scmp::ServiceSpecificConfigurationUpdateEvent,
    tle::UpdatedEvent,
    tle::UnregisteredEvent,
}
