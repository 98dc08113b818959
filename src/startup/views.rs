//! How does each part see the configuration in force? The gateway its entrances, the desk its workspaces and tokens.

use crate::config::machine::{self, Config};
use crate::config::watch::Snapshot;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::desk::{Scope, Token, WorkspaceView, Workspaces};
use gateway::sources;
use std::sync::Arc;

pub(super) fn entrances(snapshot: &Snapshot) -> ChannelTable {
    let channels = snapshot.workspaces.values().flat_map(|workspace| &workspace.channels);
    let entrance = |channel: &gateway::channel::Channel| {
        let source = sources::source(channel.source)?;
        Some(Entrance { channel: channel.clone(), source, state: State::Open })
    };
    ChannelTable::new(channels.filter_map(entrance), snapshot.unconfigured.iter().cloned())
}

pub(super) fn workspaces(snapshot: &Snapshot) -> Workspaces {
    let view = |workspace: &crate::config::workspace::Workspace| WorkspaceView {
        rules: Arc::clone(&workspace.rules),
        channels: workspace.channels.clone(),
        consumers: workspace.consumers.iter().map(|consumer| consumer.id.clone()).collect(),
    };
    snapshot.workspaces.iter().map(|(id, workspace)| (id.clone(), Arc::new(view(workspace)))).collect()
}

pub(super) fn tokens(machine: &Config) -> Vec<Token> {
    let scope = |scope: &machine::Scope| match scope {
        machine::Scope::Read => Scope::Read,
        machine::Scope::Feedback => Scope::Feedback,
        machine::Scope::Manage => Scope::Manage,
    };
    let token = |token: &machine::Token| {
        Token::new(&token.name, &token.token, token.scopes.iter().map(scope).collect(), token.workspaces.clone())
    };
    machine.desk.tokens.iter().map(token).collect()
}
