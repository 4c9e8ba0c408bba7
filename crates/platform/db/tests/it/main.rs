//! The suite that both databases must pass alike, and what each must do by itself.

// `cfg(test)` holds for every file here; saying so tells the lints that helpers of tests are tests.
#[cfg(test)]
#[macro_use]
mod common;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod migrations;
#[cfg(test)]
mod postgres;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod statements;
#[cfg(test)]
mod tls;
