//! Does this touch belong to a lead that is there already?
//!
//! The rule: a touch whose contact has an open lead, or one closed less than `duplicate_window` ago, attaches to it.
//! It raises the priority and is counted, on the same channel or across channels; it is never discarded and never
//! restarts the clock.

use super::{Work, birth};
use crate::entry::{Entry, Touch};
use crate::event::EventType;
use crate::facts::Need;
use crate::state::{Contact, Lead, Why};
use serde_json::json;

/// The lead to attach to, and whether it was closed before this touch.
pub(super) fn of(work: &Work<'_>, contact: &Contact) -> Result<Option<(Lead, bool)>, Need> {
    if let Some(open) = contact.open {
        return Ok(work.lead(open)?.filter(Lead::is_open).map(|lead| (lead, false)));
    }
    let recent = contact.last.as_ref().filter(|last| work.now.since(last.closed_at) < work.rules.duplicate_window);
    match recent {
        Some(last) => Ok(work.lead(last.id)?.map(|lead| (lead, true))),
        None => Ok(None),
    }
}

pub(super) fn attach(
    work: &mut Work<'_>,
    mut lead: Lead,
    after_close: bool,
    entry: &Entry,
    touch: &Touch,
) -> Result<(), Need> {
    let across = lead.channel != entry.channel;
    lead.touches += 1;
    lead.priority += 1;
    lead.last_activity = lead.last_activity.max(entry.received_at);
    lead.resting = false;
    if lead.text.is_none() {
        lead.text = birth::text(touch);
    }
    lead.credit(&touch.campaign);
    let change = json!({
        "duplicate": if across { "cross_channel" } else { "same_channel" },
        "after_close": after_close,
        "touch": {
            "id": entry.uid,
            "channel": entry.channel,
            "kind": touch.kind,
            "received_at": entry.received_at,
            "text": birth::text(touch),
            "attributes": birth::bounded(&touch.attributes).0,
            "campaign": touch.campaign,
        },
    });
    work.announce(EventType::Touched, lead.id, change);
    let step = work.step(Why::Touched {
        channel: entry.channel.clone(),
        kind: touch.kind,
        across,
        after_close,
        uid: entry.uid,
    });
    lead.step(step);
    work.put_lead(lead)
}
