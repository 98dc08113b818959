//! What if the answer arrives before the question?
//!
//! The rule: a reply, call or feedback that finds no lead waits `unmatched_for` under the identity (or lead id) it
//! names. A lead born meanwhile adopts it, and the books move it from `unmatched` to `update`.

use super::identify::Who;
use super::{Work, call, feedback, first_contact};
use crate::books::Verdict;
use crate::facts::{Key, Need, Record};
use crate::ids::LeadId;
use crate::state::{Pending, PendingFact, Via};

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
pub(super) fn adopt(work: &mut Work<'_>, lead: LeadId, who: &Who) -> Result<(), Need> {
    let Some(last) = work.floor()?.unmatched_at else { return Ok(()) };
    if work.now.since(last) >= work.rules.unmatched_for {
        return Ok(());
    }
    let mut keys: Vec<[u8; 16]> = who.identities.iter().map(|claim| claim.key.0).collect();
    keys.push(*lead.bytes());
    for key in keys {
        let waiting = work.unmatched(key)?;
        if waiting.is_empty() {
            continue;
        }
        work.put(Key::Unmatched(key), None);
        for one in waiting {
            if work.now.since(one.at) < work.rules.unmatched_for {
                apply(work, lead, &one)?;
                work.rebook(&one.channel, Verdict::Unmatched, Verdict::Update);
            }
        }
    }
    Ok(())
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
