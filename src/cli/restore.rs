//! How does a backup come back? While the product is stopped: files into a data folder that holds nothing, a store into a
//! Redis that holds nothing of ours.
//!
//! With Redis the journal comes first, and a data folder that is in use already keeps its own: then a restore that was
//! cut short can be repeated, and a gateway that lost only its Redis keeps what it has accepted since the backup.

use super::failure::{Failure, Result};
use super::output::{Output, count};
use crate::config::machine::{Config, Store};
use crate::files;
use crate::startup::store;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::folder::Folder;
use ledger::redis::{Dump, Redis};
use secrecy::ExposeSecret as _;
use serde_json::json;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

const JOURNAL: &str = "journal.db";
const LEDGER: &str = "ledger.db";
/// Without these it is no backup. Restored last, in this order: a ledger never stands without its journal.
const NEEDED: [&str; 2] = [JOURNAL, LEDGER];
/// Where files wait until all of them are there.
const PARTIAL: &str = ".restoring";
/// The product's own mark on a folder.
const LOCK: &str = "lock";
/// What of a backup is not for the data folder.
const ELSEWHERE: [&str; 2] = [LOCK, Dump::FILE];

#[derive(Debug, Args)]
#[command(
    after_help = "Copies into the data folder of the configuration in force, which must be empty. With Redis: into the \
                        Redis of store.url, which must hold nothing of leadgate; the journal of the backup comes into \
                        the data folder where that is empty. Stop every gateway and every worker before.\n\nExample:\n  \
                        leadgate restore /var/backups/leadgate/2026-11-21 --config /etc/leadgate/leadgate.toml"
)]
pub(crate) struct Restore {
    /// The folder that `leadgate backup` filled
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) async fn run(asked: &Restore, config: &Config, out: &mut Output<'_>) -> Result<()> {
    let from = asked.folder.as_path();
    let (is_dump, is_ledger) = (Dump::is_in(from), from.join(LEDGER).is_file());
    match &config.store {
        Store::Embedded if is_dump && !is_ledger => Err(Failure::no(format!(
            "{} is the backup of a store in Redis and store.url is \"embedded\": set store.url to the Redis to restore into",
            from.display()
        ))),
        Store::Embedded => folder(from, &config.data, out),
        Store::Redis { .. } if is_ledger && !is_dump => Err(Failure::no(format!(
            "{} is the backup of an embedded store and store.url is a Redis: set store.url to \"embedded\" to restore it",
            from.display()
        ))),
        Store::Redis { .. } if !is_dump => {
            Err(Failure::no(format!("{} is no backup: it has no store.dump", from.display())))
        }
        Store::Redis { .. } => both(from, config, out).await,
    }
}

/// Brings a backup of an embedded store back.
fn folder(from: &Path, data: &Path, out: &mut Output<'_>) -> Result<()> {
    let to = data.display();
    if let Some(missing) = NEEDED.iter().find(|name| !from.join(name).is_file()) {
        return Err(Failure::no(format!("{} is no backup: it has no {missing}", from.display())));
    }
    // Who runs there is told to stop, not to move what he works with.
    let running = if data.join(LOCK).is_file() { Some(take(data)?) } else { None };
    if let Some(name) = occupant(data).map_err(|error| failed("read", data, &error))? {
        return Err(Failure::no(format!(
            "the data folder {to} is not empty (it has {name}); move its content away, then restore again"
        )));
    }
    let taken = running.map_or_else(|| take(data), Ok)?;
    let files = bring(from, taken.path()).map_err(|error| failed("restore into", data, &error))?;
    if out.json {
        return Ok(out.line(&json!({ "folder": data, "files": files }).to_string())?);
    }
    Ok(out.line(&format!("{} restored into {to}; start leadgate now", count(files, "file")))?)
}

/// Brings a store in Redis back, and a gateway's journal beside it.
async fn both(from: &Path, config: &Config, out: &mut Output<'_>) -> Result<()> {
    let bar = bar("reading");
    let dump = Dump::open(from, &|done, all| show(&bar, done, all));
    bar.finish_and_clear();
    let refused = |error: ledger::Error| Failure::no(format!("the store cannot be restored: {error}"));
    let dump = dump.map_err(refused)?;
    let redis = redis(config)?;
    redis.restorable(&dump).await.map_err(refused)?;
    let files = if from.join(JOURNAL).is_file() { journal(from, &config.data)? } else { Some(0) };
    let bar = self::bar("restoring");
    let restored = redis.restore(&dump, &|done, all| show(&bar, done, all)).await;
    bar.finish_and_clear();
    let restored = restored.map_err(refused)?;
    let (workspaces, keys, data) = (restored.workspaces, restored.keys, config.data.display());
    if out.json {
        let journal = files.is_some_and(|files| files > 0);
        let said = json!({ "workspaces": workspaces, "keys": keys, "folder": config.data, "files": files.unwrap_or(0), "journal_restored": journal });
        return Ok(out.line(&said.to_string())?);
    }
    out.line(&format!("{} in {} restored into Redis", count(workspaces, "workspace"), count(keys, "key")))?;
    Ok(out.line(&match files {
        Some(0) => "the backup has no journal; start leadgate now".to_owned(),
        Some(files) => format!("{} restored into {data}; start leadgate now", count(files, "file")),
        None => format!("the data folder {data} has a journal and keeps it; start leadgate now"),
    })?)
}

/// None: the folder is in use, and keeps what it has.
fn journal(from: &Path, data: &Path) -> Result<Option<usize>> {
    let used = occupant(data).map_err(|error| failed("read", data, &error))?.is_some();
    let taken = take(data)?;
    if used {
        return Ok(None);
    }
    bring(from, taken.path()).map(Some).map_err(|error| failed("restore into", data, &error))
}

fn take(data: &Path) -> Result<Folder> {
    Folder::take(data).map_err(|error| {
        Failure::no(match error {
            ledger::Error::Locked(_) => {
                format!("leadgate is running on the data folder {}: stop it, then restore again", data.display())
            }
            other => format!("the data folder cannot be taken: {other}"),
        })
    })
}

/// The Redis of the configuration; nothing is asked of it yet.
pub(super) fn redis(config: &Config) -> Result<Redis> {
    let pepper = config.pepper.as_ref().map_or("", |pepper| pepper.expose_secret());
    store::redis(&config.store, pepper.as_bytes()).map_err(|error| Failure::no(format!("{error:#}")))
}

/// A bar on a terminal; nothing elsewhere.
pub(super) fn bar(what: &'static str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg} {bar:40} {percent}%");
    ProgressBar::new(0).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar())).with_message(what)
}

pub(super) fn show(bar: &ProgressBar, done: u64, all: u64) {
    bar.set_length(all);
    bar.set_position(done);
}

fn failed(what: &str, folder: &Path, error: &io::Error) -> Failure {
    Failure::no(format!("failed to {what} {}: {}", folder.display(), files::why(error)))
}

/// What stands in the way. An earlier attempt that was cut short does not.
fn occupant(data: &Path) -> io::Result<Option<String>> {
    let entries = match fs::read_dir(data) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        entries => entries?,
    };
    for entry in entries {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name != LOCK && name != PARTIAL {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// All files are copied and on disk before the first of them gets its name.
fn bring(from: &Path, data: &Path) -> io::Result<usize> {
    let partial = data.join(PARTIAL);
    match fs::remove_dir_all(&partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let files = copy(from, &partial)?;
    let mut names: Vec<_> = fs::read_dir(&partial)?.map(|entry| Ok(entry?.file_name())).collect::<io::Result<_>>()?;
    names.sort_by_key(|name| NEEDED.iter().position(|needed| name == needed).map_or(0, |place| place + 1));
    for name in names {
        fs::rename(partial.join(&name), data.join(&name))?;
    }
    fs::remove_dir(&partial)?;
    File::open(data)?.sync_all()?;
    Ok(files)
}

/// Copies a folder for its owner's eyes only, down to the disk; counts the files.
fn copy(from: &Path, to: &Path) -> io::Result<usize> {
    fs::DirBuilder::new().mode(0o700).create(to)?;
    let mut files = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (kind, target) = (fs::metadata(entry.path())?, to.join(entry.file_name()));
        if kind.is_dir() {
            files += copy(&entry.path(), &target)?;
        } else if kind.is_file() && !ELSEWHERE.iter().any(|name| entry.file_name() == *name) {
            let mut file = File::options().write(true).create_new(true).mode(0o600).open(&target)?;
            io::copy(&mut File::open(entry.path())?, &mut file)?;
            file.sync_all()?;
            files += 1;
        }
    }
    File::open(to)?.sync_all()?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn backup(folder: &Path) -> Restore {
        fs::create_dir_all(folder.join("spool")).unwrap();
        for (name, text) in [("journal.db", "j"), ("ledger.db", "l"), ("pepper", "p"), ("spool/1", "s")] {
            fs::write(folder.join(name), text).unwrap();
        }
        Restore { folder: folder.to_owned() }
    }

    fn restored(asked: &Restore, data: &Path) -> std::result::Result<String, String> {
        let mut to = Vec::new();
        let done = folder(&asked.folder, data, &mut Output::plain(false, &mut to));
        done.map_err(|failure| failure.sentence.replace(&data.display().to_string(), "DATA"))?;
        Ok(String::from_utf8(to).unwrap().replace(&data.display().to_string(), "DATA"))
    }

    #[test]
    fn a_backup_comes_back_whole_and_for_its_owner_only() {
        let home = tempfile::tempdir().unwrap();
        let (asked, data) = (backup(&home.path().join("b")), home.path().join("data"));
        fs::create_dir_all(data.join(PARTIAL)).unwrap();
        fs::write(data.join(PARTIAL).join("ledger.db"), "cut short").unwrap();
        assert_eq!(restored(&asked, &data).unwrap(), "4 files restored into DATA; start leadgate now\n");
        for (name, text) in [("journal.db", "j"), ("ledger.db", "l"), ("pepper", "p"), ("spool/1", "s")] {
            assert_eq!(fs::read_to_string(data.join(name)).unwrap(), text);
            assert_eq!(fs::metadata(data.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        assert!(!data.join(PARTIAL).exists());
    }

    #[test]
    fn a_folder_that_holds_something_or_is_in_use_is_left_alone() {
        let home = tempfile::tempdir().unwrap();
        let (asked, data) = (backup(&home.path().join("b")), home.path().join("data"));
        restored(&asked, &data).unwrap();
        let again = restored(&asked, &data).unwrap_err();
        assert!(again.starts_with("the data folder DATA is not empty (it has "), "{again}");
        let used = home.path().join("used");
        let _running = Folder::take(&used).unwrap();
        fs::write(used.join("journal.db"), "in use").unwrap();
        let refused = restored(&asked, &used).unwrap_err();
        assert_eq!(refused, "leadgate is running on the data folder DATA: stop it, then restore again");
        assert!(!used.join("ledger.db").exists());
    }

    #[test]
    fn half_a_backup_is_none() {
        let home = tempfile::tempdir().unwrap();
        let asked = backup(home.path());
        fs::remove_file(home.path().join("ledger.db")).unwrap();
        let refused = restored(&asked, &home.path().join("data")).unwrap_err();
        assert!(refused.ends_with("is no backup: it has no ledger.db"), "{refused}");
        assert!(!home.path().join("data").exists());
    }
}
