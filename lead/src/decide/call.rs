//! What does one event of a call change?
//!
//! The rule: the first sight of an inbound call is a touch; every later event joins the record of that call field by
//! field, in any order, and a stronger word about who answered (human > machine > unknown) replaces a weaker one. A
//! call bridged to a person gives him the lead and, once long enough, is the first contact. A call whose times cannot
//! be, or hardly, counts like any other and is flagged `odd_times`.

use super::first_contact::{self, Contacted, attempted, contacted};
use super::identify::Who;
use super::{Case, Work, assign, birth, reply, touch, unmatched, whose};
use crate::books::Verdict;
use crate::entry::{AnsweredBy, Call, Direction, Kind, Phase, Synthetic, Touch};
use crate::event::EventType;
use crate::facts::Need;
use crate::ids::{CallKey, PersonId};
use crate::state::{CallRecord, CallSeen, CallTimes, Lead, PendingFact, Via, plausible};
use crate::time::At;
use serde_json::json;
use std::time::Duration;

const ODD_TIMES: &str = "odd_times";
/// Longer than this a line was left open rather than somebody talked.
const LONGEST_TALK: Duration = Duration::from_hours(8);

pub(super) fn decide(work: &mut Work<'_>, case: &Case<'_>, call: &Call, who: &Who) -> Result<Verdict, Need> {
    let key = CallKey::derived(case.entry.channel.as_str(), &call.id);
    let at = plausible(call.occurred_at, work.now).unwrap_or(work.now);
    let known = work.call(key)?;
    let mut record = known.unwrap_or_else(|| unheard(call, at));
    let (unnamed, odd_before) = (record.from.is_none(), odd(&record));
    join(&mut record, call, at);
    tell(&mut record.told, &call.phase, plausible(call.occurred_at, work.now));
    if record.set_aside {
        work.put_call(key, record);
        return Ok(Verdict::Update);
    }
    if let Some(id) = record.lead {
        work.put_call(key, record.clone());
        if unnamed && record.from.is_some() {
            whose::named_late(work, id, call, who, case.entry.uid)?;
        }
        if let Some(mut lead) = work.surviving(id)? {
            if odd_before && !odd(&record) {
                lead.flags.remove(ODD_TIMES);
            }
            apply(work, lead, &record, key, Some(&call.phase))?;
        }
        return Ok(Verdict::Update);
    }
    // A recording is of a call that somebody made: it waits in the record for the event that tells whose.
    if unnamed && record.from.is_none() && matches!(call.phase, Phase::Recorded { .. }) {
        work.put_call(key, record);
        return Ok(Verdict::Unmatched);
    }
    match record.direction {
        Direction::Inbound => first_inbound(work, case, call, who, record, key),
        Direction::Outbound => first_outbound(work, who, record, key),
    }
}

fn first_inbound(
    work: &mut Work<'_>,
    case: &Case<'_>,
    call: &Call,
    who: &Who,
    mut record: CallRecord,
    key: CallKey,
) -> Result<Verdict, Need> {
    let spoke = spoke(work, &record);
    let landed = touch::land(work, case, &as_touch(call), who, spoke.as_ref())?;
    record.lead = landed.lead;
    record.birth = matches!(landed.verdict, Verdict::Lead | Verdict::Synthetic);
    record.set_aside = landed.lead.is_none();
    work.put_call(key, record.clone());
    if let Some(lead) = landed.lead.map(|id| work.lead(id)).transpose()?.flatten() {
        apply(work, lead, &record, key, None)?;
    }
    Ok(landed.verdict)
}

fn first_outbound(work: &mut Work<'_>, who: &Who, mut record: CallRecord, key: CallKey) -> Result<Verdict, Need> {
    for claim in &who.identities {
        if let Some(lead) = reply::open_lead(work, claim.key)? {
            record.lead = Some(lead.id);
            work.put_call(key, record.clone());
            apply(work, lead, &record, key, None)?;
            return Ok(Verdict::Update);
        }
    }
    work.put_call(key, record);
    if let Some(first) = who.identities.first() {
        unmatched::keep(work, first.key.0, PendingFact::Call(key))?;
    }
    Ok(Verdict::Unmatched)
}

/// A call that was heard of before the lead it belongs to.
pub(super) fn adopt(work: &mut Work<'_>, lead: Lead, key: CallKey) -> Result<(), Need> {
    let Some(mut record) = work.call(key)? else { return Ok(()) };
    record.lead = Some(lead.id);
    work.put_call(key, record.clone());
    apply(work, lead, &record, key, None)
}

/// The timer of a talk that has now lasted long enough.
pub(super) fn proven(work: &mut Work<'_>, lead: &mut Lead, key: CallKey) -> Result<(), Need> {
    let Some(record) = work.call(key)? else { return Ok(()) };
    settle(work, lead, &record, key)
}

fn unheard(call: &Call, at: At) -> CallRecord {
    CallRecord {
        id: call.id.clone(),
        direction: call.direction,
        lead: None,
        birth: false,
        from: None,
        to: None,
        agent: None,
        answered: None,
        ended: None,
        talk_s: None,
        recording_url: None,
        first_seen: at,
        set_aside: false,
        told: CallTimes::default(),
    }
}

/// Joins one event into what is known, so that any order of events ends in the same record.
fn join(record: &mut CallRecord, call: &Call, at: At) {
    record.from = record.from.take().or_else(|| call.from.clone());
    record.to = record.to.take().or_else(|| call.to.clone());
    record.first_seen = record.first_seen.min(at);
    match &call.phase {
        Phase::Ringing => {}
        Phase::Answered { by } => {
            let stronger = record.answered.is_none_or(|(known, since)| *by > known || (*by == known && at < since));
            if stronger {
                record.answered = Some((*by, at));
                record.agent = call.agent.clone().or_else(|| call.routed_to.clone()).or_else(|| record.agent.take());
            }
        }
        Phase::Ended { talk_s, .. } => {
            record.ended = Some(record.ended.map_or(at, |known| known.max(at)));
            record.talk_s = record.talk_s.max(*talk_s);
        }
        Phase::Recorded { url } => record.recording_url = Some(url.clone()),
    }
    let named = call.agent.clone().or_else(|| call.routed_to.clone());
    record.agent = record.agent.take().or(named);
}

/// `at` is the provider's word. A recording says nothing of times: it is made while they talk or long after.
fn tell(told: &mut CallTimes, phase: &Phase, at: Option<At>) {
    match phase {
        Phase::Ringing | Phase::Answered { .. } => {
            told.began = true;
            told.start = told.start.into_iter().chain(at).min();
        }
        Phase::Ended { .. } => told.end = told.end.max(at),
        Phase::Recorded { .. } => {}
    }
}

/// An end without a beginning or before it, a talk of no time at all, one longer than [`LONGEST_TALK`].
fn odd(record: &CallRecord) -> bool {
    let Some(end) = record.ended else { return false };
    let backwards = record.told.start.zip(record.told.end).is_some_and(|(start, end)| end < start);
    let said = record.talk_s.map(|seconds| Duration::from_secs(u64::from(seconds)));
    let talked = match record.answered {
        Some((AnsweredBy::Human, since)) => said.or_else(|| Some(end.since(since))),
        _ => said.filter(|said| !said.is_zero()),
    };
    let hardly = talked.is_some_and(|talked| talked.is_zero() || talked > LONGEST_TALK);
    !record.told.began || backwards || hardly
}

fn as_touch(call: &Call) -> Touch {
    Touch {
        name: call.name.clone(),
        phones: call.from.iter().cloned().collect(),
        attributes: call.attributes.clone(),
        occurred_at: call.occurred_at,
        ..Touch::new(Kind::Call)
    }
}

/// Writes the call into its lead and draws the conclusions.
fn apply(
    work: &mut Work<'_>,
    mut lead: Lead,
    record: &CallRecord,
    key: CallKey,
    phase: Option<&Phase>,
) -> Result<(), Need> {
    let mine = lead.call.as_ref().is_none_or(|seen| seen.id == record.id);
    if mine && record.direction == Direction::Inbound {
        lead.call = Some(seen(record));
    }
    lead.flags.extend(odd(record).then(|| ODD_TIMES.to_owned()));
    lead.last_activity = lead.last_activity.max(work.now);
    lead.resting = false;
    if lead.synthetic != Some(Synthetic::Technical) {
        reaches_people(work, &mut lead, record, key)?;
    }
    if !work.announced(lead.id) {
        let word = phase.map_or("adopted", word);
        work.announce(EventType::Touched, lead.id, json!({ "call": { "id": record.id, "phase": word } }));
    }
    work.put_lead(lead)
}

/// What a call means for the people who answer it.
fn reaches_people(work: &mut Work<'_>, lead: &mut Lead, record: &CallRecord, key: CallKey) -> Result<(), Need> {
    let spoke = spoke(work, record);
    if record.direction == Direction::Inbound && lead.is_open() && spoke.is_some() && lead.owner != spoke {
        assign::assign(work, lead, spoke.as_ref(), None)?;
    }
    if record.direction == Direction::Outbound && !first_contact::is_of_before(lead, record.first_seen) {
        attempted(work, lead, record.first_seen, Some(named(spoke.as_ref())));
    }
    if record.birth && record.lead == Some(lead.id) && record.first_seen < lead.start() {
        began_earlier(work, lead, record.first_seen);
    }
    settle(work, lead, record, key)
}

/// The first event heard of a call was not its first: the clock starts where the call did, whichever came first.
fn began_earlier(work: &mut Work<'_>, lead: &mut Lead, at: At) {
    lead.occurred_at = Some(at);
    let warned = lead.sla.as_ref().filter(|sla| sla.breached_at.is_none()).map(|sla| sla.warned);
    let Some(warned) = warned else { return };
    birth::start_clock(work, lead);
    if let Some(sla) = &mut lead.sla {
        sla.warned = warned;
    }
}

/// First contact now, later, or not by this call.
fn settle(work: &mut Work<'_>, lead: &mut Lead, record: &CallRecord, key: CallKey) -> Result<(), Need> {
    lead.proof = lead.proof.filter(|(_, call)| *call != key);
    match talk(record, work.rules.min_talk, work.now) {
        Talk::Proven(at) => {
            let spoke = spoke(work, record);
            let (by, via) = match record.direction {
                Direction::Outbound => (named(spoke.as_ref()), Via::OutboundCall),
                Direction::Inbound if record.birth => (named(spoke.as_ref()), Via::InboundCall),
                Direction::Inbound => ("client".to_owned(), Via::InboundCall),
            };
            contacted(work, lead, Contacted { at, by: Some(by), via })
        }
        Talk::NotYet(at) => {
            if lead.is_open() && lead.contacted_at.is_none() {
                lead.proof = Some((at, key));
            }
            Ok(())
        }
        Talk::TooShort(at) => {
            first_contact::taken_back(work, lead, at, record.direction == Direction::Outbound);
            Ok(())
        }
        Talk::None => Ok(()),
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Talk {
    Proven(At),
    NotYet(At),
    TooShort(At),
    None,
}

/// Was a person there long enough? The provider's talk time decides, else the time between answer and end.
fn talk(record: &CallRecord, least: Duration, now: At) -> Talk {
    let Some((AnsweredBy::Human, since)) = record.answered else { return Talk::None };
    let lasted = match (record.talk_s, record.ended) {
        (Some(seconds), _) => Duration::from_secs(u64::from(seconds)),
        (None, Some(end)) => end.since(since),
        (None, None) if now >= since.plus(least) => least,
        (None, None) => return Talk::NotYet(since.plus(least)),
    };
    if lasted >= least { Talk::Proven(since) } else { Talk::TooShort(since) }
}

/// Our person on the line, when a person was and we know him.
fn spoke(work: &Work<'_>, record: &CallRecord) -> Option<PersonId> {
    let human = matches!(record.answered, Some((AnsweredBy::Human, _)));
    let said = record.agent.as_deref().filter(|_| human || record.direction == Direction::Outbound)?;
    work.rules.person_called(said).map(|person| person.id.clone())
}

fn named(person: Option<&PersonId>) -> String {
    person.map_or_else(|| "staff".to_owned(), ToString::to_string)
}

fn seen(record: &CallRecord) -> CallSeen {
    CallSeen {
        id: record.id.clone(),
        from: record.from.clone(),
        to: record.to.clone(),
        answered_by: record.answered.map(|(by, _)| by),
        talk_s: match record.answered {
            Some((AnsweredBy::Human, _)) => record.talk_s.unwrap_or(0),
            _ => 0,
        },
        recording_url: record.recording_url.clone(),
    }
}

fn word(phase: &Phase) -> &'static str {
    match phase {
        Phase::Ringing => "ringing",
        Phase::Answered { .. } => "answered",
        Phase::Ended { .. } => "ended",
        Phase::Recorded { .. } => "recorded",
    }
}
