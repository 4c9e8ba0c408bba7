//! The Avro records and NATS subjects of Kaa.
