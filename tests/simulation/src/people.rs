//! What do gateways accept, and by which rules is it decided?

use crate::plan::{Knock, What};
use lead::calendar::Calendar;
use lead::entry::{Entry, Feedback, Kind, Outcome, Signal, Touch, Unreadable};
use lead::identity::Pepper;
use lead::ids::{ChannelId, Digest, LeadId, PersonId, Uid, WorkspaceId, digest};
use lead::phone::Region;
use lead::rules::{Channel, Person, Rules};
use lead::time::At;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Nothing closes by itself during a run.
pub(crate) const FAR: Duration = Duration::from_hours(24 * 365 * 50);
pub(crate) const SAME_POST: Duration = Duration::from_mins(10);
pub(crate) const PEPPER: &[u8] = b"a pepper of some length";
const CHANNELS: [&str; 2] = ["form", "landing"];

pub(crate) fn workspace() -> WorkspaceId {
    WorkspaceId::new("shop")
}

pub(crate) fn phone(customer: u32) -> String {
    format!("+7903{:07}", 1_000_000 + customer)
}

/// A signal as its gateway writes it down. `lead` is the customer's, where he has one already.
pub(crate) fn entry(knock: &Knock, received_at: At, lead: Option<LeadId>) -> Entry {
    let usual = knock.customer as usize % 2;
    let channel = ChannelId::new(CHANNELS[if knock.elsewhere { 1 - usual } else { usual }]);
    let touch = Touch { phones: vec![phone(knock.customer)], ..Touch::new(Kind::Form) };
    let signal = match (knock.what, lead) {
        (What::Touch | What::Post, _) | (What::Contact, None) => Signal::Touch(Box::new(touch)),
        (What::Contact, Some(lead)) => {
            Signal::Feedback(Box::new(Feedback { lead, at: received_at, by: None, what: Outcome::Contact }))
        }
        (What::Unreadable, _) => Signal::Unreadable(Unreadable {
            reason: "no JSON".to_owned(),
            content_type: Some("text/plain".to_owned()),
            rest: None,
        }),
    };
    let content = || Digest::from_bytes(digest("post", &[&knock.customer.to_be_bytes()]));
    Entry {
        uid: Uid::derived("sim", &knock.number.to_string(), ""),
        workspace: workspace(),
        channel,
        received_at,
        source: "form".to_owned(),
        synthetic: None,
        same: (knock.what == What::Post).then(content),
        signal,
    }
}

pub(crate) fn rules(first_contact: Duration) -> Rules {
    let anna = Person::new(PersonId::new("anna"), "Anna");
    let channel = |id: ChannelId| (id.clone(), Channel::new(id, "form", Kind::Form, anna.id.clone()));
    Rules {
        workspace: workspace(),
        version: "1".to_owned(),
        name: "Shop".to_owned(),
        region: Region::RU,
        calendar: Calendar::always(),
        duplicate_window: Duration::from_hours(24),
        same_post_window: SAME_POST,
        close_after: FAR,
        active_for: Duration::from_hours(24 * 30),
        unmatched_for: Duration::from_hours(48),
        first_contact,
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: CHANNELS.map(|id| channel(ChannelId::new(id))).into(),
        people: vec![anna],
        exclusions: Vec::new(),
        own: BTreeSet::new(),
        pepper: Pepper::new(PEPPER),
    }
}

/// The lead that a customer's first touch makes.
#[derive(Debug, Default)]
pub(crate) struct Leads(BTreeMap<u32, LeadId>);

impl Leads {
    pub(crate) fn of(&mut self, knock: &Knock) -> Option<LeadId> {
        let first = Uid::derived("sim", &knock.number.to_string(), "").lead();
        match knock.what {
            What::Touch | What::Post => Some(*self.0.entry(knock.customer).or_insert(first)),
            _ => self.0.get(&knock.customer).copied(),
        }
    }
}
