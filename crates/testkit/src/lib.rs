//! Test support: real servers, fixtures, doubles, device simulator.
