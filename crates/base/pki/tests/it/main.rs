//! Certificates against OpenSSL and rustls' own verifier, and the files of people.

mod corpus;
mod crl;
mod der;
mod differential;
mod field_cases;
mod house;
mod inspect;
mod issuance;
mod issue;
mod lints;
mod mutate;
mod names;
mod ocsp;
mod openssl;
mod profiles;
mod properties;
mod requests;
mod verify;
