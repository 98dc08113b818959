//! Who answers this lead?
//!
//! The rule: the person who already spoke → the owner of the earlier lead, if present → those who serve the place
//! → those who can answer (skill, language) → the least load by weight → the queue. Somebody with neither place nor
//! skill configured serves everywhere; a specialist for the place goes before him. Caps steer, they never refuse a
//! customer: when nobody may take the lead it waits in the queue, never with a silent default person.

use super::Work;
use crate::changes::{Measure, Timer, Wake};
use crate::entry::Synthetic;
use crate::event::EventType;
use crate::facts::Need;
use crate::geo::Geo;
use crate::ids::PersonId;
use crate::rules::{Person, Rules};
use crate::state::{AssignRule, Floor, Lead, Skip, Why};
use serde_json::json;
use std::time::Duration;

/// Candidates named in the trail; the rest are counted.
const MOST_NAMED: usize = 16;
/// How often the queue is looked at although nothing happened: rules and shifts change without an entry.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// What has to be known to choose.
#[derive(Debug, Default)]
pub struct Question<'a> {
    pub spoke: Option<&'a PersonId>,
    pub sticky: Option<&'a PersonId>,
    pub geo: Geo,
    pub skill: Option<&'a str>,
    pub language: Option<&'a str>,
}

/// The answer, with everybody who was passed over and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Choice {
    pub to: Option<PersonId>,
    pub rule: AssignRule,
    pub skipped: Vec<(PersonId, Skip)>,
}

pub fn choose(rules: &Rules, floor: &Floor, question: &Question<'_>) -> Choice {
    let at_once =
        |person: &PersonId, rule| Choice { to: Some(person.clone()), rule, skipped: not_asked(rules, person) };
    if let Some(person) = question.spoke.filter(|id| rules.person(id).is_some()) {
        return at_once(person, AssignRule::WhoSpoke);
    }
    let sticky = question.sticky.and_then(|id| rules.person(id));
    if let Some(person) = sticky.filter(|person| unable(floor, person).is_none()) {
        return at_once(&person.id, AssignRule::Sticky);
    }
    let mut skipped = Vec::new();
    let mut able: Vec<&Person> = Vec::new();
    for person in &rules.people {
        match unable(floor, person).or_else(|| unfit(person, question)) {
            Some(why) => skipped.push((person.id.clone(), why)),
            None => able.push(person),
        }
    }
    let local = keep_specialists(&mut able, &mut skipped, &question.geo);
    let best = able.iter().min_by(|a, b| by_load(floor, a, b)).copied();
    skipped.extend(
        able.iter()
            .filter(|person| Some(person.id.as_str()) != best.map(|b| b.id.as_str()))
            .map(|person| (person.id.clone(), Skip::MoreLoaded)),
    );
    let rule = match best {
        None => AssignRule::Queue,
        Some(_) if local => AssignRule::Geography,
        Some(_) if question.skill.is_some() || question.language.is_some() => AssignRule::Skill,
        Some(_) => AssignRule::LeastLoad,
    };
    Choice { to: best.map(|person| person.id.clone()), rule, skipped }
}

pub(super) fn not_asked(rules: &Rules, chosen: &PersonId) -> Vec<(PersonId, Skip)> {
    rules
        .people
        .iter()
        .filter(|person| person.id != *chosen)
        .map(|person| (person.id.clone(), Skip::NotAsked))
        .collect()
}

fn unable(floor: &Floor, person: &Person) -> Option<Skip> {
    if floor.absent.contains(&person.id) {
        return Some(Skip::Absent);
    }
    person.capacity.filter(|capacity| floor.load(&person.id) >= *capacity).map(|_| Skip::Full)
}

fn unfit(person: &Person, question: &Question<'_>) -> Option<Skip> {
    if elsewhere(person, &question.geo) {
        return Some(Skip::OtherRegion);
    }
    if question.skill.is_some_and(|skill| !person.skills.iter().any(|has| has == skill)) {
        return Some(Skip::LacksSkill);
    }
    let speaks = |language: &str| person.languages.is_empty() || person.languages.iter().any(|one| one == language);
    question.language.filter(|language| !speaks(language)).map(|_| Skip::LacksLanguage)
}

/// The customer is known to be where this person does not serve. A mobile number tells only the country: whoever
/// serves a part of it may serve him.
fn elsewhere(person: &Person, geo: &Geo) -> bool {
    let place = [geo.region.as_deref(), geo.country.as_deref()];
    let serves_it = place.into_iter().flatten().any(|code| serves(person, code));
    let part_of = |country: &str| person.regions.iter().any(|region| region.split('-').next() == Some(country));
    let perhaps = geo.region.is_none() && geo.country.as_deref().is_none_or(part_of);
    !person.regions.is_empty() && !serves_it && !perhaps
}

fn serves(person: &Person, code: &str) -> bool {
    person.regions.iter().any(|region| region == code)
}

/// Of those able, keeps who serves the region, else who serves the country; true when that chose among people.
fn keep_specialists(able: &mut Vec<&Person>, skipped: &mut Vec<(PersonId, Skip)>, geo: &Geo) -> bool {
    for code in [geo.region.as_deref(), geo.country.as_deref()].into_iter().flatten() {
        if able.iter().any(|person| serves(person, code)) {
            let (kept, others): (Vec<&Person>, Vec<&Person>) = able.iter().partition(|person| serves(person, code));
            skipped.extend(others.into_iter().map(|person| (person.id.clone(), Skip::OtherSpecialist)));
            *able = kept;
            return true;
        }
    }
    false
}

/// Load after taking this lead, by weight; then who waited longest for one; then the order of the file.
fn by_load(floor: &Floor, a: &Person, b: &Person) -> std::cmp::Ordering {
    let share = |me: &Person, other: &Person| u64::from(floor.load(&me.id) + 1) * u64::from(other.weight.max(1));
    let waited = |person: &Person| floor.last_given.get(&person.id).copied().unwrap_or_default();
    share(a, b).cmp(&share(b, a)).then_with(|| waited(a).cmp(&waited(b)))
}

/// Asks, and gives the lead to the answer. The lead is changed, not yet stored.
pub(super) fn assign(
    work: &mut Work<'_>,
    lead: &mut Lead,
    spoke: Option<&PersonId>,
    sticky: Option<&PersonId>,
) -> Result<(), Need> {
    let channel = work.rules.channels.get(&lead.channel);
    let question = Question {
        spoke,
        sticky,
        geo: lead.geo.clone(),
        skill: channel.and_then(|channel| channel.skill.as_deref()),
        language: channel.and_then(|channel| channel.language.as_deref()),
    };
    let choice = choose(work.rules, &work.floor()?, &question);
    give(work, lead, choice)
}

/// Writes a choice down: owner or queue, trail, event.
pub(super) fn give(work: &mut Work<'_>, lead: &mut Lead, choice: Choice) -> Result<(), Need> {
    let from = lead.owner.take();
    lead.owner.clone_from(&choice.to);
    match &choice.to {
        Some(person) => {
            super::queue::leave(work, lead)?;
            let mut floor = work.floor()?;
            floor.last_given.insert(person.clone(), work.now);
            work.put_floor(floor);
        }
        None => enqueue(work, lead)?,
    }
    let kind = if choice.to.is_some() { EventType::Assigned } else { EventType::Queued };
    if !work.is_newborn(lead.id) {
        work.announce(kind, lead.id, json!({ "owner": choice.to, "from": from, "rule": choice.rule }));
    }
    if lead.synthetic.is_none() {
        work.measure(Measure::Assigned { person: choice.to.clone(), rule: choice.rule });
    }
    let more = u32::try_from(choice.skipped.len().saturating_sub(MOST_NAMED)).unwrap_or(u32::MAX);
    let mut skipped = choice.skipped;
    skipped.truncate(MOST_NAMED);
    let step = work.step(Why::Assigned { to: choice.to, from, rule: choice.rule, skipped, more });
    lead.step(step);
    Ok(())
}

fn enqueue(work: &mut Work<'_>, lead: &mut Lead) -> Result<(), Need> {
    if lead.queued_at.is_some() || lead.synthetic == Some(Synthetic::Technical) {
        return Ok(());
    }
    lead.queued_at = Some(work.now);
    work.queue_put(work.now, lead.id);
    let mut floor = work.floor()?;
    floor.queue_length += 1;
    if floor.drain_at.is_none() {
        let due = work.now.plus(LOOK_AGAIN);
        floor.drain_at = Some(due);
        work.set_timer(Timer { due, what: Wake::Queue });
    }
    work.put_floor(floor);
    Ok(())
}
