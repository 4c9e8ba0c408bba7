//! Where things of a CA are fetched, as certificates name it. A CRL says of itself the same address, byte for byte.

use signet_model::TenantId;

/// The CRL of a partition.
pub(crate) fn crl(base: &str, tenant: &TenantId, generation: i64, partition: i64) -> String {
    format!("{base}/crl/{tenant}/{generation}/{partition}.crl")
}

/// The OCSP responder.
pub(crate) fn ocsp(base: &str) -> String {
    format!("{base}/ocsp")
}

/// The certificate of a CA.
pub(crate) fn ca_certificate(base: &str, tenant: &TenantId, generation: i64) -> String {
    format!("{base}/ca/{tenant}/{generation}.cer")
}
