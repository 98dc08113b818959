//! How does a reader learn that there are new events? One connection a workspace waits for all of its readers.

use super::keys::Keys;
use super::link::{self, PATIENCE, SharedDial};
use super::words::{Item, stream_id};
use crate::commit::Position;
use crate::error::Result;
use ::redis::Pipeline;
use lead::ids::WorkspaceId;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// The longest the server waits in one go.
const BLOCK: Duration = Duration::from_secs(5);
/// Between attempts to reach a server that is away.
const AGAIN: Duration = Duration::from_millis(500);

/// A bell for each workspace that somebody has waited for.
#[derive(Debug)]
pub(super) struct Bells {
    dial: SharedDial,
    bells: Mutex<HashMap<WorkspaceId, watch::Sender<u64>>>,
}

impl Bells {
    pub(super) fn new(dial: SharedDial) -> Self {
        Self { dial, bells: Mutex::default() }
    }

    /// Rings after every event of the workspace, and after every time that the server was away.
    pub(super) fn listen(&self, workspace: &WorkspaceId) -> watch::Receiver<u64> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(workspace).filter(|bell| bell.receiver_count() > 0) {
            return bell.subscribe();
        }
        let (bell, listener) = watch::channel(0);
        tokio::spawn(ring(self.dial.clone(), Keys::of(workspace).at("events"), bell.clone()));
        bells.insert(workspace.clone(), bell);
        listener
    }
}

/// Ends when nobody has listened for a while.
async fn ring(dial: SharedDial, stream: String, bell: watch::Sender<u64>) {
    while bell.receiver_count() > 0 {
        if follow(&dial, &stream, &bell).await.is_err() {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

async fn follow(dial: &SharedDial, stream: &str, bell: &watch::Sender<u64>) -> Result<()> {
    let mut connection = dial.dial(PATIENCE + BLOCK).await?;
    let mut newest = Pipeline::new();
    newest.cmd("XREVRANGE").arg(stream).arg("+").arg("-").arg("COUNT").arg(1);
    while bell.receiver_count() > 0 {
        let mut told = link::ask(&mut connection, &newest).await?;
        let found = Item::list(told.pop().unwrap_or_default())?;
        bell.send_modify(|rung| *rung += 1);
        let after = found.last().map_or_else(Position::default, |item| item.position);
        let mut question = Pipeline::new();
        let read = question.cmd("XREAD").arg("COUNT").arg(1).arg("BLOCK").arg(BLOCK.as_millis() as u64);
        read.arg("STREAMS").arg(stream).arg(stream_id(after));
        link::ask(&mut connection, &question).await?;
    }
    Ok(())
}
