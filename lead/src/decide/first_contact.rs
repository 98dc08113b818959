//! When did a human first speak with the customer?
//!
//! The rule: an inbound call bridged to a person for at least `min_talk`, an outbound call the customer answered as
//! long, or a human-written reply. Not: a voice menu, queue music, voicemail, a bot, an auto-reply, a changed status.
//! The instant is when a human was there, not when we heard of it; a late proof of an earlier instant corrects.

use super::assign::{self, Choice};
use super::{Work, clock};
use crate::changes::Measure;
use crate::entry::Stage;
use crate::event::EventType;
use crate::facts::Need;
use crate::state::{AssignRule, Lead, Via, Why};
use crate::time::At;
use serde_json::json;
use std::time::Duration;

/// Two honest clocks differ by less than this.
const CLOCKS_APART: Duration = Duration::from_mins(5);

/// A proven contact.
pub(super) struct Contacted {
    pub(super) at: At,
    /// The person who spoke, or `client` when the customer got through by himself later on.
    pub(super) by: Option<String>,
    pub(super) via: Via,
}

/// Stops the clock. The lead is changed, not yet stored.
pub(super) fn contacted(work: &mut Work<'_>, lead: &mut Lead, proof: Contacted) -> Result<(), Need> {
    if proof.via != Via::Feedback && is_of_before(lead, proof.at) {
        return Ok(());
    }
    let at = proof.at.max(lead.start());
    clock::overdue(work, lead, at.minus(Duration::from_millis(1)));
    let spoke = proof.by.as_deref().and_then(|by| work.rules.people.iter().find(|person| person.id.as_str() == by));
    lead.attempted_at = Some(lead.attempted_at.map_or(at, |earlier| earlier.min(at)));
    match lead.contacted_at {
        Some(known) if known <= at => return Ok(()),
        Some(known) => {
            work.announce(
                EventType::Corrected,
                lead.id,
                json!({ "contacted_at": { "was": known, "is": at }, "by": proof.by }),
            );
            let step = work.step(Why::Corrected { what: "contacted_at".to_owned() });
            lead.step(step);
        }
        None => {
            if lead.is_open() {
                work.announce(EventType::Contacted, lead.id, json!({ "by": proof.by, "via": proof.via, "at": at }));
            } else {
                let change = json!({ "contacted_at": { "was": null, "is": at }, "by": proof.by, "via": proof.via });
                work.announce(EventType::Corrected, lead.id, change);
            }
            let step = work.step(Why::Contacted { by: proof.by.clone(), via: proof.via, at });
            lead.step(step);
            if lead.is_open() && matches!(lead.stage, Stage::New | Stage::Attempting | Stage::NoAnswer) {
                lead.stage = Stage::Contacted;
            }
            measure(work, lead, at);
        }
    }
    lead.contacted_at = Some(at);
    lead.contacted_by = proof.by;
    unbreach(work, lead, at);
    match spoke {
        Some(person) if lead.is_open() && lead.queued_at.is_some() => {
            let skipped = assign::not_asked(work.rules, &person.id);
            let choice = Choice { to: Some(person.id.clone()), rule: AssignRule::WhoSpoke, skipped };
            assign::give(work, lead, choice)
        }
        _ => Ok(()),
    }
}

/// How this lead was contacted, to tell the lead that takes it over.
pub(super) fn of(lead: &Lead) -> Option<Contacted> {
    let via = lead.trail.iter().rev().find_map(|step| match &step.what {
        Why::Contacted { via, .. } => Some(*via),
        _ => None,
    });
    let via = via.unwrap_or(Via::Feedback);
    lead.contacted_at.map(|at| Contacted { at, by: lead.contacted_by.clone(), via })
}

/// Something done before the customer knocked is no answer to him, however long it waited here for a lead.
pub(super) fn is_of_before(lead: &Lead, at: At) -> bool {
    at.plus(CLOCKS_APART) < lead.start()
}

/// Takes back the contact of a call whose talk turned out too short; the clock runs on. `attempt`: the call itself was
/// an attempt of ours, and stays one.
pub(super) fn taken_back(work: &mut Work<'_>, lead: &mut Lead, at: At, attempt: bool) {
    let at = at.max(lead.start());
    let said = lead.trail.iter().rev().find_map(|step| match &step.what {
        Why::Contacted { via, at, .. } => Some((*via, *at)),
        _ => None,
    });
    let by_call = said.is_some_and(|(via, then)| then == at && matches!(via, Via::InboundCall | Via::OutboundCall));
    if lead.contacted_at != Some(at) || !by_call {
        return;
    }
    work.announce(EventType::Corrected, lead.id, json!({ "contacted_at": { "was": at, "is": null } }));
    let step = work.step(Why::Corrected { what: "contacted_at".to_owned() });
    lead.step(step);
    lead.contacted_at = None;
    lead.contacted_by = None;
    lead.attempted_at = lead.attempted_at.filter(|known| attempt || *known != at);
    if lead.stage == Stage::Contacted {
        lead.stage = if lead.attempted_at.is_some() { Stage::Attempting } else { Stage::New };
    }
}

fn measure(work: &mut Work<'_>, lead: &mut Lead, at: At) {
    if lead.synthetic.is_some() || std::mem::replace(&mut lead.measured, true) {
        return;
    }
    let (wall, business) = (at.since(lead.start()), work.rules.calendar.between(lead.start(), at));
    work.measure(Measure::FirstContact { channel: lead.channel.clone(), wall, business });
}

/// A contact before the deadline that we heard of after it: there was no breach.
fn unbreach(work: &mut Work<'_>, lead: &mut Lead, at: At) {
    let Some(sla) = lead.sla.as_mut().filter(|sla| sla.breached_at.is_some() && at <= sla.due_at) else { return };
    let was = sla.breached_at.take();
    work.announce(EventType::Corrected, lead.id, json!({ "sla.breached_at": { "was": was, "is": null } }));
    let step = work.step(Why::Corrected { what: "sla.breached_at".to_owned() });
    lead.step(step);
}

/// Somebody tried. The lead is changed, not yet stored.
pub(super) fn attempted(work: &mut Work<'_>, lead: &mut Lead, at: At, by: Option<String>) {
    let at = at.max(lead.start());
    match lead.attempted_at {
        Some(known) if known <= at => return,
        Some(known) => {
            let change = json!({ "attempted_at": { "was": known, "is": at }, "by": by });
            work.announce(EventType::Corrected, lead.id, change);
            let step = work.step(Why::Corrected { what: "attempted_at".to_owned() });
            lead.step(step);
        }
        None => {
            let kind = if lead.is_open() { EventType::Attempted } else { EventType::Corrected };
            work.announce(kind, lead.id, json!({ "by": by, "at": at }));
            let step = work.step(Why::Attempted { by });
            lead.step(step);
            if lead.is_open() && lead.stage == Stage::New {
                lead.stage = Stage::Attempting;
            }
        }
    }
    lead.attempted_at = Some(at);
}
