//! Spellings of URLs that somebody, somewhere, reads as another host. None of them gets as far as a lookup.

use proptest::prelude::*;
use signet_outbound::{AddressPolicy, OutboundError, OutboundUrl};

use crate::support::{Names, Peer, config, get, ok, only};

/// What is refused whatever the policy allows, with a word of the answer.
const ODD: &[(&str, &str)] = &[
    // addresses that only some readers see as addresses
    ("http://0x7f.1/", "oddly written"),
    ("http://0x7f000001/", "oddly written"),
    ("http://0X7F.0.0.0x1/", "oddly written"),
    ("http://2130706433/", "oddly written"),
    ("http://017700000001/", "oddly written"),
    ("http://0177.0.0.1/", "oddly written"),
    ("http://127.1/", "oddly written"),
    ("http://127.0.1/", "oddly written"),
    ("http://127.0.0.01/", "oddly written"),
    ("http://127.0.0.1./", "final dot"),
    ("http://127.0.0.256/", "oddly written"),
    ("http://127.0.0.1.1/", "oddly written"),
    ("http://0/", "oddly written"),
    ("http://0x/", "oddly written"),
    ("http://a.0x1f/", "oddly written"),
    ("http://[::ffff:127.0.0.1]/", "written as IPv6"),
    ("http://[::ffff:7f00:1]/", "written as IPv6"),
    ("http://[::127.0.0.1]/", "written as IPv6"),
    ("http://[::1%25lo]/", "no IPv6 address"),
    ("http://[fe80::1%eth0]/", "no IPv6 address"),
    ("http://[127.0.0.1]/", "no IPv6 address"),
    ("http://[::1/", "not closed"),
    ("http://[::1]evil.test/", "port"),
    ("http://::1/", "port"),
    // user names that hide the host
    ("http://good.test@127.0.0.1/", "user name"),
    ("http://good.test:80@127.0.0.1/", "user name"),
    ("http://@127.0.0.1/", "user name"),
    ("http://127.0.0.1@good.test/", "user name"),
    ("http://good.test#@127.0.0.1/", "fragment"),
    ("http://good.test/#part", "fragment"),
    ("http://good.test\\@127.0.0.1/", "backslash"),
    ("http:\\\\127.0.0.1\\", "backslash"),
    // other scripts, percent signs, blanks
    ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ/", "beyond ASCII"),
    ("http://127。0。0。1/", "beyond ASCII"),
    ("http://１２７.0.0.1/", "beyond ASCII"),
    ("http://bücher.test/", "beyond ASCII"),
    ("http://local\u{ad}host/", "beyond ASCII"),
    ("http://%31%32%37.0.0.1/", "letters, digits"),
    ("http://127%2e0%2e0%2e1/", "letters, digits"),
    ("http://good.test%00.evil.test/", "letters, digits"),
    ("http://good.test%2f@evil.test/", "user name"),
    (" http://good.test/", "blank"),
    ("http://good.test /", "blank"),
    ("http://good.test/a b", "blank"),
    ("http://good.test/\r\nHost: evil.test", "control"),
    ("http://good.test/\0", "control"),
    ("http://good\t.test/", "control"),
    // names that are none
    ("http://localhost./", "final dot"),
    ("http://good..test/", "final dot"),
    ("http://.good.test/", "final dot"),
    ("http://-good.test/", "letters, digits"),
    ("http://good;evil.test/", "letters, digits"),
    ("http://good,evil.test/", "letters, digits"),
    ("http://good*evil.test/", "letters, digits"),
    ("http:///etc/passwd", "empty"),
    ("http://?x", "empty"),
    ("http://:80/", "empty"),
    // ports and schemes
    ("http://good.test:/", "port"),
    ("http://good.test:0/", "port"),
    ("http://good.test:65536/", "port"),
    ("http://good.test:+80/", "port"),
    ("http://good.test:80:81/", "port"),
    ("http://good.test: 80/", "blank"),
    ("file:///etc/passwd", "begin with"),
    ("gopher://127.0.0.1:6379/_x", "begin with"),
    ("ftp://good.test/", "begin with"),
    ("unix:///run/docker.sock", "begin with"),
    ("//good.test/", "begin with"),
    ("http:/good.test/", "begin with"),
    ("http:good.test", "begin with"),
    ("data:text/plain,x", "begin with"),
    ("jar:http://good.test!/", "begin with"),
    ("", "begin with"),
];

#[test]
fn a_url_that_two_readers_could_read_differently_is_refused() {
    let policies = [AddressPolicy::permissive(), only(&["0.0.0.0/0", "::/0"])];
    for (text, word) in ODD {
        for policy in &policies {
            match OutboundUrl::parse(text, policy) {
                Err(OutboundError::Url(why)) => assert!(why.contains(word), "{text:?}: {why}"),
                other => panic!("{text:?}: {other:?}"),
            }
        }
    }
    let long = format!("https://good.test/{}", "a".repeat(2_048));
    assert!(matches!(OutboundUrl::parse(&long, &policies[0]), Err(OutboundError::Url(_))));
    let label = format!("https://{}.test/", "a".repeat(64));
    assert!(matches!(OutboundUrl::parse(&label, &policies[0]), Err(OutboundError::Url(_))));
    let name = format!("https://{}test/", "a.".repeat(125));
    assert!(matches!(OutboundUrl::parse(&name, &policies[0]), Err(OutboundError::Url(_))));
}

#[test]
fn an_address_that_is_written_out_is_judged_at_once() {
    let policy = AddressPolicy::deny_by_default();
    for text in [
        "https://127.0.0.1/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data/",
        "https://100.100.100.200/",
        "https://0.0.0.0/",
        "https://255.255.255.255/",
        "https://[::1]/",
        "https://[::]/",
        "https://[fe80::1]/",
        "https://[fd00:ec2::254]/",
        "https://[64:ff9b::a9fe:a9fe]/",
        "https://[2002:7f00:1::]/",
        "https://[2001:db8::1]/",
    ] {
        assert!(matches!(OutboundUrl::parse(text, &policy), Err(OutboundError::Address { .. })), "{text}");
    }
    assert!(OutboundUrl::parse("https://1.1.1.1/", &policy).is_ok());
    assert!(OutboundUrl::parse("https://[2606:4700:4700::1111]/", &policy).is_ok());
}

#[test]
fn ordinary_urls_are_read_as_everyone_reads_them() {
    let policy = only(&["127.0.0.0/8", "::1/128"]);
    for (text, shown, host, port) in [
        ("https://issuer.example", "https://issuer.example/", "issuer.example", 443),
        ("HTTPS://Issuer.Example:443/A?b=C", "https://issuer.example/A?b=C", "issuer.example", 443),
        ("http://tenant_manager:8080/api?x=%2F", "http://tenant_manager:8080/api?x=%2F", "tenant_manager", 8080),
        ("http://127.0.0.1:80", "http://127.0.0.1/", "127.0.0.1", 80),
        ("http://[::1]:8080/", "http://[::1]:8080/", "::1", 8080),
        ("http://xn--bcher-kva.test?q", "http://xn--bcher-kva.test/?q", "xn--bcher-kva.test", 80),
        ("https://3com.test/", "https://3com.test/", "3com.test", 443),
        ("https://a.0xyz/", "https://a.0xyz/", "a.0xyz", 443),
    ] {
        let url = OutboundUrl::parse(text, &policy).unwrap();
        assert_eq!((url.to_string().as_str(), url.host().as_str(), url.port()), (shown, host, port), "{text}");
        assert_eq!(OutboundUrl::parse(shown, &policy).unwrap(), url);
    }
    let secret = OutboundUrl::parse("https://h.test/p?code=canary", &policy).unwrap();
    assert!(!format!("{secret:?}").contains("canary"));
}

#[test]
fn plain_http_is_refused_unless_allowed() {
    let refused = OutboundUrl::parse("http://good.test/", &AddressPolicy::deny_by_default());
    assert_eq!(refused, Err(OutboundError::Url("plain `http` is not allowed here")));
}

#[tokio::test]
async fn a_url_of_a_wider_policy_does_not_widen_the_client() {
    let peer = Peer::answering(ok("{}")).await;
    let strict = signet_outbound::Outbound::with_resolver(config(AddressPolicy::deny_by_default()), Names::new(&[])).unwrap();
    let lax = only(&["127.0.0.0/8"]);
    for text in [peer.url("/"), format!("https://{}/", peer.address)] {
        let url = OutboundUrl::parse(&text, &lax).unwrap();
        let outcome = strict.send(signet_outbound::Request::get(url)).await;
        assert!(matches!(outcome, Err(OutboundError::Url(_) | OutboundError::Address { .. })), "{text}: {outcome:?}");
    }
    assert_eq!(peer.connections(), 0);
    // The same peer is reached by a client that may.
    assert_eq!(get(&crate::support::local_client(), &peer.url("/")).await.unwrap().body, "{}");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused_and_what_is_parsed_reads_back(text in "\\PC{0,60}", host in "[a-z0-9.:@%\\[\\]x-]{0,24}") {
        let policy = only(&["0.0.0.0/0", "::/0"]);
        for text in [text.clone(), format!("http://{host}"), format!("https://{host}/{text}")] {
            if let Ok(url) = OutboundUrl::parse(&text, &policy) {
                prop_assert_eq!(OutboundUrl::parse(&url.to_string(), &policy), Ok(url));
            }
        }
    }

    #[test]
    fn a_written_address_passes_exactly_when_the_policy_allows_it(bits in any::<u32>(), wide in any::<u128>()) {
        let policy = AddressPolicy::deny_by_default();
        let v4 = std::net::Ipv4Addr::from_bits(bits);
        prop_assert_eq!(OutboundUrl::parse(&format!("https://{v4}/"), &policy).is_ok(), policy.allows(v4.into()));
        let v6 = std::net::Ipv6Addr::from_bits(wide);
        prop_assert_eq!(OutboundUrl::parse(&format!("https://[{v6}]/"), &policy).is_ok(), policy.allows(v6.into()));
    }
}
