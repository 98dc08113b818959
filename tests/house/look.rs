//! Which files are there, and what do they say?

use std::path::{Path, PathBuf};

/// Where the product's code lies.
pub(crate) const PRODUCT: [&str; 5] = ["src", "lead/src", "ledger/src", "gateway/src", "workers/src"];

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `file:line: word` for every line of code in `folders` that holds one of `words`.
pub(crate) fn mentions(folders: &[&str], words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for path in rust_files(folders) {
        for (number, line) in read(&path).lines().enumerate() {
            let hit = words.iter().filter(|word| line.contains(**word));
            found.extend(hit.map(|word| format!("{}:{}: {word}", shown(&path), number + 1)));
        }
    }
    found
}

pub(crate) fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for folder in folders {
        walk(&root().join(folder), &mut files);
    }
    files.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    assert!(!files.is_empty(), "there are files in {folders:?}");
    files
}

/// Everything that could be committed.
pub(crate) fn repository_files() -> Vec<PathBuf> {
    let mut files = Vec::new();
    walk(root(), &mut files);
    files
}

pub(crate) fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    const NOT_OURS: [&str; 7] = [".git", "target", "data", ".tools", "node_modules", "__pycache__", ".pytest_cache"];
    let mut entries: Vec<_> =
        std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    entries.sort();
    for path in entries {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or("");
        if NOT_OURS.contains(&name) {
            continue;
        }
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

pub(crate) fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", shown(path)))
}

pub(crate) fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
