//! What does a forwarder need of the journal? Rows as they are stored, who wrote them, how far they have been sent, and
//! how many the store still misses.

use super::read::{decode, place};
use super::{JournalReader, encode};
use crate::commit::Position;
use crate::error::{Error, Result};
use lead::entry::Signal;
use lead::ids::{ChannelId, WorkspaceId};
use lead::time::At;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// Who writes this journal: a gateway for good, and a stint from one start to the next.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    pub(crate) gateway: [u8; 16],
    /// Each with the number of its first row.
    pub(crate) stints: Vec<(i64, [u8; 16])>,
}

impl Identity {
    /// The stint that wrote a row, and the number of its first.
    pub(crate) fn stint(&self, seq: i64) -> (i64, [u8; 16]) {
        let next = self.stints.partition_point(|(first, _)| *first <= seq);
        self.stints[next.saturating_sub(1)]
    }
}

/// A row on its way.
#[derive(Debug)]
pub(crate) struct ToSend {
    pub(crate) seq: i64,
    pub(crate) workspace: WorkspaceId,
    pub(crate) channel: ChannelId,
    pub(crate) received_at: At,
    pub(crate) entry: Vec<u8>,
    pub(crate) raw: Vec<u8>,
}

/// Rows with a number above the first and up to the second.
pub(crate) type Gaps = Vec<(i64, i64)>;

/// A workspace, the server and the store its rows were sent to, the last row that arrived there, and where in the inbox the latest came to
/// stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) workspace: WorkspaceId,
    pub(crate) server: String,
    pub(crate) born: Vec<u8>,
    pub(crate) seq: i64,
    pub(crate) places: Places,
}

/// Rows and their positions in the inbox.
pub(crate) type Places = Vec<(i64, Position)>;

/// As stored: each row and position as the step from the one before it.
type Steps = Vec<(i64, i64, u64)>;

fn to_steps(places: &[(i64, Position)]) -> Steps {
    let (mut row, mut time) = (0, 0);
    let step = |(seq, place): &(i64, Position)| {
        let at = (place.0 >> 64) as i64;
        let step = (seq - row, at - time, place.0 as u64);
        (row, time) = (*seq, at);
        step
    };
    places.iter().map(step).collect()
}

fn from_steps(steps: &[(i64, i64, u64)]) -> Places {
    let (mut row, mut time) = (0, 0);
    let place = |(seq, at, number): &(i64, i64, u64)| {
        (row, time) = (row + seq, time + at);
        (row, Position((u128::from(time.unsigned_abs()) << 64) | u128::from(*number)))
    };
    steps.iter().map(place).collect()
}

/// A journal that lost its end gives old numbers to new rows; the stint tells them apart.
pub(super) fn begin_stint(db: &mut Connection) -> Result<()> {
    let tx = db.transaction()?;
    if tx.query_row("SELECT count(*) FROM gateway", [], |row| row.get::<_, i64>(0))? == 0 {
        tx.execute("INSERT INTO gateway (id) VALUES (?1)", [rand::random::<[u8; 16]>()])?;
    }
    let numbered = "SELECT coalesce(max(seq), 0) + 1 FROM sqlite_sequence WHERE name = 'row'";
    let first: i64 = tx.query_row(numbered, [], |row| row.get(0))?;
    // Rows from before there were stints are the first one's.
    let older: i64 = tx.query_row("SELECT count(*) FROM stint WHERE first < ?1", [first], |row| row.get(0))?;
    let firsts = if older == 0 && first > 1 { vec![1, first] } else { vec![first] };
    for first in firsts {
        tx.execute("DELETE FROM stint WHERE first >= ?1", [first])?;
        tx.execute("INSERT INTO stint (first, id) VALUES (?1, ?2)", params![first, rand::random::<[u8; 16]>()])?;
    }
    Ok(tx.commit()?)
}

pub(super) fn note(db: &mut Connection, marks: &[Mark]) -> Result<()> {
    let tx = db.transaction()?;
    {
        let mut put = tx.prepare_cached(
            "INSERT INTO sent (workspace, server, born, seq) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (workspace) DO UPDATE SET server = excluded.server, born = excluded.born, seq = excluded.seq",
        )?;
        let mut place =
            tx.prepare_cached("INSERT INTO placed (workspace, first, last, places) VALUES (?1, ?2, ?3, ?4)")?;
        for mark in marks {
            put.execute(params![mark.workspace.as_str(), mark.server, mark.born, mark.seq])?;
            if let (Some((first, _)), Some((last, _))) = (mark.places.first(), mark.places.last()) {
                let bytes = rmp_serde::to_vec(&to_steps(&mark.places)).expect("numbers can be said in MessagePack");
                place.execute(params![mark.workspace.as_str(), first, last, bytes])?;
            }
        }
    }
    Ok(tx.commit()?)
}

pub(super) fn rebase(
    db: &mut Connection,
    workspace: &WorkspaceId,
    decided: &BTreeMap<ChannelId, u64>,
    missing: &Gaps,
) -> Result<()> {
    let tx = db.transaction()?;
    let missing = count(&tx, workspace, missing)?;
    let accepted = accepted(&tx, workspace, "n")?;
    for (channel, n) in accepted {
        let of = |counts: &BTreeMap<ChannelId, u64>| counts.get(&channel).copied().unwrap_or(0);
        let base = n - i64::try_from(of(decided) + of(&missing)).unwrap_or(n);
        let sql = "UPDATE accepted SET base = ?3 WHERE workspace = ?1 AND channel = ?2";
        tx.execute(sql, params![workspace.as_str(), channel.as_str(), base])?;
    }
    Ok(tx.commit()?)
}

fn accepted(db: &Connection, workspace: &WorkspaceId, what: &str) -> Result<Vec<(ChannelId, i64)>> {
    let mut rows = db.prepare_cached(&format!("SELECT channel, {what} FROM accepted WHERE workspace = ?1"))?;
    let found =
        rows.query_map([workspace.as_str()], |row| Ok((ChannelId::new(&row.get::<_, String>(0)?), row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Rows of a workspace within gaps, by channel.
fn count(db: &Connection, workspace: &WorkspaceId, gaps: &Gaps) -> Result<BTreeMap<ChannelId, u64>> {
    let mut counts = BTreeMap::new();
    let mut rows = db.prepare_cached(
        "SELECT channel, count(*) FROM row WHERE workspace = ?1 AND seq > ?2 AND seq <= ?3 GROUP BY channel",
    )?;
    for (after, up_to) in gaps {
        let found = rows.query_map(params![workspace.as_str(), after, up_to], |row| {
            Ok((ChannelId::new(&row.get::<_, String>(0)?), row.get::<_, i64>(1)?))
        })?;
        for one in found {
            let (channel, n) = one?;
            *counts.entry(channel).or_default() += n.unsigned_abs();
        }
    }
    Ok(counts)
}

impl JournalReader {
    pub(crate) fn identity(&self) -> Result<Identity> {
        let gateway = self.db.query_row("SELECT id FROM gateway", [], |row| row.get(0))?;
        let mut rows = self.db.prepare("SELECT first, id FROM stint ORDER BY first")?;
        let stints = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(Identity { gateway, stints: stints.collect::<rusqlite::Result<_>>()? })
    }

    /// Every workspace that was ever sent to.
    pub(crate) fn workspaces(&self) -> Result<Vec<WorkspaceId>> {
        let mut rows = self.db.prepare_cached("SELECT DISTINCT workspace FROM accepted")?;
        let found = rows.query_map([], |row| Ok(WorkspaceId::new(&row.get::<_, String>(0)?)))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// The last number given.
    pub(crate) fn newest(&self) -> Result<i64> {
        Ok(self.db.query_row("SELECT coalesce(max(seq), 0) FROM row", [], |row| row.get(0))?)
    }

    /// The last row of a workspace below a number; 0 where there is none.
    pub(crate) fn last_below(&self, workspace: &WorkspaceId, seq: i64) -> Result<i64> {
        let mut row =
            self.db.prepare_cached("SELECT coalesce(max(seq), 0) FROM row WHERE workspace = ?1 AND seq < ?2")?;
        Ok(row.query_row(params![workspace.as_str(), seq], |row| row.get(0))?)
    }

    pub(crate) fn mark(&self, workspace: &WorkspaceId) -> Result<Option<Mark>> {
        let mut row = self.db.prepare_cached("SELECT server, born, seq FROM sent WHERE workspace = ?1")?;
        let found = row.query_row([workspace.as_str()], |row| {
            Ok(Mark {
                workspace: workspace.clone(),
                server: row.get(0)?,
                born: row.get(1)?,
                seq: row.get(2)?,
                places: Places::new(),
            })
        });
        Ok(found.optional()?)
    }

    /// Where rows after `after` and up to `up_to` stood, as far as it was noted; a few beside them come along.
    pub(crate) fn places(&self, workspace: &WorkspaceId, after: i64, up_to: i64) -> Result<BTreeMap<i64, Position>> {
        let sql = "SELECT places FROM placed WHERE workspace = ?1 AND last > ?2 AND first <= ?3 ORDER BY id";
        let mut rows = self.db.prepare_cached(sql)?;
        let found = rows.query_map(params![workspace.as_str(), after, up_to], |row| row.get::<_, Vec<u8>>(0))?;
        let mut places = BTreeMap::new();
        for bytes in found {
            let steps: Steps = rmp_serde::from_slice(&bytes?).map_err(|_| Error::Corrupt("place of rows"))?;
            places.extend(from_steps(&steps));
        }
        Ok(places)
    }

    /// The last row whose place was noted.
    pub(crate) fn last_placed(&self, workspace: &WorkspaceId) -> Result<Option<(i64, Position)>> {
        let sql = "SELECT max(last) FROM placed WHERE workspace = ?1";
        let last: Option<i64> = self.db.query_row(sql, [workspace.as_str()], |row| row.get(0))?;
        let Some(last) = last else { return Ok(None) };
        Ok(self.places(workspace, last - 1, last)?.pop_last())
    }

    /// Rows of all workspaces in their order.
    pub(crate) fn to_send(&self, after: i64, limit: usize) -> Result<Vec<ToSend>> {
        let sql = "SELECT seq, workspace, channel, received_at, entry, raw, spool FROM row WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut rows = self.db.prepare_cached(sql)?;
        let found = rows.query_map(params![after, limit as i64], |row| self.sendable(row))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// Rows of one workspace in their order.
    pub(crate) fn to_send_of(&self, workspace: &WorkspaceId, after: i64, limit: usize) -> Result<Vec<ToSend>> {
        let sql = "SELECT seq, workspace, channel, received_at, entry, raw, spool FROM row WHERE workspace = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3";
        let mut rows = self.db.prepare_cached(sql)?;
        let found = rows.query_map(params![workspace.as_str(), after, limit as i64], |row| self.sendable(row))?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }

    /// A body too large for a row stays here in the spool, unless it is all there is of a request nobody could read.
    fn sendable(&self, row: &Row<'_>) -> rusqlite::Result<ToSend> {
        let place = place(WorkspaceId::new(&row.get::<_, String>(1)?), row)?;
        let (seq, workspace, received_at) = (row.get::<_, i64>(0)?, place.workspace.clone(), place.received_at);
        let channel = place.channel.clone();
        let (mut entry, raw): (Vec<u8>, Option<Vec<u8>>) = (row.get(4)?, row.get(5)?);
        let read = decode(&entry).unwrap_or_else(|| {
            let damaged = place.damaged("journal", &seq.to_string());
            entry = encode(&damaged);
            damaged
        });
        let spooled = row.get::<_, Option<String>>(6)?.filter(|_| matches!(read.signal, Signal::Unreadable(_)));
        let from_spool = || std::fs::read(self.folder.join("spool").join(spooled?)).ok();
        Ok(ToSend { seq, workspace, channel, received_at, raw: raw.or_else(from_spool).unwrap_or_default(), entry })
    }

    /// Per channel: accepted in all that counts, and rows within gaps; both of one instant.
    pub(crate) fn accepted_and(
        &self,
        workspace: &WorkspaceId,
        gaps: &Gaps,
    ) -> Result<(BTreeMap<ChannelId, u64>, BTreeMap<ChannelId, u64>)> {
        let tx = self.db.unchecked_transaction()?;
        let accepted = accepted(&tx, workspace, "n - base")?;
        let accepted = accepted.into_iter().map(|(channel, n)| (channel, n.unsigned_abs())).collect();
        Ok((accepted, count(&tx, workspace, gaps)?))
    }

    /// How many rows of a workspace come after a number, and when the first of them was received.
    pub(crate) fn after_count(&self, workspace: &WorkspaceId, after: i64) -> Result<(u64, Option<At>)> {
        let sql = "SELECT count(*), min(received_at) FROM row WHERE workspace = ?1 AND seq > ?2";
        let mut row = self.db.prepare_cached(sql)?;
        let found = row.query_row(params![workspace.as_str(), after], |row| {
            Ok((row.get::<_, i64>(0)?.unsigned_abs(), row.get::<_, Option<i64>>(1)?.map(At::from_millis)))
        });
        found.map_err(Error::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_written_as_steps_and_read_as_they_were() {
        let at = |time: u128, number: u128| Position((time << 64) | number);
        let places: Places =
            vec![(7, at(1_700_000_000_000, 3)), (9, at(1_700_000_000_000, 4)), (10, at(1_700_000_000_002, 0))];
        assert_eq!(from_steps(&to_steps(&places)), places);
        assert_eq!(from_steps(&to_steps(&[])), []);
    }
}
