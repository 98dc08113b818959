//! What did the operator configure? Found, laid over the defaults, checked as a whole.
//!
//! `leadgate.toml` holds the machine ([`machine`], [`limits`], [`mail`]); `workspaces/<id>.toml` beside it hold one company each
//! ([`workspace`], [`channel`], [`people`], [`consumer`]). [`tree`] lays texts over each other, [`read`] takes values
//! out so that no mistake hides the next, [`problem`] is one mistake. [`set`] puts the workspaces together, [`watch`]
//! keeps them current while the product runs, [`last_good`] remembers what worked.

pub(crate) mod channel;
pub(crate) mod consumer;
mod hint;
pub(crate) mod last_good;
pub(crate) mod limits;
pub(crate) mod machine;
pub(crate) mod mail;
mod people;
pub(crate) mod problem;
mod read;
mod secret;
mod set;
mod tree;
pub(crate) mod watch;
pub(crate) mod workspace;

#[cfg(test)]
mod tests;

use crate::files;
use lead::identity::Pepper;
use machine::{Config, Machine};
use problem::{Problem, Said};
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use workspace::Context;

/// The environment, as an argument.
pub(crate) type Env = BTreeMap<String, String>;

/// What variables that override a key begin with.
pub(crate) const VARIABLES: &str = "LEADGATE__";
/// The variable that names the file.
const FILE_VARIABLE: &str = "LEADGATE_CONFIG";
const FILE: &str = "leadgate.toml";
const FOLDER: &str = "workspaces";
const MANUAL: &str = include_str!("../../config/leadgate.toml");
const DEMO: &str = include_str!("../../config/workspaces/demo.toml");
/// A configuration file longer than this is another file.
const LONGEST: u64 = 4 << 20;

const A_NAME: &str = "a name of lower-case letters, digits, - and _, at most 64";
/// The name of the defaults in problems.
const BUILT_IN: &str = "leadgate.toml (built in)";

/// Where the configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// None: what is built in.
    file: Option<PathBuf>,
}

impl Place {
    #[cfg(test)]
    pub(crate) fn file(path: PathBuf) -> Self {
        Self { file: Some(path) }
    }

    #[cfg(test)]
    pub(crate) const fn built_in() -> Self {
        Self { file: None }
    }

    /// What was asked for, else the variable, else the file in the working folder, else what is built in.
    pub(crate) fn find(asked: Option<&Path>, env: &Env) -> Self {
        let variable = || env.get(FILE_VARIABLE).filter(|path| !path.is_empty()).map(PathBuf::from);
        let here = || Some(PathBuf::from(FILE)).filter(|path| path.exists());
        Self { file: asked.map(Path::to_owned).or_else(variable).or_else(here) }
    }

    pub(crate) const fn is_built_in(&self) -> bool {
        self.file.is_none()
    }

    /// Where relative paths start.
    pub(crate) fn folder(&self) -> &Path {
        self.file.as_deref().and_then(Path::parent).unwrap_or_else(|| Path::new(""))
    }

    /// The file's name in problems.
    pub(crate) fn name(&self) -> String {
        self.file.as_ref().map_or_else(|| FILE.to_owned(), |path| path.display().to_string())
    }
}

/// A text and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) name: Arc<str>,
    /// The file's name without `.toml`.
    pub(crate) id: String,
    pub(crate) text: Result<String, Problem>,
}

/// The whole configuration, read once: for `leadgate check`.
#[derive(Debug)]
pub(crate) struct Checkup {
    pub(crate) problems: Vec<Problem>,
    pub(crate) workspaces: usize,
    pub(crate) channels: usize,
    pub(crate) read: WasRead,
}

/// Where a configuration came from.
#[derive(Debug)]
pub(crate) struct WasRead {
    /// None: what is built in.
    pub(crate) machine: Option<String>,
    pub(crate) workspaces: Vec<String>,
    /// Variables that override a key.
    pub(crate) variables: Vec<String>,
    /// A folder of workspaces that nobody reads, because no machine's file lies beside it.
    pub(crate) unread: Option<String>,
}

impl WasRead {
    fn of(place: &Place, env: &Env, files: &[File]) -> Self {
        let holds_files = |folder: &Path| {
            let entries = std::fs::read_dir(folder).ok().into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).any(|path| is_workspace_file(&path))
        };
        let unread = Some(Path::new(FOLDER)).filter(|folder| place.is_built_in() && holds_files(folder));
        Self {
            machine: place.file.as_ref().map(|_| place.name()),
            workspaces: files.iter().map(|file| file.name.to_string()).collect(),
            variables: env.keys().filter(|name| name.starts_with(VARIABLES)).cloned().collect(),
            unread: unread.map(|folder| folder.display().to_string()),
        }
    }
}

/// The machine. With problems, what is right in it together with defaults for what is not.
pub(crate) fn machine(place: &Place, env: &Env) -> (Config, Vec<Problem>) {
    let machine = read_machine(place, env);
    (machine.config, machine.problems)
}

/// Reads everything there is and collects every problem. `extra` are workspace files to check before they are put into
/// place; with any of them the workspaces in place are left alone.
pub(crate) fn check(place: &Place, env: &Env, extra: &[PathBuf]) -> Checkup {
    let Machine { config, mentioned, mut problems } = read_machine(place, env);
    let pepper = Pepper::new(b"nothing is kept under this pepper");
    let context = Context { env, place, machine: &config, pepper: &pepper };
    let files = if extra.is_empty() { workspace_files(place) } else { Ok(extra.iter().map(|at| file(at)).collect()) };
    let files = files.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let set = set::assemble(&files, &context, &|_| None);
    if extra.is_empty() {
        let unknown = mentioned.iter().filter(|(_, id)| !files.iter().any(|file| file.id == id.as_str()));
        problems.extend(unknown.map(|(spot, id)| spot.wrong(format!("a workspace: there is no {FOLDER}/{id}.toml"))));
    }
    let channels: Vec<_> = set.held.values().flat_map(|held| &held.parsed.workspace.channels).collect();
    if extra.is_empty() && set.problems.is_empty() {
        problems.extend(mail::no_postmaster(&config.gateway.mail, &channels));
    }
    let channels = channels.len();
    problems.extend(set.problems);
    Problem::sort(&mut problems, &place.name());
    Checkup { problems, workspaces: set.held.len(), channels, read: WasRead::of(place, env, &files) }
}

fn read_machine(place: &Place, env: &Env) -> Machine {
    let mut problems = Vec::new();
    let built_in = tree::parse(&Arc::from(BUILT_IN), MANUAL);
    let mut tree = built_in.unwrap_or_else(|found| unreachable!("the built-in file is valid TOML: {found:?}"));
    for above in layers(place, env) {
        match above {
            Ok(above) => tree = tree::merge(tree, above),
            Err(found) => problems.extend(found),
        }
    }
    let mut machine = machine::resolve(&tree, env, place);
    problems.append(&mut machine.problems);
    Problem::sort(&mut problems, &place.name());
    Machine { problems, ..machine }
}

/// What lies over the defaults, lowest first.
fn layers(place: &Place, env: &Env) -> Vec<Result<tree::Node, Vec<Problem>>> {
    let file = place.file.as_ref().map(|path| {
        let file = file(path);
        let text = file.text.map_err(|problem| vec![problem])?;
        tree::parse(&file.name, &text)
    });
    let variables = env.iter().filter_map(|(name, text)| tree::variable(name, text).transpose());
    file.into_iter().chain(variables).collect()
}

/// Every workspace file, in the order of their ids; with nothing configured, the demo.
pub(crate) fn workspace_files(place: &Place) -> Result<Vec<File>, Problem> {
    if place.is_built_in() {
        let name = Arc::from("workspaces/demo.toml (built in)");
        return Ok(vec![File { name, id: "demo".to_owned(), text: Ok(DEMO.to_owned()) }]);
    }
    let folder = place.folder().join(FOLDER);
    let nothing = |why: String| {
        let expected = format!("a folder with a file <id>.toml for each workspace{why}");
        Problem::of_file(&folder.display().to_string(), None, expected)
    };
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => nothing(": there is no such folder".to_owned()),
        kind => nothing(format!(": {kind}")),
    };
    let entries: Result<Vec<_>, _> = std::fs::read_dir(&folder).map_err(unreadable)?.collect();
    let mut paths: Vec<PathBuf> = entries.map_err(unreadable)?.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| is_workspace_file(path));
    paths.sort();
    if paths.is_empty() {
        return Err(nothing(String::new()));
    }
    Ok(paths.iter().map(|path| file(path)).collect())
}

/// Not what an editor leaves beside it.
fn is_workspace_file(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.ends_with(".toml") && !name.starts_with('.')
}

fn file(path: &Path) -> File {
    let name: Arc<str> = Arc::from(path.display().to_string());
    let read = || {
        let mut text = String::new();
        std::fs::File::open(path)?.take(LONGEST).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>(text)
    };
    let text = read().map_err(|error| Problem {
        value: Said::Untold,
        ..Problem::of_file(&name, None, format!("a readable text file: {}", files::why(&error)))
    });
    File { name, id: path.file_stem().unwrap_or_default().to_string_lossy().into_owned(), text }
}
