//! The one transaction of a batch, and the claims that fence it.

use super::records::{self, wake_name};
use super::worker::Store;
use crate::Claim;
use crate::commit::{Batch, Position};
use crate::error::{Error, Result};
use lead::changes::{Aside, QueueChange, TimerChange};
use lead::entry::Entry;
use lead::ids::{Uid, WorkspaceId};
use lead::time::At;
use rusqlite::{Connection, TransactionBehavior, params};
use std::path::Path;

impl Store {
    pub(super) fn claim(&mut self, workspace: &WorkspaceId) -> Result<Claim> {
        let ws = self.ws(workspace)?;
        let sql = "UPDATE workspace SET epoch = epoch + 1 WHERE ws = ?1 RETURNING epoch, cursor, resting";
        let (epoch, cursor, resting): (i64, i64, bool) =
            self.db.query_row(sql, [ws], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        self.db.execute("UPDATE workspace SET resting = 0 WHERE ws = ?1", [ws])?;
        Ok(Claim { epoch: epoch.unsigned_abs(), cursor: Position::of_row(cursor), unclean: !resting })
    }

    pub(super) fn rest(&mut self, workspace: &WorkspaceId, epoch: u64) -> Result<()> {
        let ws = self.ws(workspace)?;
        self.db.execute("UPDATE workspace SET resting = 1 WHERE ws = ?1 AND epoch = ?2", params![ws, epoch as i64])?;
        Ok(())
    }

    pub(super) fn attempt(&mut self, workspace: &WorkspaceId, uid: Uid) -> Result<u32> {
        let ws = self.ws(workspace)?;
        let sql = "INSERT INTO attempt (ws, uid, n) VALUES (?1, ?2, 1) ON CONFLICT (ws, uid) DO UPDATE SET n = n + 1 RETURNING n - 1";
        Ok(self.db.query_row(sql, params![ws, uid.bytes()], |row| row.get(0))?)
    }

    pub(super) fn commit(
        &mut self,
        workspace: &WorkspaceId,
        epoch: u64,
        batch: &Batch,
        raws: &[Option<Vec<u8>>],
    ) -> Result<()> {
        let ws = self.ws(workspace)?;
        let newest = self.newest_event(ws)?;
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut head =
            tx.prepare_cached("UPDATE workspace SET cursor = max(cursor, ?3) WHERE ws = ?1 AND epoch = ?2")?;
        if head.execute(params![ws, epoch as i64, batch.cursor.row()])? == 0 {
            return Err(Error::Fenced);
        }
        drop(head);
        for (key, record) in &batch.records {
            records::put(&tx, ws, key, record.as_ref())?;
        }
        let last = put_events(&tx, newest, batch)?;
        put_timers(&tx, ws, &batch.timers)?;
        put_queue(&tx, ws, &batch.queue)?;
        put_books(&tx, ws, batch)?;
        for ((_, aside, entry), raw) in batch.asides.iter().zip(raws) {
            put_aside(&tx, ws, batch.set_aside_at(entry), (aside, entry), raw.as_deref())?;
        }
        if let Some(uid) = batch.survived {
            tx.prepare_cached("DELETE FROM attempt WHERE ws = ?1 AND uid = ?2")?.execute(params![ws, uid.bytes()])?;
        }
        tx.commit()?;
        self.newest.insert(ws, last);
        Ok(())
    }

    pub(super) fn acknowledge(
        &mut self,
        workspace: &WorkspaceId,
        name: &str,
        position: Position,
        rewind: bool,
    ) -> Result<()> {
        let ws = self.ws(workspace)?;
        let sql = if rewind {
            "INSERT INTO consumer (ws, name, pos) VALUES (?1, ?2, ?3) ON CONFLICT (ws, name) DO UPDATE SET pos = excluded.pos"
        } else {
            "INSERT INTO consumer (ws, name, pos) VALUES (?1, ?2, ?3) ON CONFLICT (ws, name) DO UPDATE SET pos = max(pos, excluded.pos)"
        };
        self.db.execute(sql, params![ws, name, position.row()])?;
        Ok(())
    }

    pub(super) fn release(&mut self, workspace: &WorkspaceId, uid: Uid) -> Result<bool> {
        let ws = self.ws(workspace)?;
        Ok(self.db.execute("DELETE FROM aside WHERE ws = ?1 AND uid = ?2", params![ws, uid.bytes()])? > 0)
    }

    pub(super) fn put_note(&mut self, workspace: &WorkspaceId, name: &str, text: &str) -> Result<()> {
        let ws = self.ws(workspace)?;
        let sql = "INSERT INTO note (ws, name, text) VALUES (?1, ?2, ?3) ON CONFLICT (ws, name) DO UPDATE SET text = excluded.text";
        self.db.execute(sql, params![ws, name, text])?;
        Ok(())
    }

    pub(super) fn keep_rules(&mut self, version: &str, text: &str) -> Result<()> {
        self.db.execute("INSERT OR IGNORE INTO rules (version, text) VALUES (?1, ?2)", [version, text])?;
        Ok(())
    }

    pub(super) fn backup(&mut self, to: &Path) -> Result<()> {
        let target = to.join(super::schema::SCHEMA.file);
        self.db.execute("VACUUM INTO ?1", params![target.display().to_string()])?;
        Ok(())
    }
}

fn put_events(db: &Connection, newest: i64, batch: &Batch) -> Result<i64> {
    let mut put =
        db.prepare_cached("INSERT INTO event (pos, at, id, type, subject, json) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
    let mut position = newest;
    for event in &batch.events {
        position += 1;
        put.execute(params![
            position,
            event.time.millis(),
            event.id.to_string(),
            event.kind.word(),
            event.subject,
            event.json
        ])?;
    }
    Ok(position)
}

fn put_timers(db: &Connection, ws: i64, timers: &[TimerChange]) -> Result<()> {
    let mut set = db.prepare_cached("INSERT OR IGNORE INTO timer (ws, due, what) VALUES (?1, ?2, ?3)")?;
    let mut clear = db.prepare_cached("DELETE FROM timer WHERE ws = ?1 AND due = ?2 AND what = ?3")?;
    for change in timers {
        let (statement, timer) = match change {
            TimerChange::Set(timer) => (&mut set, timer),
            TimerChange::Clear(timer) => (&mut clear, timer),
        };
        statement.execute(params![ws, timer.due.millis(), wake_name(&timer.what)])?;
    }
    Ok(())
}

fn put_queue(db: &Connection, ws: i64, queue: &[QueueChange]) -> Result<()> {
    let mut put = db.prepare_cached("INSERT OR IGNORE INTO queue (ws, at, lead) VALUES (?1, ?2, ?3)")?;
    let mut drop = db.prepare_cached("DELETE FROM queue WHERE ws = ?1 AND at = ?2 AND lead = ?3")?;
    for change in queue {
        match change {
            QueueChange::Put(at, lead) => put.execute(params![ws, at.millis(), lead.bytes()])?,
            QueueChange::Drop(at, lead) => drop.execute(params![ws, at.millis(), lead.bytes()])?,
        };
    }
    Ok(())
}

fn put_books(db: &Connection, ws: i64, batch: &Batch) -> Result<()> {
    let mut count = db.prepare_cached(
        "INSERT INTO books (ws, channel, verdict, n) VALUES (?1, ?2, ?3, ?4) ON CONFLICT (ws, channel, verdict) DO UPDATE SET n = n + excluded.n",
    )?;
    for ((channel, verdict), n) in batch.books.iter().filter(|(_, n)| **n != 0) {
        count.execute(params![ws, channel.as_str(), verdict.word(), n])?;
    }
    Ok(())
}

fn put_aside(db: &Connection, ws: i64, at: At, (aside, entry): (&Aside, &Entry), raw: Option<&[u8]>) -> Result<()> {
    db.prepare_cached("DELETE FROM attempt WHERE ws = ?1 AND uid = ?2")?.execute(params![ws, entry.uid.bytes()])?;
    let mut put = db.prepare_cached(
        "INSERT INTO aside (ws, kind, uid, reason, attempts, at, entry, raw) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    let bytes = rmp_serde::to_vec(entry).map_err(|_| Error::Corrupt("entry"))?;
    let (kind, uid) = (aside.kind.word(), entry.uid.bytes());
    put.execute(params![ws, kind, uid, aside.reason, aside.attempts, at.millis(), bytes, raw])?;
    Ok(())
}
