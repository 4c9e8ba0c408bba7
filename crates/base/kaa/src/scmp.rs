//! 17/SCMP: something in a service's configuration changed. These two records have no `timeout`.

use crate::codec::{Long, NullFirst, Text};

record! {
    /// To every replica of every service.
    BroadcastConfigurationUpdateEvent = "org.kaaproject.scmp.event.gen.v1.service.configuration.BroadcastConfigurationUpdateEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// The replica that says so.
        originator_replica_id: Text,
        /// Spelled `tenantID` in the schema.
        tenant_id: NullFirst<Text> = None,
        /// The application, if it is about one.
        app_name: NullFirst<Text> = None,
        /// The application version, if it is about one.
        app_ver_name: NullFirst<Text> = None,
    }
}

record! {
    /// To every replica of one service.
    ServiceSpecificConfigurationUpdateEvent = "org.kaaproject.scmp.event.gen.v1.service.configuration.ServiceSpecificConfigurationUpdateEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Spelled `tenantID` in the schema.
        tenant_id: Text,
        /// The application, if it is about one.
        app_name: NullFirst<Text> = None,
        /// The application version, if it is about one.
        app_ver_name: NullFirst<Text> = None,
    }
}
