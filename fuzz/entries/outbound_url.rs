//! URLs from configuration, from tenants' issuers and from other services.

use signet_outbound::{AddressPolicy, OutboundUrl};

/// What is taken is plain, reads back as itself, and names no address that the policy refuses.
pub(crate) fn feed(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let policy = AddressPolicy::deny_by_default().allow_plain_http();
    match OutboundUrl::parse(text, &policy) {
        Ok(url) => {
            let host = url.host();
            if let Ok(address) = host.parse() {
                assert!(policy.allows(address), "{text}: {address} is refused");
            } else {
                assert!(host.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b)), "{text}: {host}");
                assert!(host.parse::<std::net::IpAddr>().is_err() && !host.ends_with('.'), "{text}: {host}");
            }
            let shown = url.to_string();
            assert!(shown.bytes().all(|b| b.is_ascii_graphic()), "{shown:?}");
            assert!(OutboundUrl::parse(&shown, &policy) == Ok(url), "{text}: {shown} reads as another");
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.len() <= 400 && !said.chars().any(char::is_control), "{said:?}");
        }
    }
}
