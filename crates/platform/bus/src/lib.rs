//! Subjects, request/reply and events: in-process or NATS.
