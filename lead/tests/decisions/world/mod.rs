//! How does a workspace live without a store? Records in a map, timers and queue in sets, decided one entry at a time
//! or many over one overlay. After every commit everything that must always hold is checked.

mod always;
mod knock;
mod views;

pub(crate) use knock::{Knock, Phone, call, command, feedback, form, reply, secs, uid};

use lead::books::Verdict;
use lead::calendar::Calendar;
use lead::changes::{Aside, Changes, Measure, QueueChange, Timer, TimerChange};
use lead::decide::{self, Case};
use lead::entry::{Entry, Kind};
use lead::facts::{Facts, Need};
use lead::identity::{Identity, Pepper};
use lead::ids::{ChannelId, LeadId, PersonId};
use lead::phone::Region;
use lead::record::{Key, Record};
use lead::rules::{Channel, Person, Rules};
use lead::time::At;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How many decisions share one overlay before they are committed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    One,
    Batch(usize),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) rules: Rules,
    mode: Mode,
    store: BTreeMap<Key, Vec<u8>>,
    queue: BTreeSet<(At, LeadId)>,
    pub(crate) timers: BTreeSet<Timer>,
    pub(crate) events: Vec<Said>,
    books: BTreeMap<(ChannelId, Verdict), i64>,
    pub(crate) asides: Vec<Aside>,
    pub(crate) measures: Vec<Measure>,
    entries: i64,
    decisions: usize,
    open: Batch,
}

/// One event, and the decision that said it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) decision: usize,
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) json: Value,
    pub(crate) text: String,
}

/// What is decided and not yet committed.
#[derive(Debug, Default)]
struct Batch {
    facts: Facts,
    queue: Vec<QueueChange>,
    decisions: usize,
}

/// The same rules in a world of single commits and in one that commits only when somebody looks.
pub(crate) fn worlds(rules: &Rules) -> [World; 2] {
    [World::new(rules.clone(), Mode::One), World::new(rules.clone(), Mode::Batch(1_000))]
}

impl World {
    pub(crate) fn new(rules: Rules, mode: Mode) -> Self {
        Self {
            rules,
            mode,
            store: BTreeMap::new(),
            queue: BTreeSet::new(),
            timers: BTreeSet::new(),
            events: Vec::new(),
            books: BTreeMap::new(),
            asides: Vec::new(),
            measures: Vec::new(),
            entries: 0,
            decisions: 0,
            open: Batch::default(),
        }
    }

    /// Decides one entry after every timer that was due before it; the verdict it got.
    pub(crate) fn feed(&mut self, knock: impl Into<Entry>) -> Verdict {
        let entry = knock.into();
        self.wait_until(entry.received_at);
        self.feed_before_timers(entry)
    }

    /// Decides one entry although timers that were due before it have not rung yet.
    pub(crate) fn feed_before_timers(&mut self, knock: impl Into<Entry>) -> Verdict {
        let entry = knock.into();
        let rules = self.rules.clone();
        let case = Case::open(&rules, &entry);
        for _ in 0..4 {
            let keys = case.keys(&self.open.facts);
            self.fetch(keys);
        }
        let changes = self.answered(|facts| case.decide(&rules, facts));
        let verdicts: Vec<Verdict> =
            changes.books.iter().filter(|(_, _, count)| *count > 0).map(|(_, verdict, _)| *verdict).collect();
        self.entries += 1;
        self.take(changes);
        *verdicts.last().expect("an entry gets a verdict")
    }

    /// Lets time pass: fires what is due, in order.
    pub(crate) fn wait_until(&mut self, now: At) {
        for _ in 0..10_000 {
            let Some(timer) = self.timers.first().copied().filter(|timer| timer.due <= now) else { return };
            let rules = self.rules.clone();
            let changes = self.answered(|facts| decide::timer(&rules, facts, timer));
            self.take(changes);
            assert!(!self.timers.contains(&timer), "a timer that rang is spent");
        }
        panic!("timers never come to rest");
    }

    /// Counts an entry that could not be decided.
    pub(crate) fn bury(&mut self, entry: impl Into<Entry>, reason: &str) -> Changes {
        let changes = decide::bury(&entry.into(), reason, 4);
        self.entries += 1;
        self.take(changes.clone());
        changes
    }

    fn answered(&mut self, decide: impl Fn(&Facts) -> Result<Changes, Need>) -> Changes {
        for _ in 0..100 {
            match decide(&self.open.facts) {
                Ok(changes) => return changes,
                Err(Need::Records(keys)) => {
                    assert!(keys.iter().any(|key| !self.open.facts.knows(key)), "asked for what is known");
                    self.fetch(keys);
                }
                Err(Need::Queue(wanted)) => {
                    let asked = self.open.facts.queue_to_ask(wanted);
                    self.open.facts.learn_queue(self.queue.iter().take(asked).copied().collect(), asked);
                }
            }
        }
        panic!("deciding never has enough");
    }

    fn fetch(&mut self, keys: Vec<Key>) {
        for key in keys {
            let record = self.store.get(&key).map(|bytes| key.decode(bytes).expect("what was stored can be read"));
            self.open.facts.learn(key, record);
        }
    }

    fn take(&mut self, mut changes: Changes) {
        self.decisions += 1;
        for change in &changes.timers {
            match change {
                TimerChange::Set(timer) => assert!(self.timers.insert(*timer), "this timer runs already"),
                TimerChange::Clear(timer) => assert!(self.timers.remove(timer), "this timer does not run"),
            }
        }
        for event in &changes.events {
            let json = serde_json::from_str(&event.json).expect("an event is JSON");
            let said = Said {
                decision: self.decisions,
                kind: event.kind.word(),
                subject: event.subject.clone(),
                json,
                text: event.json.clone(),
            };
            self.events.push(said);
        }
        for (channel, verdict, count) in &changes.books {
            *self.books.entry((channel.clone(), *verdict)).or_default() += count;
        }
        self.asides.extend(changes.aside.clone());
        self.measures.extend(changes.measures.iter().cloned());
        self.open.queue.extend(changes.queue.iter().copied());
        self.open.facts.apply(&mut changes);
        self.open.decisions += 1;
        if self.mode == Mode::One || self.mode == Mode::Batch(self.open.decisions) {
            self.commit();
        }
    }

    /// Writes the overlay to the store, and checks what must hold there.
    pub(crate) fn commit(&mut self) {
        if self.open.decisions == 0 {
            return;
        }
        let batch = std::mem::take(&mut self.open);
        for change in batch.queue {
            match change {
                QueueChange::Put(at, lead) => assert!(self.queue.insert((at, lead)), "it waits already"),
                QueueChange::Drop(at, lead) => assert!(self.queue.remove(&(at, lead)), "it does not wait"),
            }
        }
        for (key, record) in batch.facts.into_changed() {
            match record {
                Some(record) => self.store.insert(key, record.encode()),
                None => self.store.remove(&key),
            };
        }
        self.check();
    }

    fn records(&self) -> impl Iterator<Item = (&Key, Record)> {
        self.store.iter().map(|(key, bytes)| (key, key.decode(bytes).expect("what was stored can be read")))
    }
}

/// A company that never closes, with five entrances and two people.
pub(crate) fn rules() -> Rules {
    let channels = [
        channel("site", Kind::Form),
        channel("landing", Kind::Form),
        channel("line-1", Kind::Call),
        channel("box", Kind::Mail),
        channel("bot", Kind::Chat),
    ];
    Rules {
        workspace: "cottages".into(),
        version: "v1".to_owned(),
        name: "Cottages".to_owned(),
        region: Region::RU,
        calendar: Calendar::always(),
        duplicate_window: Duration::from_hours(24),
        same_post_window: Duration::from_mins(10),
        close_after: Duration::from_hours(30 * 24),
        active_for: Duration::from_hours(7 * 24),
        unmatched_for: Duration::from_hours(48),
        first_contact: Duration::from_mins(15),
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: channels.into_iter().map(|channel| (channel.id.clone(), channel)).collect(),
        people: vec![person("ivan", "101"), person("anna", "102")],
        exclusions: Vec::new(),
        own: BTreeSet::from([Identity::Phone("+74951234567".into()), Identity::Email("sales@cottages.example".into())]),
        pepper: Pepper::new(b"pepper"),
    }
}

fn channel(id: &str, kind: Kind) -> Channel {
    Channel::new(id.into(), kind.word(), kind, "anna".into())
}

pub(crate) fn person(id: &str, extension: &str) -> Person {
    Person { extensions: vec![extension.to_owned()], ..Person::new(id.into(), id) }
}

pub(crate) fn somebody(id: &str) -> Option<PersonId> {
    Some(id.into())
}
