//! Entries, leads and batches to test with.

use crate::commit::{Batch, Position};
use lead::entry::{Entry, Kind, Signal, Stage, Touch};
use lead::event::{Event, EventType};
use lead::geo::Geo;
use lead::ids::{ChannelId, ContactId, EventId, LeadId, PersonId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state::{Contact, Lead};
use lead::time::At;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(super) const NO_WAIT: Duration = Duration::ZERO;
pub(super) const ENOUGH: Duration = Duration::from_secs(10);

pub(super) fn shop() -> WorkspaceId {
    WorkspaceId::new("shop")
}

pub(super) fn at(seconds: i64) -> At {
    At::from_secs(1_800_000_000 + seconds)
}

pub(super) fn uid(n: u32) -> Uid {
    Uid::derived("made", &n.to_string(), "")
}

pub(super) fn entry(workspace: &str, n: u32) -> Entry {
    let touch = Touch { text: Some(format!("message {n}")), ..Touch::new(Kind::Form) };
    Entry {
        uid: uid(n),
        workspace: WorkspaceId::new(workspace),
        channel: ChannelId::new(if n.is_multiple_of(2) { "even" } else { "odd" }),
        received_at: at(i64::from(n)),
        source: "form".to_owned(),
        synthetic: None,
        same: None,
        signal: Signal::Touch(Box::new(touch)),
    }
}

pub(super) fn lead(n: u32) -> Lead {
    Lead {
        id: uid(n).lead(),
        version: 1,
        channel: ChannelId::new(if n.is_multiple_of(2) { "even" } else { "odd" }),
        kind: Kind::Form,
        source: "form".to_owned(),
        received_at: at(i64::from(n)),
        occurred_at: None,
        touches: 1,
        contact: uid(n).contact(),
        text: Some("hello".to_owned()),
        attributes: serde_json::Map::from_iter([(
            "size".to_owned(),
            serde_json::json!({ "m2": [40, 50.5, null, true] }),
        )]),
        campaign: BTreeMap::new(),
        consent: None,
        geo: Geo::default(),
        repeat: None,
        stage: Stage::New,
        outcome: None,
        reason: None,
        value: None,
        owner: Some(PersonId::new(if n < 3 { "anna" } else { "ivan" })),
        owner_at_arrival: None,
        tags: Vec::new(),
        score: 0,
        priority: 0,
        flags: BTreeSet::new(),
        synthetic: None,
        sla: None,
        attempted_at: None,
        contacted_at: None,
        contacted_by: None,
        call: None,
        closed_at: None,
        merged_into: None,
        last_activity: at(i64::from(n)),
        queued_at: None,
        proof: None,
        wake_at: None,
        resting: false,
        trail: Vec::new(),
        measured: false,
    }
}

pub(super) fn contact(n: u32) -> Contact {
    Contact { name: Some("Anna".to_owned()), ..Contact::new(uid(n).contact(), at(i64::from(n))) }
}

pub(super) fn put_lead(lead: Lead) -> (Key, Option<Record>) {
    (Key::Lead(lead.id), Some(Record::Lead(Box::new(lead))))
}

pub(super) fn put_contact(contact: Contact) -> (Key, Option<Record>) {
    (Key::Contact(contact.id), Some(Record::Contact(Box::new(contact))))
}

pub(super) fn event(n: u32) -> Event {
    let subject = uid(n).lead().to_string();
    let id = EventId::derived(&subject, "lead.created", &n.to_be_bytes());
    Event { id, kind: EventType::Created, json: format!(r#"{{"n":{n}}}"#), subject, time: at(i64::from(n)) }
}

pub(super) fn batch(cursor: Position) -> Batch {
    Batch { cursor, ..Batch::default() }
}

pub(super) fn ids(n: u32) -> (LeadId, ContactId) {
    (uid(n).lead(), uid(n).contact())
}
