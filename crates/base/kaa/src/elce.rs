//! 9/ELCE: life and traffic of endpoints.

use crate::DecodeError;
use crate::codec::{Codec, Long, Map, Reader, Text};

record! {
    /// Endpoints became reachable through a replica.
    ConnectedEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.connectivity.ConnectedEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Endpoint id to application version name.
        endpoints: Map<Text>,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// Endpoints are reachable no more through a replica.
    DisconnectedEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.connectivity.DisconnectedEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// Endpoint id to application version name.
        endpoints: Map<Text>,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// An endpoint was registered.
    RegisteredEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.lifecycle.RegisteredEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application version.
        app_version_name: Text,
        /// The endpoint.
        endpoint_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// An endpoint was unregistered.
    UnregisteredEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.lifecycle.UnregisteredEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application version.
        app_version_name: Text,
        /// The endpoint.
        endpoint_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

record! {
    /// An endpoint moved to another application version.
    AppVersionUpdatedEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.lifecycle.AppVersionUpdatedEvent" {
        /// Traces the processing across services.
        correlation_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
        /// The application version now.
        app_version_name: Text,
        /// The one before.
        previous_app_version_name: Text,
        /// The endpoint.
        endpoint_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
    }
}

/// Bytes and messages of one endpoint in the reported time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TrafficStat {
    /// Bytes from the endpoint.
    pub total_received_payload: i64,
    /// Bytes to the endpoint.
    pub total_sent_payload: i64,
    /// Messages from the endpoint.
    pub total_received_message_count: i64,
    /// Messages to the endpoint.
    pub total_sent_message_count: i64,
}

/// The nested record `trafficStat`.
pub struct Traffic;

impl Codec for Traffic {
    type Value<'a> = TrafficStat;

    fn write(value: &TrafficStat, out: &mut Vec<u8>) {
        let TrafficStat { total_received_payload, total_sent_payload, total_received_message_count, total_sent_message_count } = value;
        for number in [total_received_payload, total_sent_payload, total_received_message_count, total_sent_message_count] {
            Long::write(number, out);
        }
    }

    fn read(reader: &mut Reader<'_>) -> Result<TrafficStat, DecodeError> {
        Ok(TrafficStat {
            total_received_payload: Long::read(reader)?,
            total_sent_payload: Long::read(reader)?,
            total_received_message_count: Long::read(reader)?,
            total_sent_message_count: Long::read(reader)?,
        })
    }
}

record! {
    /// Periodic traffic report; the one record that does not begin with the head.
    TrafficReportEvent = "org.kaaproject.ipc.event.gen.v1.endpoint.traffic.reporting.TrafficReportEvent" {
        /// Tenant id to application name to endpoint id.
        tenant_traffic_stats: Map<Map<Map<Traffic>>>,
        /// Unix *nanoseconds*.
        time_from: Long,
        /// Unix *nanoseconds*.
        time_to: Long,
        /// Traces the processing across services.
        correlation_id: Text,
        /// The replica that says so.
        originator_replica_id: Text,
        /// Unix milliseconds at creation.
        timestamp: Long,
        /// Milliseconds until expiry; 0 = never.
        timeout: Long = 0,
    }
}
