//! The names that a server certificate is for (RFC 5280 section 4.2.1.6): DNS names and IP addresses, checked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use signet_model::log_text;

use crate::PkiError;

/// The most names in one certificate.
const MOST_NAMES: usize = 64;

/// At least one DNS name or IP address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerNames {
    dns: Vec<String>,
    ips: Vec<IpAddr>,
}

impl ServerNames {
    /// These names: lower-cased, each once. An underscore is allowed, as hosts have it though DNS does not.
    ///
    /// # Errors
    /// [`PkiError::Name`] for what is no DNS name, for no name at all and for more than 64.
    pub fn new(dns: &[&str], ips: &[IpAddr]) -> Result<Self, PkiError> {
        let mut names = Self { dns: Vec::new(), ips: Vec::new() };
        for name in dns {
            names.add_dns(name)?;
        }
        for ip in ips {
            names.add_ip(*ip)?;
        }
        if names.dns.is_empty() && names.ips.is_empty() { Err(PkiError::Name("there is none".to_owned())) } else { Ok(names) }
    }

    /// What every data directory's certificate holds (design 10): localhost, 127.0.0.1, ::1.
    pub fn loopback() -> Self {
        Self { dns: vec!["localhost".to_owned()], ips: vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()] }
    }

    /// Adds a DNS name.
    ///
    /// # Errors
    /// [`PkiError::Name`] when it is none, or the 65th name.
    pub fn add_dns(&mut self, name: &str) -> Result<(), PkiError> {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let label = |label: &str| {
            (1..=63).contains(&label.len())
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        // All digits in the last label would be read as an address.
        let numeric = name.rsplit('.').next().is_some_and(|last| last.bytes().all(|b| b.is_ascii_digit()));
        if name.len() > 253 || !name.split('.').all(label) || numeric {
            return Err(PkiError::Name(log_text(&name, 64)));
        }
        if !self.dns.contains(&name) {
            self.room()?;
            self.dns.push(name);
        }
        Ok(())
    }

    /// Adds an IP address.
    ///
    /// # Errors
    /// [`PkiError::Name`] for an unspecified address (a listener on all addresses has no name by it), or the 65th name.
    pub fn add_ip(&mut self, ip: IpAddr) -> Result<(), PkiError> {
        let ip = ip.to_canonical();
        if ip.is_unspecified() {
            return Err(PkiError::Name(ip.to_string()));
        }
        if !self.ips.contains(&ip) {
            self.room()?;
            self.ips.push(ip);
        }
        Ok(())
    }

    fn room(&self) -> Result<(), PkiError> {
        if self.dns.len().saturating_add(self.ips.len()) < MOST_NAMES {
            Ok(())
        } else {
            Err(PkiError::Name(format!("more than {MOST_NAMES} names")))
        }
    }

    /// The DNS names.
    pub fn dns(&self) -> &[String] {
        &self.dns
    }

    /// The IP addresses.
    pub fn ips(&self) -> &[IpAddr] {
        &self.ips
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_checked_lowered_and_kept_once() {
        let names = ServerNames::new(&["Plant-1.Example.", "plant-1.example", "my_host"], &["::ffff:10.0.0.1".parse().unwrap()]).unwrap();
        assert_eq!(names.dns(), ["plant-1.example", "my_host"]);
        assert_eq!(names.ips(), ["10.0.0.1".parse::<IpAddr>().unwrap()]);
        for bad in
            ["", ".", "a..b", "-a", "a-", "a b", "*.example", "ä.example", "a\n", "10.0.0.1", "a.1", &"a".repeat(64), &"a.".repeat(128)]
        {
            assert!(ServerNames::new(&[bad], &[]).is_err(), "{bad:?}");
        }
        assert!(ServerNames::new(&[], &[]).is_err());
        assert!(ServerNames::new(&[], &[Ipv4Addr::UNSPECIFIED.into()]).is_err());
    }

    #[test]
    fn there_is_a_bound_on_names() {
        let mut names = ServerNames::loopback();
        for n in 0..MOST_NAMES - 3 {
            names.add_dns(&format!("h{n}")).unwrap();
        }
        assert!(names.add_dns("one-more").is_err() && names.add_ip(Ipv4Addr::BROADCAST.into()).is_err());
        assert!(names.add_dns("localhost").is_ok(), "one that is there already");
    }
}
