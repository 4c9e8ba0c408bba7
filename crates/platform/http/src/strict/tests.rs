use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
struct Thing {
    name: String,
    count: Option<u8>,
    #[serde(default)]
    labels: BTreeMap<String, String>,
    inner: Option<Box<Thing>>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
enum Tagged {
    Basic { username: String },
}

fn body<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Fault> {
    read(parse(text.as_bytes())?)
}

#[test]
fn a_good_body_is_read() {
    let thing: Thing = body("\u{feff} {\"name\":\"a\",\"count\":3,\"labels\":{\"x\":\"y\"}} ").expect("good");
    assert_eq!((thing.name.as_str(), thing.count, thing.labels["x"].as_str()), ("a", Some(3), "y"));
    assert_eq!(body::<Tagged>(r#"{"kind":"basic","username":"bob"}"#), Ok(Tagged::Basic { username: "bob".to_owned() }));
}

#[test]
fn unknown_members_are_named_even_where_the_type_would_skip_them() {
    let unknown = |path: &str| Err(Fault::Unknown { path: path.to_owned(), known: &[] });
    assert_eq!(body::<Thing>(r#"{"name":"a","nmae":1}"#), unknown("nmae"));
    assert_eq!(body::<Thing>(r#"{"name":"a","inner":{"name":"b","x":{"y":[]}}}"#), unknown("inner.x"));
    let fault = body::<Tagged>(r#"{"kind":"basic","username":"bob","more":1}"#).expect_err("unknown");
    assert!(matches!(&fault, Fault::Unknown { path, .. } if path == "more"), "{fault:?}");
}

#[test]
fn wrong_values_are_placed_and_never_shown() {
    for (text, place) in [
        (r#"{"name":77123}"#, "name"),
        (r#"{"name":"a","count":300}"#, "count"),
        (r#"{"name":"a","count":"77123"}"#, "count"),
        (r#"{"name":"a","labels":{"x":77123}}"#, "labels.x"),
        (r#"{"name":"a","inner":["77123"]}"#, "inner"),
        (r#"["77123"]"#, ""),
        (r#""77123""#, ""),
    ] {
        let fault = body::<Thing>(text).expect_err(text);
        assert!(matches!(&fault, Fault::Invalid { path, .. } if path == place), "{text}: {fault:?}");
        assert!(!format!("{fault:?}").contains("77123"), "{fault:?}");
    }
    assert_eq!(body::<Thing>("{}"), Err(Fault::Missing("name".to_owned())));
}

#[test]
fn a_long_name_is_not_carried_along_for_each_of_its_elements() {
    // 30 KB of name before 10,000 elements: copied whole for each, one body of 64 KiB would move 300 MB.
    let name = "n".repeat(30_000);
    for inner in [r#"{"k":1,"k":2}"#.to_owned(), format!("[{}\"\\u0000\"]", "0,".repeat(10_000))] {
        let fault = parse(format!("{{\"{name}\":{inner}}}").as_bytes()).expect_err("refused");
        let (Fault::Duplicate(path) | Fault::Nul(path)) = fault else { panic!("{fault:?}") };
        assert!(path.starts_with("nnn") && path.len() < 1_000, "a path of {} bytes", path.len());
    }
}

#[test]
fn duplicates_nul_and_depth_are_refused() {
    assert_eq!(body::<Thing>(r#"{"name":"a","name":"b"}"#), Err(Fault::Duplicate("name".to_owned())));
    assert_eq!(body::<Thing>(r#"{"name":"a","labels":{"k":"1","k":"1"}}"#), Err(Fault::Duplicate("labels.k".to_owned())));
    assert_eq!(body::<Thing>(r#"{"name":"a\u0000"}"#), Err(Fault::Nul("name".to_owned())));
    assert_eq!(body::<Thing>(r#"{"name":"a","labels":{"a\u0000":"b"}}"#), Err(Fault::Nul("labels".to_owned())));
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(MAX_DEPTH).as_bytes()).is_ok());
    assert!(matches!(parse(nested(MAX_DEPTH + 1).as_bytes()), Err(Fault::Malformed(_))));
    assert!(matches!(parse(nested(60_000).as_bytes()), Err(Fault::Malformed(_))));
}

#[test]
fn what_is_no_json_is_malformed() {
    for bad in ["", "  ", "{", "{}{}", "{} x", "nul", "{\"name\":\"a\",}", "\"\u{7}\"", "01", "NaN"] {
        assert!(matches!(parse(bad.as_bytes()), Err(Fault::Malformed(_))), "{bad}");
    }
    assert!(matches!(parse(b"\"\xff\""), Err(Fault::Malformed(_))));
}

proptest! {
    #[test]
    fn any_bytes_give_a_tree_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        if let Ok(tree) = parse(&bytes) {
            let _ = read::<Thing>(tree);
        }
    }

    #[test]
    fn whatever_serde_json_writes_is_read_the_same(name in "[^\0]*", count in proptest::option::of(any::<u8>())) {
        let text = serde_json::json!({ "name": name, "count": count }).to_string();
        let thing: Thing = body(&text).expect("good");
        prop_assert_eq!((thing.name, thing.count), (name, count));
    }
}
