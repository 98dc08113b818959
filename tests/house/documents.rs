//! Is what the documents name there, and does what they tell to run run?

use crate::look::{read, root};
use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

#[test]
fn what_the_documents_name_is_there() {
    let documents = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "docs/LOGGING.md",
        "docs/landing-pages.md",
        "docs/providers.md",
        "docs/mail.md",
        "docs/reading-the-stream.md",
        "docs/breaking-it.md",
        "docs/fuzzing.md",
        "deploy/README.md",
    ];
    let mut missing = Vec::new();
    for document in documents {
        let text = read(&root().join(document));
        for name in links(&text).chain(quoted_paths(&text)) {
            let beside = root().join(document).parent().expect("a file lies in a folder").join(&name);
            if !beside.exists() && !root().join(&name).exists() {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn scripts_that_the_readme_tells_to_run_can_be_run() {
    let readme = read(&root().join("README.md"));
    let scripts: BTreeSet<&str> = shell_lines(&readme)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|word| word.contains('/'))
        .collect();
    assert!(scripts.contains("tests/run"));
    for script in scripts {
        let mode =
            std::fs::metadata(root().join(script)).unwrap_or_else(|_| panic!("{script} is missing")).permissions();
        assert!(mode.mode() & 0o111 != 0, "{script} cannot be run");
    }
}

#[test]
fn commands_of_the_readme_exist() {
    let readme = read(&root().join("README.md"));
    let commands = commands(&readme);
    assert!(commands.len() > 10, "the README has a table of commands");
    for command in commands {
        let output = Command::new(env!("CARGO_BIN_EXE_leadgate")).args(&command).arg("--help").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && said.contains("Usage"), "leadgate {command:?} is not a command");
    }
}

/// `| `leadgate dead list\|show` | …` is two commands; flags and arguments are no part of a command.
fn commands(readme: &str) -> BTreeSet<Vec<String>> {
    let mut commands = BTreeSet::new();
    for cell in readme.lines().filter_map(|line| line.strip_prefix("| `leadgate")?.split_once('`')) {
        let line = cell.0.replace("\\|", "|");
        let words: Vec<&str> =
            line.split_whitespace().take_while(|word| word.starts_with(|c: char| c.is_ascii_lowercase())).collect();
        let (last, first) = words.split_last().map_or(("", &[][..]), |(last, first)| (*last, first));
        for last in last.split('|') {
            let all = first.iter().copied().chain([last]).filter(|word| !word.is_empty());
            commands.insert(all.map(str::to_owned).collect());
        }
    }
    commands
}

/// Lines of the blocks marked `sh`, without comments.
fn shell_lines(markdown: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    markdown.lines().filter(move |line| {
        if line.starts_with("```") {
            inside = *line == "```sh";
            return false;
        }
        inside && !line.starts_with('#')
    })
}

/// Targets of links to files.
fn links(markdown: &str) -> impl Iterator<Item = String> {
    markdown
        .split("](")
        .skip(1)
        .filter_map(|rest| rest.split_once(')'))
        .map(|(target, _)| target.split('#').next().unwrap_or("").to_owned())
        .filter(|target| !target.is_empty() && !target.contains("://"))
}

/// What stands in backticks and is a path of this repository: `lead/src/ids.rs`, `config/bad/`.
fn quoted_paths(markdown: &str) -> impl Iterator<Item = String> {
    const TOPS: [&str; 8] = ["src/", "lead/", "ledger/", "gateway/", "workers/", "config/", "deploy/", "tests/"];
    let plain = |word: &&str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/._-".contains(&byte));
    let path = |word: &&str| TOPS.iter().any(|top| word.starts_with(top)) && *word != "tests/.tools";
    let outside_blocks = markdown.split("```").step_by(2);
    outside_blocks.flat_map(|text| text.split('`').skip(1).step_by(2)).filter(plain).filter(path).map(str::to_owned)
}
