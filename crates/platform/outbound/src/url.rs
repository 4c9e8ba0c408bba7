//! URLs that the client asks. Parsed strictly, so that no two readers can disagree on the host: what a browser would repair
//! (`0x7f.1`, `127。0。0。1`, `\`, user names, percent signs in the host) is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use http::uri::PathAndQuery;

use crate::{AddressClass, AddressPolicy, OutboundError};

/// Longest URL in bytes.
const LONGEST_URL: usize = 2_048;
/// Longest name and label (RFC 1035 2.3.4).
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// Who is asked.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Host {
    /// A name in ASCII, lower case.
    Name(String),
    /// An address as written.
    Address(IpAddr),
}

/// An absolute `https` (or, where allowed, `http`) URL without user name and fragment.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct OutboundUrl {
    https: bool,
    host: Host,
    port: u16,
    path: PathAndQuery,
}

impl OutboundUrl {
    /// Parses a URL. The policy says whether plain http may be, and refuses addresses that are written out at once.
    ///
    /// # Errors
    /// [`OutboundError::Url`] with what is wrong, [`OutboundError::Address`].
    pub fn parse(text: &str, policy: &AddressPolicy) -> Result<Self, OutboundError> {
        if text.len() > LONGEST_URL {
            return Err(OutboundError::Url("it is longer than 2048 bytes"));
        }
        if let Some(odd) = text.bytes().find(|b| !b.is_ascii_graphic() || *b == b'\\') {
            return Err(OutboundError::Url(match odd {
                0x80.. => "it holds characters beyond ASCII; write a name of another script in its `xn--` form",
                _ => "it holds a blank, a control character or a backslash",
            }));
        }
        let (scheme, rest) = text.split_once("://").ok_or(OutboundError::Url("it does not begin with `https://`"))?;
        let https = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" if policy.allows_plain_http() => false,
            "http" => return Err(OutboundError::Url("plain `http` is not allowed here")),
            _ => return Err(OutboundError::Url("it does not begin with `https://`")),
        };
        if rest.contains('#') {
            return Err(OutboundError::Url("it has a fragment (`#`)"));
        }
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err(OutboundError::Url("it has a user name (`@`)"));
        }
        let (host, port) = split_port(authority)?;
        let host = parse_host(host)?;
        let port = match port {
            Some(port) => port,
            None if https => 443,
            None => 80,
        };
        if let Host::Address(address) = host
            && !policy.allows(address)
        {
            return Err(OutboundError::Address { host: address.to_string(), address, class: AddressClass::of(address) });
        }
        let path = match path.chars().next() {
            None => PathAndQuery::from_static("/"),
            Some('/') => parse_path(path)?,
            Some(_) => parse_path(&format!("/{path}"))?,
        };
        Ok(Self { https, host, port, path })
    }

    /// Whether the connection is protected.
    pub fn is_https(&self) -> bool {
        self.https
    }

    /// The host, as in the URL; IPv6 addresses without brackets.
    pub fn host(&self) -> String {
        match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(address) => address.to_string(),
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn target(&self) -> &Host {
        &self.host
    }

    pub(crate) fn path(&self) -> &PathAndQuery {
        &self.path
    }

    /// `host` or `host:port`, for the header `Host`.
    pub(crate) fn authority(&self) -> String {
        let host = match &self.host {
            Host::Name(name) => name.clone(),
            Host::Address(IpAddr::V4(address)) => address.to_string(),
            Host::Address(IpAddr::V6(address)) => format!("[{address}]"),
        };
        let standard = if self.https { 443 } else { 80 };
        if self.port == standard { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.https { "https" } else { "http" }, self.authority(), self.path)
    }
}

/// Without the query, which may hold what is nobody's business.
impl fmt::Debug for OutboundUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", if self.https { "https" } else { "http" }, self.authority(), self.path.path())
    }
}

fn split_port(authority: &str) -> Result<(&str, Option<u16>), OutboundError> {
    let after_bracket = match authority.strip_prefix('[') {
        Some(inner) => match inner.find(']') {
            // One past the bracket that closes, in the whole authority.
            Some(at) => at.saturating_add(2),
            None => return Err(OutboundError::Url("the bracket of its address is not closed")),
        },
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(after_bracket).ok_or(OutboundError::Url("its host cannot be read"))?;
    if port.is_empty() {
        return Ok((host, None));
    }
    let digits = port.strip_prefix(':').filter(|d| !d.is_empty() && d.len() <= 5 && d.bytes().all(|b| b.is_ascii_digit()));
    let port = digits.and_then(|digits| digits.parse::<u16>().ok()).filter(|port| *port != 0);
    port.map(|port| (host, Some(port))).ok_or(OutboundError::Url("its port is not a number from 1 to 65535"))
}

fn parse_host(text: &str) -> Result<Host, OutboundError> {
    if let Some(inner) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let address: Ipv6Addr = inner.parse().map_err(|_| OutboundError::Url("its host is no IPv6 address"))?;
        if AddressClass::of(IpAddr::V6(address)) == AddressClass::Mapped {
            return Err(OutboundError::Url("its host is an IPv4 address written as IPv6"));
        }
        return Ok(Host::Address(IpAddr::V6(address)));
    }
    // The standard library takes exactly four decimal numbers without leading zeros.
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(Host::Address(IpAddr::V4(address)));
    }
    let name = text.to_ascii_lowercase();
    if name.is_empty() || name.len() > LONGEST_NAME {
        return Err(OutboundError::Url("its host is empty or longer than 253 characters"));
    }
    for label in name.split('.') {
        let plain = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'_'));
        if label.is_empty() || label.len() > LONGEST_LABEL || !plain || label.starts_with('-') || label.ends_with('-') {
            return Err(OutboundError::Url("its host is not a name of letters, digits, `-` and `_` in labels without a final dot"));
        }
    }
    // What ends in a number is an address to many a reader (WHATWG URL, inet_aton): 2130706433, 127.1, 0x7f.1, 1.2.3.0x4.
    let last = name.rsplit('.').next().unwrap_or_default();
    let hexadecimal = last.strip_prefix("0x").is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    if hexadecimal || last.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OutboundError::Url("its host is an oddly written address; write four decimal numbers"));
    }
    Ok(Host::Name(name))
}

fn parse_path(text: &str) -> Result<PathAndQuery, OutboundError> {
    text.parse().map_err(|_| OutboundError::Url("its path or query cannot be read"))
}
