//! Is every promise kept? What was accepted, against what the store says once everything has healed.

use crate::people::{SAME_POST, phone, workspace};
use crate::plan::{Plan, What};
use crate::world::Accepted;
use lead::books::Verdict;
use lead::changes::AsideKind;
use lead::identity::Identity;
use lead::ids::{ChannelId, LeadId, Uid};
use lead::state::{Contact, Lead};
use lead::time::At;
use ledger::redis::Redis;
use ledger::{Account, LeadFilter, Ledger as _, Position, Published, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// More than any run makes.
const ALL: usize = 1_000_000;

/// What must come out.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    verdicts: BTreeMap<(ChannelId, Verdict), i64>,
    customers: BTreeMap<u32, Customer>,
    quarantined: BTreeSet<Uid>,
    total: u64,
}

#[derive(Debug, Default)]
struct Customer {
    first: Option<(LeadId, At)>,
    touches: u32,
    contacted: Option<At>,
    posted: Option<At>,
}

impl Expected {
    pub(crate) fn of(accepted: &BTreeMap<usize, Vec<Accepted>>) -> Self {
        let mut expected = Self::default();
        let mut seen = BTreeSet::new();
        for (knock, entry) in accepted.values().flatten() {
            expected.total += 1;
            let verdict = if seen.insert(entry.uid) {
                let customer = expected.customers.entry(knock.customer).or_default();
                match knock.what {
                    What::Unreadable => {
                        expected.quarantined.insert(entry.uid);
                        Verdict::Quarantined
                    }
                    _ => customer.takes(knock.what, entry.uid, entry.received_at),
                }
            } else {
                Verdict::Redelivered
            };
            *expected.verdicts.entry((entry.channel.clone(), verdict)).or_default() += 1;
        }
        expected.customers.retain(|_, customer| customer.touches > 0);
        expected
    }
}

impl Customer {
    fn takes(&mut self, what: What, uid: Uid, at: At) -> Verdict {
        if what == What::Contact {
            self.contacted = Some(at);
            return Verdict::Update;
        }
        if what == What::Post {
            if self.posted.is_some_and(|posted| at.since(posted) < SAME_POST) {
                return Verdict::Redelivered;
            }
            self.posted = Some(at);
        }
        self.touches += 1;
        if self.first.is_some() {
            return Verdict::Duplicate;
        }
        self.first = Some((uid.lead(), at));
        Verdict::Lead
    }
}

/// What the store says.
pub(crate) struct Found {
    books: BTreeMap<ChannelId, Account>,
    leads: Vec<(Lead, Option<Contact>)>,
    events: Vec<Published>,
    quarantined: BTreeSet<Uid>,
    dead: u64,
}

impl Found {
    pub(crate) async fn ask(redis: &Redis) -> Result<Self> {
        let workspace = workspace();
        let filter = LeadFilter { limit: ALL, ..LeadFilter::default() };
        let aside = redis.aside(&workspace, AsideKind::Quarantined, None, ALL).await?;
        Ok(Self {
            books: redis.books(&workspace).await?,
            leads: redis.leads(&workspace, &filter).await?,
            events: redis.events(&workspace, Position::default(), ALL, Duration::ZERO).await?,
            quarantined: aside.into_iter().map(|one| one.entry.uid).collect(),
            dead: redis.aside_count(&workspace, AsideKind::Dead).await?,
        })
    }

    pub(crate) fn events(&self) -> usize {
        self.events.len()
    }

    /// Nothing accepted is on its way any more.
    pub(crate) fn settled(&self, expected: &Expected) -> bool {
        let accepted: u64 = self.books.values().map(|account| account.accepted).sum();
        accepted == expected.total && self.books.values().all(|account| account.in_flight == 0)
    }
}

/// Everything that is not as it must be.
pub(crate) fn problems(plan: &Plan, expected: &Expected, found: &Found, read: &[Published]) -> Vec<String> {
    let mut problems = Vec::new();
    books(plan, expected, found, &mut problems);
    leads(plan, expected, found, &mut problems);
    streams(plan, found, read, &mut problems);
    if found.quarantined != expected.quarantined {
        problems.push(format!("{} signals in quarantine, not {}", found.quarantined.len(), expected.quarantined.len()));
    }
    if found.dead > 0 {
        problems.push(format!("{} signals were buried", found.dead));
    }
    problems
}

fn books(plan: &Plan, expected: &Expected, found: &Found, problems: &mut Vec<String>) {
    for (channel, account) in &found.books {
        if account.difference() != 0 || account.in_flight != 0 {
            problems.push(format!("the books of {channel} do not balance: {account:?}"));
        }
    }
    let verdicts = found.books.iter().flat_map(|(channel, account)| {
        account.verdicts.iter().filter(|(_, n)| **n != 0).map(|(verdict, n)| ((channel.clone(), *verdict), *n))
    });
    let verdicts: BTreeMap<_, _> = verdicts.collect();
    // Where customers come in anywhere, the order says which of two channels had the lead.
    let sums = |all: &BTreeMap<(ChannelId, Verdict), i64>| {
        let mut sums: BTreeMap<(ChannelId, Verdict), i64> = BTreeMap::new();
        for ((channel, verdict), n) in all {
            let channel = if plan.crossing { ChannelId::new("") } else { channel.clone() };
            *sums.entry((channel, *verdict)).or_default() += n;
        }
        sums
    };
    if sums(&verdicts) != sums(&expected.verdicts) {
        problems.push(format!("verdicts are {verdicts:?} and not {:?}", expected.verdicts));
    }
}

fn leads(plan: &Plan, expected: &Expected, found: &Found, problems: &mut Vec<String>) {
    let mut known: BTreeMap<&str, Vec<&Lead>> = BTreeMap::new();
    for (lead, contact) in &found.leads {
        for linked in contact.iter().flat_map(|contact| &contact.identities) {
            if let Identity::Phone(number) = &linked.identity {
                known.entry(number).or_default().push(lead);
            }
        }
    }
    if found.leads.len() != expected.customers.len() {
        problems.push(format!("{} leads, not {}", found.leads.len(), expected.customers.len()));
    }
    let mut counts: BTreeMap<(&str, &str), u32> = BTreeMap::new();
    for event in &found.events {
        *counts.entry((&event.subject, &event.kind)).or_default() += 1;
    }
    for (number, customer) in &expected.customers {
        let Some([lead]) = known.get(phone(*number).as_str()).map(Vec::as_slice) else {
            problems.push(format!("customer {number} has no lead, or several"));
            continue;
        };
        let wrong = wrong_lead(plan, customer, lead);
        problems.extend(wrong.into_iter().map(|what| format!("the lead of customer {number} {what}")));
        let subject = lead.id.to_string();
        let count = |kind: &str| counts.get(&(subject.as_str(), kind)).copied().unwrap_or(0);
        let spoke = u32::from(customer.contacted.is_some());
        let breached = u32::from(lead.sla.as_ref().is_some_and(|sla| sla.breached_at.is_some()));
        for (kind, n) in [
            ("lead.created", 1),
            ("lead.touched", customer.touches - 1),
            ("lead.contacted", spoke),
            // Taken back, where somebody who spoke in time was heard late.
            ("lead.sla_breached", breached.max(count("lead.sla_breached").min(spoke))),
        ] {
            if count(kind) != n {
                problems.push(format!("customer {number} has {} times {kind}, not {n}", count(kind)));
            }
        }
    }
}

fn wrong_lead(plan: &Plan, customer: &Customer, lead: &Lead) -> Vec<String> {
    let mut wrong = Vec::new();
    if !plan.crossing && customer.first != Some((lead.id, lead.received_at)) {
        wrong.push("is another one than his first touch makes".to_owned());
    }
    if lead.touches != customer.touches {
        wrong.push(format!("has {} touches, not {}", lead.touches, customer.touches));
    }
    if lead.contacted_at.is_some() != customer.contacted.is_some() || !lead.is_open() {
        wrong.push("is not in the stage it should be".to_owned());
    }
    let due = lead.received_at.plus(Duration::from_secs(plan.first_contact_s));
    let breached = lead.sla.as_ref().and_then(|sla| sla.breached_at);
    let must = customer.contacted.is_none_or(|at| at > due);
    if breached != must.then_some(due) {
        wrong.push(format!("is breached at {breached:?}, not {due}"));
    }
    wrong
}

fn streams(plan: &Plan, found: &Found, read: &[Published], problems: &mut Vec<String>) {
    let there: BTreeSet<&str> = found.events.iter().map(|event| event.id.as_str()).collect();
    if there.len() != found.events.len() {
        problems.push("an event is twice in the stream".to_owned());
    }
    let heard: BTreeSet<&str> = read.iter().map(|event| event.id.as_str()).collect();
    let missed = there.difference(&heard).count();
    if missed > 0 {
        problems.push(format!("{missed} events were never read"));
    }
    // Whether somebody was warned before he was heard, and that taken back, is a matter of when the store lost its state.
    let of_clocks = |event: &Published| event.kind.starts_with("lead.sla_") || event.kind == "lead.corrected";
    let lost = |event: &&Published| !plan.may_reorder() && !there.contains(event.id.as_str()) && !of_clocks(event);
    for event in read.iter().filter(lost) {
        problems.push(format!("a {} was read and never came again", event.kind));
    }
    if !plan.loses && (read.len() != found.events.len() || read.iter().zip(&found.events).any(|(a, b)| a.id != b.id)) {
        problems.push("what was read is not the stream".to_owned());
    }
}
