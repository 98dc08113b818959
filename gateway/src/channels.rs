//! Which entrances are there right now? One immutable table, swapped whole when the configuration changes.

use crate::channel::Channel;
use crate::sources::{Source, mail};
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// One channel with the source that reads it.
#[derive(Debug)]
pub struct Entrance {
    pub channel: Channel,
    pub source: &'static Source,
    pub state: State,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum State {
    Open,
    /// Ours to mend (a paused workspace, a broken file): senders are asked to come back.
    Paused,
}

/// Every channel of every workspace; ids are unique over all of them.
#[derive(Debug, Default)]
pub struct ChannelTable {
    open: HashMap<ChannelId, Arc<Entrance>>,
    absent: HashSet<ChannelId>,
    /// Mail addresses in their normal form; two channels with one address both hear what is sent there.
    mailboxes: HashMap<String, Vec<Arc<Entrance>>>,
    /// Addresses whose channel was configured a while ago.
    closed: HashSet<String>,
}

/// What a channel id in a path means.
#[derive(Debug)]
pub enum Lookup<'a> {
    Here(&'a Arc<Entrance>),
    /// The store knows it, the configuration in force does not: perhaps a half-edited file. Senders keep retrying.
    Absent,
    Unknown,
}

/// What a mail address means.
#[derive(Debug)]
pub enum Mailbox<'a> {
    Here(&'a [Arc<Entrance>]),
    /// It was one, and its channel is gone from the configuration: perhaps a half-edited file. Senders keep retrying.
    Closed,
    Unknown,
}

impl ChannelTable {
    /// `known` are ids the store has leads of, whether configured or not.
    pub fn new(entrances: impl IntoIterator<Item = Entrance>, known: impl IntoIterator<Item = ChannelId>) -> Self {
        let open: HashMap<_, _> = entrances.into_iter().map(|one| (one.channel.id.clone(), Arc::new(one))).collect();
        let absent = known.into_iter().filter(|id| !open.contains_key(id)).collect();
        let mut mailboxes: HashMap<String, Vec<Arc<Entrance>>> = HashMap::new();
        for entrance in open.values().filter(|entrance| entrance.source.name == mail::SOURCE.name) {
            if let Some(address) = entrance.channel.address.as_deref().and_then(lead::email::normalise) {
                mailboxes.entry(address).or_default().push(Arc::clone(entrance));
            }
        }
        Self { open, absent, mailboxes, closed: HashSet::new() }
    }

    /// With the addresses that are not there any more because their channel is not. An address that a channel gave up
    /// is unknown at once.
    pub fn after(mut self, before: &Self) -> Self {
        let gone =
            |entrances: &Vec<Arc<Entrance>>| entrances.iter().any(|one| !self.open.contains_key(&one.channel.id));
        let lost = before.mailboxes.iter().filter(|(_, entrances)| gone(entrances)).map(|(address, _)| address);
        let closed = lost.chain(&before.closed).filter(|address| !self.mailboxes.contains_key(*address));
        self.closed = closed.cloned().collect();
        self
    }

    /// Whose mailbox an address of an envelope is.
    pub fn mailbox(&self, address: &str) -> Mailbox<'_> {
        let Some(address) = lead::email::normalise(address) else { return Mailbox::Unknown };
        match self.mailboxes.get(&address) {
            Some(entrances) => Mailbox::Here(entrances),
            None if self.closed.contains(&address) => Mailbox::Closed,
            None => Mailbox::Unknown,
        }
    }

    /// Whether anybody has a mailbox at a domain.
    pub fn has_mailboxes_at(&self, domain: &str) -> bool {
        let Some(somebody) = lead::email::normalise(&format!("x@{domain}")) else { return false };
        let at = |address: &str| address.rsplit_once('@').map(|(_, domain)| domain.to_owned());
        self.mailboxes.keys().any(|address| at(address) == at(&somebody))
    }

    pub fn lookup(&self, id: &str) -> Lookup<'_> {
        match self.open.get(id) {
            Some(entrance) => Lookup::Here(entrance),
            None if self.absent.contains(id) => Lookup::Absent,
            None => Lookup::Unknown,
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Arc<Entrance>> {
        self.open.values()
    }

    pub fn workspace_of(&self, id: &str) -> Option<&WorkspaceId> {
        self.open.get(id).map(|entrance| &entrance.channel.workspace)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(mailboxes: &[(&str, &str)]) -> ChannelTable {
        let entrances = mailboxes.iter().map(|(id, address)| {
            let channel =
                Channel { address: Some((*address).to_owned()), ..Channel::new((*id).into(), "demo".into(), "mail") };
            Entrance { channel, source: &mail::SOURCE, state: State::Open }
        });
        ChannelTable::new(entrances, [])
    }

    fn of(table: &ChannelTable, address: &str) -> String {
        match table.mailbox(address) {
            Mailbox::Here(entrances) => {
                let mut ids: Vec<&str> = entrances.iter().map(|one| one.channel.id.as_str()).collect();
                ids.sort_unstable();
                ids.join(" ")
            }
            Mailbox::Closed => "closed".to_owned(),
            Mailbox::Unknown => "unknown".to_owned(),
        }
    }

    #[test]
    fn a_mailbox_is_found_however_its_address_is_spelt() {
        let table = table(&[("a", "sales@company.example"), ("b", "анна@пример.рф"), ("c", "Sales@Company.example")]);
        for (address, expected) in [
            ("SALES@company.EXAMPLE", "a c"),
            ("sales@company.example.", "a c"),
            ("анна@xn--e1afmkfd.xn--p1ai", "b"),
            ("sales+spring@company.example", "unknown"),
            ("sales@company.example@other.example", "unknown"),
            ("postmaster", "unknown"),
            ("", "unknown"),
        ] {
            assert_eq!(of(&table, address), expected, "{address}");
        }
    }

    #[test]
    fn a_mailbox_whose_channel_is_gone_is_closed_and_one_that_was_given_up_unknown() {
        let before = table(&[("a", "a@company.example"), ("b", "b@company.example")]);
        let now = table(&[("b", "new@company.example")]).after(&before);
        let seen = |table: &ChannelTable| ["a", "b", "new"].map(|name| of(table, &format!("{name}@company.example")));
        assert_eq!(seen(&now), ["closed", "unknown", "b"]);
        let later = table(&[("b", "new@company.example")]).after(&now);
        assert_eq!(seen(&later), ["closed", "unknown", "b"]);
        let back = table(&[("a", "a@company.example")]).after(&later);
        assert_eq!(seen(&back), ["a", "unknown", "closed"]);
    }
}
