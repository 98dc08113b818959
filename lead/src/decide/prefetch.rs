//! Which records will deciding ask for? A forecast, so that a whole batch is fetched in three rounds: what the entry
//! names, what those point to, and the open leads behind. A wrong forecast costs a round, never a decision.

use super::{Case, exclusion};
use crate::entry::Signal;
use crate::facts::Facts;
use crate::ids::CallKey;
use crate::record::{Key, Record};
use crate::state::{Contact, Floor};

pub(super) fn keys(case: &Case<'_>, facts: &Facts) -> Vec<Key> {
    let mut wanted = vec![Key::Floor, Key::Seen(case.entry.uid)];
    wanted.extend(case.entry.same.map(Key::Same));
    wanted.extend(case.who.identities.iter().map(|claim| Key::Identity(claim.key)));
    match &case.entry.signal {
        Signal::Call(call) => {
            let key = Key::Call(CallKey::derived(case.entry.channel.as_str(), &call.id));
            if let Ok(Some(Record::Call(known))) = facts.get(&key) {
                wanted.extend(known.lead.map(Key::Lead));
            }
            wanted.push(key);
        }
        Signal::Touch(touch) => wanted.extend(touch.proof.map(Key::Seen)),
        Signal::Feedback(feedback) => wanted.push(Key::Lead(feedback.lead)),
        _ => {}
    }
    if let Ok(Some(Record::Floor(floor))) = facts.get(&Key::Floor) {
        from_floor(case, floor, &mut wanted);
    }
    for claim in &case.who.identities {
        if let Ok(Some(Record::Identity(contact))) = facts.get(&Key::Identity(claim.key)) {
            wanted.push(Key::Contact(*contact));
            if let Ok(Some(Record::Contact(contact))) = facts.get(&Key::Contact(*contact)) {
                from_contact(contact, &mut wanted);
            }
        }
    }
    wanted.extend(wanted_contacts(&wanted, facts));
    wanted.retain(|key| !facts.knows(key));
    wanted
}

fn from_floor(case: &Case<'_>, floor: &Floor, wanted: &mut Vec<Key>) {
    for claim in &case.who.identities {
        if floor.exclusions > 0 {
            wanted.extend(exclusion::lookups(&claim.identity, &floor.prefixes).into_iter().map(Key::Exclusion));
        }
        if floor.unmatched_at.is_some() {
            wanted.push(Key::Unmatched(claim.key.0));
        }
    }
}

fn from_contact(contact: &Contact, wanted: &mut Vec<Key>) {
    wanted.extend(contact.merged_into.map(Key::Contact));
    wanted.extend(contact.open.map(Key::Lead));
    wanted.extend(contact.last.as_ref().filter(|_| contact.open.is_none()).map(|last| Key::Lead(last.id)));
}

/// The contacts of leads that are known.
fn wanted_contacts(leads: &[Key], facts: &Facts) -> Vec<Key> {
    let known = leads.iter().filter_map(|key| match facts.get(key) {
        Ok(Some(Record::Lead(lead))) => Some(Key::Contact(lead.contact)),
        _ => None,
    });
    known.collect()
}
