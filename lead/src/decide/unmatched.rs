//! What if the answer arrives before the question?
//!
//! The rule: a reply, call or feedback that finds no lead waits `unmatched_for` under the identity (or lead id) it
//! names. A lead born meanwhile adopts it, and the books move it from `unmatched` to `update`.

use super::{Work, call, feedback, first_contact};
use crate::books::Verdict;
use crate::facts::Need;
use crate::ids::LeadId;
use crate::record::{Key, Record};
use crate::state::{Contact, Lead, Pending, PendingFact, Via};

/// Facts kept for one identity; beyond that somebody is not a customer.
const MOST: usize = 32;

pub(super) fn keep(work: &mut Work<'_>, key: [u8; 16], what: PendingFact) -> Result<(), Need> {
    let Some(channel) = work.channel.clone() else { return Ok(()) };
    let mut waiting = work.unmatched(key)?;
    waiting.retain(|one| work.now.since(one.at) < work.rules.unmatched_for);
    if waiting.len() < MOST {
        waiting.push(Pending { at: work.now, channel, what });
    }
    work.put(Key::Unmatched(key), Some(Record::Unmatched(waiting)));
    let mut floor = work.floor()?;
    floor.unmatched_at = Some(work.now);
    work.put_floor(floor);
    Ok(())
}

/// Hands a newborn lead what was waiting for it.
pub(super) fn adopt(work: &mut Work<'_>, lead: &Lead, contact: &Contact) -> Result<(), Need> {
    let Some(last) = work.floor()?.unmatched_at else { return Ok(()) };
    if work.now.since(last) >= work.rules.unmatched_for {
        return Ok(());
    }
    let identities = contact.identities.iter().map(|linked| linked.identity.key(&work.rules.pepper).0);
    let keys: Vec<[u8; 16]> = identities.chain([*lead.id.bytes()]).collect();
    for key in keys {
        let waiting = work.unmatched(key)?;
        if waiting.is_empty() {
            continue;
        }
        let mut left = Vec::new();
        let (now, kept_for) = (work.now, work.rules.unmatched_for);
        for one in waiting.into_iter().filter(|one| now.since(one.at) < kept_for) {
            if is_of_before(work, lead, &one)? {
                left.push(one);
                continue;
            }
            apply(work, lead.id, &one)?;
            work.rebook(&one.channel, Verdict::Unmatched, Verdict::Update);
        }
        work.put(Key::Unmatched(key), (!left.is_empty()).then_some(Record::Unmatched(left)));
    }
    Ok(())
}

/// What was done before the customer knocked stays unmatched; a consumer's word names the lead and counts.
fn is_of_before(work: &Work<'_>, lead: &Lead, pending: &Pending) -> Result<bool, Need> {
    let at = match &pending.what {
        PendingFact::Call(key) => work.call(*key)?.map(|call| call.answered.map_or(call.first_seen, |(_, at)| at)),
        PendingFact::Reply { at, .. } => Some(*at),
        PendingFact::Feedback { .. } => None,
    };
    Ok(at.is_some_and(|at| first_contact::is_of_before(lead, at)))
}

fn apply(work: &mut Work<'_>, id: LeadId, pending: &Pending) -> Result<(), Need> {
    let Some(mut lead) = work.lead(id)? else { return Ok(()) };
    match &pending.what {
        PendingFact::Call(key) => return call::adopt(work, lead, *key),
        PendingFact::Reply { at, by } => {
            let proof = first_contact::Contacted { at: *at, by: by.clone(), via: Via::Reply };
            first_contact::contacted(work, &mut lead, proof)?;
        }
        PendingFact::Feedback { at, by, what } => return feedback::apply(work, lead, *at, by.clone(), what),
    }
    work.put_lead(lead)
}
