//! When did a human first speak with the customer?
//!
//! The rule: an inbound call bridged to a person for at least `min_talk`, an outbound call the customer answered as
//! long, or a human-written reply. Not: a voice menu, queue music, voicemail, a bot, an auto-reply, a changed status.
//! The instant is when a human was there, not when we heard of it; a late proof of an earlier instant corrects.

use super::Work;
use crate::changes::Measure;
use crate::entry::Stage;
use crate::event::EventType;
use crate::facts::Need;
use crate::state::{Lead, Via, Why};
use crate::time::At;
use serde_json::json;

/// A proven contact.
pub(super) struct Contacted {
    pub(super) at: At,
    /// The person who spoke, or `client` when the customer got through by himself later on.
    pub(super) by: Option<String>,
    pub(super) via: Via,
}

/// Stops the clock. The lead is changed, not yet stored.
pub(super) fn contacted(work: &mut Work<'_>, lead: &mut Lead, proof: Contacted) -> Result<(), Need> {
    let at = proof.at.max(lead.start());
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
            work.announce(EventType::Contacted, lead.id, json!({ "by": proof.by, "via": proof.via, "at": at }));
            let step = work.step(Why::Contacted { by: proof.by.clone(), via: proof.via, at });
            lead.step(step);
            if matches!(lead.stage, Stage::New | Stage::Attempting | Stage::NoAnswer) {
                lead.stage = Stage::Contacted;
            }
            measure(work, lead, at);
        }
    }
    lead.contacted_at = Some(at);
    lead.contacted_by = proof.by;
    unbreach(work, lead, at);
    super::queue::leave(work, lead)
}

fn measure(work: &mut Work<'_>, lead: &Lead, at: At) {
    if lead.synthetic.is_some() {
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
        Some(_) => {}
        None => {
            work.announce(EventType::Attempted, lead.id, json!({ "by": by, "at": at }));
            let step = work.step(Why::Attempted { by });
            lead.step(step);
            if lead.stage == Stage::New {
                lead.stage = Stage::Attempting;
            }
        }
    }
    lead.attempted_at = Some(at);
}
