//! A human of ours wrote to somebody: whose clock does that stop?
//!
//! The rule: the open lead of the contact behind the address. An answer that came before its question waits.

use super::Work;
use super::first_contact::{Contacted, contacted};
use super::identify::Who;
use super::unmatched;
use crate::books::Verdict;
use crate::entry::Reply;
use crate::facts::Need;
use crate::state::{Lead, PendingFact, Via, plausible};

pub(super) fn decide(work: &mut Work<'_>, reply: &Reply, who: &Who) -> Result<Verdict, Need> {
    let at = plausible(reply.occurred_at, work.now).unwrap_or(work.now);
    let by = reply
        .by
        .as_deref()
        .map(|said| work.rules.person_called(said).map_or_else(|| "staff".to_owned(), |person| person.id.to_string()));
    for claim in &who.identities {
        let Some(mut lead) = open_lead(work, claim.key)? else { continue };
        lead.last_activity = lead.last_activity.max(work.now);
        lead.resting = false;
        contacted(work, &mut lead, Contacted { at, by, via: Via::Reply })?;
        work.put_lead(lead)?;
        return Ok(Verdict::Update);
    }
    if let Some(first) = who.identities.first() {
        unmatched::keep(work, first.key.0, PendingFact::Reply { at, by })?;
    }
    Ok(Verdict::Unmatched)
}

/// The open lead of the contact known by this key.
pub(super) fn open_lead(work: &Work<'_>, key: crate::identity::IdentityKey) -> Result<Option<Lead>, Need> {
    let Some(contact) = work.contact_of(key)? else { return Ok(None) };
    let Some(open) = work.contact(contact)?.and_then(|contact| contact.open) else { return Ok(None) };
    Ok(work.lead(open)?.filter(Lead::is_open))
}
