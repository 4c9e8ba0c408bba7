//! The room from outside: its routes behind their guards, the bus, tokens, and both databases under it.

mod bad_input;
mod cap;
mod ecap;
mod endpoint_tokens;
mod events;
mod faults;
mod history;
mod house;
mod idempotency;
mod kaa;
mod life;
mod limits;
mod lists;
mod new_password;
mod people;
mod platform_tokens;
mod storms;
mod sweep_model;
mod sweeps;
mod tenancy;
mod tenant_manager;
mod tenants;
mod token_house;
mod tokens;
mod transitions;
mod truth;
