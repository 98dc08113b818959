//! What follows from what was read, for a company that has never heard of anybody? Whatever a request says, it can be
//! decided and what follows can be stored.

use gateway::channel;
use lead::calendar::Calendar;
use lead::changes::Changes;
use lead::decide::Case;
use lead::entry::{Entry, Kind};
use lead::facts::{Facts, Need};
use lead::identity::Pepper;
use lead::phone::Region;
use lead::record::{Key, Record};
use lead::rules::{Channel, Person, Rules};
use std::collections::BTreeSet;
use std::time::Duration;

/// More questions than any decision has.
const PATIENCE: usize = 100;

/// One entrance and one person behind it.
pub(crate) fn rules(entrance: &channel::Channel, kind: Kind) -> Rules {
    let (week, holidays) = (["mon-fri 09:00-13:00 14:00-19:00".to_owned()], ["2026-12-31..2027-01-08".to_owned()]);
    let channel = Channel::new(entrance.id.clone(), entrance.source, kind, "anna".into());
    Rules {
        workspace: entrance.workspace.clone(),
        version: "v1".to_owned(),
        name: "Cottages".to_owned(),
        region: Region::RU,
        calendar: Calendar::parse("Europe/Moscow", &week, &holidays).expect("a calendar as the manual writes it"),
        duplicate_window: Duration::from_hours(24),
        same_post_window: Duration::from_mins(10),
        close_after: Duration::from_hours(30 * 24),
        active_for: Duration::from_hours(7 * 24),
        unmatched_for: Duration::from_hours(48),
        first_contact: Duration::from_mins(15),
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: [(channel.id.clone(), channel)].into(),
        people: vec![Person { extensions: vec!["101".to_owned()], ..Person::new("anna".into(), "Anna") }],
        exclusions: Vec::new(),
        own: BTreeSet::new(),
        pepper: Pepper::new(b"pepper"),
    }
}

/// Decides the entries one after the other; what the store would hold then.
pub(crate) fn decide<'a>(rules: &Rules, entries: impl IntoIterator<Item = &'a Entry>) -> Vec<(Key, Record)> {
    let mut facts = Facts::default();
    for entry in entries {
        let mut changes = one(rules, &mut facts, entry);
        assert!(!changes.books.is_empty(), "an entry without a verdict");
        facts.apply(&mut changes);
    }
    let changed = facts.into_changed().into_iter();
    changed.filter_map(|(key, record)| record.map(|record| (key, record))).collect()
}

fn one(rules: &Rules, facts: &mut Facts, entry: &Entry) -> Changes {
    let case = Case::open(rules, entry);
    for _ in 0..PATIENCE {
        match case.decide(rules, facts) {
            Ok(changes) => return changes,
            Err(Need::Records(keys)) => keys.into_iter().for_each(|key| facts.learn(key, None)),
            Err(Need::Queue(wanted)) => {
                let asked = facts.queue_to_ask(wanted);
                facts.learn_queue(Vec::new(), asked);
            }
        }
    }
    panic!("deciding never has enough");
}
