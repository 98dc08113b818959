//! How does a store come to know many people without waiting for their posts? The domain decides each of them as ever,
//! the batches are large, and events are left out: nobody reads those again.

use crate::customers;
use anyhow::{Result, anyhow};
use gateway::channel::Channel;
use lead::changes::{Timer, TimerChange, Wake};
use lead::decide::Case;
use lead::entry::{CloseAs, Entry, Stage};
use lead::facts::{Facts, Need};
use lead::record::{Key, Record};
use lead::rules::Rules;
use lead::state::LastLead;
use lead::time::At;
use ledger::{Batch, Claim, Ledger};
use std::time::Duration;

const BATCH: u64 = 4_000;

/// People `from..to` came ten days ago: those with even numbers have a lead that is open and was answered, the others
/// one that was closed a day later.
pub(crate) async fn fill(ledger: &dyn Ledger, rules: &Rules, now: At, from: u64, to: u64) -> Result<()> {
    let claim = ledger.claim(&rules.workspace).await?;
    let channel = customers::channel("form");
    let mut floor = ledger.fetch(&rules.workspace, &[Key::Floor]).await?.pop().flatten();
    let mut next = from;
    while next < to {
        let end = to.min(next + BATCH);
        let (batch, after) = decided(rules, &channel, &claim, floor, now, next..end)?;
        floor = after;
        ledger.commit(&rules.workspace, &claim, batch).await?;
        next = end;
    }
    ledger.rest(&rules.workspace, &claim).await?;
    Ok(())
}

type People = std::ops::Range<u64>;

fn decided(
    rules: &Rules,
    channel: &Channel,
    claim: &Claim,
    floor: Option<Record>,
    now: At,
    people: People,
) -> Result<(Batch, Option<Record>)> {
    let mut facts = Facts::default();
    facts.learn(Key::Floor, floor);
    for n in people {
        let at = now.minus(Duration::from_hours(240)).plus(Duration::from_millis(n));
        came(rules, &mut facts, &customers::row(channel, n, at).entry)?;
    }
    let mut batch = Batch { cursor: claim.cursor, ..Batch::default() };
    batch.seal(facts, claim.cursor);
    let mut floor = None;
    let mut number = 0;
    let mut closed = std::collections::HashMap::new();
    for (_, record) in &mut batch.records {
        if let Some(Record::Lead(lead)) = record {
            number += 1;
            lead.contacted_at = Some(lead.received_at.plus(Duration::from_mins(5)));
            lead.resting = true;
            lead.stage = Stage::Contacted;
            lead.wake_at = Some(lead.last_activity.plus(rules.close_after));
            if number % 2 == 1 {
                lead.closed_at = Some(lead.received_at.plus(Duration::from_hours(24)));
                lead.outcome = Some(CloseAs::Converted);
                lead.stage = Stage::Converted;
                lead.wake_at = None;
                closed.insert(lead.contact, (lead.id, lead.closed_at));
            }
            let timer = lead.wake_at.map(|due| TimerChange::Set(Timer { due, what: Wake::Lead(lead.id) }));
            batch.timers.extend(timer);
        }
    }
    for (_, record) in &mut batch.records {
        match record {
            Some(Record::Contact(contact)) => {
                contact.owner = Some("anna".into());
                if let Some((id, Some(closed_at))) = closed.get(&contact.id) {
                    contact.open = None;
                    contact.last = Some(LastLead { id: *id, closed_at: *closed_at });
                }
            }
            Some(Record::Floor(all)) => {
                all.loads.clear();
                floor = Some(Record::Floor(all.clone()));
            }
            _ => {}
        }
    }
    Ok((batch, floor))
}

/// Decides one entry over a store that knows nothing of it.
fn came(rules: &Rules, facts: &mut Facts, entry: &Entry) -> Result<()> {
    let case = Case::open(rules, entry);
    for _ in 0..64 {
        match case.decide(rules, facts) {
            Ok(mut changes) => {
                facts.apply(&mut changes);
                return Ok(());
            }
            Err(Need::Records(keys)) => keys.into_iter().for_each(|key| facts.learn(key, None)),
            Err(Need::Queue(_)) => facts.learn_queue(Vec::new(), 1),
        }
    }
    Err(anyhow!("deciding asks in circles"))
}
