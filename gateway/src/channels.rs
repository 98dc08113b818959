//! Which entrances are there right now? One immutable table, swapped whole when the configuration changes.

use crate::channel::Channel;
use crate::sources::Source;
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
}

/// What a channel id in a path means.
#[derive(Debug)]
pub enum Lookup<'a> {
    Here(&'a Arc<Entrance>),
    /// The store knows it, the configuration in force does not: perhaps a half-edited file. Senders keep retrying.
    Absent,
    Unknown,
}

impl ChannelTable {
    /// `known` are ids the store has leads of, whether configured or not.
    pub fn new(entrances: impl IntoIterator<Item = Entrance>, known: impl IntoIterator<Item = ChannelId>) -> Self {
        let open: HashMap<_, _> = entrances.into_iter().map(|one| (one.channel.id.clone(), Arc::new(one))).collect();
        let absent = known.into_iter().filter(|id| !open.contains_key(id)).collect();
        Self { open, absent }
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
