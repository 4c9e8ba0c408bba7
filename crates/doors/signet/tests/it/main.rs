//! The program as people use it: run as a process, seen from outside.

mod arguments;
mod configuration;
mod program;
mod streams;
mod token_file;
