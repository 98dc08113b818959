//! Reading the journal beside its writer: the inbox of the embedded engine, and the bytes of a request.

use super::SCHEMA;
use crate::error::Result;
use crate::place::Place;
use crate::sqlite;
use lead::entry::Entry;
use lead::ids::{ChannelId, WorkspaceId};
use lead::time::At;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A row as read back.
#[derive(Clone, Debug)]
pub struct Stored {
    pub seq: i64,
    pub entry: Arc<Entry>,
}

/// A read-only connection of its own.
#[derive(Debug)]
pub struct JournalReader {
    pub(super) db: Connection,
    pub(super) folder: PathBuf,
}

impl JournalReader {
    pub(super) fn open(folder: &Path) -> Result<Self> {
        Ok(Self { db: sqlite::open_reader(folder, &SCHEMA)?, folder: folder.to_owned() })
    }

    /// Rows of a workspace after `after`, in order.
    pub fn after(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<Stored>> {
        let mut rows = self.db.prepare_cached(
            "SELECT seq, entry, channel, received_at FROM row WHERE workspace = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
        )?;
        let found = rows.query_map(params![workspace.as_str(), after, limit as i64], |row| {
            let (seq, place): (i64, Place) = (row.get(0)?, place(workspace.clone(), row)?);
            Ok(Stored {
                seq,
                entry: Arc::new(
                    decode(&row.get::<_, Vec<u8>>(1)?).unwrap_or_else(|| place.damaged("journal", &seq.to_string())),
                ),
            })
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// How many rows each workspace has here.
    pub fn rows(&self) -> Result<BTreeMap<WorkspaceId, u64>> {
        let mut rows = self.db.prepare("SELECT workspace, count(*) FROM row GROUP BY workspace")?;
        let found = rows.query_map([], |row| {
            Ok((WorkspaceId::new(&row.get::<_, String>(0)?), row.get::<_, i64>(1)?.unsigned_abs()))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The bytes of the request behind a row, from the row or the spool.
    pub fn raw(&self, seq: i64) -> Result<Option<Vec<u8>>> {
        let mut row = self.db.prepare_cached("SELECT raw, spool FROM row WHERE seq = ?1")?;
        let found = row
            .query_row([seq], |row| Ok((row.get::<_, Option<Vec<u8>>>(0)?, row.get::<_, Option<String>>(1)?)))
            .optional()?;
        Ok(match found {
            Some((Some(raw), _)) => Some(raw),
            Some((None, Some(name))) => std::fs::read(self.folder.join("spool").join(name)).ok(),
            _ => None,
        })
    }

    /// Per channel: accepted ever, and rows after `cursor`; both of one instant.
    pub fn account(&self, workspace: &WorkspaceId, cursor: i64) -> Result<BTreeMap<ChannelId, (u64, u64)>> {
        let tx = self.db.unchecked_transaction()?;
        let mut account: BTreeMap<ChannelId, (u64, u64)> = BTreeMap::new();
        let mut accepted = tx.prepare_cached("SELECT channel, n FROM accepted WHERE workspace = ?1")?;
        let mut flying =
            tx.prepare_cached("SELECT channel, count(*) FROM row WHERE workspace = ?1 AND seq > ?2 GROUP BY channel")?;
        let pair = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?));
        for found in accepted.query_map([workspace.as_str()], pair)? {
            let (channel, n) = found?;
            account.entry(ChannelId::new(&channel)).or_default().0 = u64::try_from(n).unwrap_or(0);
        }
        for found in flying.query_map(params![workspace.as_str(), cursor], pair)? {
            let (channel, n) = found?;
            account.entry(ChannelId::new(&channel)).or_default().1 = u64::try_from(n).unwrap_or(0);
        }
        Ok(account)
    }

    /// The newest `received_at`: no clock of ours goes behind it.
    pub fn newest_received(&self) -> Result<At> {
        let newest: Option<i64> = self
            .db
            .query_row("SELECT received_at FROM row ORDER BY seq DESC LIMIT 1", [], |row| row.get(0))
            .optional()?;
        Ok(At::from_millis(newest.unwrap_or(0)))
    }

    /// When the oldest row after `cursor` was received.
    pub fn oldest_after(&self, workspace: &WorkspaceId, cursor: i64) -> Result<Option<At>> {
        let mut row = self
            .db
            .prepare_cached("SELECT received_at FROM row WHERE workspace = ?1 AND seq > ?2 ORDER BY seq LIMIT 1")?;
        let found: Option<i64> = row.query_row(params![workspace.as_str(), cursor], |row| row.get(0)).optional()?;
        Ok(found.map(At::from_millis))
    }
}

/// What a row says of its entry outside of it, in its third and fourth column.
pub(super) fn place(workspace: WorkspaceId, row: &Row<'_>) -> rusqlite::Result<Place> {
    let (channel, received_at) = (row.get::<_, String>(2)?, row.get(3)?);
    Ok(Place { workspace, channel: ChannelId::new(&channel), received_at: At::from_millis(received_at) })
}

pub(super) fn decode(bytes: &[u8]) -> Option<Entry> {
    rmp_serde::from_slice(bytes).ok()
}
