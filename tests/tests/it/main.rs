//! Black-box scenarios. Each module is one story about the built binary.

mod bad_input;
mod canaries;
mod ceremony;
mod certificate_files;
mod certificates;
mod command_line;
mod compat;
mod corpus;
mod events;
mod import;
mod kill;
mod load;
mod mended;
mod mistakes;
mod outage;
mod people;
mod probes;
mod replicas;
mod storage_full;
mod tampering;
mod tenancy;
mod tenant_manager;
mod tenants;
mod tls_files;
mod unit;
mod walk;
