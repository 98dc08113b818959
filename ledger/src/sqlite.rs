//! How is one of our SQLite files opened? WAL, synced at every commit, its schema stepped up to the version we know.

use crate::error::{Error, Result};
use rusqlite::{Connection, OpenFlags};
use std::path::Path;
use std::time::Duration;

/// A file's name and the steps that make its schema: step *n* takes version *n* to *n + 1*.
pub(crate) struct Schema {
    pub(crate) file: &'static str,
    pub(crate) steps: &'static [&'static str],
}

/// Waiting for another connection of this process, never for another process.
const BUSY: Duration = Duration::from_secs(5);

pub(crate) fn open_writer(folder: &Path, schema: &Schema) -> Result<Connection> {
    let mut db = Connection::open(folder.join(schema.file))?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.pragma_update(None, "wal_autocheckpoint", 4_000)?;
    db.pragma_update(None, "journal_size_limit", 64 << 20)?;
    db.pragma_update(None, "cache_size", -32_768)?;
    db.set_prepared_statement_cache_capacity(64);
    upgrade(&mut db, schema)?;
    Ok(db)
}

pub(crate) fn open_reader(folder: &Path, schema: &Schema) -> Result<Connection> {
    let db = Connection::open_with_flags(
        folder.join(schema.file),
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    db.busy_timeout(BUSY)?;
    db.pragma_update(None, "cache_size", -2_048)?;
    db.set_prepared_statement_cache_capacity(32);
    Ok(db)
}

fn upgrade(db: &mut Connection, schema: &Schema) -> Result<()> {
    let known = i64::try_from(schema.steps.len()).expect("a schema has few steps");
    let found: i64 = db.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if found > known {
        return Err(Error::Newer { file: schema.file.to_owned(), found, known });
    }
    for version in found..known {
        let step = schema.steps[usize::try_from(version).expect("versions start at zero")];
        let tx = db.transaction()?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "user_version", version + 1)?;
        tx.commit()?;
    }
    Ok(())
}

/// Is this the disk being full, which passes, rather than the disk being broken, which does not?
pub(crate) fn is_full(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DiskFull)
        || extended(error) == Some(rusqlite::ffi::SQLITE_IOERR_WRITE)
}

/// A failed sync: what the kernel has thrown away cannot be written again through this handle.
pub(crate) fn is_broken(error: &rusqlite::Error) -> bool {
    let broken =
        [rusqlite::ffi::SQLITE_IOERR_FSYNC, rusqlite::ffi::SQLITE_IOERR_DIR_FSYNC, rusqlite::ffi::SQLITE_CORRUPT];
    extended(error).is_some_and(|code| broken.contains(&code))
}

fn extended(error: &rusqlite::Error) -> Option<i32> {
    error.sqlite_error().map(|inner| inner.extended_code)
}

/// A commit needs this much whatever share of the disk it is.
const LEAST_FREE: u64 = 1 << 20;

/// Is this share of the disk free, in percent, or at least `enough` bytes? Where nobody can tell, the next write will.
pub(crate) fn has_room(folder: &Path, percent: u64, enough: u64) -> bool {
    let Ok(disk) = rustix::fs::statvfs(folder) else { return true };
    let bytes = disk.f_bavail.saturating_mul(disk.f_frsize);
    let share = disk.f_bavail.saturating_mul(100).checked_div(disk.f_blocks);
    share.is_none_or(|share| bytes >= LEAST_FREE && (share >= percent || bytes >= enough))
}

/// Reads a whole file and says what is damaged in it; none when it is sound. Takes as long as reading it does.
pub(crate) fn damage(folder: &Path, schema: &Schema) -> Result<Option<String>> {
    let db = open_reader(folder, schema)?;
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0))?;
    Ok((found != "ok").then_some(found))
}
