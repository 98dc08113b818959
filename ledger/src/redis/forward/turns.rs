//! How does a gateway bring back what the store lost? Under the positions its rows once had, in a stream of its own,
//! with a turn that tells the owner to wait for it.

use super::super::keys::Keys;
use super::super::link;
use super::super::refill::Turn;
use super::super::rows::RowName;
use super::super::words::{Answers, Item, stream_id};
use super::Session;
use super::flow::{Flow, Refill, store_state};
use crate::commit::Position;
use crate::error::{Error, Result};
use crate::journal::ToSend;
use ::redis::Pipeline;
use lead::ids::WorkspaceId;

impl Session<'_> {
    /// Takes a turn.
    pub(super) async fn begin_refill(
        &mut self,
        workspace: &WorkspaceId,
        flow: &mut Flow,
        (until, last): (i64, Position),
        cursor: Position,
    ) -> Result<()> {
        let keys = Keys::of(workspace);
        let refill = Refill::new(&self.identity.gateway, until, self.server.now(), cursor);
        let mut order = Pipeline::new();
        // What an earlier attempt left is sent again.
        order.cmd("DEL").arg(keys.refill(&refill.name));
        order.cmd("HSET").arg(keys.at("refill")).arg(&refill.name).arg(turn(&refill, refill.since).write());
        link::ask(&mut self.connection, &order).await?;
        self.raise_inbox(&keys, last).await?;
        tracing::warn!(workspace = %workspace, "forward.bringing_back: the store lost rows; they go back to their places");
        flow.refill = Some(refill);
        Ok(())
    }

    /// What comes new stands behind all that stood before, even if the server's clock went back meanwhile: an inbox that
    /// was begun anew, or lost its end, is made to go on from where it had come to.
    async fn raise_inbox(&mut self, keys: &Keys, last: Position) -> Result<()> {
        let (inbox, id) = (keys.at("inbox"), stream_id(last));
        let mut order = Pipeline::new();
        order.cmd("XADD").arg(&inbox).arg(&id).arg("mark").arg("");
        match link::ask(&mut self.connection, &order).await {
            Ok(_) => {
                let mut order = Pipeline::new();
                order.cmd("XDEL").arg(&inbox).arg(&id);
                link::ask(&mut self.connection, &order).await.map(drop)
            }
            // It has come further already.
            Err(Error::Refused(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Is our row still where it stood? Then everything before it is, too: a stream loses its end, not its middle.
    pub(super) async fn stands_at(&mut self, keys: &Keys, (seq, place): (i64, Position)) -> Result<bool> {
        let id = stream_id(place);
        let mut question = Pipeline::new();
        question.cmd("XRANGE").arg(keys.at("inbox")).arg(&id).arg(&id);
        let found = Answers::of(link::ask(&mut self.connection, &question).await?).next()?;
        // A mark stands there when raising the inbox was cut short.
        let Some(row) = Item::list(found)?.pop().and_then(|mut item| item.take("row")) else { return Ok(false) };
        let row = RowName::decode(&row)?;
        Ok((row.gateway, row.stint, row.seq) == (self.identity.gateway, self.identity.stint(seq).1, seq))
    }

    /// Where the rows of the next pipeline stood.
    pub(super) async fn learn_places(&mut self, rows: &[ToSend]) -> Result<()> {
        let refilling: Vec<WorkspaceId> =
            self.flows.iter().filter(|(_, flow)| flow.refill.is_some()).map(|(name, _)| name.clone()).collect();
        for workspace in refilling {
            let mut own = rows.iter().filter(|row| row.workspace == workspace).map(|row| row.seq);
            let Some(first) = own.next() else { continue };
            let (asked, last) = (workspace.clone(), own.next_back().unwrap_or(first));
            let places = self.read(move |journal| journal.places(&asked, first - 1, last)).await?;
            if let Some(refill) = self.flows.get_mut(&workspace).and_then(|flow| flow.refill.as_mut()) {
                refill.learn(places);
            }
        }
        Ok(())
    }

    /// Says that it is still at it, or done; and once the owner has taken everything, looks whether that is so.
    pub(super) async fn keep_turns(&mut self) -> Result<()> {
        let refilling: Vec<WorkspaceId> =
            self.flows.iter().filter(|(_, flow)| flow.refill.is_some()).map(|(name, _)| name.clone()).collect();
        for workspace in refilling {
            self.keep_turn(&workspace).await?;
        }
        Ok(())
    }

    async fn keep_turn(&mut self, workspace: &WorkspaceId) -> Result<()> {
        let (keys, now) = (Keys::of(workspace), self.server.now());
        let Some(flow) = self.flows.get_mut(workspace) else { return Ok(()) };
        let (sent, behind, Some(refill)) = (flow.sent, flow.behind, flow.refill.as_mut()) else { return Ok(()) };
        if refill.done {
            return self.end_turn(workspace).await;
        }
        refill.done = sent >= refill.until || refill.exhausted || !behind;
        let mut order = Pipeline::new();
        order.cmd("HSET").arg(keys.at("refill")).arg(&refill.name).arg(turn(refill, now).write());
        link::ask(&mut self.connection, &order).await.map(drop)
    }

    /// Whoever was not waited for long enough sends what is missing to the inbox: the order is lost then, nothing else.
    async fn end_turn(&mut self, workspace: &WorkspaceId) -> Result<()> {
        let keys = Keys::of(workspace);
        let Some(flow) = self.flows.get_mut(workspace) else { return Ok(()) };
        let Some(refill) = &flow.refill else { return Ok(()) };
        let mut question = Pipeline::new();
        question.cmd("HEXISTS").arg(keys.at("refill")).arg(&refill.name);
        if Answers::of(link::ask(&mut self.connection, &question).await?).next()? {
            return Ok(());
        }
        let until = refill.until;
        let state = store_state(&mut self.connection, workspace, &self.identity).await?;
        let (asked, identity) = (workspace.clone(), self.identity.clone());
        let taken = self.read(move |journal| state.first_gap(journal, &asked, &identity)).await?;
        if taken < until {
            return Err(Error::Refused("some rows that were brought back were not taken".to_owned()));
        }
        if let Some(flow) = self.flows.get_mut(workspace) {
            flow.refill = None;
        }
        tracing::info!(workspace = %workspace, "forward.brought_back: the lost rows are decided again");
        Ok(())
    }
}

fn turn(refill: &Refill, now: u64) -> Turn {
    Turn { since: refill.since, seen: now, done: refill.done }
}
