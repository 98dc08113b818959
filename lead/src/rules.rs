//! What does the company want? One immutable snapshot of a workspace's rules, as the configuration resolved it.

use crate::calendar::Calendar;
use crate::entry::Kind;
use crate::identity::{Identity, Matcher, Pepper};
use crate::ids::{ChannelId, PersonId, WorkspaceId};
use crate::phone::Region;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The rules in force; every decision names their `version`.
#[derive(Clone, Debug)]
pub struct Rules {
    pub workspace: WorkspaceId,
    /// The hash of what the file says.
    pub version: String,
    pub name: String,
    /// Where a phone without a country code is dialled.
    pub region: Region,
    pub calendar: Calendar,
    pub duplicate_window: Duration,
    pub same_post_window: Duration,
    pub close_after: Duration,
    /// How long a contacted lead without activity still counts as load.
    pub active_for: Duration,
    pub unmatched_for: Duration,
    /// Business time from the first touch to the first contact.
    pub first_contact: Duration,
    /// A talk at least this long with a person is a contact.
    pub min_talk: Duration,
    pub repeats: bool,
    pub channels: BTreeMap<ChannelId, Channel>,
    pub people: Vec<Person>,
    pub exclusions: Vec<Exclusion>,
    /// Our own numbers and addresses and those of the staff: never identities of a customer.
    pub own: BTreeSet<Identity>,
    pub pepper: Pepper,
}

#[derive(Clone, Debug)]
pub struct Channel {
    pub id: ChannelId,
    pub source: String,
    pub kind: Kind,
    pub address: Option<String>,
    pub responsible: PersonId,
    /// What a person must be able to do to answer this channel.
    pub skill: Option<String>,
    pub language: Option<String>,
    pub campaign: Option<String>,
}

#[derive(Clone, Debug)]
pub struct Person {
    pub id: PersonId,
    pub name: String,
    pub phones: Vec<Identity>,
    pub emails: Vec<Identity>,
    pub extensions: Vec<String>,
    pub handles: Vec<Identity>,
    /// Countries (`RU`) or regions (`RU-MOW`) this person serves; none means everywhere.
    pub regions: Vec<String>,
    pub skills: Vec<String>,
    pub languages: Vec<String>,
    /// None means no limit.
    pub capacity: Option<u32>,
    pub weight: u32,
}

#[derive(Clone, Debug)]
pub struct Exclusion {
    pub matcher: Matcher,
    pub reason: String,
    /// From this moment on it no longer counts; none means for good.
    pub expires: Option<crate::time::At>,
}

impl Channel {
    /// An entrance that asks nothing of who answers it.
    pub fn new(id: ChannelId, source: &str, kind: Kind, responsible: PersonId) -> Self {
        let source = source.to_owned();
        Self { id, source, kind, address: None, responsible, skill: None, language: None, campaign: None }
    }
}

impl Person {
    /// Somebody who serves everywhere, without a limit, as often as anybody else.
    pub fn new(id: PersonId, name: &str) -> Self {
        Self {
            id,
            name: name.to_owned(),
            phones: Vec::new(),
            emails: Vec::new(),
            extensions: Vec::new(),
            handles: Vec::new(),
            regions: Vec::new(),
            skills: Vec::new(),
            languages: Vec::new(),
            capacity: None,
            weight: 1,
        }
    }
}

impl Rules {
    pub fn person(&self, id: &PersonId) -> Option<&Person> {
        self.people.iter().find(|person| person.id == *id)
    }

    /// The person a provider means by an extension, a phone, a mail address or his own id.
    pub fn person_called(&self, said: &str) -> Option<&Person> {
        let said = said.trim();
        let by_name = |person: &&Person| person.id.as_str() == said || person.extensions.iter().any(|ext| ext == said);
        if let Some(person) = self.people.iter().find(by_name) {
            return Some(person);
        }
        let phone = crate::phone::parse(said, self.region).first().map(|found| Identity::Phone(found.number.clone()));
        let email = crate::email::normalise(said).map(Identity::Email);
        let is = |mine: &[Identity], heard: &Option<Identity>| heard.as_ref().is_some_and(|one| mine.contains(one));
        self.people.iter().find(|person| is(&person.phones, &phone) || is(&person.emails, &email))
    }

    pub fn is_own(&self, identity: &Identity) -> bool {
        self.own.contains(identity)
    }
}
