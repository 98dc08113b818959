//! When is a request over?
//!
//! The rule: by outcome (`converted`, `rejected`), or as `expired` after `close_after` without activity. The contact
//! remembers its last lead, so that the next touch is known as a duplicate or a repeat.

use super::{Work, clock, queue};
use crate::entry::{CloseAs, Stage};
use crate::event::EventType;
use crate::facts::Need;
use crate::state::{LastLead, Lead, Why};
use serde_json::json;

pub(super) struct Closing {
    pub(super) outcome: CloseAs,
    pub(super) by: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) value: Option<f64>,
}

pub(super) fn close(work: &mut Work<'_>, mut lead: Lead, closing: Closing) -> Result<(), Need> {
    let Closing { outcome, by, reason, value } = closing;
    let now = work.now;
    clock::overdue(work, &mut lead, now);
    lead.stage = stage_of(outcome).unwrap_or(lead.stage);
    lead.outcome = Some(outcome);
    lead.reason.clone_from(&reason);
    lead.value = value_of(&lead, outcome, value);
    work.announce(
        EventType::Closed,
        lead.id,
        json!({ "outcome": outcome, "by": by, "reason": reason, "value": value }),
    );
    let step = work.step(Why::Closed { outcome: Some(outcome), by, reason });
    lead.step(step);
    shut(work, lead)
}

/// The stage an outcome ends in; an expired lead stays where it was.
pub(super) fn stage_of(outcome: CloseAs) -> Option<Stage> {
    match outcome {
        CloseAs::Converted => Some(Stage::Converted),
        CloseAs::Rejected => Some(Stage::Rejected),
        CloseAs::Expired => None,
    }
}

/// What a deal was worth is worth nothing once there is none.
pub(super) fn value_of(lead: &Lead, outcome: CloseAs, said: Option<f64>) -> Option<f64> {
    said.or_else(|| lead.value.filter(|_| outcome != CloseAs::Rejected))
}

/// A lead that nobody has touched for `close_after`; a technical one leaves without a word.
pub(super) fn expire(work: &mut Work<'_>, lead: Lead, technical: bool) -> Result<(), Need> {
    if technical {
        return shut(work, lead);
    }
    close(work, lead, Closing { outcome: CloseAs::Expired, by: None, reason: None, value: None })
}

/// What closing means whatever the reason: out of the queue, out of the load, no longer the contact's open lead.
pub(super) fn shut(work: &mut Work<'_>, mut lead: Lead) -> Result<(), Need> {
    lead.closed_at = Some(work.now);
    lead.proof = None;
    queue::leave(work, &mut lead)?;
    if let Some(mut contact) = work.contact(lead.contact)?.filter(|contact| contact.open == Some(lead.id)) {
        contact.open = None;
        contact.last = Some(LastLead { id: lead.id, closed_at: work.now });
        contact.owner = lead.owner.clone().or(contact.owner);
        work.put_contact(contact);
    }
    work.put_lead(lead)
}
