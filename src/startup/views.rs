//! How does each part see the configuration in force? From one snapshot, the gateway's table of entrances.

use crate::config::watch::Snapshot;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::sources;

pub(super) fn entrances(snapshot: &Snapshot) -> ChannelTable {
    let channels = snapshot.workspaces.values().flat_map(|workspace| &workspace.channels);
    let entrance = |channel: &gateway::channel::Channel| {
        let source = sources::source(channel.source)?;
        Some(Entrance { channel: channel.clone(), source, state: State::Open })
    };
    ChannelTable::new(channels.filter_map(entrance), snapshot.unconfigured.iter().cloned())
}
