//! The workbench of one decision: look-ups through its own changes, and at the end one [`Changes`].
//!
//! Two things follow from a lead's new state wherever it was changed, and are done here once: the load of its owner
//! and its one timer.

use crate::books::Verdict;
use crate::changes::{Aside, AsideKind, Changes, Measure, QueueChange, Timer, TimerChange, Wake};
use crate::decide::clock;
use crate::entry::Entry;
use crate::event::{self, EventType, Subject};
use crate::facts::{Facts, Need};
use crate::identity::IdentityKey;
use crate::ids::{CallKey, ChannelId, ContactId, LeadId};
use crate::record::{Key, Record};
use crate::rules::Rules;
use crate::state::{CallRecord, Contact, Floor, Lead, Pending, Step, Why};
use crate::time::At;
use serde_json::{Map, Value};
use std::collections::HashMap;

pub(super) struct Work<'a> {
    pub(super) rules: &'a Rules,
    facts: &'a Facts,
    pub(super) now: At,
    pub(super) channel: Option<ChannelId>,
    /// What makes the ids of this decision's events.
    cause: Vec<u8>,
    records: HashMap<Key, Option<Record>>,
    order: Vec<Key>,
    announcements: Vec<Announcement>,
    changes: Changes,
    /// Somebody has less to do than before.
    pub(super) freed: bool,
}

struct Announcement {
    kind: EventType,
    subject: About,
    change: Map<String, Value>,
}

#[derive(Clone, Copy, PartialEq)]
enum About {
    Lead(LeadId),
    Contact(ContactId),
}

impl<'a> Work<'a> {
    pub(super) fn of_entry(rules: &'a Rules, facts: &'a Facts, entry: &Entry) -> Self {
        Self::new(rules, facts, entry.received_at, Some(entry.channel.clone()), entry.uid.bytes().to_vec())
    }

    pub(super) fn of_timer(rules: &'a Rules, facts: &'a Facts, timer: Timer) -> Self {
        let mut cause = b"timer".to_vec();
        cause.extend_from_slice(&timer.due.millis().to_be_bytes());
        let mut work = Self::new(rules, facts, timer.due, None, cause);
        work.changes.timers.push(TimerChange::Clear(timer));
        work
    }

    fn new(rules: &'a Rules, facts: &'a Facts, now: At, channel: Option<ChannelId>, cause: Vec<u8>) -> Self {
        Self {
            rules,
            facts,
            now,
            channel,
            cause,
            records: HashMap::new(),
            order: Vec::new(),
            announcements: Vec::new(),
            changes: Changes::default(),
            freed: false,
        }
    }

    // ---- look-ups

    fn get(&self, key: &Key) -> Result<Option<&Record>, Need> {
        match self.records.get(key) {
            Some(mine) => Ok(mine.as_ref()),
            None => self.facts.get(key),
        }
    }

    /// Asks for all of them at once rather than one after the other.
    pub(super) fn require(&self, keys: impl Iterator<Item = Key>) -> Result<(), Need> {
        let missing: Vec<Key> = keys.filter(|key| !self.records.contains_key(key) && !self.facts.knows(key)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Need::Records(missing)) }
    }

    pub(super) fn lead(&self, id: LeadId) -> Result<Option<Lead>, Need> {
        Ok(match self.get(&Key::Lead(id))? {
            Some(Record::Lead(lead)) => Some((**lead).clone()),
            _ => None,
        })
    }

    /// The lead, or the one that took its touches.
    pub(super) fn surviving(&self, id: LeadId) -> Result<Option<Lead>, Need> {
        let mut found = self.lead(id)?;
        for _ in 0..8 {
            match found.as_ref().and_then(|lead| lead.merged_into) {
                Some(other) => found = self.lead(other)?,
                None => break,
            }
        }
        Ok(found)
    }

    /// The contact, or the one it turned out to be.
    pub(super) fn contact(&self, id: ContactId) -> Result<Option<Contact>, Need> {
        let mut id = id;
        for _ in 0..8 {
            match self.get(&Key::Contact(id))? {
                Some(Record::Contact(contact)) => match contact.merged_into {
                    Some(other) => id = other,
                    None => return Ok(Some((**contact).clone())),
                },
                _ => return Ok(None),
            }
        }
        Ok(None)
    }

    pub(super) fn contact_of(&self, key: IdentityKey) -> Result<Option<ContactId>, Need> {
        Ok(match self.get(&Key::Identity(key))? {
            Some(Record::Identity(contact)) => Some(*contact),
            _ => None,
        })
    }

    pub(super) fn call(&self, key: CallKey) -> Result<Option<CallRecord>, Need> {
        Ok(match self.get(&Key::Call(key))? {
            Some(Record::Call(call)) => Some((**call).clone()),
            _ => None,
        })
    }

    pub(super) fn floor(&self) -> Result<Floor, Need> {
        Ok(match self.get(&Key::Floor)? {
            Some(Record::Floor(floor)) => (**floor).clone(),
            _ => Floor::default(),
        })
    }

    pub(super) fn unmatched(&self, key: [u8; 16]) -> Result<Vec<Pending>, Need> {
        Ok(match self.get(&Key::Unmatched(key))? {
            Some(Record::Unmatched(all)) => all.clone(),
            _ => Vec::new(),
        })
    }

    pub(super) fn facts(&self) -> &'a Facts {
        self.facts
    }

    // ---- changes

    pub(super) fn put(&mut self, key: Key, record: Option<Record>) {
        if self.records.insert(key.clone(), record).is_none() {
            self.order.push(key);
        }
    }

    pub(super) fn put_floor(&mut self, floor: Floor) {
        self.put(Key::Floor, Some(Record::Floor(Box::new(floor))));
    }

    pub(super) fn put_contact(&mut self, contact: Contact) {
        self.put(Key::Contact(contact.id), Some(Record::Contact(Box::new(contact))));
    }

    pub(super) fn put_call(&mut self, key: CallKey, call: CallRecord) {
        self.put(Key::Call(key), Some(Record::Call(Box::new(call))));
    }

    /// Stores the lead and moves the load from who had it to who has it.
    pub(super) fn put_lead(&mut self, lead: Lead) -> Result<(), Need> {
        let before = self.known_lead(lead.id).and_then(|old| old.burdens().cloned());
        let after = lead.burdens().cloned();
        if before != after {
            let mut floor = self.floor()?;
            if let Some(person) = &before {
                let load = floor.load(person).saturating_sub(1);
                floor.loads.insert(person.clone(), load);
                self.freed = true;
            }
            if let Some(person) = &after {
                *floor.loads.entry(person.clone()).or_default() += 1;
            }
            self.put_floor(floor);
        }
        self.put(Key::Lead(lead.id), Some(Record::Lead(Box::new(lead))));
        Ok(())
    }

    /// The lead if anybody has looked at it; a lead that is being born is known to nobody.
    fn known_lead(&self, id: LeadId) -> Option<&Lead> {
        match self.get(&Key::Lead(id)) {
            Ok(Some(Record::Lead(lead))) => Some(lead),
            _ => None,
        }
    }

    pub(super) fn queue_put(&mut self, at: At, lead: LeadId) {
        self.changes.queue.push(QueueChange::Put(at, lead));
    }

    pub(super) fn queue_drop(&mut self, at: At, lead: LeadId) {
        self.changes.queue.push(QueueChange::Drop(at, lead));
    }

    pub(super) fn set_timer(&mut self, timer: Timer) {
        self.changes.timers.push(TimerChange::Set(timer));
    }

    pub(super) fn verdict(&mut self, verdict: Verdict) {
        if let Some(channel) = self.channel.clone() {
            self.changes.books.push((channel, verdict, 1));
        }
    }

    /// Moves `count` earlier entries of a channel from one line of the books to another.
    pub(super) fn rebook(&mut self, channel: &ChannelId, from: Verdict, to: Verdict) {
        self.changes.books.push((channel.clone(), from, -1));
        self.changes.books.push((channel.clone(), to, 1));
    }

    pub(super) fn aside(&mut self, kind: AsideKind, reason: &str) {
        self.changes.aside = Some(Aside { kind, reason: reason.to_owned(), attempts: 0 });
    }

    pub(super) fn measure(&mut self, measure: Measure) {
        self.changes.measures.push(measure);
    }

    pub(super) fn step(&self, what: Why) -> Step {
        Step { at: self.now, rules: self.rules.version.clone(), what }
    }

    /// Says something about a lead; several words of one kind about one lead in one entry are one event.
    pub(super) fn announce(&mut self, kind: EventType, lead: LeadId, change: Value) {
        self.say(kind, About::Lead(lead), change);
    }

    pub(super) fn announce_contact(&mut self, kind: EventType, contact: ContactId, change: Value) {
        self.say(kind, About::Contact(contact), change);
    }

    fn say(&mut self, kind: EventType, subject: About, change: Value) {
        let Value::Object(change) = change else { unreachable!("a change is always an object") };
        let same = self.announcements.iter_mut().find(|said| said.kind == kind && said.subject == subject);
        match same {
            Some(said) => said.change.extend(change),
            None => self.announcements.push(Announcement { kind, subject, change }),
        }
    }

    /// Is anything said of this lead already?
    pub(super) fn announced(&self, lead: LeadId) -> bool {
        self.announcements.iter().any(|said| said.subject == About::Lead(lead))
    }

    /// Is it born in this very entry? Then its first event already tells the rest.
    pub(super) fn is_newborn(&self, lead: LeadId) -> bool {
        self.announcements.iter().any(|said| said.subject == About::Lead(lead) && said.kind == EventType::Created)
    }

    // ---- the end

    pub(super) fn finish(mut self) -> Result<Changes, Need> {
        self.settle_leads();
        let events: Result<Vec<_>, Need> = self.announcements.iter().map(|said| self.publish(said)).collect();
        self.changes.events = events?;
        let mut records = self.records;
        for key in self.order {
            let record = records.remove(&key).flatten();
            self.changes.records.push((key, record));
        }
        Ok(self.changes)
    }

    /// One version up and one timer for each lead that was changed.
    fn settle_leads(&mut self) {
        for key in &self.order {
            let Some(Some(Record::Lead(lead))) = self.records.get_mut(key) else { continue };
            let before = match self.facts.get(key) {
                Ok(Some(Record::Lead(before))) => before.wake_at,
                _ => None,
            };
            lead.version += 1;
            lead.wake_at = clock::next_wake(self.rules, lead);
            if before == lead.wake_at {
                // The timer that brought us here is spent, even if the next is due at the same moment.
                let spent = before.is_some_and(|due| {
                    self.changes.timers.contains(&TimerChange::Clear(Timer { due, what: Wake::Lead(lead.id) }))
                });
                if !spent {
                    continue;
                }
            } else if let Some(due) = before {
                let clear = TimerChange::Clear(Timer { due, what: Wake::Lead(lead.id) });
                if !self.changes.timers.contains(&clear) {
                    self.changes.timers.push(clear);
                }
            }
            if let Some(due) = lead.wake_at {
                self.changes.timers.push(TimerChange::Set(Timer { due, what: Wake::Lead(lead.id) }));
            }
        }
    }

    fn publish(&self, said: &Announcement) -> Result<event::Event, Need> {
        let change = Value::Object(said.change.clone());
        let workspace = &self.rules.workspace;
        match said.subject {
            About::Lead(id) => {
                let lead = self.known_lead(id).expect("only leads that were stored are spoken of");
                let contact = self.contact(lead.contact)?;
                Ok(event::publish(
                    workspace,
                    said.kind,
                    &Subject::Lead(lead, contact.as_ref()),
                    &change,
                    self.now,
                    &self.cause,
                ))
            }
            About::Contact(id) => {
                let contact = self.contact(id)?.expect("only contacts that were stored are spoken of");
                let nowhere = ChannelId::new("");
                let channel = self.channel.as_ref().unwrap_or(&nowhere);
                Ok(event::publish(
                    workspace,
                    said.kind,
                    &Subject::Contact(&contact, channel),
                    &change,
                    self.now,
                    &self.cause,
                ))
            }
        }
    }
}
