//! What does a target begin with? What people wrote down, and what was found since.

use crate::http;
use crate::recorded::{document, names, raw};
use crate::source::{DOCUMENT, entries_and_records};
use gateway::sources::{SOURCES, Source, source};
use std::path::{Path, PathBuf};

/// Names and bytes: recorded requests of a source or what they become, `seeds/<target>/` and `corpus/<target>/`.
pub fn seeds(target: &str) -> Vec<(String, Vec<u8>)> {
    let recorded = match source(target) {
        Some(source) => recorded_requests(source.name),
        None if target == "stored" => SOURCES.iter().flat_map(|source| recorded_rows(source)).collect(),
        None if target == "http_talk" => http::SOURCES.iter().flat_map(|source| on_the_wire(source)).collect(),
        None => Vec::new(),
    };
    let kept = ["seeds", "corpus"].into_iter().flat_map(|kind| files(kind, target));
    recorded.into_iter().chain(kept).collect()
}

fn recorded_requests(source: &'static str) -> Vec<(String, Vec<u8>)> {
    let request = |name: String| {
        let mut bytes = raw(source, &name);
        if let Some(document) = document(source, &name) {
            bytes.extend_from_slice(DOCUMENT);
            bytes.extend_from_slice(&document);
        }
        (name, bytes)
    };
    names(source).into_iter().map(request).collect()
}

fn recorded_rows(source: &'static Source) -> Vec<(String, Vec<u8>)> {
    entries_and_records(source).into_iter().map(|bytes| (source.name.to_owned(), bytes)).collect()
}

fn on_the_wire(source: &str) -> Vec<(String, Vec<u8>)> {
    let request = |name: String| http::on_the_wire(source, &raw(source, &name)).map(|bytes| (name, bytes));
    names(source).into_iter().filter_map(request).collect()
}

/// Everything in a folder, in the order of the names.
fn inside(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut files: Vec<_> = entries.filter_map(|entry| entry.ok().map(|entry| entry.path())).collect();
    files.sort();
    files
}

fn files(kind: &str, target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
    let one = |file: PathBuf| {
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (format!("{kind}/{name}"), std::fs::read(file).unwrap_or_default())
    };
    inside(&folder).into_iter().map(one).collect()
}
