//! What a server must know of its own certificate: when to make it anew, and for which names and key it is.

use std::net::IpAddr;
use std::time::Duration;

use der::Encode as _;
use rustls_pki_types::CertificateDer;
use signet_crypto::sha256;
use signet_model::Timestamp;
use x509_cert::Certificate;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, SubjectAltName};
use x509_cert::time::Time;

use crate::certificate::{extension, parse};
use crate::{CaCertificate, PkiError, ServerNames};

/// Facts of one certificate. They are read, not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeafFacts {
    /// The first instant of its validity.
    pub not_before: Timestamp,
    /// The last one.
    pub not_after: Timestamp,
    /// DNS names, as written.
    pub dns: Vec<String>,
    /// IP addresses.
    pub ips: Vec<IpAddr>,
    /// SHA-256 of the SubjectPublicKeyInfo.
    pub spki_sha256: [u8; 32],
    /// The identifier of the key that it says it was issued with.
    pub authority_key_identifier: Option<Vec<u8>>,
}

impl LeafFacts {
    /// Reads the facts of a certificate.
    ///
    /// # Errors
    /// [`PkiError::Malformed`] when it is no certificate.
    pub fn read(der: &CertificateDer<'_>) -> Result<Self, PkiError> {
        Self::of(&parse(der)?)
    }

    pub(crate) fn of(certificate: &Certificate) -> Result<Self, PkiError> {
        let tbs = certificate.tbs_certificate();
        let spki = tbs.subject_public_key_info().to_der().map_err(PkiError::encode)?;
        let mut facts = Self {
            not_before: timestamp(tbs.validity().not_before),
            not_after: timestamp(tbs.validity().not_after),
            dns: Vec::new(),
            ips: Vec::new(),
            spki_sha256: sha256(&spki),
            authority_key_identifier: extension::<AuthorityKeyIdentifier>(certificate)?
                .and_then(|authority| Some(authority.key_identifier?.as_bytes().to_vec())),
        };
        for name in extension::<SubjectAltName>(certificate)?.map(|names| names.0).unwrap_or_default() {
            match name {
                GeneralName::DnsName(dns) => facts.dns.push(dns.as_str().to_owned()),
                GeneralName::IpAddress(octets) => facts.ips.push(address(octets.as_bytes())?),
                GeneralName::OtherName(_)
                | GeneralName::Rfc822Name(_)
                | GeneralName::DirectoryName(_)
                | GeneralName::EdiPartyName(_)
                | GeneralName::UniformResourceIdentifier(_)
                | GeneralName::RegisteredId(_) => {}
            }
        }
        Ok(facts)
    }

    /// Whether less than a third of its life is left, or `now` is outside of it altogether.
    pub fn needs_renewal(&self, now: Timestamp) -> bool {
        let life = self.not_after.since(self.not_before);
        let left = self.not_after.since(now);
        now < self.not_before || left.is_zero() || left.saturating_mul(3) < life
    }

    /// When less than a third of its life will be left.
    pub fn renewal_due(&self) -> Timestamp {
        let life = self.not_after.since(self.not_before);
        self.not_before.plus(life.saturating_sub(life.checked_div(3).unwrap_or(Duration::ZERO)))
    }

    /// Whether it is for all of `names`.
    pub fn covers(&self, names: &ServerNames) -> bool {
        names.dns().iter().all(|name| self.dns.iter().any(|own| own.eq_ignore_ascii_case(name)))
            && names.ips().iter().all(|ip| self.ips.contains(ip))
    }

    /// Whether it names `authority`'s key as the one that issued it; a quick check, not a verification.
    pub fn names_issuer(&self, authority: &CaCertificate) -> bool {
        self.authority_key_identifier.as_deref() == Some(authority.key_identifier())
    }
}

fn timestamp(time: Time) -> Timestamp {
    let micros = time.to_unix_duration().as_micros();
    Timestamp::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

fn address(octets: &[u8]) -> Result<IpAddr, PkiError> {
    if let Ok(v4) = <[u8; 4]>::try_from(octets) {
        return Ok(v4.into());
    }
    let v6 = <[u8; 16]>::try_from(octets).map_err(|_| PkiError::malformed("an IP address", format!("it has {} bytes", octets.len())))?;
    Ok(v6.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renewal_is_due_below_a_third_of_the_life() {
        let at = Timestamp::from_micros;
        let facts = LeafFacts {
            not_before: at(300),
            not_after: at(600),
            dns: vec!["Host".to_owned()],
            ips: Vec::new(),
            spki_sha256: [0; 32],
            authority_key_identifier: None,
        };
        for (now, due) in [(299, true), (300, false), (500, false), (501, true), (600, true), (10_000, true)] {
            assert_eq!(facts.needs_renewal(at(now)), due, "{now}");
        }
        assert_eq!(facts.renewal_due(), at(500));
        assert!(facts.covers(&ServerNames::new(&["host"], &[]).unwrap()));
        assert!(!facts.covers(&ServerNames::loopback()));
    }
}
