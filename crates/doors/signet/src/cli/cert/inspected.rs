//! A file of any kind, explained: what `pki` found, as indented lines for people.

use serde_json::Value;
use signet_model::{Refusal, log_text};
use signet_pki::{Inspection, inspect};

use super::lint::refusal;

/// Longest text of one line.
const LONGEST_LINE: usize = 300;

/// Explains the content of a file.
pub(super) fn explain(bytes: &[u8]) -> Result<Inspection, Refusal> {
    inspect(bytes).map_err(refusal)
}

/// For people: a line per fact, deeper facts indented.
pub(super) fn text(inspection: &Inspection) -> String {
    let mut out = String::new();
    // What is shown serialises: it is made for that.
    let objects = serde_json::to_value(&inspection.objects).unwrap_or(Value::Null);
    for (n, object) in objects.as_array().into_iter().flatten().enumerate() {
        let kind = object.get("kind").and_then(Value::as_str).unwrap_or("object").replace('-', " ");
        out.push_str(&format!("{}. {kind}\n", n.saturating_add(1)));
        members(&mut out, object, 1);
    }
    out
}

fn members(out: &mut String, value: &Value, depth: usize) {
    let Value::Object(members) = value else { return };
    for (name, value) in members.iter().filter(|(name, _)| depth > 1 || name.as_str() != "kind") {
        member(out, &name.replace('_', " "), value, depth);
    }
}

fn member(out: &mut String, name: &str, value: &Value, depth: usize) {
    let indent = "   ".repeat(depth);
    match value {
        Value::Null => {}
        Value::Array(items) if items.is_empty() => {}
        Value::Array(items) => {
            out.push_str(&format!("{indent}{name}:\n"));
            for item in items {
                match item {
                    Value::Object(_) => {
                        out.push_str(&format!("{indent}   -\n"));
                        members(out, item, depth.saturating_add(2));
                    }
                    plain => out.push_str(&format!("{indent}   {}\n", shown(plain))),
                }
            }
        }
        Value::Object(_) => {
            out.push_str(&format!("{indent}{name}:\n"));
            members(out, value, depth.saturating_add(1));
        }
        plain => out.push_str(&format!("{indent}{name}: {}\n", shown(plain))),
    }
}

fn shown(value: &Value) -> String {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    log_text(&text, LONGEST_LINE)
}
