//! Records in and out of SQLite: which table, which key, which columns beside the blob.

use super::worker::Store;
use crate::error::{Error, Result};
use lead::changes::{Timer, Wake};
use lead::ids::{LeadId, WorkspaceId};
use lead::record::{Key, Record};
use lead::state::Lead;
use lead::time::At;
use rusqlite::{CachedStatement, Connection, OptionalExtension, params};

/// The number of a kind of record, and its name within the kind.
fn name(key: &Key) -> (i64, &[u8]) {
    match key {
        Key::Seen(uid) => (1, uid.bytes()),
        Key::Same(digest) => (2, digest.bytes()),
        Key::Identity(identity) => (3, &identity.0),
        Key::Contact(id) => (4, id.bytes()),
        Key::Lead(id) => (5, id.bytes()),
        Key::Call(call) => (6, call.bytes()),
        Key::Unmatched(identity) => (7, identity),
        Key::Exclusion(matcher) => (8, matcher.as_bytes()),
        Key::Floor => (9, b""),
    }
}

/// Kinds the desk and retention ask for by number.
pub(super) const SEEN: i64 = 1;
pub(super) const SAME: i64 = 2;
pub(super) const CONTACT: i64 = 4;
pub(super) const CALL: i64 = 6;
pub(super) const UNMATCHED: i64 = 7;
pub(super) const EXCLUSION: i64 = 8;

impl Store {
    pub(super) fn fetch(&mut self, workspace: &WorkspaceId, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let ws = self.ws(workspace)?;
        let mut reading = Reading::prepare(&self.db, ws)?;
        keys.iter().map(|key| reading.get(key)).collect()
    }

    pub(super) fn queue(&mut self, workspace: &WorkspaceId, limit: usize) -> Result<Vec<(At, LeadId)>> {
        let ws = self.ws(workspace)?;
        let mut rows = self.db.prepare_cached("SELECT at, lead FROM queue WHERE ws = ?1 ORDER BY at, lead LIMIT ?2")?;
        let found = rows.query_map(params![ws, limit as i64], |row| {
            Ok((At::from_millis(row.get(0)?), LeadId::from_bytes(row.get(1)?)))
        })?;
        found.map(|row| Ok(row?)).collect()
    }

    pub(super) fn due(&mut self, workspace: &WorkspaceId, now: At, limit: usize) -> Result<Vec<Timer>> {
        let ws = self.ws(workspace)?;
        let mut rows = self
            .db
            .prepare_cached("SELECT due, what FROM timer WHERE ws = ?1 AND due <= ?2 ORDER BY due, what LIMIT ?3")?;
        let found = rows
            .query_map(params![ws, now.millis(), limit as i64], |row| Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        found
            .map(|row| {
                let (due, what) = row?;
                Ok(Timer { due: At::from_millis(due), what: wake(&what)? })
            })
            .collect()
    }

    pub(super) fn next_due(&mut self, workspace: &WorkspaceId) -> Result<Option<At>> {
        let ws = self.ws(workspace)?;
        let mut row = self.db.prepare_cached("SELECT due FROM timer WHERE ws = ?1 ORDER BY due LIMIT 1")?;
        Ok(row.query_row([ws], |row| row.get(0)).optional()?.map(At::from_millis))
    }
}

/// A timer's name: nothing for the queue, a lead's id for a lead.
pub(super) fn wake_name(wake: &Wake) -> &[u8] {
    match wake {
        Wake::Queue => b"",
        Wake::Lead(id) => id.bytes(),
    }
}

fn wake(name: &[u8]) -> Result<Wake> {
    if name.is_empty() {
        return Ok(Wake::Queue);
    }
    let bytes = name.try_into().map_err(|_| Error::Corrupt("timer"))?;
    Ok(Wake::Lead(LeadId::from_bytes(bytes)))
}

/// The look-ups of one fetch, prepared once for all its keys.
struct Reading<'d> {
    ws: i64,
    record: CachedStatement<'d>,
    lead: CachedStatement<'d>,
}

impl<'d> Reading<'d> {
    fn prepare(db: &'d Connection, ws: i64) -> Result<Self> {
        let record = db.prepare_cached("SELECT value FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?;
        let lead = db.prepare_cached("SELECT value FROM lead WHERE ws = ?1 AND id = ?2")?;
        Ok(Self { ws, record, lead })
    }

    fn get(&mut self, key: &Key) -> Result<Option<Record>> {
        let (kind, id) = name(key);
        let read = |row: &rusqlite::Row<'_>| {
            let bytes = row.get_ref(0)?.as_blob().map_err(rusqlite::Error::from)?;
            Ok(key.decode(bytes))
        };
        let found = if matches!(key, Key::Lead(_)) {
            self.lead.query_row(params![self.ws, id], read)
        } else {
            self.record.query_row(params![self.ws, kind, id], read)
        };
        found.optional()?.map(|record| record.ok_or(Error::Corrupt("record"))).transpose()
    }
}

pub(super) fn get(db: &Connection, ws: i64, key: &Key) -> Result<Option<Record>> {
    Reading::prepare(db, ws)?.get(key)
}

/// The writes of one batch, prepared once for all its records.
pub(super) struct Writing<'d> {
    db: &'d Connection,
    ws: i64,
    record: CachedStatement<'d>,
    lead: CachedStatement<'d>,
}

impl<'d> Writing<'d> {
    pub(super) fn prepare(db: &'d Connection, ws: i64) -> Result<Self> {
        let record = db.prepare_cached(
            "INSERT INTO record (ws, kind, id, ages_from, value) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (ws, kind, id) DO UPDATE SET ages_from = excluded.ages_from, value = excluded.value",
        )?;
        let lead = db.prepare_cached(
            "INSERT INTO lead (ws, id, born, channel, owner, stage, closed_at, waiting, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
             ON CONFLICT (ws, id) DO UPDATE SET owner = excluded.owner, stage = excluded.stage, closed_at = excluded.closed_at,
                 waiting = excluded.waiting, value = excluded.value",
        )?;
        Ok(Self { db, ws, record, lead })
    }

    /// Stores a record; none removes it.
    pub(super) fn put(&mut self, key: &Key, record: Option<&Record>) -> Result<()> {
        let (kind, id) = name(key);
        match (key, record) {
            (Key::Lead(_), Some(record @ Record::Lead(lead))) => return self.lead(lead, &record.encode()),
            (_, Some(record)) => {
                let ages_from = record.ages_from().map(At::millis);
                self.record.execute(params![self.ws, kind, id, ages_from, record.encode()])?;
            }
            (Key::Lead(_), None) => {
                let mut gone = self.db.prepare_cached("DELETE FROM lead WHERE ws = ?1 AND id = ?2")?;
                gone.execute(params![self.ws, id])?;
            }
            (_, None) => {
                let mut gone = self.db.prepare_cached("DELETE FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?;
                gone.execute(params![self.ws, kind, id])?;
            }
        }
        Ok(())
    }

    fn lead(&mut self, lead: &Lead, value: &[u8]) -> Result<()> {
        self.lead.execute(params![
            self.ws,
            lead.id.bytes(),
            lead.received_at.millis(),
            lead.channel.as_str(),
            lead.owner.as_ref().map(lead::ids::PersonId::as_str),
            stage(lead.stage),
            lead.closed_at.map(At::millis),
            lead.is_waiting(),
            value,
        ])?;
        Ok(())
    }
}

/// A stage as its column spells it.
pub(super) fn stage(stage: lead::entry::Stage) -> String {
    serde_json::to_value(stage).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
