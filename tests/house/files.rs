//! What does every file look like?

use crate::look::{PRODUCT, mentions, read, repository_files, rust_files, shown};

/// More lines than this answer more than one question.
const MOST_LINES: usize = 500;

#[test]
fn no_file_of_the_product_is_too_long() {
    let long: Vec<String> = rust_files(&PRODUCT)
        .iter()
        .map(|path| (path, read(path).lines().count()))
        .filter(|(_, lines)| *lines > MOST_LINES)
        .map(|(path, lines)| format!("{}: {lines} lines", shown(path)))
        .collect();
    assert_eq!(long, Vec::<String>::new());
}

#[test]
fn every_file_says_first_which_question_it_answers() {
    let silent: Vec<String> = rust_files(&["src", "lead", "ledger", "gateway", "workers", "tests"])
        .iter()
        .filter(|path| !read(path).starts_with("//! "))
        .map(|path| shown(path))
        .collect();
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn what_may_not_stay_is_nowhere() {
    // In pieces, or this file would find itself.
    let unfinished =
        [concat!("todo", "!("), concat!("unimplemented", "!("), concat!("#[", "allow("), concat!("#![", "allow(")];
    assert_eq!(mentions(&PRODUCT, &unfinished), Vec::<String>::new());
    let everywhere = ["src", "lead", "ledger", "gateway", "workers", "tests"];
    assert_eq!(mentions(&everywhere, &[concat!("#[", "ignore")]), Vec::<String>::new());
}

#[test]
fn no_file_names_a_folder_of_somebodys_machine() {
    let homes = [concat!("/ho", "me/"), concat!("/Us", "ers/"), concat!("/ro", "ot/"), concat!("/wo", "rk/")];
    let mut found = Vec::new();
    for path in repository_files() {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        for (number, line) in text.lines().enumerate() {
            if homes.iter().any(|home| line.match_indices(home).any(|(at, _)| starts_a_path(&line[..at]))) {
                found.push(format!("{}:{}", shown(&path), number + 1));
            }
        }
    }
    assert_eq!(found, Vec::<String>::new());
}

/// A path begins where nothing of a path or an address stands before it.
fn starts_a_path(before: &str) -> bool {
    before.chars().next_back().is_none_or(|last| !last.is_alphanumeric() && !"._-~/*}>".contains(last))
}
