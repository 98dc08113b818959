//! Which contact is this?
//!
//! The rule: strong keys decide. One known contact: it is that one, and new keys join it. Several: they turned out to
//! be one person, the older contact takes the others, with the entry as proof; of two open leads the older takes the
//! touches. A phone from a running text never joins two known contacts, and no contact grows past its bound. A test of
//! ours never joins a customer: a key that a test has used is the customer's who comes with it.

use super::Work;
use super::identify::{Claim, Who};
use super::{close, first_contact};
use crate::entry::{Call, Entry, GeoHints};
use crate::event::EventType;
use crate::facts::Need;
use crate::geo;
use crate::ids::{ContactId, LeadId, Uid};
use crate::record::{Key, Record};
use crate::state::{Contact, Lead, Linked, Why};
use crate::text;
use serde_json::json;

/// The contact, with this entry's keys linked; changed, not yet stored.
pub(super) struct Found {
    pub(super) contact: Contact,
    /// It would have grown past its bound: somebody is being confused with somebody.
    pub(super) too_many: bool,
}

pub(super) fn find(work: &mut Work<'_>, entry: &Entry, who: &Who) -> Result<Found, Need> {
    let synthetic = entry.synthetic.is_some();
    let mut known = contacts(work, who.identities.iter().filter(|claim| claim.stated), synthetic)?;
    if known.is_empty() {
        known = contacts(work, who.identities.iter().filter(|claim| !claim.stated), synthetic)?;
    }
    known.sort_by_key(|contact| (contact.first_seen, contact.id));
    let mut known = known.into_iter();
    let stranger = || Contact { synthetic, ..Contact::new(entry.uid.contact(), entry.received_at) };
    let mut contact = known.next().unwrap_or_else(stranger);
    let mut too_many = false;
    for other in known {
        too_many |= !join(work, &mut contact, other, entry.uid)?;
    }
    too_many |= !link(work, &mut contact, who, entry.uid)?;
    Ok(Found { contact, too_many })
}

fn contacts<'c>(
    work: &Work<'_>,
    claims: impl Iterator<Item = &'c Claim>,
    synthetic: bool,
) -> Result<Vec<Contact>, Need> {
    let mut found: Vec<Contact> = Vec::new();
    for claim in claims {
        let Some(id) = work.contact_of(claim.key)? else { continue };
        let Some(contact) = work.contact(id)?.filter(|contact| contact.synthetic == synthetic) else { continue };
        if !found.iter().any(|known| known.id == contact.id) {
            found.push(contact);
        }
    }
    Ok(found)
}

/// New keys of a known or a new contact; false when there was no room for one. A key of somebody else who is still kept
/// stays there, unless it is only a test's.
fn link(work: &mut Work<'_>, contact: &mut Contact, who: &Who, proof: Uid) -> Result<bool, Need> {
    let mut room = true;
    for claim in &who.identities {
        if contact.has(&claim.identity) {
            continue;
        }
        let holder = work.contact_of(claim.key)?.map(|id| work.contact(id)).transpose()?.flatten();
        if holder.as_ref().is_some_and(|holder| contact.synthetic || !holder.synthetic) {
            continue;
        }
        if contact.identities.len() >= Contact::MOST_KEYS {
            room = false;
            continue;
        }
        if let Some(mut test) = holder {
            test.identities.retain(|linked| linked.identity != claim.identity);
            work.put_contact(test);
        }
        contact.identities.push(Linked { identity: claim.identity.clone(), proof });
        work.put(Key::Identity(claim.key), Some(Record::Identity(contact.id)));
    }
    Ok(room)
}

/// False when both together would have too many keys; then they stay two.
fn join(work: &mut Work<'_>, elder: &mut Contact, mut other: Contact, proof: Uid) -> Result<bool, Need> {
    if elder.identities.len() + other.identities.len() > Contact::MOST_KEYS {
        return Ok(false);
    }
    let by: Vec<&'static str> = other.identities.iter().map(|linked| linked.identity.kind()).collect();
    for linked in std::mem::take(&mut other.identities) {
        work.put(Key::Identity(linked.identity.key(&work.rules.pepper)), Some(Record::Identity(elder.id)));
        if !elder.has(&linked.identity) {
            elder.identities.push(linked);
        }
    }
    elder.leads += other.leads;
    elder.name = elder.name.take().or_else(|| other.name.take());
    elder.owner = elder.owner.take().or_else(|| other.owner.clone());
    if other.last.as_ref().map(|last| last.closed_at) > elder.last.as_ref().map(|last| last.closed_at) {
        elder.last.clone_from(&other.last);
    }
    let open = other.open.take();
    other.merged_into = Some(elder.id);
    let joined = other.id;
    work.put_contact(other);
    work.put_contact(elder.clone());
    if let Some(lead) = open.map(|id| work.lead(id)).transpose()?.flatten() {
        move_lead(work, elder, lead, joined)?;
    }
    work.announce_contact(EventType::ContactLinked, elder.id, json!({ "linked": joined, "proof": proof, "by": by }));
    Ok(true)
}

/// Tells whoever works on the lead that its contact was not joined further.
pub(super) fn flag_too_many(work: &mut Work<'_>, lead: LeadId) -> Result<(), Need> {
    if let Some(mut lead) = work.lead(lead)? {
        lead.flags.insert("too_many_keys".to_owned());
        let step = work.step(Why::TooManyKeys);
        lead.step(step);
        work.put_lead(lead)?;
    }
    Ok(())
}

/// The open lead of a contact that joined: the elder's own, or merged with it.
fn move_lead(work: &mut Work<'_>, elder: &mut Contact, mut lead: Lead, joined: ContactId) -> Result<(), Need> {
    lead.contact = elder.id;
    let step = work.step(Why::Linked { contact: joined, by: "shared identity".to_owned() });
    lead.step(step);
    let own = elder.open.map(|id| work.lead(id)).transpose()?.flatten().filter(Lead::is_open);
    let Some(own) = own else {
        elder.open = Some(lead.id);
        return work.put_lead(lead);
    };
    let (older, younger) =
        if (own.received_at, own.id) <= (lead.received_at, lead.id) { (own, lead) } else { (lead, own) };
    elder.open = Some(older.id);
    work.put_contact(elder.clone());
    merge(work, older, younger)
}

fn merge(work: &mut Work<'_>, mut older: Lead, mut younger: Lead) -> Result<(), Need> {
    older.touches += younger.touches;
    older.priority += 1;
    older.last_activity = older.last_activity.max(younger.last_activity);
    older.text = older.text.take().or_else(|| younger.text.clone());
    older.credit(&younger.campaign);
    if older.contacted_at.is_none() {
        older.proof = older.proof.or(younger.proof);
    }
    let step = work.step(Why::Merged { lead: younger.id });
    older.step(step);
    work.announce(EventType::Touched, older.id, json!({ "merged": younger.id }));
    if let Some(proof) = first_contact::of(&younger) {
        first_contact::contacted(work, &mut older, proof)?;
    }
    younger.merged_into = Some(older.id);
    let step = work.step(Why::MergedInto { lead: older.id });
    younger.step(step);
    work.announce(EventType::Closed, younger.id, json!({ "merged_into": older.id }));
    work.put_lead(older)?;
    close::shut(work, younger)
}

/// The number of a call whose first event did not tell it: the anonymous contact gets a key, or joins who has it, and
/// the lead its place.
pub(super) fn named_late(work: &mut Work<'_>, lead: LeadId, call: &Call, who: &Who, proof: Uid) -> Result<(), Need> {
    let Some(mut lead) = work.lead(lead)? else { return Ok(()) };
    let Some(mut anonymous) = work.contact(lead.contact)?.filter(|contact| contact.identities.is_empty()) else {
        return Ok(());
    };
    let known = contacts(work, who.identities.iter().filter(|claim| claim.stated), anonymous.synthetic)?;
    if !who.identities.is_empty() {
        lead.flags.remove("no_contact");
        lead.geo = geo::locate(&GeoHints::default(), &who.phones);
        work.put_lead(lead)?;
    }
    anonymous.name = anonymous.name.take().or_else(|| call.name.as_deref().and_then(text::line));
    match known.into_iter().next() {
        Some(mut contact) => {
            join(work, &mut contact, anonymous, proof)?;
            work.put_contact(contact);
        }
        None => {
            link(work, &mut anonymous, who, proof)?;
            work.put_contact(anonymous);
        }
    }
    Ok(())
}
