//! What do people want changed? A command is an entry like any other, so the log explains it; the last writer wins.

use super::Work;
use super::assign::{self, Choice};
use crate::books::Verdict;
use crate::entry::{Command, Order, Synthetic};
use crate::facts::Need;
use crate::identity::Matcher;
use crate::ids::{LeadId, PersonId};
use crate::record::{Key, Record};
use crate::state::{AssignRule, Exclusion, Lead};
use crate::time::At;

pub(super) fn decide(work: &mut Work<'_>, command: &Command) -> Result<Verdict, Need> {
    match &command.order {
        Order::Exclude { matcher, reason, expires_at } => {
            exclude(work, command, &normal(work, matcher), reason, *expires_at)?;
        }
        Order::Include { matcher } => include(work, &normal(work, matcher))?,
        Order::Presence { person, present } => presence(work, person, *present)?,
        Order::Reassign { lead, person, .. } => reassign(work, *lead, person)?,
    }
    Ok(Verdict::Command)
}

/// The one spelling under which an exclusion is looked up.
fn normal(work: &Work<'_>, matcher: &str) -> String {
    Matcher::parse(matcher, work.rules.region).map_or_else(|_| matcher.to_owned(), |read| read.to_string())
}

fn exclude(
    work: &mut Work<'_>,
    command: &Command,
    matcher: &str,
    reason: &str,
    expires_at: Option<At>,
) -> Result<(), Need> {
    let known = work.facts().exclusion(matcher)?.is_some();
    let mut floor = work.floor()?;
    floor.exclusions += u64::from(!known);
    if let Some(prefix) = matcher.strip_prefix("prefix:") {
        floor.prefixes.insert(prefix.to_owned());
    }
    work.put_floor(floor);
    let exclusion = Exclusion {
        matcher: matcher.to_owned(),
        reason: reason.to_owned(),
        by: command.by.clone(),
        at: work.now,
        expires_at,
    };
    work.put(Key::Exclusion(matcher.to_owned()), Some(Record::Exclusion(Box::new(exclusion))));
    Ok(())
}

fn include(work: &mut Work<'_>, matcher: &str) -> Result<(), Need> {
    if work.facts().exclusion(matcher)?.is_none() {
        return Ok(());
    }
    let mut floor = work.floor()?;
    floor.exclusions = floor.exclusions.saturating_sub(1);
    if let Some(prefix) = matcher.strip_prefix("prefix:") {
        floor.prefixes.remove(prefix);
    }
    work.put_floor(floor);
    work.put(Key::Exclusion(matcher.to_owned()), None);
    Ok(())
}

fn presence(work: &mut Work<'_>, person: &PersonId, present: bool) -> Result<(), Need> {
    let mut floor = work.floor()?;
    if present {
        work.freed |= floor.absent.remove(person);
    } else {
        floor.absent.insert(person.clone());
    }
    work.put_floor(floor);
    Ok(())
}

fn reassign(work: &mut Work<'_>, lead: LeadId, person: &PersonId) -> Result<(), Need> {
    let people = |lead: &Lead| lead.is_open() && lead.synthetic != Some(Synthetic::Technical);
    let Some(mut lead) = work.surviving(lead)?.filter(people) else { return Ok(()) };
    if work.rules.person(person).is_none() || lead.owner.as_ref() == Some(person) {
        return Ok(());
    }
    let choice = Choice { to: Some(person.clone()), rule: AssignRule::Manual, skipped: Vec::new() };
    assign::give(work, &mut lead, choice)?;
    work.put_lead(lead)
}
