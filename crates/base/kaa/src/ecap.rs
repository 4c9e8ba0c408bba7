//! 16/ECAP: endpoint tokens, and the older client part that CAP replaced.

use crate::codec::{Int, List, Long, NullFirst, SecretText, Text, ValueFirst};

record! {
    /// Which endpoint is this token?
    EndpointTokenValidationRequest = "org.kaaproject.ipc.ecap.gen.v1.EndpointTokenValidationRequest" {
        /// The answer repeats it.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application's name, not its version's.
        app_name: Text,
        /// The token.
        token: SecretText,
    }
}

record! {
    /// The answer to an [`EndpointTokenValidationRequest`].
    EndpointTokenValidationResponse = "org.kaaproject.ipc.ecap.gen.v1.EndpointTokenValidationResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The token's id, which revoked events name.
        token_id: ValueFirst<Text>,
        /// The endpoint.
        endpoint_id: ValueFirst<Text>,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// Move a token to another state.
    EndpointTokenStatusTransitionRequest = "org.kaaproject.ipc.ecap.gen.v1.EndpointTokenStatusTransitionRequest" {
        /// The answer repeats it.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application's name.
        app_name: Text,
        /// The token.
        token: SecretText,
        /// The wanted state.
        target_status: Text,
    }
}

record! {
    /// The answer to an [`EndpointTokenStatusTransitionRequest`].
    EndpointTokenStatusTransitionResponse = "org.kaaproject.ipc.ecap.gen.v1.EndpointTokenStatusTransitionResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// Tokens that were usable are so no more; names token ids, never tokens.
    EndpointTokenRevokedEvent = "org.kaaproject.ipc.ecap.gen.v1.EndpointTokenRevokedEvent" {
        /// A repeat carries that of the first.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application's name.
        app_name: Text,
        /// The endpoint.
        endpoint_id: Text,
        /// The tokens' ids.
        token_ids: List<Text>,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// Superseded by [`crate::cap::ClientBasicAuthenticationRequest`].
    ClientUsernamePasswordValidationRequest = "org.kaaproject.ipc.ecap.gen.v1.ClientUsernamePasswordValidationRequest" {
        /// The answer repeats it.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The username.
        username: ValueFirst<Text>,
        /// The password.
        password: ValueFirst<SecretText>,
    }
}

record! {
    /// The answer to a [`ClientUsernamePasswordValidationRequest`].
    ClientUsernamePasswordValidationResponse = "org.kaaproject.ipc.ecap.gen.v1.ClientUsernamePasswordValidationResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Which credential it is.
        credential_id: ValueFirst<Text>,
        /// Which client.
        client_id: ValueFirst<Text>,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// Superseded by [`crate::cap::ClientCertificateAuthenticationRequest`].
    ClientCertificateValidationRequest = "org.kaaproject.ipc.ecap.gen.v1.ClientCertificateValidationRequest" {
        /// The answer repeats it.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The issuer's distinguished name.
        issuer: Text,
        /// In decimal.
        serial_number: Text,
    }
}

record! {
    /// The answer to a [`ClientCertificateValidationRequest`].
    ClientCertificateValidationResponse = "org.kaaproject.ipc.ecap.gen.v1.ClientCertificateValidationResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Which credential it is.
        credential_id: ValueFirst<Text>,
        /// Which client.
        client_id: ValueFirst<Text>,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// Superseded by [`crate::cap::ClientCredentialsRevokedEvent`].
    ClientCredentialRevokedEvent = "org.kaaproject.ipc.ecap.gen.v1.ClientCredentialRevokedEvent" {
        /// A repeat carries that of the first.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Which credential.
        credential_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}
