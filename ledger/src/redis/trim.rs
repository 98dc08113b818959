//! What may go? Only what is past its age, streams only past the cursor and every registered reader too.
//!
//! Whoever owns a workspace trims it, under the same fence as its commits. Hashes are swept page by page.

use super::Redis;
use super::desk::set_aside;
use super::tenure::{Tenure, transaction};
use super::words::{Item, moment, position, read, stream_id};
use crate::Keep;
use crate::commit::Position;
use crate::error::Result;
use ::redis::Pipeline;
use lead::changes::AsideKind;
use lead::identity::Pepper;
use lead::ids::{CallKey, ContactId, Digest, LeadId, Uid};
use lead::record::{Key, Record};
use lead::time::At;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Fields looked at in one go, and pages of one round: deciding goes on in between.
const PAGE: usize = 1_000;
const PAGES: usize = 16;
/// Entries set aside that are looked at in one go: the bytes of their requests come along.
const ASIDES: usize = 20;

/// Where sweeping a hash goes on.
#[derive(Debug, Default)]
pub(super) struct Sweeps(Mutex<HashMap<String, u64>>);

impl Sweeps {
    fn at(&self, key: &str) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).copied().unwrap_or(0)
    }

    fn set(&self, key: String, cursor: u64) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key, cursor);
    }
}

type Named = fn([u8; 16]) -> Key;

/// Kinds of records that age by themselves.
const AGEING: [(&str, Named); 5] = [
    ("seen", |id| Key::Seen(Uid::from_bytes(id))),
    ("same", |id| Key::Same(Digest::from_bytes(id))),
    ("call", |id| Key::Call(CallKey::from_bytes(id))),
    ("unmatched", Key::Unmatched),
    ("contact", |id| Key::Contact(ContactId::from_bytes(id))),
];

impl Redis {
    pub(super) async fn trim_one(&self, tenure: &Tenure, now: At, keep: &Keep, pepper: &Pepper) -> Result<u64> {
        let mut removed = self.trim_streams(tenure, now, keep).await?;
        for (kind, name) in AGEING {
            let before = now.minus(if kind == "contact" { keep.closed } else { keep.seen });
            removed += self.sweep(tenure, kind, name, before, pepper).await?;
        }
        for kind in AsideKind::ALL.into_iter().filter(|kind| kind.ages()) {
            removed += asides(tenure, kind, now.minus(keep.aside)).await?;
        }
        Ok(removed + self.closed_leads(tenure, now.minus(keep.closed)).await?)
    }

    async fn trim_streams(&self, tenure: &Tenure, now: At, keep: &Keep) -> Result<u64> {
        let (inbox, events) = (tenure.keys.at("inbox"), tenure.keys.at("events"));
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(tenure.keys.at("head")).arg("cursor");
        question.cmd("XREVRANGE").arg(&events).arg("+").arg("-").arg("COUNT").arg(1);
        question.cmd("HGETALL").arg(tenure.keys.at("consumers"));
        question.cmd("EXISTS").arg(&events);
        let mut told = tenure.ask(&question).await?;
        let cursor: Option<String> = told.next()?;
        let newest = Item::list(told.next()?)?.pop().map(|item| item.position);
        let consumers: Vec<(String, String)> = told.next()?;
        let mut trim = Pipeline::new();
        if let Some(cursor) = cursor {
            let next = Position(position(&cursor)?.0.saturating_add(1));
            trim.cmd("XTRIM").arg(&inbox).arg("MINID").arg(stream_id(next.min(moment(now.minus(keep.inbox)))));
        }
        if let Some(newest) = newest {
            // The newest event stays, so that there is always a last position.
            let mut first = newest.min(moment(now.minus(keep.events)));
            let groups = if told.next::<bool>()? { groups(tenure, &events).await? } else { HashMap::new() };
            for (name, read_up_to) in consumers {
                let by_itself = position(&read_up_to)?;
                let read_up_to = groups.get(&name).map_or(by_itself, |group| by_itself.max(*group));
                first = first.min(Position(read_up_to.0.saturating_add(1)));
            }
            trim.cmd("XTRIM").arg(&events).arg("MINID").arg(stream_id(first));
        }
        if trim.is_empty() {
            return Ok(0);
        }
        let mut told = tenure.ask(&trim).await?;
        let mut removed = 0;
        for _ in 0..trim.len() {
            removed += told.next::<u64>()?;
        }
        Ok(removed)
    }

    /// Goes on through a hash where the last round stopped, and removes what is too old.
    async fn sweep(&self, tenure: &Tenure, kind: &str, name: Named, before: At, pepper: &Pepper) -> Result<u64> {
        let key = tenure.keys.at(kind);
        let (mut cursor, mut removed) = (self.sweeps.at(&key), 0);
        for _ in 0..PAGES {
            let mut page = Pipeline::new();
            page.cmd("HSCAN").arg(&key).arg(cursor).arg("COUNT").arg(PAGE);
            let (next, fields): (u64, Vec<(Vec<u8>, Vec<u8>)>) = tenure.ask(&page).await?.next()?;
            let old = |(field, value): (Vec<u8>, Vec<u8>)| {
                let record = name(field.as_slice().try_into().ok()?).decode(&value)?;
                record.ages_from().filter(|at| *at < before).map(|_| (field, record))
            };
            let (gone, records): (Vec<Vec<u8>>, Vec<Record>) = fields.into_iter().filter_map(old).unzip();
            if !gone.is_empty() {
                let mut drop = transaction();
                drop.cmd("HDEL").arg(&key).arg(&gone);
                let keys = leading_to(tenure, &records, pepper).await?;
                if !keys.is_empty() {
                    drop.cmd("HDEL").arg(tenure.keys.at("identity")).arg(&keys);
                }
                tenure.commit(drop).await?;
                removed += gone.len() as u64;
            }
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        self.sweeps.set(key, cursor);
        Ok(removed)
    }

    /// Leads are looked through by their arrival: none closes before it arrives.
    async fn closed_leads(&self, tenure: &Tenure, before: At) -> Result<u64> {
        let key = tenure.keys.at("leads");
        let skip = self.sweeps.at(&key);
        let mut question = Pipeline::new();
        let range = question.cmd("ZRANGEBYSCORE").arg(&key).arg("-inf").arg(format!("({}", before.millis()));
        range.arg("LIMIT").arg(skip).arg(PAGE);
        let ids: Vec<Vec<u8>> = tenure.ask(&question).await?.next()?;
        if ids.is_empty() {
            self.sweeps.set(key, 0);
            return Ok(0);
        }
        let mut question = Pipeline::new();
        question.cmd("HMGET").arg(tenure.keys.at("lead")).arg(&ids);
        let values: Vec<Option<Vec<u8>>> = tenure.ask(&question).await?.next()?;
        let old = |(id, value): (&Vec<u8>, Option<Vec<u8>>)| {
            let name = Key::Lead(LeadId::from_bytes(id.as_slice().try_into().ok()?));
            match name.decode(&value?)? {
                Record::Lead(lead) if lead.closed_at.is_some_and(|at| at < before) => Some(id.clone()),
                _ => None,
            }
        };
        let gone: Vec<Vec<u8>> = ids.iter().zip(values).filter_map(old).collect();
        self.sweeps.set(key.clone(), skip + (ids.len() - gone.len()) as u64);
        if gone.is_empty() {
            return Ok(0);
        }
        let mut drop = transaction();
        drop.cmd("HDEL").arg(tenure.keys.at("lead")).arg(&gone);
        drop.cmd("ZREM").arg(&key).arg(&gone);
        tenure.commit(drop).await?;
        Ok(gone.len() as u64)
    }
}

/// The keys that still lead to one of these contacts.
async fn leading_to(tenure: &Tenure, records: &[Record], pepper: &Pepper) -> Result<Vec<Vec<u8>>> {
    let contacts = records.iter().filter_map(|record| match record {
        Record::Contact(contact) => Some(contact),
        _ => None,
    });
    let (keys, ids): (Vec<Vec<u8>>, Vec<ContactId>) =
        contacts.flat_map(|contact| contact.keys(pepper).map(|key| (key.0.to_vec(), contact.id))).unzip();
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut question = Pipeline::new();
    question.cmd("HMGET").arg(tenure.keys.at("identity")).arg(&keys);
    let held: Vec<Option<Vec<u8>>> = tenure.ask(&question).await?.next()?;
    let leads_there = |(id, held): (&ContactId, &Option<Vec<u8>>)| held.as_deref() == Some(id.bytes());
    let held = ids.iter().zip(&held).map(leads_there);
    Ok(keys.into_iter().zip(held).filter_map(|(key, held)| held.then_some(key)).collect())
}

/// The oldest of a kind first, until a page has nothing that is old enough: what is young is never read through.
async fn asides(tenure: &Tenure, kind: AsideKind, before: At) -> Result<u64> {
    let (list, hash) = (tenure.keys.aside(kind.word()), tenure.keys.at("aside"));
    let (mut stayed, mut removed) = (0, 0);
    for _ in 0..PAGES {
        let mut question = Pipeline::new();
        question.cmd("ZRANGE").arg(&list).arg(stayed).arg(stayed + ASIDES - 1);
        let uids: Vec<Vec<u8>> = tenure.ask(&question).await?.next()?;
        if uids.is_empty() {
            break;
        }
        let mut question = Pipeline::new();
        question.cmd("HMGET").arg(&hash).arg(&uids);
        let kept: Vec<Option<Vec<u8>>> = tenure.ask(&question).await?.next()?;
        // Without its entry a name is not worth keeping; an entry that cannot be read stays for people.
        let old = |bytes: &Option<Vec<u8>>| match bytes {
            Some(bytes) => set_aside(bytes).is_ok_and(|one| one.at < before),
            None => true,
        };
        let gone: Vec<&Vec<u8>> = uids.iter().zip(&kept).filter(|(_, bytes)| old(bytes)).map(|(uid, _)| uid).collect();
        if gone.is_empty() {
            break;
        }
        let mut drop = transaction();
        drop.cmd("ZREM").arg(&list).arg(&gone);
        drop.cmd("HDEL").arg(&hash).arg(&gone);
        tenure.commit(drop).await?;
        stayed += uids.len() - gone.len();
        removed += gone.len() as u64;
    }
    Ok(removed)
}

/// Readers with a group of their own: everything before the position has been delivered and acknowledged.
async fn groups(tenure: &Tenure, events: &str) -> Result<HashMap<String, Position>> {
    let mut question = Pipeline::new();
    question.cmd("XINFO").arg("GROUPS").arg(events);
    let told: Vec<HashMap<String, ::redis::Value>> = tenure.ask(&question).await?.next()?;
    let mut groups = HashMap::new();
    for mut group in told {
        let mut take = |field: &str| group.remove(field).unwrap_or_default();
        let (name, delivered): (String, String) = (read(take("name"))?, read(take("last-delivered-id"))?);
        let mut up_to = position(&delivered)?;
        if read::<u64>(take("pending"))? > 0 {
            let mut question = Pipeline::new();
            question.cmd("XPENDING").arg(events).arg(&name);
            let (_, first, _, _): (u64, Option<String>, ::redis::Value, ::redis::Value) =
                tenure.ask(&question).await?.next()?;
            if let Some(first) = first {
                up_to = up_to.min(Position(position(&first)?.0.saturating_sub(1)));
            }
        }
        groups.insert(name, up_to);
    }
    Ok(groups)
}
