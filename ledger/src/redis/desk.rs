//! What the desk asks: events, leads, exclusions, what was set aside. Reads only.

use super::Redis;
use super::keys::Keys;
use super::words::{Answers, Item, arrived_at, read, stream_id};
use crate::commit::Position;
use crate::error::{Error, Result};
use crate::{LeadFilter, Published, SetAside};
use ::redis::Pipeline;
use lead::changes::AsideKind;
use lead::entry::Entry;
use lead::ids::{ChannelId, ContactId, LeadId, Uid};
use lead::record::{Key, Record};
use lead::state::{Contact, Exclusion, Lead};
use lead::time::At;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Leads looked at in one go while looking for those that were asked for.
const PAGE: usize = 256;

type LeadAndContact = (Lead, Option<Contact>);

impl Redis {
    pub(super) async fn events_after(&self, keys: &Keys, after: Position, limit: usize) -> Result<Vec<Published>> {
        let mut question = Pipeline::new();
        let range = question.cmd("XRANGE").arg(keys.at("events"));
        range.arg(format!("({}", stream_id(after))).arg("+").arg("COUNT").arg(limit);
        let mut told = self.shared.ask(&question).await?;
        let published = |mut item: Item| {
            Ok(Published {
                position: item.position,
                id: item.text("id")?,
                kind: item.text("type")?,
                subject: item.text("subject")?,
                json: item.text("data")?,
            })
        };
        Item::list(told.pop().unwrap_or_default())?.into_iter().map(published).collect()
    }

    pub(super) async fn newest_event(&self, keys: &Keys) -> Result<Position> {
        let mut question = Pipeline::new();
        question.cmd("XREVRANGE").arg(keys.at("events")).arg("+").arg("-").arg("COUNT").arg(1);
        let mut told = self.shared.ask(&question).await?;
        Ok(Item::list(told.pop().unwrap_or_default())?.pop().map_or_else(Position::default, |item| item.position))
    }

    pub(super) async fn lead_by_id(&self, keys: &Keys, id: LeadId) -> Result<Option<LeadAndContact>> {
        let mut found = self.stored_leads(keys, &[id]).await?;
        match found.pop().flatten() {
            Some(lead) => Ok(self.with_contacts(keys, vec![lead]).await?.pop()),
            None => Ok(None),
        }
    }

    /// Walks back through all leads until enough of those asked for are found.
    pub(super) async fn leads_before(&self, keys: &Keys, filter: &LeadFilter) -> Result<Vec<LeadAndContact>> {
        let (highest, mut skip) = (filter.before.map_or("+inf".to_owned(), |(at, _)| at.millis().to_string()), 0);
        let mut leads = Vec::new();
        while leads.len() < filter.limit {
            let mut question = Pipeline::new();
            let range = question.cmd("ZREVRANGEBYSCORE").arg(keys.at("leads")).arg(&highest).arg("-inf");
            range.arg("LIMIT").arg(skip).arg(PAGE);
            let ids: Vec<Vec<u8>> = Answers::of(self.shared.ask(&question).await?).next()?;
            let ids: Vec<LeadId> =
                ids.into_iter().filter_map(|id| Some(LeadId::from_bytes(id.try_into().ok()?))).collect();
            let whole = ids.len() < PAGE;
            skip += ids.len();
            let found = self.stored_leads(keys, &ids).await?.into_iter().flatten();
            leads.extend(found.filter(|lead| asked_for(lead, filter)));
            if whole {
                break;
            }
        }
        leads.truncate(filter.limit);
        self.with_contacts(keys, leads).await
    }

    async fn stored_leads(&self, keys: &Keys, ids: &[LeadId]) -> Result<Vec<Option<Lead>>> {
        let names: Vec<Key> = ids.iter().map(|id| Key::Lead(*id)).collect();
        let lead = |record| match record {
            Some(Record::Lead(lead)) => Some(*lead),
            _ => None,
        };
        Ok(self.look_up(keys, &names).await?.into_iter().map(lead).collect())
    }

    async fn with_contacts(&self, keys: &Keys, leads: Vec<Lead>) -> Result<Vec<LeadAndContact>> {
        let mut wanted: Vec<ContactId> = leads.iter().map(|lead| lead.contact).collect();
        let mut contacts: BTreeMap<ContactId, Contact> = BTreeMap::new();
        // A contact that was merged points on; each round follows one step.
        while !wanted.is_empty() {
            let names: Vec<Key> = wanted.iter().map(|id| Key::Contact(*id)).collect();
            let found = self.look_up(keys, &names).await?;
            let mut next = Vec::new();
            for (id, record) in wanted.into_iter().zip(found) {
                let Some(Record::Contact(contact)) = record else { continue };
                next.extend(contact.merged_into.filter(|other| *other != id && !contacts.contains_key(other)));
                contacts.insert(id, *contact);
            }
            wanted = next;
        }
        let behind = |mut id: ContactId| {
            for _ in 0..contacts.len() {
                match contacts.get(&id)?.merged_into {
                    Some(other) if other != id => id = other,
                    _ => break,
                }
            }
            contacts.get(&id).cloned()
        };
        Ok(leads
            .into_iter()
            .map(|lead| {
                let contact = behind(lead.contact);
                (lead, contact)
            })
            .collect())
    }

    pub(super) async fn waiting_by_channel(&self, keys: &Keys) -> Result<BTreeMap<ChannelId, (u64, At)>> {
        let channels: Vec<ChannelId> = self.account_books(keys).await?.into_keys().collect();
        let mut question = Pipeline::new();
        for channel in &channels {
            question.cmd("ZCARD").arg(keys.waiting(channel));
            question.cmd("ZRANGE").arg(keys.waiting(channel)).arg(0).arg(0).arg("WITHSCORES");
        }
        if channels.is_empty() {
            return Ok(BTreeMap::new());
        }
        let mut told = Answers::of(self.shared.ask(&question).await?);
        let mut waiting = BTreeMap::new();
        for channel in channels {
            let (count, oldest): (u64, Vec<(Vec<u8>, i64)>) = (told.next()?, told.next()?);
            if let Some((_, since)) = oldest.first() {
                waiting.insert(channel, (count, At::from_millis(*since)));
            }
        }
        Ok(waiting)
    }

    pub(super) async fn exclusions_after(&self, keys: &Keys, after: &str, limit: usize) -> Result<Vec<Exclusion>> {
        let mut question = Pipeline::new();
        let first = if after.is_empty() { "-".to_owned() } else { format!("({after}") };
        let range = question.cmd("ZRANGEBYLEX").arg(keys.at("exclusions")).arg(first).arg("+");
        range.arg("LIMIT").arg(0).arg(limit);
        let matchers: Vec<String> = Answers::of(self.shared.ask(&question).await?).next()?;
        let names: Vec<Key> = matchers.into_iter().map(Key::Exclusion).collect();
        let exclusion = |record| match record {
            Some(Record::Exclusion(exclusion)) => Some(*exclusion),
            _ => None,
        };
        Ok(self.look_up(keys, &names).await?.into_iter().filter_map(exclusion).collect())
    }

    pub(super) async fn aside_before(
        &self,
        keys: &Keys,
        kind: AsideKind,
        before: Option<Position>,
        limit: usize,
    ) -> Result<Vec<SetAside>> {
        let mut question = Pipeline::new();
        let highest = before.map_or("+inf".to_owned(), |position| format!("({}", position.0));
        let range = question.cmd("ZREVRANGEBYSCORE").arg(keys.aside(kind.word())).arg(highest).arg("-inf");
        range.arg("LIMIT").arg(0).arg(limit);
        let uids: Vec<Vec<u8>> = Answers::of(self.shared.ask(&question).await?).next()?;
        if uids.is_empty() {
            return Ok(Vec::new());
        }
        let mut question = Pipeline::new();
        question.cmd("HMGET").arg(keys.at("aside")).arg(uids);
        let kept: Vec<Option<Vec<u8>>> = Answers::of(self.shared.ask(&question).await?).next()?;
        kept.into_iter().flatten().map(|bytes| set_aside(&bytes)).collect()
    }

    pub(super) async fn aside_by_uid(&self, keys: &Keys, uid: Uid) -> Result<Option<SetAside>> {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(keys.at("aside")).arg(uid.bytes());
        let kept: Option<Vec<u8>> = read(self.shared.ask(&question).await?.pop().unwrap_or_default())?;
        kept.map(|bytes| set_aside(&bytes)).transpose()
    }

    pub(super) async fn count_aside(&self, keys: &Keys, kind: AsideKind) -> Result<u64> {
        let mut question = Pipeline::new();
        question.cmd("ZCARD").arg(keys.aside(kind.word()));
        read(self.shared.ask(&question).await?.pop().unwrap_or_default())
    }

    pub(super) async fn take_aside(&self, keys: &Keys, uid: Uid) -> Result<bool> {
        let mut order = Pipeline::new();
        order.cmd("MULTI");
        for kind in AsideKind::ALL {
            order.cmd("ZREM").arg(keys.aside(kind.word())).arg(uid.bytes());
        }
        order.cmd("HDEL").arg(keys.at("aside")).arg(uid.bytes());
        order.cmd("EXEC");
        let done: Vec<i64> = read(self.shared.ask(&order).await?.pop().unwrap_or_default())?;
        Ok(done.last().is_some_and(|gone| *gone > 0))
    }

    /// When the oldest entry after the cursor was received.
    pub(super) async fn oldest_undecided(&self, keys: &Keys) -> Result<Option<At>> {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(keys.at("head")).arg("cursor");
        let cursor: Option<String> = read(self.shared.ask(&question).await?.pop().unwrap_or_default())?;
        let cursor = cursor.map_or(Ok(Position::default()), |id| super::words::position(&id))?;
        let mut first = Pipeline::new();
        let range = first.cmd("XRANGE").arg(keys.at("inbox")).arg(format!("({}", stream_id(cursor))).arg("+");
        range.arg("COUNT").arg(1);
        let mut found = Item::list(self.shared.ask(&first).await?.pop().unwrap_or_default())?;
        let Some(mut item) = found.pop() else { return Ok(None) };
        let entry: Option<Entry> = rmp_serde::from_slice(&item.take("entry").unwrap_or_default()).ok();
        Ok(Some(entry.map_or_else(|| arrived_at(item.position), |entry| entry.received_at)))
    }
}

fn asked_for(lead: &Lead, filter: &LeadFilter) -> bool {
    filter.before.is_none_or(|before| (lead.received_at, lead.id) < before)
        && filter.open.is_none_or(|open| lead.is_open() == open)
        && filter.channel.as_ref().is_none_or(|channel| lead.channel == *channel)
        && filter.owner.as_ref().is_none_or(|owner| lead.owner.as_ref().is_some_and(|one| one.as_str() == owner))
        && filter.stage.is_none_or(|stage| lead.stage == stage)
}

/// As [`super::commit::put_aside`] writes it.
#[derive(Deserialize)]
struct Kept {
    number: u64,
    kind: String,
    reason: String,
    attempts: u32,
    entry: Entry,
    raw: Vec<u8>,
    #[serde(default)]
    at: Option<At>,
}

pub(super) fn set_aside(bytes: &[u8]) -> Result<SetAside> {
    let wrong = || Error::Corrupt("entry set aside");
    let kept: Kept = rmp_serde::from_slice(bytes).map_err(|_| wrong())?;
    Ok(SetAside {
        position: Position(u128::from(kept.number)),
        kind: AsideKind::parse(&kept.kind).ok_or_else(wrong)?,
        reason: kept.reason,
        attempts: kept.attempts,
        at: kept.at.unwrap_or(kept.entry.received_at),
        entry: kept.entry,
        raw: (!kept.raw.is_empty()).then_some(kept.raw),
    })
}
