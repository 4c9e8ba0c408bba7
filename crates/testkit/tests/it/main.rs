//! The test peers themselves: real servers that start, survive what suites do to them, and stop.

mod bao;
mod nats;
mod postgres;
mod proxy;
