//! Who of those waiting gets whoever has just become free?
//!
//! The rule: oldest first. A lead whose skill or place nobody free can serve lets the next one pass. The queue is
//! looked at when a load went down, when somebody came, and once a minute while it is not empty.

use super::Work;
use super::assign;
use crate::changes::{Timer, Wake};
use crate::facts::Need;
use crate::record::Key;
use crate::state::{AssignRule, Lead};

/// Leads looked at in one go; the next timer or the next freed person looks at the rest.
const HEADS: usize = 32;

pub(super) fn drain_if_freed(work: &mut Work<'_>) -> Result<(), Need> {
    if work.freed && work.floor()?.queue_length > 0 { drain(work) } else { Ok(()) }
}

/// The minute's look.
pub(super) fn look_again(work: &mut Work<'_>) -> Result<(), Need> {
    let mut floor = work.floor()?;
    floor.drain_at = None;
    work.put_floor(floor);
    drain(work)?;
    let mut floor = work.floor()?;
    if floor.queue_length > 0 {
        let due = work.now.plus(assign::LOOK_AGAIN);
        floor.drain_at = Some(due);
        work.put_floor(floor);
        work.set_timer(Timer { due, what: Wake::Queue });
    }
    Ok(())
}

fn drain(work: &mut Work<'_>) -> Result<(), Need> {
    let heads = work.facts().queue(HEADS)?.iter().take(HEADS).copied().collect::<Vec<_>>();
    work.require(heads.iter().map(|(_, id)| Key::Lead(*id)))?;
    let mut contacts = Vec::new();
    for (_, id) in &heads {
        contacts.extend(work.lead(*id)?.map(|lead| Key::Contact(lead.contact)));
    }
    work.require(contacts.into_iter())?;
    for (at, id) in heads {
        let Some(mut lead) = work.lead(id)?.filter(|lead| lead.queued_at == Some(at)) else { continue };
        let sticky = match work.contact(lead.contact)? {
            Some(contact) if lead.repeat.is_some() => contact.owner,
            _ => None,
        };
        let channel = work.rules.channels.get(&lead.channel);
        let question = assign::Question {
            spoke: None,
            sticky: sticky.as_ref(),
            geo: lead.geo.clone(),
            skill: channel.and_then(|channel| channel.skill.as_deref()),
            language: channel.and_then(|channel| channel.language.as_deref()),
        };
        let choice = assign::choose(work.rules, &work.floor()?, &question);
        if choice.rule == AssignRule::Queue {
            continue;
        }
        assign::give(work, &mut lead, choice)?;
        work.put_lead(lead)?;
    }
    work.freed = false;
    Ok(())
}

/// Takes a lead out of the queue if it is there.
pub(super) fn leave(work: &mut Work<'_>, lead: &mut Lead) -> Result<(), Need> {
    if let Some(at) = lead.queued_at.take() {
        work.queue_drop(at, lead.id);
        let mut floor = work.floor()?;
        floor.queue_length = floor.queue_length.saturating_sub(1);
        work.put_floor(floor);
    }
    Ok(())
}
