//! The fuzz corpora of certificates and their kin on stable.

use std::path::{Path, PathBuf};

#[path = "../../../../../fuzz/entries/certificate.rs"]
mod certificate;
#[path = "../../../../../fuzz/entries/crl.rs"]
mod crl;
#[path = "../../../../../fuzz/entries/csr.rs"]
mod csr;
#[path = "../../../../../fuzz/entries/ocsp_request.rs"]
mod ocsp_request;
#[path = "../../../../../fuzz/entries/pkcs7.rs"]
mod pkcs7;
#[path = "../../../../../fuzz/replay.rs"]
mod replay;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../fuzz")
}

#[test]
fn every_certificate_is_taken_or_refused() {
    replay::replay(&fuzz(), "certificate", certificate::feed);
}

#[test]
fn every_revocation_list_is_taken_or_refused() {
    replay::replay(&fuzz(), "crl", crl::feed);
}

#[test]
fn every_request_is_taken_or_refused() {
    replay::replay(&fuzz(), "csr", csr::feed);
}

#[test]
fn every_ocsp_request_is_taken_or_refused() {
    replay::replay(&fuzz(), "ocsp_request", ocsp_request::feed);
}

#[test]
fn every_pkcs7_file_is_taken_or_refused() {
    replay::replay(&fuzz(), "pkcs7", pkcs7::feed);
}
