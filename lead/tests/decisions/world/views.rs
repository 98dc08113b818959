//! What does a test look at? Leads, events and books as they are after everything so far is committed.

use super::{Said, World};
use lead::books::Verdict;
use lead::ids::{ContactId, LeadId};
use lead::record::{Key, Record};
use lead::state::{Contact, Floor, Lead, Skip, Why};

impl World {
    fn look(&mut self, key: &Key) -> Option<Record> {
        self.commit();
        self.store.get(key).map(|bytes| key.decode(bytes).expect("what was stored can be read"))
    }

    pub(crate) fn lead(&mut self, id: LeadId) -> Lead {
        match self.look(&Key::Lead(id)) {
            Some(Record::Lead(lead)) => *lead,
            _ => panic!("no such lead"),
        }
    }

    pub(crate) fn leads(&mut self) -> Vec<Lead> {
        self.commit();
        let leads = self.records().filter_map(|(_, record)| match record {
            Record::Lead(lead) => Some(*lead),
            _ => None,
        });
        leads.collect()
    }

    pub(crate) fn only_lead(&mut self) -> Lead {
        let mut leads = self.leads();
        assert_eq!(leads.len(), 1, "expected one lead");
        leads.remove(0)
    }

    pub(crate) fn contact(&mut self, id: ContactId) -> Contact {
        match self.look(&Key::Contact(id)) {
            Some(Record::Contact(contact)) => *contact,
            _ => panic!("no such contact"),
        }
    }

    /// The contact behind a lead, with links followed.
    pub(crate) fn contact_of(&mut self, lead: LeadId) -> Contact {
        let mut contact = self.lead(lead).contact;
        loop {
            let found = self.contact(contact);
            match found.merged_into {
                Some(other) => contact = other,
                None => return found,
            }
        }
    }

    pub(crate) fn floor(&mut self) -> Floor {
        match self.look(&Key::Floor) {
            Some(Record::Floor(floor)) => *floor,
            _ => Floor::default(),
        }
    }

    /// All records, readable, to compare worlds.
    pub(crate) fn everything(&mut self) -> Vec<(Key, Record)> {
        self.commit();
        self.records().map(|(key, record)| (key.clone(), record)).collect()
    }

    pub(crate) fn waiting(&mut self) -> Vec<LeadId> {
        self.commit();
        self.queue.iter().map(|(_, lead)| *lead).collect()
    }

    /// The lines of the books that are not zero, over all channels.
    pub(crate) fn books(&self) -> Vec<(&'static str, i64)> {
        let sums = Verdict::ALL.into_iter().map(|verdict| {
            let lines = self.books.iter().filter(|((_, line), _)| *line == verdict);
            (verdict.word(), lines.map(|(_, count)| count).sum())
        });
        sums.filter(|(_, count)| *count != 0).collect()
    }

    pub(crate) fn book(&self, channel: &str, verdict: Verdict) -> i64 {
        self.books.get(&(channel.into(), verdict)).copied().unwrap_or(0)
    }

    /// The types of the events about one lead, in order, without `lead.`.
    pub(crate) fn said_of(&self, lead: LeadId) -> Vec<&'static str> {
        let subject = lead.to_string();
        let mine = self.events.iter().filter(|said| said.subject == subject);
        mine.map(|said| said.kind.trim_start_matches("lead.")).collect()
    }

    pub(crate) fn events_of(&self, kind: &str) -> Vec<&Said> {
        self.events.iter().filter(|said| said.kind == kind).collect()
    }

    pub(crate) fn last_event(&self, kind: &str) -> &Said {
        self.events_of(kind).pop().unwrap_or_else(|| panic!("nobody said {kind}"))
    }

    /// Why each person was passed over when this lead was last given to somebody.
    pub(crate) fn skipped(&mut self, lead: LeadId) -> Vec<(String, Skip)> {
        let trail = self.lead(lead).trail;
        let last = trail.into_iter().rev().find_map(|step| match step.what {
            Why::Assigned { skipped, .. } => Some(skipped),
            _ => None,
        });
        last.unwrap_or_default().into_iter().map(|(person, skip)| (person.to_string(), skip)).collect()
    }
}
