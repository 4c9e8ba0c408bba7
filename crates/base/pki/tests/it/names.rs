//! Names and serial numbers in every spelling (kaa.md 16.4), as properties, and against Go, whose form is the one that is sent.

use std::path::Path;

use proptest::prelude::*;
use signet_pki::{IssuerName, Name};

use crate::der::{element, oid};
use crate::openssl::{Files, openssl};

/// Kinds of attributes: those that Go names, some that others name, and one that nobody does.
const KINDS: &[(&[u8], &str)] = &[
    (&[0x55, 4, 3], "CN"),
    (&[0x55, 4, 5], "serialNumber"),
    (&[0x55, 4, 6], "C"),
    (&[0x55, 4, 7], "L"),
    (&[0x55, 4, 8], "ST"),
    (&[0x55, 4, 9], "street"),
    (&[0x55, 4, 10], "O"),
    (&[0x55, 4, 11], "OU"),
    (&[0x55, 4, 17], "postalCode"),
    (&[0x09, 0x92, 0x26, 0x89, 0x93, 0xf2, 0x2c, 0x64, 1, 25], "DC"),
    (&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 1], "emailAddress"),
    (&[0x2a, 3, 4], "1.2.3.4"),
];

type Pairs = Vec<(usize, String)>;

fn pairs() -> impl Strategy<Value = Pairs> {
    let value = prop_oneof!["[a-zA-Z0-9 ]{1,12}", "[ -~]{1,12}", "\\PC{1,8}"];
    prop::collection::vec((0..KINDS.len(), value), 1..6)
}

fn der(pairs: &Pairs) -> Vec<u8> {
    let set = |(kind, value): &(usize, String)| {
        let pair = [oid(KINDS[*kind].0), element(0x0c, value.as_bytes())].concat();
        element(0x31, &element(0x30, &pair))
    };
    element(0x30, &pairs.iter().map(set).collect::<Vec<_>>().concat())
}

/// RFC 4514, every doubtful byte escaped in hexadecimal.
fn escaped(value: &str) -> String {
    value.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("\\{b:02X}") }).collect()
}

proptest! {
    #[test]
    fn each_spelling_of_a_name_is_the_same_name(pairs in pairs()) {
        let name = Name::from_der(&der(&pairs)).unwrap();
        let canonical = name.canonical();
        prop_assert_eq!(&IssuerName::parse_liberal(canonical.as_str()).unwrap(), &canonical, "its own text");
        let join = |separator: &str, equals: &str| {
            pairs.iter().rev().map(|(kind, value)| format!("{}{equals}{}", KINDS[*kind].1, escaped(value))).collect::<Vec<_>>().join(separator)
        };
        for (separator, equals) in [(",", "="), (", ", " = "), (";", "="), ("+", "="), (" + ", "=")] {
            let text = join(separator, equals);
            prop_assert_eq!(&IssuerName::parse_liberal(&text).unwrap(), &canonical, "{}", text);
        }
        let oneline: String = pairs
            .iter()
            .map(|(kind, value)| format!("/{}={}", KINDS[*kind].1, value.bytes().map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("\\x{b:02X}") }).collect::<String>()))
            .collect();
        prop_assert_eq!(&IssuerName::parse_liberal(&oneline).unwrap(), &canonical, "{}", oneline);
    }

    #[test]
    fn the_sending_form_reads_back_where_it_says_everything(pairs in pairs()) {
        // Of several common names and serial numbers Go keeps one.
        let mut seen = [false; 2];
        let pairs: Pairs = pairs.into_iter().filter(|(kind, _)| *kind > 1 || !std::mem::replace(&mut seen[*kind], true)).collect();
        let name = Name::from_der(&der(&pairs)).unwrap();
        prop_assert_eq!(IssuerName::parse_liberal(&name.go_text()).unwrap(), name.canonical(), "{}", name.go_text());
    }

    #[test]
    fn the_order_of_attributes_does_not_matter_and_everything_else_does(pairs in pairs(), at in 0_usize..6) {
        let canonical = Name::from_der(&der(&pairs)).unwrap().canonical();
        let mut turned = pairs.clone();
        turned.reverse();
        prop_assert_eq!(&Name::from_der(&der(&turned)).unwrap().canonical(), &canonical);
        let mut changed = pairs.clone();
        let at = at % changed.len();
        changed[at].1 = format!("x{}", changed[at].1.trim());
        prop_assert_ne!(&Name::from_der(&der(&changed)).unwrap().canonical(), &canonical);
        changed.push((at, "y".to_owned()));
        prop_assert_ne!(&Name::from_der(&der(&changed)).unwrap().canonical(), &canonical);
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[CNOU=,;+/\\\\\"#x0-9a-f .]{0,40}") {
        if let Ok(name) = IssuerName::parse_liberal(&text) {
            prop_assert_eq!(IssuerName::parse_liberal(name.as_str()).unwrap(), name);
        }
    }

    #[test]
    fn any_bytes_are_a_name_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = Name::from_der(&bytes).map(|name| (name.go_text(), name.canonical())).map_err(|e| e.to_string());
    }
}

#[test]
fn openssls_own_spellings_are_the_name() {
    let files = Files::new();
    let (key, certificate) = (files.path("k"), files.path("c"));
    let subject = "/C=DE/O=Acme, Inc./OU=a\\+b/CN=Stra\u{df}e \"7\"/emailAddress=a@b.example";
    openssl(&["req", "-x509", "-newkey", "ed25519", "-nodes", "-utf8", "-subj", subject], &[("-keyout", &key), ("-out", &certificate)]);
    let der = signet_pki::pem::certificates(&std::fs::read(&certificate).unwrap()).unwrap().remove(0);
    let request = openssl(&["x509", "-noout", "-issuer"], &[("-in", &certificate)]);
    assert!(!der.is_empty() && request.starts_with("issuer="));
    let texts: Vec<String> = ["oneline", "RFC2253", "compat", "oneline,utf8,-esc_msb"]
        .into_iter()
        .map(|form| openssl(&["x509", "-noout", "-issuer", "-nameopt", form], &[("-in", &certificate)]))
        .map(|text| text.trim_end().strip_prefix("issuer=").unwrap().trim().to_owned())
        .collect();
    let wanted = IssuerName::parse_liberal(&texts[1]).unwrap();
    assert_eq!(wanted.as_str(), "CN=Stra\u{df}e \\\"7\\\",OU=a\\+b,O=Acme\\, Inc.,C=DE,emailAddress=a@b.example");
    for text in &texts {
        assert_eq!(IssuerName::parse_liberal(text).unwrap(), wanted, "{text}");
    }
}

/// Prints the text of each name in `names`, given as hexadecimal DER, one a line.
const PROGRAM: &str = r#"package main

import (
	"bufio"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
	"fmt"
	"os"
)

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		der, err := hex.DecodeString(lines.Text())
		if err != nil {
			panic(err)
		}
		var sequence pkix.RDNSequence
		if _, err := asn1.Unmarshal(der, &sequence); err != nil {
			panic(err)
		}
		var name pkix.Name
		name.FillFromRDNSequence(&sequence)
		fmt.Printf("%q\n", name.String())
	}
}
"#;

#[test]
fn the_sending_form_is_that_of_a_go_program() {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    // Newer versions of Go write the parts of an address elsewhere; the order here is that of the versions that Kaa was made with.
    let names: Vec<Pairs> = vec![
        vec![(0, "449ff659-939f-4ef7-93b5-058b9fb8cc0a".to_owned())],
        vec![(2, "US".to_owned()), (6, "Acme".to_owned()), (0, "tenant-x".to_owned())],
        vec![(7, "a".to_owned()), (7, "b".to_owned()), (0, "one".to_owned()), (0, "two".to_owned()), (1, "7".to_owned())],
        vec![(9, "example".to_owned()), (10, "a@b.example".to_owned()), (11, "x y".to_owned()), (0, "z".to_owned())],
        vec![(6, " Acme, \"Inc\" + <x>;\\ ".to_owned()), (0, "#1#".to_owned())],
        vec![(8, "1".to_owned()), (5, "s".to_owned()), (3, "l".to_owned()), (3, "m".to_owned()), (2, "DE".to_owned())],
        vec![(0, "Stra\u{df}e".to_owned()), (11, "Stra\u{df}e".to_owned())],
    ];
    let files = Files::new();
    let program = files.write("main.go", PROGRAM);
    let beside = Path::new("/usr/local/go/bin/go");
    let mut go = Command::new(if beside.exists() { beside } else { Path::new("go") })
        .arg("run")
        .arg(program)
        .env("GOFLAGS", "-mod=mod")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap_or_else(|e| panic!("go does not run ({e}): apt-get install golang-go"));
    let hex = |pairs: &Pairs| der(pairs).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let lines: Vec<String> = names.iter().map(hex).collect();
    go.stdin.take().unwrap().write_all(lines.join("\n").as_bytes()).unwrap();
    let output = go.wait_with_output().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(said.lines().count(), names.len());
    for (pairs, quoted) in names.iter().zip(said.lines()) {
        let ours = Name::from_der(&der(pairs)).unwrap().go_text();
        let unquoted = quoted.trim_matches('"').replace("\\\"", "\"").replace("\\\\", "\\");
        assert_eq!(ours, unquoted);
    }
}
