//! No id of another tenant can be read, changed or told from an absent one: every route, with callers of two tenants.
//!
//! The routes come from the OpenAPI document, so a route that is added is tested by being there.

use std::process::Command;

use serde_json::{Value, json};
use signet_tests::{Answer, Deployment, House, Rest};

/// The header by which Kaa's routes name the tenant.
const TENANT_HEADER: &str = "signet-tenant";

/// One tenant with one object of each kind.
struct Tenant {
    name: &'static str,
    rest: Rest,
    ids: Ids,
}

struct Ids {
    identity: String,
    credential: String,
    token: String,
    position: String,
    endpoint: String,
    certificate: String,
    anchor: String,
}

#[test]
fn a_caller_cannot_tell_another_tenants_ids_from_absent_ones_on_the_embedded_default() {
    every_route(&House::open(Deployment::Embedded));
}

#[test]
fn a_caller_cannot_tell_another_tenants_ids_from_absent_ones_on_postgresql() {
    every_route(&House::open(Deployment::Production));
}

fn every_route(house: &House) {
    let tenants = [furnish(house, "anna"), furnish(house, "berta")];
    let before: Vec<Vec<Value>> = tenants.iter().map(|tenant| contents(house, tenant.name)).collect();
    let document = house.run(&["openapi"]).ok();
    let mut tried = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap().iter().filter(|(method, _)| method.as_str() != "parameters") {
            tried += usize::from(path.contains("{tenant}") || is_kaa(operation));
            for (caller, other) in [(&tenants[0], &tenants[1]), (&tenants[1], &tenants[0])] {
                route(caller, other, method, path, operation);
            }
        }
    }
    assert!(tried >= 18, "only {tried} routes of a tenant in the document");
    let after: Vec<Vec<Value>> = tenants.iter().map(|tenant| contents(house, tenant.name)).collect();
    assert_eq!(before, after, "a refused request changed something");
}

/// Whether it is one of Kaa's, where a header may name the tenant.
fn is_kaa(operation: &Value) -> bool {
    operation["parameters"].as_array().is_some_and(|all| all.iter().any(|parameter| parameter["name"] == TENANT_HEADER))
}

/// One of Kaa's routes: the tenant stands in a header, or is the caller's own.
fn kaa_route(caller: &Tenant, other: &Tenant, method: &str, path: &str) {
    let foreign = ask_naming(&caller.rest, method, &filled(path, "", &other.ids), Some(other.name));
    let absent = ask_naming(&caller.rest, method, &filled(path, "", &other.ids), Some("nowhere"));
    assert_eq!(foreign.status, 404, "{method} {path} by {}: {}", caller.name, foreign.text());
    assert_eq!(
        comparable(&foreign, other.name),
        comparable(&absent, "nowhere"),
        "{method} {path}: {} can tell {}",
        caller.name,
        other.name
    );
    for own in [None, Some(caller.name)] {
        if path.contains('{') {
            let nobodys = of_nobody(&caller.ids);
            let theirs = ask_naming(&caller.rest, method, &filled(path, "", &other.ids), own);
            let none = ask_naming(&caller.rest, method, &filled(path, "", &nobodys), own);
            // An endpoint is a name that anybody may give: it is never absent, it has no tokens of the caller's.
            assert!(theirs.status == 404 || path.contains("{endpoint}"), "{method} {path} by {}: {}", caller.name, theirs.text());
            assert_eq!(with_ids_hidden(&theirs, &other.ids), with_ids_hidden(&none, &nobodys), "{method} {path}");
        } else if method == "get" {
            let list = ask_naming(&caller.rest, method, path, own);
            assert!(list.status == 200 && !list.text().contains(other.name), "{path}: {}", list.text());
            if path.ends_with("/ca") {
                continue; // one object, of which each tenant has its own
            }
            let of = |ids: &Ids| if path.contains("x509") { ids.certificate.clone() } else { ids.credential.clone() };
            assert!(list.text().contains(&of(&caller.ids)), "{path}: {}", list.text());
            assert!(!list.text().contains(&of(&other.ids)), "{path} shows {} what is of {}", caller.name, other.name);
            assert_eq!(list.header("x-total-count"), "1", "{path} counts what is of {}", other.name);
        }
    }
}

fn route(caller: &Tenant, other: &Tenant, method: &str, path: &str, operation: &Value) {
    if is_kaa(operation) {
        return kaa_route(caller, other, method, path);
    }
    if !path.contains("{tenant}") {
        // What is above the tenants is for the platform, or says nothing about any of them.
        let answer = ask(&caller.rest, method, path);
        assert!(!answer.text().contains(other.name), "{method} {path} tells {} of {}: {}", caller.name, other.name, answer.text());
        return;
    }
    // The other tenant's own address, and that of a tenant that does not exist.
    let foreign = ask(&caller.rest, method, &filled(path, other.name, &other.ids));
    let absent = ask(&caller.rest, method, &filled(path, "nowhere", &other.ids));
    assert!(matches!(foreign.status, 401 | 403 | 404), "{method} {path} by {}: {} {}", caller.name, foreign.status, foreign.text());
    assert_eq!(
        comparable(&foreign, other.name),
        comparable(&absent, "nowhere"),
        "{method} {path}: {} can tell {}",
        caller.name,
        other.name
    );

    // The caller's own address with the other tenant's ids, and with ids that do not exist.
    if path.matches('{').count() < 2 {
        return;
    }
    let theirs = ask(&caller.rest, method, &filled(path, caller.name, &other.ids));
    let nobodys = of_nobody(&caller.ids);
    let none = ask(&caller.rest, method, &filled(path, caller.name, &nobodys));
    // 403 where the route is for the platform alone, whatever stands there.
    assert!(matches!(theirs.status, 403 | 404), "{method} {path} by {} ({}): {}", caller.name, operation["operationId"], theirs.text());
    assert_eq!(with_ids_hidden(&theirs, &other.ids), with_ids_hidden(&none, &nobodys), "{method} {path}");
}

fn ask(rest: &Rest, method: &str, path: &str) -> Answer {
    ask_naming(rest, method, path, None)
}

/// A request with a body that the route takes, so that nothing but the tenant decides.
fn ask_naming(rest: &Rest, method: &str, path: &str, tenant: Option<&str>) -> Answer {
    let method = method.to_ascii_uppercase();
    let last = path.rsplit('/').next().unwrap_or_default();
    let body = match (method.as_str(), last) {
        ("GET", _) => "",
        ("PUT", "password") => r#"{"password":"other"}"#,
        ("PUT", "state") => r#"{"state":"Suspended"}"#,
        ("PATCH", _) if path.contains("-credentials/") => r#"{"state":"Suspended"}"#,
        ("POST", "basic-credentials") => r#"{"username":"eve","password":"pw"}"#,
        _ => "{}",
    };
    let mut headers = Vec::new();
    if !body.is_empty() {
        headers.push(("content-type", "application/json"));
    }
    headers.extend(tenant.map(|tenant| (TENANT_HEADER, tenant)));
    rest.answered(&method, path, &headers, body.as_bytes())
}

/// The path with every parameter filled in: an id by the kind of list that it stands in.
fn filled(path: &str, tenant: &str, ids: &Ids) -> String {
    let segments: Vec<&str> = path.split('/').collect();
    let fill = |(index, segment): (usize, &&str)| match (*segment, index.checked_sub(1).and_then(|before| segments.get(before))) {
        ("{tenant}", _) => tenant.to_owned(),
        (parameter, Some(list)) if parameter.starts_with('{') => match *list {
            "identities" => ids.identity.clone(),
            "credentials" | "basic-credentials" => ids.credential.clone(),
            "endpoints" => ids.endpoint.clone(),
            "api-tokens" => ids.token.clone(),
            "audit" => ids.position.clone(),
            "certificates" | "x509-credentials" => ids.certificate.clone(),
            "anchors" => ids.anchor.clone(),
            unknown => panic!("{path}: no id for a list called {unknown}; add one to this test"),
        },
        (plain, _) => plain.to_owned(),
    };
    segments.iter().enumerate().map(fill).collect::<Vec<_>>().join("/")
}

/// Everything that a caller sees, but for what must differ.
fn comparable(answer: &Answer, name: &str) -> (u16, String) {
    let mut body = answer.json();
    if let Some(members) = body.as_object_mut() {
        members.remove("trace_id");
    }
    (answer.status, body.to_string().replace(name, "TENANT"))
}

fn with_ids_hidden(answer: &Answer, ids: &Ids) -> (u16, String) {
    let (status, mut text) = comparable(answer, "\0");
    for id in [&ids.identity, &ids.credential, &ids.token, &ids.endpoint, &ids.certificate, &ids.anchor] {
        text = text.replace(id.as_str(), "ID");
    }
    (status, text.replace(&format!("position {}", ids.position), "position ID"))
}

fn furnish(house: &House, name: &'static str) -> Tenant {
    house.run(&["tenant", "create", name, "-o", "json"]).exits(0);
    let run = |arguments: &[&str], stdin: &str| {
        let all = [arguments, &["--tenant", name, "-o", "json"]].concat();
        house.run_with(&all, stdin).ok()
    };
    let id = |value: &Value| value["id"].as_str().unwrap().to_owned();
    let identity = id(&run(&["identity", "create", "dev-1", "--kind", "device"], ""));
    let credential = id(&run(&["credential", "create", "basic", "bob", "--identity", "dev-1", "--password-stdin"], "pw"));
    let made = run(&["api-token", "create", "--role", "owner", "--expires", "1d"], "");
    let rest = house.rest().with_token(made["token"].as_str().unwrap());
    let audit = rest.get(&format!("/api/v1/tenants/{name}/audit")).json();
    let position = audit["items"][0]["position"].to_string();
    assert_eq!(rest.get(&format!("/api/v1/tenants/{name}/credentials/{credential}")).status, 200, "its own caller sees it");
    let endpoint = format!("ep-of-{name}");
    run(&["endpoint-token", "create", &endpoint, "--application", &format!("app-of-{name}")], "");
    let file = |ending: &str| format!("{name}.{ending}");
    let files = ["--out-key", &file("key"), "--out-cert", &file("pem")];
    let issue = ["cert", "issue", "--generate-key", "p256", "--common-name", "dev-1", "--identity", "dev-1"];
    let certificate = id(&run(&[&issue[..], &files].concat(), ""));
    let anchor = id(&run(&["ca", "anchor", "add", &foreign_authority(house, name)], ""));
    Tenant { name, rest, ids: Ids { identity, credential, token: id(&made), position, endpoint, certificate, anchor } }
}

/// An authority that OpenSSL makes; the file of its certificate.
fn foreign_authority(house: &House, name: &str) -> String {
    let (key, file, subject) = (format!("{name}-ca.key"), format!("{name}-ca.pem"), format!("/CN=Foreign of {name}"));
    let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30"];
    let extensions = ["-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
    let names = ["-keyout", &key, "-out", &file, "-subj", &subject];
    let output = Command::new("openssl").args(new).args(extensions).args(names).current_dir(house.path()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    file
}

/// Ids of the same form that nobody has.
fn of_nobody(like: &Ids) -> Ids {
    let zeros =
        |id: &str| id.split_once('_').map_or_else(|| "0".repeat(20), |(prefix, rest)| format!("{prefix}_{}", "0".repeat(rest.len())));
    Ids {
        identity: zeros(&like.identity),
        credential: zeros(&like.credential),
        token: zeros(&like.token),
        position: "999999".to_owned(),
        endpoint: "ep-of-nobody".to_owned(),
        certificate: zeros(&like.certificate),
        anchor: zeros(&like.anchor),
    }
}

fn contents(house: &House, tenant: &str) -> Vec<Value> {
    let rest = house.rest();
    let lists = ["identities", "credentials", "api-tokens", "audit", "certificates", "anchors"];
    let mut all: Vec<Value> = lists.iter().map(|list| rest.get(&format!("/api/v1/tenants/{tenant}/{list}?limit=1000")).json()).collect();
    // The use of a token is upkeep, and allowed to show.
    for item in all[2]["items"].as_array_mut().unwrap() {
        item.as_object_mut().unwrap().insert("last_used_at".to_owned(), json!(null));
    }
    // So is what the house does by itself, such as publishing a list.
    if let Some(items) = all[3]["items"].as_array_mut() {
        items.retain(|item| !item["actor"].as_str().is_some_and(|actor| actor.starts_with("system:")));
    }
    all
}
