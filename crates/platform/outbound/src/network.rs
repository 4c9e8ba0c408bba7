//! Networks such as `10.0.0.0/8`, as operators list them. No names, no ranges.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// An IPv4 or IPv6 network: an address and the length of its prefix. A single address is a network of its full length.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
}

/// A text that is no network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a network is an address with a prefix length that covers its host part, such as `10.0.0.0/8` or `fd00::/8`")]
pub struct NetworkError;

impl Network {
    /// A network in constants of this crate.
    pub(crate) const fn v4(base: [u8; 4], prefix: u8) -> Self {
        let [a, b, c, d] = base;
        Self { base: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), prefix }
    }

    /// The same for IPv6, by the first three groups.
    pub(crate) const fn v6(first: u16, second: u16, third: u16, prefix: u8) -> Self {
        Self { base: IpAddr::V6(Ipv6Addr::new(first, second, third, 0, 0, 0, 0, 0)), prefix }
    }

    /// Whether the address lies in it. IPv4-mapped IPv6 addresses lie in no IPv4 network.
    pub fn contains(&self, address: IpAddr) -> bool {
        match (self.base, address) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(shift(32, self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => {
                (base.to_bits() ^ address.to_bits()).checked_shr(shift(128, self.prefix)).unwrap_or(0) == 0
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => false,
        }
    }

    /// Whether it is one single address.
    pub fn is_single(&self) -> bool {
        self.prefix == longest(self.base)
    }
}

fn longest(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// Bits of the host part; the whole width, which shifts everything out, for a prefix of none.
fn shift(width: u32, prefix: u8) -> u32 {
    width.saturating_sub(u32::from(prefix))
}

impl FromStr for Network {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (base, prefix) = match text.split_once('/') {
            Some((base, prefix)) => (base, Some(prefix)),
            None => (text, None),
        };
        let base: IpAddr = base.parse().map_err(|_| NetworkError)?;
        let prefix = match prefix {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().map_err(|_| NetworkError)?,
            Some(_) => return Err(NetworkError),
            None => longest(base),
        };
        if prefix > longest(base) {
            return Err(NetworkError);
        }
        // `10.1.2.3/8` is more often a slip than a wish.
        let host_part_is_zero = match base {
            IpAddr::V4(v4) => prefix == 32 || v4.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) == 0,
            IpAddr::V6(v6) => prefix == 128 || v6.to_bits().checked_shl(u32::from(prefix)).unwrap_or(0) == 0,
        };
        if host_part_is_zero { Ok(Self { base, prefix }) } else { Err(NetworkError) }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.base, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.255.255", "11.0.0.0"),
            ("0.0.0.0/0", "255.255.255.255", "::1"),
            ("127.0.0.2", "127.0.0.2", "127.0.0.3"),
            ("10.0.0.0/8", "10.0.0.1", "::ffff:10.0.0.1"),
            ("fd00::/8", "fdff::1", "fe00::1"),
            ("::/0", "::1", "127.0.0.1"),
            ("::1/128", "::1", "::2"),
            ("172.16.0.0/12", "172.31.255.255", "172.32.0.0"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.contains(inside.parse().unwrap()), "{network} {inside}");
            assert!(!network.contains(outside.parse().unwrap()), "{network} {outside}");
        }
    }

    #[test]
    fn what_is_no_network_is_refused_and_the_rest_reads_back() {
        for bad in [
            "",
            "10.0.0.0/33",
            "10.1.2.3/8",
            "10/8",
            "010.0.0.0/8",
            "::/129",
            "fd00::1/8",
            "localhost",
            "10.0.0.0/+8",
            "10.0.0.0/",
            "10.0.0.0/8/8",
        ] {
            assert_eq!(bad.parse::<Network>(), Err(NetworkError), "{bad}");
        }
        for good in ["10.0.0.0/8", "0.0.0.0/0", "fd00::/8", "::/0", "127.0.0.1/32", "::1/128"] {
            assert_eq!(good.parse::<Network>().unwrap().to_string(), good);
        }
    }
}
