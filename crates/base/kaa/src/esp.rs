//! 4/ESP: between the gateway and extension services.

use crate::codec::{Bytes, Int, Long, NullFirst, Text, ValueFirst};

record! {
    /// A client's message on its way to an extension.
    ClientData = "org.kaaproject.ipc.esp.gen.v1.ClientData" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds after `timestamp` at which the message expires; 0 = never.
        timeout: Long = 0,
        /// From the resource path.
        app_version_name: Text,
        /// Resolved from the token; null for endpoint-unaware extensions.
        endpoint_id: ValueFirst<Text>,
        /// The extension's part of the path, begins with `/`.
        resource_path: Text,
        /// From the topic.
        request_id: ValueFirst<Int>,
        /// The client's payload, verbatim.
        payload: Bytes,
        /// Named configuration, added 2026-01; peers before that send eight fields.
        config_name: NullFirst<Text> = None,
    }
}

record! {
    /// An extension's answer or push on its way to a client.
    ExtensionData = "org.kaaproject.ipc.esp.gen.v1.ExtensionData" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Null if the extension does not know it.
        app_version_name: ValueFirst<Text>,
        /// The extension's instance name: third topic level.
        extension_instance_name: ValueFirst<Text>,
        /// Null for endpoint-unaware extensions.
        endpoint_id: ValueFirst<Text>,
        /// As in [`ClientData`].
        resource_path: Text,
        /// Echo of the request's; null for a push.
        request_id: ValueFirst<Int>,
        /// Null = empty.
        payload: ValueFirst<Bytes>,
        /// HTTP status code: 2xx is `/status`, everything else `/error`.
        status_code: Int,
        /// In words.
        reason_phrase: NullFirst<Text> = None,
    }
}
