//! How is a batch decided? Entry by entry over one overlay, so that the second sees what the first did; what is
//! missing is fetched and that entry runs again. Nothing is written here: out comes one [`Batch`] to commit.

use lead::changes::{Changes, Measure, Timer};
use lead::decide::{self, Case};
use lead::facts::{Facts, Need};
use lead::ids::WorkspaceId;
use lead::record::Key;
use lead::rules::Rules;
use lead::time::At;
use ledger::{Arrived, Batch, Ledger, Position};
use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use crate::watchdog::Watchdog;

/// Rounds of foreseen look-ups: names, what they point to, and the leads behind.
const ROUNDS: usize = 4;
/// Fetches for one entry; more would mean that deciding asks in circles.
const MOST_NEEDS: usize = 64;

/// A decided batch, and what metrics will count once it is committed.
#[derive(Debug, Default)]
pub struct Decided {
    pub batch: Batch,
    pub measures: Vec<Measure>,
    pub times: Vec<Duration>,
}

/// Why a batch could not be decided.
#[derive(Debug)]
pub enum Undecided {
    /// Deciding panicked on this entry, or asked in circles.
    Poison(&'static str),
    Store(ledger::Error),
}

impl From<ledger::Error> for Undecided {
    fn from(error: ledger::Error) -> Self {
        Self::Store(error)
    }
}

/// What a batch is decided with.
#[derive(Debug)]
pub struct Decider<'a> {
    pub workspace: &'a WorkspaceId,
    pub rules: &'a Rules,
    pub ledger: &'a dyn Ledger,
    pub watchdog: &'a Watchdog,
}

/// One thing to decide, in the order of time.
enum Turn<'a> {
    Entry(&'a Arrived, Case<'a>),
    Timer(Timer),
}

impl Decider<'_> {
    /// Decides entries and timers in the order of their moments.
    pub async fn decide(&self, entries: &[Arrived], timers: &[Timer], cursor: Position) -> Result<Decided, Undecided> {
        let mut facts = Facts::default();
        let opened = self.watchdog.over(|| catch_unwind(AssertUnwindSafe(|| turns(self.rules, entries, timers))));
        let turns = opened.map_err(|_| Undecided::Poison("an entry could not be opened"))?;
        self.foresee(&mut facts, &turns).await?;
        let mut decided = Decided::default();
        for turn in &turns {
            let begun = Instant::now();
            let mut changes = self.turn(&mut facts, turn).await?;
            facts.apply(&mut changes);
            decided.measures.append(&mut changes.measures);
            let source = match turn {
                Turn::Entry(arrived, _) => {
                    decided.times.push(begun.elapsed());
                    Some((arrived.position, &arrived.entry))
                }
                Turn::Timer(_) => None,
            };
            decided.batch.absorb(changes, source);
        }
        let cursor = entries.last().map_or(cursor, |last| last.position);
        decided.batch.seal(facts, cursor);
        Ok(decided)
    }

    /// One entry or timer, until everything it needs is here.
    async fn turn(&self, facts: &mut Facts, turn: &Turn<'_>) -> Result<Changes, Undecided> {
        for _ in 0..MOST_NEEDS {
            let attempt = self.watchdog.over(|| {
                catch_unwind(AssertUnwindSafe(|| match turn {
                    Turn::Entry(_, case) => case.decide(self.rules, facts),
                    Turn::Timer(timer) => decide::timer(self.rules, facts, *timer),
                }))
            });
            match attempt.map_err(|_| Undecided::Poison("deciding failed"))? {
                Ok(changes) => return Ok(changes),
                Err(need) => self.fetch(facts, need).await?,
            }
        }
        Err(Undecided::Poison("deciding asks in circles"))
    }

    async fn foresee(&self, facts: &mut Facts, turns: &[Turn<'_>]) -> Result<(), Undecided> {
        for _ in 0..ROUNDS {
            let mut wanted: HashSet<Key> = HashSet::new();
            for turn in turns {
                match turn {
                    Turn::Entry(_, case) => wanted.extend(case.keys(facts)),
                    Turn::Timer(timer) => wanted.extend(decide::timer_key(timer).filter(|key| !facts.knows(key))),
                }
            }
            if wanted.is_empty() {
                break;
            }
            self.fetch(facts, Need::Records(wanted.into_iter().collect())).await?;
        }
        Ok(())
    }

    async fn fetch(&self, facts: &mut Facts, need: Need) -> Result<(), Undecided> {
        match need {
            Need::Records(keys) => {
                let found = self.ledger.fetch(self.workspace, &keys).await?;
                for (key, record) in keys.into_iter().zip(found) {
                    facts.learn(key, record);
                }
            }
            Need::Queue(wanted) => {
                let asked = facts.queue_to_ask(wanted);
                let heads = self.ledger.queue(self.workspace, asked).await?;
                facts.learn_queue(heads, asked);
            }
        }
        Ok(())
    }
}

/// Entries keep their order; a timer comes before the first entry received after it was due.
fn turns<'a>(rules: &Rules, entries: &'a [Arrived], timers: &[Timer]) -> Vec<Turn<'a>> {
    let mut turns = Vec::with_capacity(entries.len() + timers.len());
    let mut timers = timers.iter().copied().peekable();
    for arrived in entries {
        let now: At = arrived.entry.received_at;
        while let Some(timer) = timers.next_if(|timer| timer.due < now) {
            turns.push(Turn::Timer(timer));
        }
        turns.push(Turn::Entry(arrived, Case::open(rules, &arrived.entry)));
    }
    turns.extend(timers.map(Turn::Timer));
    turns
}
