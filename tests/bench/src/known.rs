//! How does a store come to know many people without waiting for their posts? The domain decides each of them as ever,
//! the batches are large, and events are left out: nobody reads those again.

use crate::customers;
use anyhow::{Result, anyhow};
use gateway::channel::Channel;
use lead::changes::{Changes, Timer, TimerChange, Wake};
use lead::decide::Case;
use lead::entry::{CloseAs, Entry, Stage};
use lead::facts::{Facts, Need};
use lead::record::{Key, Record};
use lead::rules::Rules;
use lead::state::LastLead;
use lead::time::At;
use ledger::{Batch, Claim, Ledger};
use std::collections::HashMap;
use std::ops::Range;
use std::time::Duration;

const BATCH: u64 = 4_000;

/// People `from..to` came ten days ago: those with even numbers have a lead that is open and was answered, the others
/// one that was closed a day later.
pub(crate) async fn fill(ledger: &dyn Ledger, rules: &Rules, now: At, from: u64, to: u64) -> Result<()> {
    write(ledger, rules, now, from..to, |batch| {
        age(rules, batch);
        batch.events.clear();
        batch.timers = wakes(batch);
        batch.queue.clear();
        batch.books.clear();
    })
    .await
}

/// Decides the first post of each of `people`; what `pick` leaves of each batch is committed.
pub(crate) async fn write(
    ledger: &dyn Ledger,
    rules: &Rules,
    now: At,
    people: Range<u64>,
    pick: impl Fn(&mut Batch),
) -> Result<()> {
    let claim = ledger.claim(&rules.workspace).await?;
    let channel = customers::channel("form");
    let mut floor = ledger.fetch(&rules.workspace, &[Key::Floor]).await?.pop().flatten();
    let mut next = people.start;
    while next < people.end {
        let end = people.end.min(next + BATCH);
        let mut batch = decided(rules, &channel, &claim, floor, now, next..end)?;
        floor = batch.records.iter().find(|(key, _)| *key == Key::Floor).and_then(|(_, record)| record.clone());
        pick(&mut batch);
        ledger.commit(&rules.workspace, &claim, batch).await?;
        next = end;
    }
    ledger.rest(&rules.workspace, &claim).await?;
    Ok(())
}

fn decided(
    rules: &Rules,
    channel: &Channel,
    claim: &Claim,
    floor: Option<Record>,
    now: At,
    people: Range<u64>,
) -> Result<Batch> {
    let mut facts = Facts::default();
    facts.learn(Key::Floor, floor);
    let mut batch = Batch::default();
    for n in people {
        let at = now.minus(Duration::from_hours(240)).plus(Duration::from_millis(n));
        batch.absorb(came(rules, &mut facts, &customers::row(channel, n, at).entry)?, None);
    }
    batch.seal(facts, claim.cursor);
    for (_, record) in &mut batch.records {
        if let Some(Record::Floor(all)) = record {
            // Or the more have come, the fewer would be given to somebody.
            all.loads.clear();
        }
    }
    Ok(batch)
}

/// Lets ten days pass.
fn age(rules: &Rules, batch: &mut Batch) {
    let mut closed = HashMap::new();
    let leads = batch.records.iter_mut().filter_map(|(_, record)| match record {
        Some(Record::Lead(lead)) => Some(lead),
        _ => None,
    });
    for (index, lead) in leads.enumerate() {
        lead.contacted_at = Some(lead.received_at.plus(Duration::from_mins(5)));
        lead.resting = true;
        lead.stage = Stage::Contacted;
        lead.wake_at = Some(lead.last_activity.plus(rules.close_after));
        if index % 2 == 1 {
            let closed_at = lead.received_at.plus(Duration::from_hours(24));
            lead.closed_at = Some(closed_at);
            lead.outcome = Some(CloseAs::Converted);
            lead.stage = Stage::Converted;
            lead.wake_at = None;
            closed.insert(lead.contact, LastLead { id: lead.id, closed_at });
        }
    }
    for (_, record) in &mut batch.records {
        let Some(Record::Contact(contact)) = record else { continue };
        contact.owner = Some("anna".into());
        if let Some(last) = closed.remove(&contact.id) {
            contact.open = None;
            contact.last = Some(last);
        }
    }
}

/// The timer of each lead that has one.
fn wakes(batch: &Batch) -> Vec<TimerChange> {
    let wake = |(_, record): &(Key, Option<Record>)| match record {
        Some(Record::Lead(lead)) => lead.wake_at.map(|due| TimerChange::Set(Timer { due, what: Wake::Lead(lead.id) })),
        _ => None,
    };
    batch.records.iter().filter_map(wake).collect()
}

/// Decides one entry over a store that knows nothing of it.
fn came(rules: &Rules, facts: &mut Facts, entry: &Entry) -> Result<Changes> {
    let case = Case::open(rules, entry);
    for _ in 0..64 {
        match case.decide(rules, facts) {
            Ok(mut changes) => {
                facts.apply(&mut changes);
                return Ok(changes);
            }
            Err(Need::Records(keys)) => keys.into_iter().for_each(|key| facts.learn(key, None)),
            Err(Need::Queue(_)) => facts.learn_queue(Vec::new(), 1),
        }
    }
    Err(anyhow!("deciding asks in circles"))
}
