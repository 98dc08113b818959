//! How does a touch become a lead?
//!
//! The rule: a touch that is not excluded or junk and matches no open lead. Its id comes from the entry, its deadline
//! from the calendar now in force, its owner from the assignment, and its first event tells all of that.

use super::identify::Who;
use super::{Work, assign, clock, repeat, unmatched};
use crate::entry::{Attributes, Entry, Kind, Synthetic, Touch};
use crate::event::EventType;
use crate::facts::Need;
use crate::geo;
use crate::ids::{LeadId, PersonId};
use crate::state::{Contact, Known, Lead, Why};
use crate::text;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// A message longer than this is cut; the whole is in the journal.
const TEXT: usize = 16 * 1024;
/// One unknown field, and all of them together.
const ATTRIBUTE: usize = 4 * 1024;
const ATTRIBUTES: usize = 16 * 1024;

/// Makes the lead, stores it and its contact.
pub(super) fn lead(
    work: &mut Work<'_>,
    entry: &Entry,
    touch: &Touch,
    who: &Who,
    contact: Contact,
    spoke: Option<&PersonId>,
) -> Result<LeadId, Need> {
    let mut lead = newborn(work, entry, touch, who, &contact);
    let known = if who.identities.is_empty() {
        Known::Anonymous
    } else if contact.leads > 0 {
        Known::Returning
    } else {
        Known::New
    };
    let born = work.step(Why::Born { channel: entry.channel.clone(), contact: known, prior_leads: contact.leads });
    lead.step(born);
    let sticky = lead.repeat.as_ref().and(contact.owner.clone());
    let mut contact = contact;
    contact.leads += u32::from(lead.synthetic.is_none());
    contact.open = Some(lead.id);
    work.put_contact(contact.clone());
    work.announce(EventType::Created, lead.id, json!({}));
    if lead.synthetic != Some(Synthetic::Technical) {
        start_clock(work, &mut lead);
        assign::assign(work, &mut lead, spoke, sticky.as_ref())?;
        lead.owner_at_arrival.clone_from(&lead.owner);
    }
    work.announce(EventType::Created, lead.id, json!({ "why": lead.trail }));
    let id = lead.id;
    work.put_lead(lead.clone())?;
    unmatched::adopt(work, &lead, &contact)?;
    Ok(id)
}

fn newborn(work: &Work<'_>, entry: &Entry, touch: &Touch, who: &Who, contact: &Contact) -> Lead {
    let (attributes, cut) = bounded(&attributes(touch, who));
    let mut flags = touch.flags.clone();
    flags.extend(who.flags.iter().cloned());
    flags.extend(touch.name.as_ref().filter(|name| text::line_is_cut(name)).map(|_| "cut".to_owned()));
    flags.extend(cut.then(|| "attributes_cut".to_owned()));
    flags.extend(touch.text.as_ref().filter(|said| said.len() > TEXT).map(|_| "text_cut".to_owned()));
    let mut lead = Lead {
        id: entry.uid.lead(),
        version: 0,
        channel: entry.channel.clone(),
        kind: touch.kind,
        source: entry.source.clone(),
        received_at: entry.received_at,
        occurred_at: touch.occurred_at,
        touches: 1,
        contact: contact.id,
        text: text(touch),
        attributes,
        campaign: BTreeMap::new(),
        consent: touch.consent.clone(),
        geo: geo::locate(&touch.geo, &who.phones),
        repeat: repeat::of(work.rules, contact, entry.received_at),
        stage: crate::entry::Stage::New,
        outcome: None,
        reason: None,
        value: None,
        owner: None,
        owner_at_arrival: None,
        tags: Vec::new(),
        score: 0,
        priority: 0,
        flags,
        synthetic: entry.synthetic,
        sla: None,
        attempted_at: None,
        contacted_at: None,
        contacted_by: None,
        call: None,
        closed_at: None,
        merged_into: None,
        last_activity: entry.received_at,
        queued_at: None,
        proof: None,
        wake_at: None,
        resting: false,
        trail: Vec::new(),
        measured: false,
    };
    lead.credit(&touch.campaign);
    lead
}

pub(super) fn start_clock(work: &Work<'_>, lead: &mut Lead) {
    let sla = clock::start(work.rules, lead.start());
    let step = work.step(Why::Clock { start: lead.start(), due_at: sla.due_at });
    lead.step(step);
    lead.sla = Some(sla);
}

pub(super) fn text(touch: &Touch) -> Option<String> {
    touch.text.as_deref().and_then(|said| text::message(said, TEXT))
}

fn attributes(touch: &Touch, who: &Who) -> Attributes {
    let mut all = touch.attributes.clone();
    for (name, said) in &who.remarks {
        all.entry((*name).to_owned()).or_insert_with(|| Value::from(said.clone()));
    }
    if !who.hints.is_empty() {
        all.insert("phone_hints".to_owned(), Value::from(who.hints.clone()));
    }
    if let Some(postcode) = &touch.geo.postcode {
        all.entry("postcode".to_owned()).or_insert_with(|| Value::from(postcode.clone()));
    }
    if touch.kind == Kind::Call {
        all.remove("call");
    }
    all
}

/// Fields as they came, within bounds; true when something had to be cut.
pub(super) fn bounded(all: &Attributes) -> (Attributes, bool) {
    let mut room = ATTRIBUTES;
    let mut cut = false;
    let mut kept = Attributes::new();
    for (name, value) in all {
        let value = match value {
            Value::String(said) if said.len() > ATTRIBUTE => {
                cut = true;
                Value::from(text::cut(said, ATTRIBUTE))
            }
            other => other.clone(),
        };
        let size = name.len() + weight(&value);
        if size > room {
            cut = true;
            continue;
        }
        room -= size;
        kept.insert(name.clone(), value);
    }
    (kept, cut)
}

fn weight(value: &Value) -> usize {
    match value {
        Value::String(said) => said.len() + 2,
        Value::Array(items) => items.iter().map(weight).sum::<usize>() + 2,
        Value::Object(fields) => fields.iter().map(|(name, value)| name.len() + weight(value)).sum::<usize>() + 2,
        _ => 8,
    }
}
