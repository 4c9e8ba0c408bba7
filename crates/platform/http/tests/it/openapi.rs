//! The document against the table it was made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;
use signet_http::{ApiInfo, Guard};

use crate::support::{Keys, table};

fn document() -> (Value, signet_http::RouteTable) {
    let table = table(&Arc::new(Keys::default()));
    (table.openapi(ApiInfo { title: "Test", version: "1", description: "A test." }), table)
}

/// Every value below `value`, with the name it stands under.
fn walk<'a>(name: &'a str, value: &'a Value, see: &mut dyn FnMut(&'a str, &'a Value)) {
    see(name, value);
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| walk(name, value, see)),
        Value::Array(items) => items.iter().for_each(|item| walk("", item, see)),
        _ => {}
    }
}

#[test]
fn every_route_is_described_once_with_its_guard() {
    let (document, table) = document();
    let mut names = BTreeSet::new();
    let mut count = 0;
    for entry in table.entries() {
        let operation = &document["paths"][entry.path][entry.method.as_str().to_ascii_lowercase()];
        assert_eq!(operation["operationId"], entry.operation_id, "{entry:?}");
        assert!(names.insert(entry.operation_id));
        assert_eq!(operation["security"].as_array().map(Vec::len), (entry.guard == Guard::Public).then_some(0), "{entry:?}");
        let problems = operation["responses"].as_object().expect("responses").iter().filter(|(status, _)| status.as_str() >= "400");
        for (status, response) in problems {
            let (media_type, form) =
                if entry.is_kaa() { ("application/json", "KaaError") } else { ("application/problem+json", "Problem") };
            let schema = &response["content"][media_type]["schema"]["$ref"];
            assert_eq!(*schema, format!("#/components/schemas/{form}"), "{entry:?} {status}");
            assert_eq!(response["headers"].get("correlation-id").is_some(), entry.is_kaa());
        }
        let servers: Vec<&str> = operation["servers"].as_array().into_iter().flatten().map(|s| s["url"].as_str().expect("url")).collect();
        assert_eq!(servers, if entry.is_kaa() { &["/", "/ccm", "/kpc", "/cm"][..] } else { &[] }, "{entry:?}");
        assert_eq!(operation["responses"].get("401").is_some(), entry.guard != Guard::Public);
        count += 1;
    }
    let described: usize = document["paths"].as_object().expect("paths").values().map(|path| path.as_object().expect("path").len()).sum();
    assert_eq!(described, count);
}

#[test]
fn the_document_is_3_1_without_idioms_of_3_0_and_its_references_resolve() {
    let (document, _) = document();
    assert_eq!(document["openapi"], "3.1.0");
    let mut references = BTreeSet::new();
    walk("", &document, &mut |name, value| {
        assert_ne!(name, "nullable");
        assert!(!value.is_null(), "{name} is null");
        assert!(!(name == "type" && value == "null"), "a member of type null only");
        if let ("$ref", Some(target)) = (name, value.as_str()) {
            references.insert(target.to_owned());
        }
    });
    for reference in references {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    assert_eq!(document["components"]["schemas"]["Thing"]["properties"]["note"]["type"], serde_json::json!(["string", "null"]));
    let list = &document["paths"]["/t/{tenant}/things"]["get"]["parameters"];
    let names: Vec<&str> = list.as_array().expect("parameters").iter().map(|p| p["name"].as_str().expect("name")).collect();
    assert_eq!(names, ["tenant", "limit", "after", "name"]);
}
