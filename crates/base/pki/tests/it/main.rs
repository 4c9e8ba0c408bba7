//! Certificates against OpenSSL and rustls' own verifier, and the files of people.

mod der;
mod field_cases;
mod issue;
mod names;
mod openssl;
mod profiles;
mod properties;
mod requests;
