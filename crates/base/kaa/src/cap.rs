//! 22/CAP: the gateway asks the credentials service who a client is.

use crate::codec::{Int, Long, NullFirst, SecretText, Text, ValueFirst};

record! {
    /// May this username and password of this tenant connect?
    ClientBasicAuthenticationRequest = "org.kaaproject.ipc.cap.gen.v1.ClientBasicAuthenticationRequest" {
        /// The answer repeats it.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The tenant behind the last `@` of the MQTT username.
        tenant_id: Text,
        /// The username without the tenant.
        username: Text,
        /// The password.
        password: SecretText,
    }
}

record! {
    /// The answer to a [`ClientBasicAuthenticationRequest`].
    ClientBasicAuthenticationResponse = "org.kaaproject.ipc.cap.gen.v1.ClientBasicAuthenticationResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Which credentials they are.
        credentials_id: ValueFirst<Text>,
        /// Always null: the service knows no client identities.
        client_id: ValueFirst<Text>,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// May the client with this certificate connect?
    ClientCertificateAuthenticationRequest = "org.kaaproject.ipc.cap.gen.v1.ClientCertificateAuthenticationRequest" {
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
    /// The answer to a [`ClientCertificateAuthenticationRequest`]; the tenant is an output.
    ClientCertificateAuthenticationResponse = "org.kaaproject.ipc.cap.gen.v1.ClientCertificateAuthenticationResponse" {
        /// That of the request.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Whose certificate it is.
        tenant_id: ValueFirst<Text>,
        /// Which credentials they are.
        credentials_id: ValueFirst<Text>,
        /// Always null.
        client_id: ValueFirst<Text>,
        /// HTTP status code.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}

record! {
    /// Credentials that were usable are so no more; the same record on both subjects.
    ClientCredentialsRevokedEvent = "org.kaaproject.ipc.cap.gen.v1.ClientCredentialsRevokedEvent" {
        /// A repeat carries that of the first.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Whose credentials they are.
        tenant_id: Text,
        /// Which.
        credentials_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}
