//! What can be asked, in a form that machines read? OpenAPI 3.1, built from one table of operations; a test walks the
//! table against the router.

mod operations;
mod schemas;

use super::ask;
use super::auth::{Scope, Visitor};
use super::error::Result;
use axum::response::Response;
use http::StatusCode;
use operations::{Answer, Body, Operation, Parameter, operations};
use serde_json::{Map, Value, json};

/// `GET /openapi.json`
pub async fn document(_: Visitor) -> Result<Response> {
    ask::json(StatusCode::OK, &description())
}

/// The whole document.
pub fn description() -> Value {
    let mut paths = Map::new();
    for one in operations() {
        let path = paths.entry(one.path).or_insert_with(|| json!({}));
        path[one.method] = operation(&one);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "leadgate desk",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Leads, the clean stream and what keeps it clean. Events are CloudEvents 1.0; they come at \
                            least once, in order per lead, and a repeated id is the same event.",
            "license": { "name": "MIT OR Apache-2.0", "identifier": "MIT OR Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "token": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "token": {
                "type": "http",
                "scheme": "bearer",
                "description": "A token of `[[desk.tokens]]` with the scopes `read`, `feedback` or `manage` (which \
                                covers all). Where no tokens are configured, requests from the same machine need none.",
            } },
            "schemas": schemas::all(),
        },
    })
}

fn operation(one: &Operation) -> Value {
    let in_path = one.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let mut parameters: Vec<Value> = in_path.map(path_parameter).collect();
    parameters.extend(one.parameters.iter().map(parameter));
    let mut described = json!({
        "operationId": one.id,
        "summary": one.summary,
        "tags": [one.tag],
        "parameters": parameters,
        "responses": responses(one),
    });
    match one.scope {
        Some(scope) => described["description"] = format!("Needs the scope `{}`.", word(scope)).into(),
        None => described["security"] = json!([]),
    }
    if let Some(body) = &one.body {
        described["requestBody"] = request_body(body);
    }
    described
}

const fn word(scope: Scope) -> &'static str {
    match scope {
        Scope::Read => "read",
        Scope::Feedback => "feedback",
        Scope::Manage => "manage",
    }
}

fn path_parameter(name: &str) -> Value {
    let described = match name {
        "w" => "The workspace's id.",
        "c" => "The channel's id.",
        "name" => "The consumer's name.",
        "uid" => "The entry's id.",
        _ => "The id.",
    };
    json!({ "name": name, "in": "path", "required": true, "description": described, "schema": { "type": "string" } })
}

fn parameter(one: &Parameter) -> Value {
    let (place, name) = one.name.strip_prefix("header:").map_or(("query", one.name), |name| ("header", name));
    json!({
        "name": name,
        "in": place,
        "required": one.required,
        "description": one.description,
        "schema": one.schema,
    })
}

fn request_body(body: &Body) -> Value {
    json!({ "required": true, "content": { "application/json": { "schema": reference(body.0) } } })
}

fn reference(schema: &str) -> Value {
    json!({ "$ref": format!("#/components/schemas/{schema}") })
}

fn responses(one: &Operation) -> Value {
    let mut responses = Map::new();
    let (status, described) = match one.answer {
        Answer::Json(status, schema) => (status, json!({ "application/json": { "schema": reference(schema) } })),
        Answer::Text(kind) => (200, json!({ kind: { "schema": { "type": "string" } } })),
        Answer::Events => (
            200,
            json!({
                "application/json": { "schema": reference("Events") },
                "text/event-stream": { "schema": {
                    "type": "string",
                    "description": "`id:` is the cursor, `event:` the type, `data:` the CloudEvent.",
                } },
            }),
        ),
    };
    responses.insert(status.to_string(), json!({ "description": "Done as asked.", "content": described }));
    if let Answer::Json(_, "Health") = one.answer {
        let body = json!({ "application/json": { "schema": reference("Health") } });
        responses.insert("503".to_owned(), json!({ "description": "Not ready.", "content": body }));
    }
    for (status, described) in refusals(one) {
        responses.entry(status.to_string()).or_insert_with(|| problem(described));
    }
    Value::Object(responses)
}

/// Which refusals an operation can give follows from what it takes.
fn refusals(one: &Operation) -> Vec<(u16, &'static str)> {
    let mut all = Vec::new();
    if one.local {
        all.extend([(403, "Not allowed for this caller."), (421, "This host is not served here.")]);
    }
    if one.scope.is_some() {
        all.extend([(401, "A valid token is needed."), (422, "It does not make sense; the detail says why.")]);
        all.extend([(500, "It failed on our side."), (503, "Come back after `Retry-After` seconds.")]);
    }
    if one.path.contains('{') {
        all.push((404, "Nothing of this name that the caller may see."));
    }
    if one.body.is_some() {
        all.extend([(400, "The body is not JSON."), (408, "The body did not arrive in time.")]);
        all.extend([(413, "The body is too large."), (415, "The body is not plain `application/json`.")]);
    }
    if one.conflict {
        all.push((409, "It cannot be done as things stand; the detail says why."));
    }
    all
}

fn problem(described: &str) -> Value {
    json!({ "description": described, "content": { "application/problem+json": { "schema": reference("Problem") } } })
}
