//! When must somebody have answered, and what happens when nobody did?
//!
//! The rule: the deadline is fixed at arrival, in business time, by the calendar then in force. Warnings at 50 % and
//! 80 %, one breach *at* the deadline, not when someone finally answers. Only a contact or a merge stops the clock: a
//! reassigned lead keeps its deadline, and one that was closed unheard is late all the same. A lead has one timer: the
//! next moment at which anything about it can change.

use super::{Work, close};
use crate::changes::Measure;
use crate::entry::Synthetic;
use crate::event::EventType;
use crate::facts::Need;
use crate::ids::LeadId;
use crate::rules::Rules;
use crate::state::{Lead, Sla, Why};
use crate::time::At;
use serde_json::json;
use std::time::Duration;

/// A technical lead has been seen by then.
const TECHNICAL_LIFE: Duration = Duration::from_hours(1);

pub(super) fn start(rules: &Rules, start: At) -> Sla {
    let moment = |percent: u32| rules.calendar.after(start, rules.first_contact * percent / 100);
    Sla { half_at: moment(50), most_at: moment(80), due_at: moment(100), warned: 0, breached_at: None }
}

/// The next moment at which something can happen to this lead by itself.
pub(super) fn next_wake(rules: &Rules, lead: &Lead) -> Option<At> {
    if !lead.is_open() {
        return lead.sla.as_ref().filter(|sla| runs(lead) && sla.breached_at.is_none()).map(|sla| sla.due_at);
    }
    if lead.synthetic == Some(Synthetic::Technical) {
        return Some(lead.last_activity.plus(TECHNICAL_LIFE));
    }
    let sla = lead.sla.as_ref().filter(|_| lead.contacted_at.is_none()).and_then(next_mark);
    let rest = may_rest(lead).then(|| lead.last_activity.plus(rules.active_for));
    let close = Some(lead.last_activity.plus(rules.close_after));
    let proof = lead.proof.as_ref().map(|(at, _)| *at);
    [sla, rest, close, proof].into_iter().flatten().min()
}

/// Does anybody still owe the customer an answer?
const fn runs(lead: &Lead) -> bool {
    lead.contacted_at.is_none() && lead.merged_into.is_none()
}

fn next_mark(sla: &Sla) -> Option<At> {
    match sla.warned {
        _ if sla.breached_at.is_some() => None,
        0 => Some(sla.half_at),
        50 => Some(sla.most_at),
        _ => Some(sla.due_at),
    }
}

fn may_rest(lead: &Lead) -> bool {
    lead.contacted_at.is_some() && !lead.resting && lead.owner.is_some()
}

/// The lead's timer rang.
pub(super) fn wake(work: &mut Work<'_>, id: LeadId) -> Result<(), Need> {
    let Some(mut lead) = work.lead(id)? else { return Ok(()) };
    if !lead.is_open() {
        let now = work.now;
        overdue(work, &mut lead, now);
        return work.put_lead(lead);
    }
    if let Some((_, call)) = lead.proof.filter(|(at, _)| *at <= work.now) {
        lead.proof = None;
        super::call::proven(work, &mut lead, call)?;
    }
    if lead.contacted_at.is_none() {
        marks(work, &mut lead);
    }
    if may_rest(&lead) && lead.last_activity.plus(work.rules.active_for) <= work.now {
        lead.resting = true;
    }
    let technical = lead.synthetic == Some(Synthetic::Technical);
    if technical || lead.last_activity.plus(work.rules.close_after) <= work.now {
        return close::expire(work, lead, technical);
    }
    work.put_lead(lead)
}

/// Warnings and the breach that are due. When several are due at once (we were away) only the last is said.
fn marks(work: &mut Work<'_>, lead: &mut Lead) {
    let now = work.now;
    if overdue(work, lead, now) {
        return;
    }
    let Some(sla) = lead.sla.as_mut().filter(|sla| sla.breached_at.is_none()) else { return };
    let percent = if sla.most_at <= now {
        80
    } else if sla.half_at <= now {
        50
    } else {
        0
    };
    if percent > sla.warned {
        sla.warned = percent;
        let due_at = sla.due_at;
        work.announce(
            EventType::SlaWarning,
            lead.id,
            json!({ "percent": percent, "due_at": due_at, "owner": lead.owner }),
        );
        let step = work.step(Why::Warned { percent });
        lead.step(step);
    }
}

/// The breach, once: nobody had answered when `until` had come. Also said by a late contact that is decided before
/// the timer of the deadline could ring.
pub(super) fn overdue(work: &mut Work<'_>, lead: &mut Lead, until: At) -> bool {
    let running = runs(lead);
    let Some(sla) = lead.sla.as_mut().filter(|sla| running && sla.breached_at.is_none() && sla.due_at <= until) else {
        return false;
    };
    let due_at = sla.due_at;
    sla.breached_at = Some(due_at);
    sla.warned = 80;
    if lead.synthetic.is_none() {
        work.measure(Measure::Breached { channel: lead.channel.clone() });
    }
    work.announce(EventType::SlaBreached, lead.id, json!({ "due_at": due_at, "owner": lead.owner }));
    let step = work.step(Why::Breached);
    lead.step(step);
    true
}
