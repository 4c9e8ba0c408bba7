//! Which addresses may be connected to, and whether without TLS. Deny by default; what an operator lists opens no more than
//! what is listed.

use std::net::{IpAddr, SocketAddr};

use crate::address::stands_for;
use crate::{AddressClass, Network, OutboundError};

/// What the outbound client may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressPolicy {
    listed: Vec<Network>,
    own_networks: bool,
    plain_http: bool,
}

impl AddressPolicy {
    /// Only public addresses, only https.
    pub fn deny_by_default() -> Self {
        Self { listed: Vec::new(), own_networks: false, plain_http: false }
    }

    /// For the drop-in modes, whose files name neighbours inside a cluster: also this machine, private and shared addresses, and
    /// plain http. Link-local, metadata and all other special addresses stay refused unless listed.
    pub fn permissive() -> Self {
        Self { listed: Vec::new(), own_networks: true, plain_http: true }
    }

    /// Also the addresses of these networks, of whatever kind, with two exceptions: the address of a metadata service is
    /// allowed only by listing exactly that address (`169.254.169.254/32`), and an IPv4 address in the clothes of IPv6 only
    /// if the IPv4 address is allowed as well (NAT64, 6to4, Teredo), or not at all (`::ffff:…`).
    #[must_use]
    pub fn allow_networks(mut self, networks: &[Network]) -> Self {
        self.listed.extend_from_slice(networks);
        self
    }

    /// Also plain http.
    #[must_use]
    pub fn allow_plain_http(mut self) -> Self {
        self.plain_http = true;
        self
    }

    /// Whether URLs may begin with `http:`.
    pub fn allows_plain_http(&self) -> bool {
        self.plain_http
    }

    /// Whether this address may be connected to.
    pub fn allows(&self, address: IpAddr) -> bool {
        match AddressClass::of(address) {
            AddressClass::Public => true,
            AddressClass::Loopback | AddressClass::Private | AddressClass::Shared => self.own_networks || self.lists(address),
            AddressClass::Metadata => self.listed.iter().any(|network| network.is_single() && network.contains(address)),
            AddressClass::Mapped => false,
            AddressClass::Translated => self.lists(address) && self.allows_what_it_stands_for(address),
            AddressClass::LinkLocal
            | AddressClass::Unspecified
            | AddressClass::Multicast
            | AddressClass::Documentation
            | AddressClass::Reserved => self.lists(address),
        }
    }

    /// The address as one that may be connected to; the only way to make an [`Admitted`].
    pub(crate) fn admit(&self, host: &str, address: SocketAddr) -> Result<Admitted, OutboundError> {
        if self.allows(address.ip()) {
            return Ok(Admitted(address));
        }
        Err(OutboundError::Address { host: host.to_owned(), address: address.ip(), class: AddressClass::of(address.ip()) })
    }

    fn lists(&self, address: IpAddr) -> bool {
        self.listed.iter().any(|network| network.contains(address))
    }

    fn allows_what_it_stands_for(&self, address: IpAddr) -> bool {
        match address {
            IpAddr::V4(_) => false,
            IpAddr::V6(v6) => stands_for(v6).is_some_and(|v4| self.allows(IpAddr::V4(v4))),
        }
    }
}

/// An address that the policy has allowed. The connector takes nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Admitted(SocketAddr);

impl Admitted {
    pub(crate) fn address(self) -> SocketAddr {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(policy: &AddressPolicy, address: &str) -> bool {
        policy.allows(address.parse().unwrap())
    }

    #[test]
    fn by_default_only_public_addresses_pass() {
        let policy = AddressPolicy::deny_by_default();
        for public in ["1.1.1.1", "2606:4700:4700::1111"] {
            assert!(allows(&policy, public), "{public}");
        }
        for refused in [
            "127.0.0.1",
            "10.0.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
            "fe80::1",
            "0.0.0.0",
        ] {
            assert!(!allows(&policy, refused), "{refused}");
        }
    }

    #[test]
    fn the_permissive_policy_never_reaches_metadata_or_the_link() {
        let policy = AddressPolicy::permissive();
        for own in ["127.0.0.1", "::1", "10.0.0.1", "192.168.0.1", "100.64.0.1", "fd00::1", "1.1.1.1"] {
            assert!(allows(&policy, own), "{own}");
        }
        for refused in [
            "169.254.169.254",
            "169.254.0.1",
            "100.100.100.200",
            "192.0.0.192",
            "168.63.129.16",
            "fd00:ec2::254",
            "fe80::1",
            "0.0.0.0",
            "::",
            "224.0.0.1",
            "255.255.255.255",
            "::ffff:127.0.0.1",
            "64:ff9b::a9fe:a9fe",
            "2002:7f00:1::",
        ] {
            assert!(!allows(&policy, refused), "{refused}");
        }
    }

    #[test]
    fn a_listed_network_opens_itself_and_no_hidden_door() {
        let listed = |networks: &[&str]| {
            let networks: Vec<Network> = networks.iter().map(|n| n.parse().unwrap()).collect();
            AddressPolicy::deny_by_default().allow_networks(&networks)
        };
        assert!(allows(&listed(&["10.0.0.0/8"]), "10.1.1.1"));
        assert!(!allows(&listed(&["10.0.0.0/8"]), "192.168.1.1"));
        assert!(!allows(&listed(&["10.0.0.0/8"]), "::ffff:10.1.1.1"));
        assert!(!allows(&listed(&["0.0.0.0/0", "::/0"]), "169.254.169.254"), "metadata is listed by its very address");
        assert!(allows(&listed(&["169.254.169.254/32"]), "169.254.169.254"));
        assert!(allows(&listed(&["0.0.0.0/0", "::/0"]), "169.254.1.1"));
        assert!(!allows(&listed(&["0.0.0.0/0", "::/0"]), "::ffff:169.254.169.254"));
        assert!(allows(&listed(&["64:ff9b::/96"]), "64:ff9b::101:101"));
        assert!(!allows(&listed(&["64:ff9b::/96"]), "64:ff9b::a00:1"), "10.0.0.1 behind NAT64");
        assert!(allows(&listed(&["64:ff9b::/96", "10.0.0.0/8"]), "64:ff9b::a00:1"));
    }
}
