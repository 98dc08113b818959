//! What holds after every commit, whatever happened?

use super::World;
use lead::changes::{Timer, Wake};
use lead::entry::Synthetic;
use lead::ids::{ContactId, LeadId, PersonId};
use lead::record::{Key, Record};
use lead::state::{Contact, Floor, Lead};
use std::collections::{BTreeMap, BTreeSet, HashMap};

struct Snapshot {
    leads: Vec<Lead>,
    contacts: HashMap<ContactId, Contact>,
    floor: Floor,
}

impl World {
    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot { leads: Vec::new(), contacts: HashMap::new(), floor: Floor::default() };
        for (key, record) in self.records() {
            assert_eq!(key.decode(&record.encode()).as_ref(), Some(&record), "a record survives being stored");
            match record {
                Record::Lead(lead) => snapshot.leads.push(*lead),
                Record::Contact(contact) => drop(snapshot.contacts.insert(contact.id, *contact)),
                Record::Floor(floor) => snapshot.floor = *floor,
                _ => {}
            }
        }
        snapshot
    }

    pub(super) fn check(&self) {
        let snapshot = self.snapshot();
        self.check_books();
        self.check_events();
        self.check_queue(&snapshot);
        self.check_timers(&snapshot);
        check_loads(&snapshot);
        check_contacts(&snapshot);
        self.check_identities(&snapshot);
    }

    fn check_books(&self) {
        assert_eq!(self.books.values().sum::<i64>(), self.entries, "every entry stands in one line of the books");
        for (line, count) in &self.books {
            assert!(*count >= 0, "{line:?} is below zero");
        }
    }

    fn check_events(&self) {
        let mut ids = BTreeSet::new();
        let mut last: HashMap<&str, (usize, u64)> = HashMap::new();
        for said in &self.events {
            let id = said.json["id"].as_str().expect("an event has an id");
            assert!(ids.insert(id), "{} of {} came twice", said.kind, said.subject);
            let Some(version) = said.json["data"]["lead"]["version"].as_u64() else { continue };
            let before = last.insert(&said.subject, (said.decision, version));
            if let Some((decision, known)) = before {
                let next = if decision == said.decision { version == known } else { version > known };
                assert!(next, "{} came with version {version} after {known}", said.kind);
            }
        }
    }

    fn check_queue(&self, snapshot: &Snapshot) {
        let queued = snapshot.leads.iter().filter_map(|lead| Some((lead.queued_at?, lead.id)));
        assert_eq!(queued.collect::<BTreeSet<_>>(), self.queue, "a lead knows its place in the queue");
        assert_eq!(snapshot.floor.queue_length, self.queue.len() as u64, "the length of the queue is counted");
        for lead in snapshot.leads.iter().filter(|lead| lead.is_open()) {
            let nobody = lead.synthetic == Some(Synthetic::Technical);
            let places = usize::from(lead.owner.is_some()) + usize::from(lead.queued_at.is_some());
            assert_eq!(places, usize::from(!nobody), "an open lead has an owner or a place in the queue");
        }
        let looks: Vec<_> = self.timers.iter().filter(|timer| timer.what == Wake::Queue).collect();
        assert_eq!(looks.first().map(|timer| timer.due), snapshot.floor.drain_at, "the queue's timer is known");
        assert!(looks.len() <= 1 && (self.queue.is_empty() || looks.len() == 1), "a queue is looked at again");
    }

    fn check_timers(&self, snapshot: &Snapshot) {
        let set: BTreeSet<Timer> = self.timers.iter().filter(|timer| timer.what != Wake::Queue).copied().collect();
        let known =
            snapshot.leads.iter().filter_map(|lead| Some(Timer { due: lead.wake_at?, what: Wake::Lead(lead.id) }));
        assert_eq!(known.collect::<BTreeSet<_>>(), set, "a lead has the one timer it knows of");
        for lead in &snapshot.leads {
            let unheard = lead.sla.as_ref().is_some_and(|sla| sla.breached_at.is_none());
            let owed = unheard && lead.contacted_at.is_none() && lead.merged_into.is_none();
            let looked_at = lead.is_open() || owed;
            assert_eq!(lead.wake_at.is_some(), looked_at, "a lead that may change by itself will be looked at again");
        }
    }

    fn check_identities(&self, snapshot: &Snapshot) {
        for contact in snapshot.contacts.values() {
            assert!(contact.identities.len() <= Contact::MOST_KEYS, "a contact has at most its number of keys");
            for linked in &contact.identities {
                let key = Key::Identity(linked.identity.key(&self.rules.pepper));
                let points = self.store.get(&key).and_then(|bytes| key.decode(bytes));
                assert_eq!(points, Some(Record::Identity(contact.id)), "a key leads to its contact");
            }
        }
    }
}

fn check_loads(snapshot: &Snapshot) {
    let mut loads: BTreeMap<&PersonId, u32> = BTreeMap::new();
    for person in snapshot.leads.iter().filter_map(Lead::burdens) {
        *loads.entry(person).or_default() += 1;
    }
    let counted = snapshot.floor.loads.iter().filter(|(_, load)| **load > 0).map(|(person, load)| (person, *load));
    assert_eq!(counted.collect::<BTreeMap<_, _>>(), loads, "a load is the number of leads it counts");
}

fn check_contacts(snapshot: &Snapshot) {
    let open: HashMap<LeadId, &Lead> =
        snapshot.leads.iter().filter(|lead| lead.is_open()).map(|lead| (lead.id, lead)).collect();
    let mut pointed = BTreeSet::new();
    for contact in snapshot.contacts.values() {
        let Some(id) = contact.open else { continue };
        let lead = open.get(&id).expect("the open lead of a contact is open");
        assert_eq!(lead.contact, contact.id, "a contact's open lead is its own");
        pointed.insert(id);
    }
    assert_eq!(pointed.len(), open.len(), "every open lead is its contact's open lead");
}
