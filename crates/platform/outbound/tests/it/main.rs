//! The client against servers and name servers that mean no good.

mod addresses;
mod answers;
mod limits;
mod proxies;
mod rebinding;
mod support;
mod tls;
mod urls;
