//! What kind of address an IP address is, by the special-purpose registries of IANA (RFC 6890 and its updates) and what clouds
//! made of them. Everything that is not known to be public is something else.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::Network;

/// The kind of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AddressClass {
    /// Reachable from anywhere.
    Public,
    /// This machine.
    Loopback,
    /// Private networks: RFC 1918, and unique local IPv6 (RFC 4193).
    Private,
    /// Shared behind a carrier's NAT (RFC 6598); some clusters use it for pods.
    Shared,
    /// Where clouds answer with the machine's own credentials.
    Metadata,
    /// Valid on one link only.
    LinkLocal,
    /// "This host" or "this network".
    Unspecified,
    /// Multicast or broadcast.
    Multicast,
    /// For examples and benchmarks.
    Documentation,
    /// An IPv4 address in the clothes of an IPv6 one that no name server hands out (RFC 4291 2.5.5).
    Mapped,
    /// An IPv6 address that a translator or tunnel turns into an IPv4 one (NAT64, 6to4, Teredo, ISATAP).
    Translated,
    /// Not given to anyone, or for protocols' own use.
    Reserved,
}

impl fmt::Display for AddressClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Public => "a public address",
            Self::Loopback => "an address of this machine",
            Self::Private => "a private address",
            Self::Shared => "a shared address behind a carrier's NAT",
            Self::Metadata => "an address of a cloud's metadata service",
            Self::LinkLocal => "a link-local address",
            Self::Unspecified => "no address of a host",
            Self::Multicast => "a multicast or broadcast address",
            Self::Documentation => "an address for documentation or benchmarks",
            Self::Mapped => "an IPv4 address written as IPv6",
            Self::Translated => "an IPv6 address that stands for an IPv4 one",
            Self::Reserved => "a reserved address",
        })
    }
}

/// Metadata services: of most clouds; Oracle; Alibaba; Azure's host agent; AWS and Google over IPv6.
const METADATA: &[Network] = &[
    Network::v4([169, 254, 169, 254], 32),
    // ECS task credentials and EKS pod identity.
    Network::v4([169, 254, 170, 2], 32),
    Network::v4([169, 254, 170, 23], 32),
    Network::v4([192, 0, 0, 192], 32),
    Network::v4([100, 100, 100, 200], 32),
    Network::v4([168, 63, 129, 16], 32),
];

/// The blocks of IPv4 that are not public; the first that holds an address names it.
const SPECIAL_V4: &[(Network, AddressClass)] = &[
    (Network::v4([0, 0, 0, 0], 8), AddressClass::Unspecified),
    (Network::v4([10, 0, 0, 0], 8), AddressClass::Private),
    (Network::v4([100, 64, 0, 0], 10), AddressClass::Shared),
    (Network::v4([127, 0, 0, 0], 8), AddressClass::Loopback),
    (Network::v4([169, 254, 0, 0], 16), AddressClass::LinkLocal),
    (Network::v4([172, 16, 0, 0], 12), AddressClass::Private),
    (Network::v4([192, 0, 0, 0], 24), AddressClass::Reserved),
    (Network::v4([192, 0, 2, 0], 24), AddressClass::Documentation),
    (Network::v4([192, 31, 196, 0], 24), AddressClass::Reserved),
    (Network::v4([192, 52, 193, 0], 24), AddressClass::Reserved),
    (Network::v4([192, 88, 99, 0], 24), AddressClass::Reserved),
    (Network::v4([192, 168, 0, 0], 16), AddressClass::Private),
    (Network::v4([192, 175, 48, 0], 24), AddressClass::Reserved),
    (Network::v4([198, 18, 0, 0], 15), AddressClass::Documentation),
    (Network::v4([198, 51, 100, 0], 24), AddressClass::Documentation),
    (Network::v4([203, 0, 113, 0], 24), AddressClass::Documentation),
    (Network::v4([224, 0, 0, 0], 4), AddressClass::Multicast),
    (Network::v4([255, 255, 255, 255], 32), AddressClass::Multicast),
    (Network::v4([240, 0, 0, 0], 4), AddressClass::Reserved),
];

/// The blocks of IPv6 with a name. Outside of them only 2000::/3 is public.
const SPECIAL_V6: &[(Network, AddressClass)] = &[
    (Network::v6(0x64, 0xff9b, 0, 96), AddressClass::Translated),
    (Network::v6(0x64, 0xff9b, 1, 48), AddressClass::Translated),
    (Network::v6(0xfc00, 0, 0, 7), AddressClass::Private),
    (Network::v6(0xfe80, 0, 0, 10), AddressClass::LinkLocal),
    // Site-local, deprecated by RFC 3879 and still configured here and there.
    (Network::v6(0xfec0, 0, 0, 10), AddressClass::Private),
    (Network::v6(0xff00, 0, 0, 8), AddressClass::Multicast),
    (Network::v6(0x2001, 0, 0, 32), AddressClass::Translated),
    (Network::v6(0x2001, 2, 0, 48), AddressClass::Documentation),
    (Network::v6(0x2001, 0, 0, 23), AddressClass::Reserved),
    (Network::v6(0x2001, 0xdb8, 0, 32), AddressClass::Documentation),
    (Network::v6(0x2002, 0, 0, 16), AddressClass::Translated),
    (Network::v6(0x2620, 0x4f, 0x8000, 48), AddressClass::Reserved),
    (Network::v6(0x3fff, 0, 0, 20), AddressClass::Documentation),
];
const GLOBAL_V6: Network = Network::v6(0x2000, 0, 0, 3);

impl AddressClass {
    /// The kind of this address.
    pub fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(v4) => Self::of_v4(v4),
            IpAddr::V6(v6) => Self::of_v6(v6),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let address = IpAddr::V4(address);
        if METADATA.iter().any(|network| network.contains(address)) {
            return Self::Metadata;
        }
        SPECIAL_V4.iter().find(|(network, _)| network.contains(address)).map_or(Self::Public, |(_, class)| *class)
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if address.is_unspecified() {
            return Self::Unspecified;
        }
        if address.is_loopback() {
            return Self::Loopback;
        }
        if is_metadata_v6(address) {
            return Self::Metadata;
        }
        if address.to_ipv4().is_some() {
            // Mapped (::ffff:0:0/96), and the compatible form of RFC 4291 2.5.5.1, long deprecated.
            return Self::Mapped;
        }
        let listed = SPECIAL_V6.iter().find(|(network, _)| network.contains(IpAddr::V6(address)));
        if let Some((_, class)) = listed {
            return *class;
        }
        if is_isatap(address) {
            return Self::Translated;
        }
        if GLOBAL_V6.contains(IpAddr::V6(address)) { Self::Public } else { Self::Reserved }
    }
}

/// `fd00:ec2::254` of AWS, its pod identity `fd00:ec2::23`, and `fd20:ce::254` of Google.
fn is_metadata_v6(address: Ipv6Addr) -> bool {
    const AWS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254);
    const AWS_PODS: Ipv6Addr = Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23);
    const GOOGLE: Ipv6Addr = Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254);
    [AWS, AWS_PODS, GOOGLE].contains(&address)
}

/// RFC 5214 6.1: the interface identifier says that the last 32 bits are an IPv4 address.
fn is_isatap(address: Ipv6Addr) -> bool {
    let [_, _, _, _, fifth, sixth, _, _] = address.segments();
    matches!(fifth, 0x0000 | 0x0200) && sixth == 0x5efe
}

/// The IPv4 address that a translator or tunnel would send the packets to, where the form says which.
pub(crate) fn stands_for(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [first, second, third, _, _, _, seventh, eighth] = address.segments();
    let joined = |high: u16, low: u16| Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low));
    match (first, second) {
        (0x0064, 0xff9b) => Some(joined(seventh, eighth)),
        (0x2002, high) => Some(joined(high, third)),
        // Teredo hides the client's address by inverting it (RFC 4380 4).
        (0x2001, 0x0000) => Some(joined(!seventh, !eighth)),
        _ if is_isatap(address) => Some(joined(seventh, eighth)),
        _ => address.to_ipv4(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use AddressClass as C;

    #[test]
    fn addresses_are_what_the_registries_say() {
        for (text, class) in [
            ("1.1.1.1", C::Public),
            ("8.8.8.8", C::Public),
            ("172.15.255.255", C::Public),
            ("172.32.0.0", C::Public),
            ("0.0.0.0", C::Unspecified),
            ("0.1.2.3", C::Unspecified),
            ("10.0.0.1", C::Private),
            ("172.16.0.1", C::Private),
            ("172.31.255.255", C::Private),
            ("192.168.1.1", C::Private),
            ("100.64.0.1", C::Shared),
            ("100.127.255.255", C::Shared),
            ("127.0.0.1", C::Loopback),
            ("127.255.255.254", C::Loopback),
            ("169.254.0.1", C::LinkLocal),
            ("169.254.169.254", C::Metadata),
            ("169.254.170.2", C::Metadata),
            ("192.0.0.192", C::Metadata),
            ("100.100.100.200", C::Metadata),
            ("168.63.129.16", C::Metadata),
            ("192.0.0.8", C::Reserved),
            ("192.0.2.1", C::Documentation),
            ("192.88.99.1", C::Reserved),
            ("198.18.0.1", C::Documentation),
            ("198.19.255.255", C::Documentation),
            ("198.51.100.7", C::Documentation),
            ("203.0.113.7", C::Documentation),
            ("224.0.0.1", C::Multicast),
            ("239.255.255.255", C::Multicast),
            ("240.0.0.1", C::Reserved),
            ("255.255.255.255", C::Multicast),
            ("::", C::Unspecified),
            ("::1", C::Loopback),
            ("::2", C::Mapped),
            ("::127.0.0.1", C::Mapped),
            ("::ffff:8.8.8.8", C::Mapped),
            ("::ffff:0:127.0.0.1", C::Reserved),
            ("64:ff9b::7f00:1", C::Translated),
            ("64:ff9b:1::1", C::Translated),
            ("100::1", C::Reserved),
            ("2001::1", C::Translated),
            ("2001:2::1", C::Documentation),
            ("2001:20::1", C::Reserved),
            ("2001:db8::1", C::Documentation),
            ("2002:7f00:1::", C::Translated),
            ("2606:4700:4700::1111", C::Public),
            ("2606:4700::5efe:7f00:1", C::Translated),
            ("2a00:1450::200:5efe:a00:1", C::Translated),
            ("3fff::1", C::Documentation),
            ("4000::1", C::Reserved),
            ("5f00::1", C::Reserved),
            ("fc00::1", C::Private),
            ("fd12:3456::1", C::Private),
            ("fd00:ec2::254", C::Metadata),
            ("fd20:ce::254", C::Metadata),
            ("fe80::1", C::LinkLocal),
            ("fec0::1", C::Private),
            ("ff02::1", C::Multicast),
        ] {
            assert_eq!(C::of(text.parse().unwrap()), class, "{text}");
        }
    }

    #[test]
    fn the_address_behind_a_translated_one_is_found() {
        for (text, behind) in [
            ("64:ff9b::7f00:1", Some("127.0.0.1")),
            ("2002:a9fe:a9fe::1", Some("169.254.169.254")),
            ("2001:0:1:2::80ff:fffe", Some("127.0.0.1")),
            ("2606:4700::5efe:a00:1", Some("10.0.0.1")),
            ("::ffff:10.0.0.1", Some("10.0.0.1")),
            ("2606:4700::1", None),
        ] {
            assert_eq!(stands_for(text.parse().unwrap()), behind.map(|b| b.parse().unwrap()), "{text}");
        }
    }
}
