//! Names whose addresses are not to be reached, on every way that DNS can say so.

use signet_outbound::{AddressClass, AddressPolicy, Outbound, OutboundError};

use crate::support::{Names, Peer, config, get, ok, only};

/// Answers of a name server that are refused whole, by default.
const BAD_ANSWERS: &[(&[&str], AddressClass)] = &[
    (&["127.0.0.1"], AddressClass::Loopback),
    (&["127.8.8.8"], AddressClass::Loopback),
    (&["::1"], AddressClass::Loopback),
    (&["10.1.2.3"], AddressClass::Private),
    (&["172.16.0.1"], AddressClass::Private),
    (&["192.168.0.1"], AddressClass::Private),
    (&["fd12::1"], AddressClass::Private),
    (&["fec0::1"], AddressClass::Private),
    (&["100.64.0.1"], AddressClass::Shared),
    (&["169.254.169.254"], AddressClass::Metadata),
    (&["169.254.170.2"], AddressClass::Metadata),
    (&["192.0.0.192"], AddressClass::Metadata),
    (&["100.100.100.200"], AddressClass::Metadata),
    (&["168.63.129.16"], AddressClass::Metadata),
    (&["fd00:ec2::254"], AddressClass::Metadata),
    (&["169.254.1.1"], AddressClass::LinkLocal),
    (&["fe80::1"], AddressClass::LinkLocal),
    (&["0.0.0.0"], AddressClass::Unspecified),
    (&["0.0.0.1"], AddressClass::Unspecified),
    (&["::"], AddressClass::Unspecified),
    (&["224.0.0.251"], AddressClass::Multicast),
    (&["255.255.255.255"], AddressClass::Multicast),
    (&["ff02::1"], AddressClass::Multicast),
    (&["192.0.2.1"], AddressClass::Documentation),
    (&["198.18.0.1"], AddressClass::Documentation),
    (&["2001:db8::1"], AddressClass::Documentation),
    (&["240.0.0.1"], AddressClass::Reserved),
    (&["192.0.0.1"], AddressClass::Reserved),
    (&["100::1"], AddressClass::Reserved),
    (&["::ffff:127.0.0.1"], AddressClass::Mapped),
    (&["::ffff:1.1.1.1"], AddressClass::Mapped),
    (&["::127.0.0.1"], AddressClass::Mapped),
    (&["64:ff9b::7f00:1"], AddressClass::Translated),
    (&["64:ff9b:1::7f00:1"], AddressClass::Translated),
    (&["2002:a9fe:a9fe::1"], AddressClass::Translated),
    (&["2001:0:1:2::80ff:fffe"], AddressClass::Translated),
    (&["2606:4700::5efe:7f00:1"], AddressClass::Translated),
    // one bad address among good ones
    (&["1.1.1.1", "127.0.0.1"], AddressClass::Loopback),
    (&["1.1.1.1", "1.0.0.1", "8.8.8.8", "9.9.9.9", "8.8.4.4", "10.0.0.1"], AddressClass::Private),
    (&["2606:4700:4700::1111", "::ffff:10.0.0.1"], AddressClass::Mapped),
];

#[tokio::test]
async fn an_answer_with_an_address_that_is_refused_is_refused_whole() {
    let trap = Peer::answering(ok("{}")).await;
    for (answer, class) in BAD_ANSWERS {
        let names = Names::new(&[("evil.test", &[answer])]);
        let client = Outbound::with_resolver(config(AddressPolicy::deny_by_default().allow_plain_http()), names.clone()).unwrap();
        let outcome = get(&client, &format!("http://evil.test:{}/", trap.address.port())).await;
        match outcome {
            Err(OutboundError::Address { host, class: seen, .. }) => assert_eq!((host.as_str(), seen), ("evil.test", *class), "{answer:?}"),
            other => panic!("{answer:?}: {other:?}"),
        }
        assert_eq!(names.lookups(), 1, "{answer:?}");
    }
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn a_name_without_an_address_is_unreachable() {
    let client = Outbound::with_resolver(config(only(&[])), Names::new(&[("empty.test", &[&[]])])).unwrap();
    for url in ["http://empty.test/", "http://unknown.test/"] {
        assert!(matches!(get(&client, url).await, Err(OutboundError::Unreachable { .. })), "{url}");
    }
}

#[tokio::test]
async fn the_systems_own_names_of_this_machine_are_refused() {
    let trap = Peer::answering(ok("{}")).await;
    let client = Outbound::new(config(AddressPolicy::deny_by_default().allow_plain_http())).unwrap();
    let outcome = get(&client, &format!("http://localhost:{}/", trap.address.port())).await;
    assert!(matches!(outcome, Err(OutboundError::Address { class: AddressClass::Loopback, .. })), "{outcome:?}");
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn the_second_address_is_tried_when_the_first_refuses() {
    let peer = Peer::answering_on("127.0.0.2:0", ok("second")).await;
    let names = Names::new(&[("two.test", &[&["127.0.0.3", "127.0.0.2"]])]);
    let client = Outbound::with_resolver(config(only(&["127.0.0.0/8"])), names).unwrap();
    let answer = get(&client, &format!("http://two.test:{}/", peer.address.port())).await.unwrap();
    assert_eq!(answer.body, "second");
}
