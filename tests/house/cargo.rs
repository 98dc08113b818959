//! What does cargo say of the workspace and everything below it?

use crate::look::root;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Of this machine's platform, without the network.
pub(crate) fn metadata() -> Value {
    let platform = output(Command::new("rustc").arg("-vV"));
    let platform =
        platform.lines().find_map(|line| line.strip_prefix("host: ")).expect("rustc names its host").to_owned();
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.args(["metadata", "--offline", "--format-version", "1", "--filter-platform", &platform]);
    serde_json::from_str(&output(cargo.current_dir(root()))).expect("cargo writes JSON")
}

pub(crate) fn output(command: &mut Command) -> String {
    let output = command.output().expect("the tool starts");
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("the tool writes UTF-8")
}

pub(crate) fn members(metadata: &Value) -> BTreeSet<&str> {
    array(&metadata["packages"]).iter().filter(|one| one["source"].is_null()).map(|one| text(&one["name"])).collect()
}

/// Every kind: a test that knows another room ties the rooms together too.
pub(crate) fn dependencies<'a>(metadata: &'a Value, name: &str) -> BTreeSet<&'a str> {
    let packages = array(&metadata["packages"]);
    let package = packages.iter().find(|one| one["source"].is_null() && one["name"] == name).expect("a crate of ours");
    array(&package["dependencies"]).iter().map(|one| text(&one["name"])).collect()
}

/// All crates that are linked into `name`.
pub(crate) fn everything_below<'a>(metadata: &'a Value, name: &str) -> BTreeSet<&'a str> {
    let names: BTreeMap<&str, &str> =
        array(&metadata["packages"]).iter().map(|one| (text(&one["id"]), text(&one["name"]))).collect();
    let nodes: BTreeMap<&str, &Value> =
        array(&metadata["resolve"]["nodes"]).iter().map(|node| (text(&node["id"]), node)).collect();
    let mut open: Vec<&str> = names.iter().filter(|(_, other)| **other == name).map(|(id, _)| *id).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = open.pop() {
        if seen.insert(id) {
            let linked = |edge: &&Value| array(&edge["dep_kinds"]).iter().any(|kind| kind["kind"].is_null());
            open.extend(array(&nodes[id]["deps"]).iter().filter(linked).map(|edge| text(&edge["pkg"])));
        }
    }
    seen.into_iter().map(|id| names[id]).collect()
}

pub(crate) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}
