//! The OpenAPI 3.1 document of a route table: what is served and what is described come from one place.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use signet_model::{CorrelationId, Reason, kinds};
use utoipa::{PartialSchema as _, ToSchema as _};

use crate::route::SchemaUse;
use crate::{
    CORRELATION_ID_HEADER, DEFAULT_LIMIT, Guard, IDEMPOTENCY_KEY_HEADER, MAX_LIMIT, PROBLEM_MEDIA_TYPE, ProblemBody, RouteEntry,
    RouteTable, TENANT_HEADER, TENANT_PARAMETER, TRACE_ID_HEADER, kaa, reasons,
};

/// Name of the one security scheme.
const BEARER: &str = "bearer";

/// What the document says about itself.
#[derive(Clone, Copy, Debug)]
pub struct ApiInfo {
    /// Title.
    pub title: &'static str,
    /// Version of the API.
    pub version: &'static str,
    /// A few sentences.
    pub description: &'static str,
}

impl RouteTable {
    /// The document, the same bytes for the same table.
    pub fn openapi(&self, info: ApiInfo) -> Value {
        let mut components = Components::default();
        components.add(&ProblemBody::name(), &json_of(&ProblemBody::schema()));
        let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
        for entry in self.entries() {
            let operation = operation(entry, &mut components);
            paths.entry(entry.path).or_default().insert(entry.method.as_str().to_ascii_lowercase(), operation);
        }
        let schemas = components.settled(&mut paths);
        json!({
            "openapi": "3.1.0",
            "info": { "title": info.title, "version": info.version, "description": info.description,
                      "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" } },
            "servers": [{ "url": "/" }],
            "security": [{ BEARER: [] }],
            "tags": tags(self),
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": { BEARER: { "type": "http", "scheme": "bearer" } },
            },
        })
    }
}

#[derive(Default)]
struct Components(BTreeMap<String, Value>);

impl Components {
    fn add(&mut self, name: &str, schema: &Value) {
        self.0.entry(name.to_owned()).or_insert_with(|| schema.clone());
    }

    /// The schemas under names that stay apart in every language: where a schema is another one under a better name, as a
    /// newtype around a generic type is, only the better name is left. Generators drop `_` and then see one name twice.
    fn settled(self, paths: &mut BTreeMap<&str, Map<String, Value>>) -> BTreeMap<String, Value> {
        let prefix = "#/components/schemas/";
        let target = |schema: &Value| schema["$ref"].as_str().and_then(|to| to.strip_prefix(prefix)).map(str::to_owned);
        let aliases: BTreeMap<String, String> = self.0.iter().filter_map(|(name, schema)| Some((target(schema)?, name.clone()))).collect();
        let mut settled = BTreeMap::new();
        for (name, mut schema) in self.0 {
            if target(&schema).is_some() {
                continue;
            }
            rename(&mut schema, prefix, &aliases);
            settled.insert(aliases.get(&name).cloned().unwrap_or(name), schema);
        }
        paths.values_mut().flat_map(|operations| operations.values_mut()).for_each(|operation| rename(operation, prefix, &aliases));
        settled
    }

    /// Takes a schema with those that it refers to, and answers the reference to it.
    fn take(&mut self, schema: &SchemaUse) -> Value {
        for (name, other) in &schema.others {
            self.add(name, &json_of(other));
        }
        self.add(&schema.name, &json_of(&schema.own));
        json!({ "$ref": format!("#/components/schemas/{}", schema.name) })
    }
}

/// Points every reference below `value` to the name that is left.
fn rename(value: &mut Value, prefix: &str, names: &BTreeMap<String, String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let better = member.as_str().and_then(|to| names.get(to.strip_prefix(prefix)?));
                match better {
                    Some(better) if name == "$ref" => *member = json!(format!("{prefix}{better}")),
                    _ => rename(member, prefix, names),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| rename(item, prefix, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Schemas are plain data, so turning them into JSON cannot fail; were it to, the document's test would show a null.
fn json_of<T: serde::Serialize>(schema: &T) -> Value {
    serde_json::to_value(schema).unwrap_or(Value::Null)
}

fn operation(entry: &RouteEntry, components: &mut Components) -> Value {
    let mut operation = Map::new();
    operation.insert("operationId".to_owned(), json!(entry.operation_id));
    operation.insert("summary".to_owned(), json!(entry.summary));
    operation.insert("description".to_owned(), json!(guard_in_words(entry.guard)));
    operation.insert("tags".to_owned(), json!([tag(entry)]));
    operation.insert("parameters".to_owned(), Value::Array(parameters(entry)));
    if let Some((body, required)) = &entry.body {
        let content = json!({ "application/json": { "schema": components.take(body) } });
        operation.insert("requestBody".to_owned(), json!({ "required": required, "content": content }));
    }
    operation.insert("responses".to_owned(), responses(entry, components));
    if entry.is_kaa() {
        let prefixes = std::iter::once("/").chain(kaa::PREFIXES);
        operation.insert("servers".to_owned(), prefixes.map(|prefix| json!({ "url": prefix })).collect());
    }
    if entry.guard == Guard::Public {
        operation.insert("security".to_owned(), json!([]));
    }
    Value::Object(operation)
}

fn guard_in_words(guard: Guard) -> String {
    match guard {
        Guard::Public => "Needs no token.".to_owned(),
        Guard::Platform => "Needs the operator token.".to_owned(),
        Guard::Tenant(role) => format!("Needs role `{role}` in the tenant, or the operator token."),
        Guard::AnyCaller => "Needs any valid token.".to_owned(),
        Guard::Kaa(right) => format!(
            "Needs the scope `{}` from the tenant's issuer, or role `{}`; the operator token names the tenant in the header `Signet-Tenant`.",
            right.scope, right.role
        ),
    }
}

/// The noun that the path is about: the first plain segment after the tenant, else the last plain one; of Kaa's the first.
fn tag(entry: &RouteEntry) -> &'static str {
    let plain = |segment: &&str| !segment.is_empty() && !segment.starts_with('{');
    let under = |prefix| entry.path.split_once(prefix).and_then(|(_, rest): (_, &'static str)| rest.split('/').find(plain));
    if entry.is_kaa() {
        return under("/api/v1/").unwrap_or("kaa");
    }
    under("/{tenant}/").or_else(|| entry.path.split('/').rfind(plain)).unwrap_or("root")
}

fn tags(table: &RouteTable) -> Vec<Value> {
    let names: BTreeSet<&str> = table.entries().map(tag).collect();
    names.into_iter().map(|name| json!({ "name": name })).collect()
}

fn parameters(entry: &RouteEntry) -> Vec<Value> {
    let path = entry.path_parameters().map(|name| {
        let description = if name == TENANT_PARAMETER { "Name of the tenant" } else { "Which one" };
        json!({ "name": name, "in": "path", "required": true, "description": description, "schema": { "type": "string" } })
    });
    let mut parameters: Vec<Value> = path.collect();
    if entry.paged {
        let limit = json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT });
        parameters.push(json!({ "name": "limit", "in": "query", "description": "Most items of the page", "schema": limit }));
        let after = "`next` of the previous page";
        parameters.push(json!({ "name": "after", "in": "query", "description": after, "schema": { "type": "string" } }));
    }
    if let Some(query) = &entry.query {
        parameters.extend(query_parameters(&json_of(&query.own)));
    }
    if entry.is_kaa() {
        let name = json!({ "type": "string", "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$" });
        let which = "The tenant, named by callers that stand above the tenants; others are in their own";
        parameters.push(json!({ "name": TENANT_HEADER, "in": "header", "description": which, "schema": name }));
        let id = json!({ "type": "string", "maxLength": CorrelationId::LONGEST });
        let known = "What the call is known by in the services that it reaches; made when absent";
        parameters.push(json!({ "name": CORRELATION_ID_HEADER, "in": "header", "description": known, "schema": id }));
    }
    if entry.conditional {
        let seen = "The `ETag` of what the caller has seen; in another version nothing is changed and the answer is 412";
        parameters.push(json!({ "name": "if-match", "in": "header", "description": seen, "schema": { "type": "string" } }));
    }
    if entry.idempotent {
        parameters.push(json!({
            "name": IDEMPOTENCY_KEY_HEADER, "in": "header",
            "description": "The same key and body within 24 hours get the same answer, and nothing is made twice",
            "schema": { "type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$" },
        }));
    }
    parameters
}

/// The members of a query's struct, each as a parameter. An absent parameter is no null, so null is no type of it.
fn query_parameters(schema: &Value) -> Vec<Value> {
    let required: BTreeSet<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let members = schema["properties"].as_object().into_iter().flatten();
    let parameter = |(name, member): (&String, &Value)| {
        let mut schema = without_null(member);
        let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
        let mut parameter = json!({ "name": name, "in": "query", "required": required.contains(name.as_str()), "schema": schema });
        if let (Some(description), Some(parameter)) = (description, parameter.as_object_mut()) {
            parameter.insert("description".to_owned(), description);
        }
        parameter
    };
    members.map(parameter).collect()
}

fn without_null(schema: &Value) -> Value {
    let mut schema = schema.clone();
    let Some(members) = schema.as_object_mut() else { return schema };
    if let Some(Value::Array(types)) = members.get_mut("type") {
        types.retain(|kind| kind != "null");
        if let [only] = types.as_slice() {
            let only = only.clone();
            members.insert("type".to_owned(), only);
        }
    }
    schema
}

fn responses(entry: &RouteEntry, components: &mut Components) -> Value {
    let mut responses = Map::new();
    let mut told = json!({ TRACE_ID_HEADER: { "description": "Finds this request in the logs", "schema": { "type": "string" } } });
    if let (true, Some(told)) = (entry.is_kaa(), told.as_object_mut()) {
        let known = json!({ "description": "What the call is known by", "schema": { "type": "string" } });
        told.insert(CORRELATION_ID_HEADER.to_owned(), known);
    }
    for (status, schema) in &entry.answers {
        let mut response = json!({ "description": phrase(*status), "headers": told });
        if let (Some(schema), Some(response)) = (schema, response.as_object_mut()) {
            response.insert("content".to_owned(), json!({ "application/json": { "schema": components.take(schema) } }));
        }
        responses.insert(status.to_string(), response);
    }
    let mut by_status: BTreeMap<u16, BTreeSet<&str>> = BTreeMap::new();
    for reason in entry.reasons.iter().copied().chain(surface_reasons(entry)) {
        let status = if entry.is_kaa() { kaa::status(reason.status) } else { reason.status };
        by_status.entry(status).or_default().insert(reason.code);
    }
    let (media_type, body) = if entry.is_kaa() {
        components.add(&kaa::ErrorBody::name(), &json_of(&kaa::ErrorBody::schema()));
        ("application/json", kaa::ErrorBody::name())
    } else {
        (PROBLEM_MEDIA_TYPE, ProblemBody::name())
    };
    let problem = format!("#/components/schemas/{body}");
    for (status, codes) in by_status {
        let codes: Vec<String> = codes.into_iter().map(|code| format!("`{code}`")).collect();
        let content = json!({ media_type: { "schema": { "$ref": problem } } });
        let description = format!("{}: {}", phrase(status), codes.join(", "));
        responses.insert(status.to_string(), json!({ "description": description, "headers": told, "content": content }));
    }
    Value::Object(responses)
}

fn phrase(status: u16) -> &'static str {
    http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Answer")
}

/// What guard, body, query and server may answer on this route, whatever its handler does.
fn surface_reasons(entry: &RouteEntry) -> impl Iterator<Item = &'static Reason> {
    let mut found: Vec<&'static Reason> = vec![
        &kinds::INTERNAL,
        &reasons::REQUEST_DEADLINE,
        &reasons::STARTING,
        &reasons::HEADERS_TOO_LARGE,
        &reasons::REQUEST_HOST,
        &reasons::ROUTE_METHOD_NOT_ALLOWED,
    ];
    if entry.guard != Guard::Public {
        found.extend([&reasons::AUTH_MISSING, &reasons::AUTH_INVALID, &reasons::AUTH_EXPIRED, &reasons::AUTH_ROLE_MISSING]);
        found.extend([&kinds::STANDING_STALE, &kinds::STORAGE_UNAVAILABLE]);
    }
    if entry.scope() == "tenant" {
        found.push(&reasons::TENANT_NOT_FOUND);
    }
    if entry.is_kaa() {
        found.extend([&reasons::AUTH_SCOPE_MISSING, &reasons::TENANT_UNNAMED, &kinds::INPUT_INVALID]);
    }
    if entry.body.is_some() {
        found.extend([&reasons::BODY_TOO_LARGE, &reasons::BODY_MEDIA_TYPE, &reasons::BODY_MALFORMED, &reasons::BODY_TOO_SLOW]);
    }
    if entry.body.is_some() || entry.query.is_some() || entry.path_parameters().next().is_some() {
        found.extend([&kinds::INPUT_INVALID, &reasons::INPUT_NUL]);
    }
    if entry.body.is_some() || entry.query.is_some() {
        found.push(&reasons::INPUT_UNKNOWN_MEMBER);
    }
    if entry.paged {
        found.push(&reasons::PAGE_CURSOR_INVALID);
    }
    if entry.idempotent {
        found.push(&reasons::IDEMPOTENCY_KEY_INVALID);
    }
    found.into_iter()
}
