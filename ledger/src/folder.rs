//! Whose data folder is this? One process holds it at a time; its files are for its owner's eyes only.

use crate::error::{Error, Result};
use rustix::fs::{FlockOperation, flock};
use std::fs::{DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The right to a data folder, given back when dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    pub fn take(path: &Path) -> Result<Self> {
        let failed = |why| Error::File { path: path.display().to_string(), why };
        DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(failed)?;
        let lock = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(path.join("lock"))
            .map_err(failed)?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive)
            .map_err(|_| Error::Locked(path.display().to_string()))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads journal and ledger from end to end and names the file that is damaged, if one is. For the background: it
    /// takes as long as reading them does.
    pub fn damage(path: &Path) -> Result<Option<&'static str>> {
        for schema in [&crate::journal::SCHEMA, &crate::embedded::SCHEMA] {
            // With Redis there is a journal and no ledger.
            if path.join(schema.file).exists() && crate::sqlite::damage(path, schema)?.is_some() {
                return Ok(Some(schema.file));
            }
        }
        Ok(None)
    }

    /// The secret that keys the identity index: made at first start, readable by its owner only.
    pub fn pepper(&self, fresh: [u8; 32]) -> Result<Vec<u8>> {
        let path = self.path.join("pepper");
        let failed = |why| Error::File { path: path.display().to_string(), why };
        match std::fs::read(&path) {
            Ok(pepper) => Ok(pepper),
            Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => {
                write_synced(&path, &fresh).map_err(failed)?;
                Ok(fresh.to_vec())
            }
            Err(other) => Err(failed(other)),
        }
    }
}

/// Writes a private file so that it is there, whole, after a power cut.
pub fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    // Workers on one machine keep the same files.
    let partial = path.with_extension(format!("{}.partial", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&partial)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&partial, path)?;
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}
