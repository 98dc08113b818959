//! A consumer says what happened with a lead: what does that change?
//!
//! The rule: an attempt and a contact are facts about people and move the clock; a stage is the consumer's word and
//! does not; an outcome closes. What is said of a closed lead corrects it, and does not open it again.

use super::close::{self, Closing};
use super::first_contact::{Contacted, attempted, contacted};
use super::{Work, unmatched};
use crate::books::Verdict;
use crate::entry::{CloseAs, Feedback, Outcome, Stage};
use crate::event::EventType;
use crate::facts::Need;
use crate::state::{Lead, PendingFact, Via, Why};
use crate::time::At;
use serde_json::json;

pub(super) fn decide(work: &mut Work<'_>, feedback: &Feedback) -> Result<Verdict, Need> {
    // A consumer's clock may run ahead of ours; nothing has happened in the future.
    let at = feedback.at.min(work.now);
    // People's acts count for whoever took the touches; a consumer's status stays with the lead it names.
    let found = match feedback.what {
        Outcome::Attempt | Outcome::Contact => work.surviving(feedback.lead)?,
        Outcome::Stage { .. } | Outcome::Closed { .. } => work.lead(feedback.lead)?,
    };
    let Some(lead) = found else {
        let waiting = PendingFact::Feedback { at, by: feedback.by.clone(), what: feedback.what.clone() };
        unmatched::keep(work, *feedback.lead.bytes(), waiting)?;
        return Ok(Verdict::Unmatched);
    };
    apply(work, lead, at, feedback.by.clone(), &feedback.what)?;
    Ok(Verdict::Update)
}

pub(super) fn apply(
    work: &mut Work<'_>,
    mut lead: Lead,
    at: At,
    by: Option<String>,
    what: &Outcome,
) -> Result<(), Need> {
    lead.last_activity = lead.last_activity.max(work.now);
    lead.resting = false;
    match what {
        Outcome::Attempt => attempted(work, &mut lead, at, by),
        Outcome::Contact => contacted(work, &mut lead, Contacted { at, by, via: Via::Feedback })?,
        Outcome::Stage { stage: Stage::Converted, reason } => {
            return outcome(
                work,
                lead,
                Closing { outcome: CloseAs::Converted, by, reason: reason.clone(), value: None },
            );
        }
        Outcome::Stage { stage: Stage::Rejected, reason } => {
            return outcome(
                work,
                lead,
                Closing { outcome: CloseAs::Rejected, by, reason: reason.clone(), value: None },
            );
        }
        Outcome::Stage { stage, reason } => move_to(work, &mut lead, *stage, by, reason.clone()),
        Outcome::Closed { outcome: closed, reason, value } => {
            return outcome(work, lead, Closing { outcome: *closed, by, reason: reason.clone(), value: *value });
        }
    }
    work.put_lead(lead)
}

fn move_to(work: &mut Work<'_>, lead: &mut Lead, stage: Stage, by: Option<String>, reason: Option<String>) {
    if !lead.is_open() || lead.stage == stage {
        return;
    }
    work.announce(
        EventType::StageChanged,
        lead.id,
        json!({ "from": lead.stage, "to": stage, "by": by, "reason": reason }),
    );
    let step = work.step(Why::Stage { to: stage, by, reason });
    lead.step(step);
    lead.stage = stage;
}

fn outcome(work: &mut Work<'_>, mut lead: Lead, closing: Closing) -> Result<(), Need> {
    if lead.is_open() {
        return close::close(work, lead, closing);
    }
    if lead.outcome != Some(closing.outcome) || closing.value.is_some_and(|value| lead.value != Some(value)) {
        let change = json!({ "outcome": { "was": lead.outcome, "is": closing.outcome }, "by": closing.by, "reason": closing.reason, "value": closing.value });
        work.announce(EventType::Corrected, lead.id, change);
        lead.stage = close::stage_of(closing.outcome).unwrap_or(lead.stage);
        lead.outcome = Some(closing.outcome);
        lead.reason = closing.reason;
        lead.value = close::value_of(&lead, closing.outcome, closing.value);
        let step = work.step(Why::Corrected { what: "outcome".to_owned() });
        lead.step(step);
    }
    work.put_lead(lead)
}
