//! Have we worked for this person before?
//!
//! The rule: a new lead of a contact who had an earlier lead is a repeat. It says which was the last one, how many
//! there were and how long ago, and each reader picks its own depth. Never a reason to refuse.

use crate::rules::Rules;
use crate::state::{Contact, Repeat};
use crate::time::At;

pub(super) fn of(rules: &Rules, contact: &Contact, now: At) -> Option<Repeat> {
    let last = contact.last.as_ref().filter(|_| rules.repeats)?;
    let days = now.since(last.closed_at).as_secs() / 86_400;
    Some(Repeat { of: last.id, prior_leads: contact.leads, days_since_last: u32::try_from(days).unwrap_or(u32::MAX) })
}
