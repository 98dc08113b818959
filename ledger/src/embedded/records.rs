//! Records in and out of SQLite: which table, which key, which columns beside the blob.

use super::worker::Store;
use crate::error::{Error, Result};
use lead::changes::{Timer, Wake};
use lead::ids::{LeadId, WorkspaceId};
use lead::record::{Key, Record};
use lead::state::Lead;
use lead::time::At;
use rusqlite::{Connection, OptionalExtension, params};

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
pub(super) const IDENTITY: i64 = 3;
pub(super) const CONTACT: i64 = 4;
pub(super) const CALL: i64 = 6;
pub(super) const UNMATCHED: i64 = 7;
pub(super) const EXCLUSION: i64 = 8;

impl Store {
    pub(super) fn fetch(&mut self, workspace: &WorkspaceId, keys: &[Key]) -> Result<Vec<Option<Record>>> {
        let ws = self.ws(workspace)?;
        keys.iter().map(|key| get(&self.db, ws, key)).collect()
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

pub(super) fn get(db: &Connection, ws: i64, key: &Key) -> Result<Option<Record>> {
    let (kind, id) = name(key);
    let bytes: Option<Vec<u8>> = if matches!(key, Key::Lead(_)) {
        db.prepare_cached("SELECT value FROM lead WHERE ws = ?1 AND id = ?2")?
            .query_row(params![ws, id], |row| row.get(0))
            .optional()?
    } else {
        let mut row = db.prepare_cached("SELECT value FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?;
        row.query_row(params![ws, kind, id], |row| row.get(0)).optional()?
    };
    bytes.map(|bytes| key.decode(&bytes).ok_or(Error::Corrupt("record"))).transpose()
}

pub(super) fn put(db: &Connection, ws: i64, key: &Key, record: Option<&Record>) -> Result<()> {
    let (kind, id) = name(key);
    match (key, record) {
        (Key::Lead(_), Some(Record::Lead(lead))) => put_lead(db, ws, lead, &Record::Lead(lead.clone()).encode()),
        (Key::Lead(_), _) => {
            db.prepare_cached("DELETE FROM lead WHERE ws = ?1 AND id = ?2")?.execute(params![ws, id])?;
            Ok(())
        }
        (_, Some(record)) => {
            let mut put = db.prepare_cached(
                "INSERT INTO record (ws, kind, id, ages_from, value) VALUES (?1, ?2, ?3, ?4, ?5)
                 ON CONFLICT (ws, kind, id) DO UPDATE SET ages_from = excluded.ages_from, value = excluded.value",
            )?;
            put.execute(params![ws, kind, id, record.ages_from().map(At::millis), record.encode()])?;
            Ok(())
        }
        (_, None) => {
            db.prepare_cached("DELETE FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?
                .execute(params![ws, kind, id])?;
            Ok(())
        }
    }
}

fn put_lead(db: &Connection, ws: i64, lead: &Lead, value: &[u8]) -> Result<()> {
    let mut put = db.prepare_cached(
        "INSERT INTO lead (ws, id, born, channel, owner, stage, closed_at, waiting, value) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (ws, id) DO UPDATE SET owner = excluded.owner, stage = excluded.stage, closed_at = excluded.closed_at,
             waiting = excluded.waiting, value = excluded.value",
    )?;
    put.execute(params![
        ws,
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

/// A stage as its column spells it.
pub(super) fn stage(stage: lead::entry::Stage) -> String {
    serde_json::to_value(stage).ok().and_then(|word| word.as_str().map(str::to_owned)).unwrap_or_default()
}
