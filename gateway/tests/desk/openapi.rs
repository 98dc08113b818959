//! Does the description say what the desk does?

use crate::house::{House, request};
use axum::body::Body;
use gateway::desk::openapi::description;
use serde_json::Value;
use std::collections::BTreeSet;

const METHODS: [&str; 5] = ["get", "post", "put", "delete", "patch"];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((path.clone(), method.clone(), operation.clone()));
        }
    }
    all
}

/// Every `$ref` of a document.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str));
            fields.values().for_each(|field| references(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test]
async fn the_served_document_is_the_description() {
    let served = House::open().get("/openapi.json").await.json();
    assert_eq!(served, description());
    assert_eq!(served["openapi"], "3.1.0");
}

#[test]
fn every_reference_points_to_a_schema_and_every_schema_is_used() {
    let document = description();
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    let known: BTreeSet<String> = document["components"]["schemas"]
        .as_object()
        .unwrap()
        .keys()
        .map(|name| format!("#/components/schemas/{name}"))
        .collect();
    assert_eq!(used, known.iter().map(String::as_str).collect());
}

#[test]
fn operation_ids_are_unique() {
    let document = description();
    let operations = operations(&document);
    let ids: BTreeSet<&str> = operations.iter().map(|(_, _, one)| one["operationId"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), operations.len());
}

#[tokio::test]
async fn the_router_takes_exactly_the_methods_that_are_described() {
    let house = House::open();
    let document = description();
    for (path, methods) in document["paths"].as_object().unwrap() {
        let asked = path.replace("{w}", "demo").replace(['{', '}'], "");
        for method in METHODS {
            // A wait or a stream is not asked for, and a parameter that nobody knows changes nothing.
            let asked = request(method.to_uppercase().parse().unwrap(), &asked, &[], Body::empty());
            let status = house.send(asked).await.status.as_u16();
            assert_eq!(status != 405, methods.get(method).is_some(), "{method} {path}: {status}");
        }
    }
}

#[tokio::test]
async fn every_status_that_is_heard_is_described() {
    let house = House::open();
    house.lead("Ann").await;
    for (path, method, operation) in operations(&description()) {
        let asked = path.replace("{w}", "demo").replace(['{', '}'], "");
        for (lines, body) in [
            (&[][..], ""),
            (&[("content-type", "application/json")], "{}"),
            (&[("content-type", "application/json")], "x"),
        ] {
            let asked = request(
                method.to_uppercase().parse().unwrap(),
                &format!("{asked}?elephant=1"),
                lines,
                Body::from(body),
            );
            let status = house.send(asked).await.status.as_u16().to_string();
            assert!(operation["responses"].get(&status).is_some(), "{method} {path}: {status}");
        }
    }
}

/// The keys a schema requires are exactly those of a real answer.
fn same_keys(schema: &str, value: &Value) {
    let document = description();
    let mut required: Vec<&str> = document["components"]["schemas"][schema]["required"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key.as_str().unwrap())
        .collect();
    let mut found: Vec<&str> = value.as_object().unwrap().keys().map(String::as_str).collect();
    required.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, required, "{schema}");
}

#[tokio::test]
async fn answers_have_the_keys_that_are_described() {
    let house = House::open();
    let id = house.lead("Ann").await;
    let ask = async |path: &str| house.get(&format!("/v1/workspaces/demo/{path}")).await.json();
    let leads = ask("leads").await;
    same_keys("Leads", &leads);
    same_keys("Lead", &leads["leads"][0]);
    same_keys("Contact", &leads["leads"][0]["contact"]);
    same_keys("OneLead", &ask(&format!("leads/{id}")).await);
    same_keys("Why", &ask(&format!("leads/{id}/why")).await);
    let events = ask("events").await;
    same_keys("Events", &events);
    same_keys("Event", &events["events"][0]);
    same_keys("Channels", &ask("channels").await);
    same_keys("Books", &ask("books").await);
    let exclusions = ask("exclusions").await;
    same_keys("Exclusions", &exclusions);
    same_keys("Exclusion", &exclusions["exclusions"][0]);
    same_keys("AsideList", &ask("dead").await);
    same_keys("Health", &house.get("/ready").await.json());
    same_keys("Workspaces", &house.get("/v1/workspaces").await.json());
}
