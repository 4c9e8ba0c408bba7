//! The records of Kaa against golden vectors and against a foreign Avro library.

mod golden;
mod oracle;
