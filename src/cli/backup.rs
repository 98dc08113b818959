//! How is everything copied, and how does it come back? The copy is made by the running product; bringing it back is
//! done while the product is stopped, into a folder that holds nothing.

use super::desk_client::{Ask, Desk};
use super::failure::{Failure, Result};
use super::output::{Output, count};
use clap::Args;
use hyper::Method;
use ledger::folder::Folder;
use serde_json::json;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a copy.
const TIME: Duration = Duration::from_hours(1);
/// Without these it is no backup. Restored last, in this order: a ledger never stands without its journal.
const NEEDED: [&str; 2] = ["journal.db", "ledger.db"];
/// Where files wait until all of them are there.
const PARTIAL: &str = ".restoring";
/// The product's own mark on a folder.
const LOCK: &str = "lock";

#[derive(Debug, Args)]
#[command(after_help = "The folder is made on the machine of the desk and must be new or empty. It holds personal \
                        data: keep it as safe as the data folder.\n\nExample:\n  leadgate backup /var/backups/leadgate/2026-11-21")]
pub(crate) struct Backup {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Copies into the data folder of the configuration in force, which must be empty.\n\nExample:\n  \
                        leadgate restore /var/backups/leadgate/2026-11-21 --config /etc/leadgate/leadgate.toml"
)]
pub(crate) struct Restore {
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

pub(crate) async fn run(desk: &Desk, asked: &Backup, out: &mut Output<'_>) -> Result<()> {
    let folder = std::path::absolute(&asked.folder).map_err(|_| Failure::usage("the folder has no name"))?;
    let body = json!({ "folder": folder });
    let path = ["v1", "backup"];
    let said = desk.ask(Ask { method: Method::POST, path: &path, query: &[], body: Some(&body), time: TIME }).await?;
    if out.json {
        return Ok(out.raw(&said.raw)?);
    }
    Ok(out.line(&format!("everything is copied into {} on the machine of the desk", folder.display()))?)
}

/// Brings a backup back into `data`.
pub(crate) fn restore(asked: &Restore, data: &Path, out: &mut Output<'_>) -> Result<()> {
    let (from, to) = (asked.folder.as_path(), data.display());
    if let Some(missing) = NEEDED.iter().find(|name| !from.join(name).is_file()) {
        return Err(Failure::no(format!("{} is no backup: it has no {missing}", from.display())));
    }
    if let Some(name) = occupant(data).map_err(|error| failed("read", data, &error))? {
        return Err(Failure::no(format!(
            "the data folder {to} is not empty (it has {name}); move its content away, then restore again"
        )));
    }
    let taken = Folder::take(data).map_err(|error| Failure::no(format!("the data folder cannot be taken: {error}")))?;
    let files = bring(from, taken.path()).map_err(|error| failed("restore into", data, &error))?;
    if out.json {
        return Ok(out.line(&json!({ "folder": data, "files": files }).to_string())?);
    }
    Ok(out.line(&format!("{} restored into {to}; start leadgate now", count(files, "file")))?)
}

fn failed(what: &str, folder: &Path, error: &io::Error) -> Failure {
    Failure::no(format!("failed to {what} {}: {}", folder.display(), error.kind()))
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
        } else if kind.is_file() && entry.file_name() != LOCK {
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
        let done = restore(asked, data, &mut Output::plain(false, &mut to));
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
        let refused = restored(&asked, &used).unwrap_err();
        assert!(refused.starts_with("the data folder cannot be taken: "), "{refused}");
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
