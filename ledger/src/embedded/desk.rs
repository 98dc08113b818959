//! What the desk asks: events, leads, exclusions, what was set aside, the books. Reads only.

use super::records::{CONTACT, EXCLUSION};
use super::schema::stream;
use crate::commit::Position;
use crate::error::{Error, Result};
use crate::{Account, LeadFilter, Published, SetAside};
use lead::books::Verdict;
use lead::changes::AsideKind;
use lead::ids::{ChannelId, ContactId, LeadId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state::{Contact, Exclusion, Lead};
use lead::time::At;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::collections::BTreeMap;

/// Verdicts of a workspace, and the cursor they reach to.
pub(super) type Verdicts = BTreeMap<ChannelId, BTreeMap<Verdict, i64>>;

fn ws(db: &Connection, workspace: &WorkspaceId) -> Result<Option<i64>> {
    Ok(db
        .prepare_cached("SELECT ws FROM workspace WHERE name = ?1")?
        .query_row([workspace.as_str()], |row| row.get(0))
        .optional()?)
}

pub(super) fn note(db: &Connection, workspace: &WorkspaceId, name: &str) -> Result<Option<String>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(None) };
    let mut row = db.prepare_cached("SELECT text FROM note WHERE ws = ?1 AND name = ?2")?;
    Ok(row.query_row(params![ws, name], |row| row.get(0)).optional()?)
}

pub(super) fn events(
    db: &Connection,
    workspace: &WorkspaceId,
    after: Position,
    limit: usize,
) -> Result<Vec<Published>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Vec::new()) };
    let range = stream(ws);
    let after = after.row().max(*range.start());
    let mut rows = db.prepare_cached(
        "SELECT pos, id, type, subject, json FROM event WHERE pos > ?1 AND pos <= ?2 ORDER BY pos LIMIT ?3",
    )?;
    let published = |row: &Row<'_>| {
        let position: i64 = row.get(0)?;
        Ok(Published {
            position: Position::of_row(position),
            id: row.get(1)?,
            kind: row.get(2)?,
            subject: row.get(3)?,
            json: row.get(4)?,
        })
    };
    let found = rows.query_map(params![after, range.end(), limit as i64], published)?;
    found.map(|row| Ok(row?)).collect()
}

pub(super) fn last_event(db: &Connection, workspace: &WorkspaceId) -> Result<Position> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Position(0)) };
    let range = stream(ws);
    let mut row = db.prepare_cached("SELECT max(pos) FROM event WHERE pos BETWEEN ?1 AND ?2")?;
    let newest: Option<i64> = row.query_row([range.start(), range.end()], |row| row.get(0))?;
    Ok(Position::of_row(newest.unwrap_or(*range.start())))
}

pub(super) fn consumer(db: &Connection, workspace: &WorkspaceId, name: &str) -> Result<Position> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Position(0)) };
    let mut row = db.prepare_cached("SELECT pos FROM consumer WHERE ws = ?1 AND name = ?2")?;
    let position: Option<i64> = row.query_row(params![ws, name], |row| row.get(0)).optional()?;
    Ok(Position::of_row(position.unwrap_or(0)))
}

type LeadAndContact = (Lead, Option<Contact>);

pub(super) fn lead(db: &Connection, workspace: &WorkspaceId, id: LeadId) -> Result<Option<LeadAndContact>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(None) };
    match super::records::get(db, ws, &Key::Lead(id))? {
        Some(Record::Lead(lead)) => with_contact(db, ws, *lead).map(Some),
        _ => Ok(None),
    }
}

fn with_contact(db: &Connection, ws: i64, lead: Lead) -> Result<LeadAndContact> {
    let contact = contact(db, ws, lead.contact)?;
    Ok((lead, contact))
}

fn contact(db: &Connection, ws: i64, id: ContactId) -> Result<Option<Contact>> {
    let mut row = db.prepare_cached("SELECT value FROM record WHERE ws = ?1 AND kind = ?2 AND id = ?3")?;
    let bytes: Option<Vec<u8>> = row.query_row(params![ws, CONTACT, id.bytes()], |row| row.get(0)).optional()?;
    let found = bytes.and_then(|bytes| Key::Contact(id).decode(&bytes));
    match found {
        Some(Record::Contact(found)) => match found.merged_into {
            Some(other) if other != id => contact(db, ws, other),
            _ => Ok(Some(*found)),
        },
        _ => Ok(None),
    }
}

pub(super) fn leads(db: &Connection, workspace: &WorkspaceId, filter: &LeadFilter) -> Result<Vec<LeadAndContact>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Vec::new()) };
    let (before, before_id) = match filter.before {
        Some((at, id)) => (at.millis(), id.bytes().to_vec()),
        None => (i64::MAX, Vec::new()),
    };
    let mut rows = db.prepare_cached(
        "SELECT id, value FROM lead WHERE ws = ?1 AND (born, id) < (?2, ?3)
           AND (?4 IS NULL OR (closed_at IS NULL) = ?4) AND (?5 IS NULL OR channel = ?5) AND (?6 IS NULL OR owner = ?6) AND (?7 IS NULL OR stage = ?7)
         ORDER BY born DESC, id DESC LIMIT ?8",
    )?;
    let channel = filter.channel.as_ref().map(ChannelId::as_str);
    let stage = filter.stage.map(super::records::stage);
    let asked = params![ws, before, before_id, filter.open, channel, filter.owner, stage, filter.limit as i64];
    let found = rows.query_map(asked, |row| Ok((LeadId::from_bytes(row.get(0)?), row.get::<_, Vec<u8>>(1)?)))?;
    let all: rusqlite::Result<Vec<_>> = found.collect();
    let mut leads = Vec::new();
    for (id, bytes) in all? {
        let Some(Record::Lead(lead)) = Key::Lead(id).decode(&bytes) else { return Err(Error::Corrupt("lead")) };
        leads.push(with_contact(db, ws, *lead)?);
    }
    Ok(leads)
}

pub(super) fn waiting(db: &Connection, workspace: &WorkspaceId) -> Result<BTreeMap<ChannelId, (u64, At)>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(BTreeMap::new()) };
    let mut rows = db.prepare_cached(
        "SELECT channel, count(*), min(born) FROM lead WHERE ws = ?1 AND waiting = 1 GROUP BY channel",
    )?;
    let found = rows.query_map([ws], |row| {
        let (channel, count, oldest): (String, i64, i64) = (row.get(0)?, row.get(1)?, row.get(2)?);
        Ok((ChannelId::new(&channel), (count.unsigned_abs(), At::from_millis(oldest))))
    })?;
    found.map(|row| Ok(row?)).collect()
}

pub(super) fn exclusions(
    db: &Connection,
    workspace: &WorkspaceId,
    after: &str,
    limit: usize,
) -> Result<Vec<Exclusion>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Vec::new()) };
    let mut rows =
        db.prepare_cached("SELECT id, value FROM record WHERE ws = ?1 AND kind = ?2 AND id > ?3 ORDER BY id LIMIT ?4")?;
    let found = rows.query_map(params![ws, EXCLUSION, after.as_bytes(), limit as i64], |row| {
        Ok((row.get::<_, Vec<u8>>(0)?, row.get::<_, Vec<u8>>(1)?))
    })?;
    let all: rusqlite::Result<Vec<_>> = found.collect();
    let decode = |(id, bytes): (Vec<u8>, Vec<u8>)| match Key::Exclusion(String::from_utf8_lossy(&id).into_owned())
        .decode(&bytes)
    {
        Some(Record::Exclusion(exclusion)) => Ok(*exclusion),
        _ => Err(Error::Corrupt("exclusion")),
    };
    all?.into_iter().map(decode).collect()
}

const ASIDE: &str = "SELECT pos, kind, reason, attempts, at, entry, raw FROM aside";

pub(super) fn aside(
    db: &Connection,
    workspace: &WorkspaceId,
    kind: AsideKind,
    before: Option<Position>,
    limit: usize,
) -> Result<Vec<SetAside>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(Vec::new()) };
    let before = before.map_or(i64::MAX, Position::row);
    let mut rows =
        db.prepare_cached(&format!("{ASIDE} WHERE ws = ?1 AND kind = ?2 AND pos < ?3 ORDER BY pos DESC LIMIT ?4"))?;
    let found = rows.query_map(params![ws, kind.word(), before, limit as i64], aside_row)?;
    found.map(|row| set_aside(row?)).collect()
}

pub(super) fn aside_one(db: &Connection, workspace: &WorkspaceId, uid: Uid) -> Result<Option<SetAside>> {
    let Some(ws) = ws(db, workspace)? else { return Ok(None) };
    let mut row = db.prepare_cached(&format!("{ASIDE} WHERE ws = ?1 AND uid = ?2 ORDER BY pos DESC LIMIT 1"))?;
    row.query_row(params![ws, uid.bytes()], aside_row).optional()?.map(set_aside).transpose()
}

pub(super) fn aside_count(db: &Connection, workspace: &WorkspaceId, kind: AsideKind) -> Result<u64> {
    let Some(ws) = ws(db, workspace)? else { return Ok(0) };
    let count: i64 = db
        .prepare_cached("SELECT count(*) FROM aside WHERE ws = ?1 AND kind = ?2")?
        .query_row(params![ws, kind.word()], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

type AsideRow = (i64, String, String, u32, i64, Vec<u8>, Option<Vec<u8>>);

fn aside_row(row: &Row<'_>) -> rusqlite::Result<AsideRow> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?, row.get(6)?))
}

fn set_aside((position, kind, reason, attempts, at, entry, raw): AsideRow) -> Result<SetAside> {
    let kind = AsideKind::parse(&kind).ok_or(Error::Corrupt("entry set aside"))?;
    let entry = rmp_serde::from_slice(&entry).map_err(|_| Error::Corrupt("entry set aside"))?;
    Ok(SetAside { position: Position::of_row(position), kind, reason, attempts, at: At::from_millis(at), entry, raw })
}

pub(super) fn verdicts(db: &Connection, workspace: &WorkspaceId) -> Result<(i64, Verdicts)> {
    let tx = db.unchecked_transaction()?;
    let mut head = tx.prepare_cached("SELECT ws, cursor FROM workspace WHERE name = ?1")?;
    let found: Option<(i64, i64)> =
        head.query_row([workspace.as_str()], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
    let Some((ws, cursor)) = found else { return Ok((0, Verdicts::new())) };
    let mut rows = tx.prepare_cached("SELECT channel, verdict, n FROM books WHERE ws = ?1")?;
    let mut verdicts = Verdicts::new();
    for row in rows.query_map([ws], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))? {
        let (channel, word, n) = row?;
        let verdict = Verdict::parse(&word).ok_or(Error::Corrupt("line of the books"))?;
        verdicts.entry(ChannelId::new(&channel)).or_default().insert(verdict, n);
    }
    Ok((cursor, verdicts))
}

pub(super) fn balance(accepted: BTreeMap<ChannelId, (u64, u64)>, verdicts: Verdicts) -> BTreeMap<ChannelId, Account> {
    let mut books: BTreeMap<ChannelId, Account> = BTreeMap::new();
    for (channel, (accepted, in_flight)) in accepted {
        books.insert(channel, Account { accepted, in_flight, verdicts: BTreeMap::new() });
    }
    for (channel, lines) in verdicts {
        books.entry(channel).or_default().verdicts = lines;
    }
    books
}
