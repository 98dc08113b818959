//! What may come into the dependency tree? What deny.toml says, held without its tool.

use crate::cargo::{array, metadata, text};
use crate::look::{read, root};

#[test]
fn every_crate_comes_from_the_registry_under_a_licence_we_allow() {
    let (metadata, deny) = (metadata(), deny());
    let banned = banned(&deny);
    let licences = strings(&deny["licenses"]["allow"]);
    for package in array(&metadata["packages"]).iter().filter(|package| !package["source"].is_null()) {
        let (name, licence) = (text(&package["name"]), package["license"].as_str().unwrap_or(""));
        assert!(text(&package["source"]).contains("crates.io-index"), "{name} does not come from crates.io");
        assert!(!banned.contains(&name), "{name} is banned by deny.toml");
        assert!(is_allowed(licence, &licences), "{name} has the licence {licence:?}, deny.toml does not allow it");
    }
}

#[test]
fn licence_expressions_are_read_as_they_are_written() {
    let allowed = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].map(str::to_owned);
    let cases = [
        ("MIT", true),
        ("", false),
        ("GPL-3.0-only", false),
        ("GPL-3.0-only OR MIT", true),
        ("Apache-2.0/MIT", true),
        ("MIT AND GPL-3.0-only", false),
        ("MIT AND ISC", true),
        ("(GPL-3.0-only OR MIT) AND ISC", true),
        ("GPL-3.0-only OR MIT AND ISC", true),
        ("(MIT OR ISC) AND GPL-3.0-only", false),
        ("Apache-2.0 WITH LLVM-exception", true),
        ("Apache-2.0", false),
    ];
    for (licence, fine) in cases {
        assert_eq!(is_allowed(licence, &allowed), fine, "{licence}");
    }
}

fn deny() -> toml::Table {
    read(&root().join("deny.toml")).parse().expect("deny.toml is TOML")
}

fn banned(deny: &toml::Table) -> Vec<&str> {
    let rows = deny["bans"]["deny"].as_array().expect("a list of bans");
    rows.iter().map(|row| row["crate"].as_str().expect("a ban names a crate")).collect()
}

fn strings(list: &toml::Value) -> Vec<String> {
    list.as_array().expect("a list").iter().map(|one| one.as_str().expect("a text").to_owned()).collect()
}

/// An SPDX expression, also in the old form with a slash: `OR` needs one side, `AND` both.
fn is_allowed(licence: &str, allowed: &[String]) -> bool {
    let spaced = licence.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let (fine, rest) = any_of(&words, allowed);
    fine && rest.is_empty()
}

fn any_of<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut fine, mut rest) = all_of(words, allowed);
    while let ["OR", tail @ ..] = rest {
        let (next, after) = all_of(tail, allowed);
        (fine, rest) = (fine | next, after);
    }
    (fine, rest)
}

fn all_of<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    let (mut fine, mut rest) = one_of(words, allowed);
    while let ["AND", tail @ ..] = rest {
        let (next, after) = one_of(tail, allowed);
        (fine, rest) = (fine & next, after);
    }
    (fine, rest)
}

fn one_of<'a>(words: &'a [&'a str], allowed: &[String]) -> (bool, &'a [&'a str]) {
    match words {
        ["(", inner @ ..] => {
            let (fine, rest) = any_of(inner, allowed);
            (fine, rest.strip_prefix(&[")"]).unwrap_or(rest))
        }
        [id, "WITH", exception, rest @ ..] => (allowed.contains(&format!("{id} WITH {exception}")), rest),
        [id, rest @ ..] => (allowed.iter().any(|one| one == id), rest),
        [] => (false, &[]),
    }
}
