//! What may go? Only what is past its age, and events only past every registered consumer too.

use super::records::{CALL, CONTACT, IDENTITY, SAME, SEEN, UNMATCHED};
use super::worker::Store;
use crate::Keep;
use crate::error::Result;
use lead::changes::AsideKind;
use lead::identity::Pepper;
use lead::ids::ContactId;
use lead::record::{Key, Record};
use lead::time::At;
use rusqlite::{Connection, params};

/// Rows of one kind removed in one go: the next round takes the rest, deciding goes on in between.
const AT_ONCE: i64 = 2_000;
/// The same for what was set aside, which comes with the bytes of whole requests.
const ASIDES_AT_ONCE: i64 = 200;

impl Store {
    /// How much was removed, and the row up to which each workspace has decided.
    pub(super) fn trim(&mut self, now: At, keep: &Keep, pepper: &Pepper) -> Result<(u64, Vec<(String, i64)>)> {
        let tx = self.db.transaction()?;
        let (seen, closed) = (now.minus(keep.seen).millis(), now.minus(keep.closed).millis());
        let mut removed = contacts(&tx, closed, pepper)?;
        for kind in [SEEN, SAME, CALL, UNMATCHED] {
            let sql = "DELETE FROM record WHERE (ws, kind, id) IN (SELECT ws, kind, id FROM record WHERE kind = ?1 AND ages_from IS NOT NULL AND ages_from < ?2 LIMIT ?3)";
            removed += tx.prepare_cached(sql)?.execute(params![kind, seen, AT_ONCE])?;
        }
        let leads = "DELETE FROM lead WHERE pos IN (SELECT pos FROM lead WHERE closed_at IS NOT NULL AND closed_at < ?1 LIMIT ?2)";
        removed += tx.prepare_cached(leads)?.execute(params![closed, AT_ONCE])?;
        removed += events(&tx, now.minus(keep.events).millis())?;
        let asides = "DELETE FROM aside WHERE pos IN (SELECT pos FROM aside WHERE kind = ?1 AND at < ?2 LIMIT ?3)";
        for kind in AsideKind::ALL.into_iter().filter(|kind| kind.ages()) {
            let before = now.minus(keep.aside).millis();
            removed += tx.prepare_cached(asides)?.execute(params![kind.word(), before, ASIDES_AT_ONCE])?;
        }
        let decided = {
            let mut rows = tx.prepare("SELECT name, cursor FROM workspace")?;
            let found: rusqlite::Result<Vec<(String, i64)>> =
                rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect();
            found?
        };
        tx.commit()?;
        Ok((removed as u64, decided))
    }
}

/// A contact and the keys that still lead to it.
fn contacts(db: &Connection, before: i64, pepper: &Pepper) -> Result<usize> {
    let old: Vec<(i64, [u8; 16], Vec<u8>)> = {
        let sql =
            "SELECT ws, id, value FROM record WHERE kind = ?1 AND ages_from IS NOT NULL AND ages_from < ?2 LIMIT ?3";
        let mut rows = db.prepare_cached(sql)?;
        let found =
            rows.query_map(params![CONTACT, before, AT_ONCE], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        found.collect::<rusqlite::Result<_>>()?
    };
    let mut unlink = db.prepare_cached("DELETE FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3 AND value = ?4")?;
    let mut forget = db.prepare_cached("DELETE FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?;
    for (ws, id, value) in &old {
        if let Some(Record::Contact(contact)) = Key::Contact(ContactId::from_bytes(*id)).decode(value) {
            for key in contact.keys(pepper) {
                unlink.execute(params![ws, IDENTITY, key.0, id])?;
            }
        }
        forget.execute(params![ws, CONTACT, id])?;
    }
    Ok(old.len())
}

/// The newest event of a stream stays, so that positions never begin anew.
fn events(db: &Connection, before: i64) -> Result<usize> {
    let mut gone = 0;
    let all: Vec<i64> = {
        let mut rows = db.prepare_cached("SELECT ws FROM workspace")?;
        let found: rusqlite::Result<Vec<i64>> = rows.query_map([], |row| row.get(0))?.collect();
        found?
    };
    for ws in all {
        let range = super::schema::stream(ws);
        let read: Option<i64> = db.query_row("SELECT min(pos) FROM consumer WHERE ws = ?1", [ws], |row| row.get(0))?;
        let newest: Option<i64> = db.query_row(
            "SELECT max(pos) FROM event WHERE pos BETWEEN ?1 AND ?2",
            [range.start(), range.end()],
            |row| row.get(0),
        )?;
        let last = read.unwrap_or(i64::MAX).min(newest.unwrap_or(0) - 1).min(*range.end());
        let sql = "DELETE FROM event WHERE pos IN (SELECT pos FROM event WHERE pos BETWEEN ?1 AND ?2 AND at < ?3 ORDER BY pos LIMIT ?4)";
        gone += db.prepare_cached(sql)?.execute(params![range.start(), last, before, AT_ONCE])?;
    }
    Ok(gone)
}
