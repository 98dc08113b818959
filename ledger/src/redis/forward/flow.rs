//! Where do a workspace's rows stand? How far they are sent, safe and decided.

use super::super::books::Said;
use super::super::keys::Keys;
use super::super::link;
use super::super::rows::{Decided, RowName, Stint};
use super::super::words::Answers;
use super::Written;
use crate::error::Result;
use crate::journal::{Gaps, Identity, JournalReader, ToSend};
use ::redis::Pipeline;
use ::redis::aio::MultiplexedConnection;
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::Duration;
use tokio::time::Instant;

/// With `appendfsync everysec` a write is on the disk at the latest this long after its answer, if the disk keeps up.
const EVERY_SECOND: Duration = Duration::from_secs(2);

/// One workspace's rows on their way.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) born: Vec<u8>,
    /// Redis has confirmed everything up to here.
    pub(super) sent: i64,
    pub(super) noted: i64,
    pub(super) released: i64,
    /// Decided without a gap up to here, when it was last looked.
    pub(super) decided_up_to: i64,
    /// There are rows below what is read for all workspaces together.
    pub(super) behind: bool,
    pub(super) said: Option<Said>,
    /// The stream is there: one that vanishes must not be begun anew in passing.
    inbox: bool,
    /// The last row put into a pipeline.
    piped: i64,
    drying: VecDeque<(Instant, i64)>,
}

impl Flow {
    pub(super) fn new(store: &StoreState, sent: i64, behind: bool, aof: bool) -> Self {
        Self {
            born: store.born.clone(),
            sent,
            noted: -1,
            released: if aof { sent } else { 0 },
            decided_up_to: 0,
            behind,
            said: None,
            inbox: store.inbox,
            piped: sent,
            drying: VecDeque::new(),
        }
    }

    /// Puts a row into a pipeline; false when it was there before.
    pub(super) fn add(&mut self, order: &mut Pipeline, identity: &Identity, row: &ToSend) -> bool {
        if row.seq <= self.piped {
            return false;
        }
        let (first, stint) = identity.stint(row.seq);
        let before = self.piped.max(first - 1);
        let name = RowName { gateway: identity.gateway, stint, seq: row.seq, before };
        let put = order.cmd("XADD").arg(Keys::of(&row.workspace).at("inbox"));
        if self.inbox {
            put.arg("NOMKSTREAM");
        }
        put.arg("*").arg("row").arg(&name.encode()[..]).arg("entry").arg(&row.entry).arg("raw").arg(&row.raw);
        self.inbox = true;
        self.piped = row.seq;
        true
    }

    pub(super) fn confirmed(&mut self, seq: i64, written: Written) {
        self.sent = seq;
        match written {
            Written::Safe => self.released = seq,
            Written::Soon => self.drying.push_back((Instant::now(), seq)),
            Written::Never => {}
        }
    }

    /// What was answered long enough ago is on the disk, while there is one.
    pub(super) fn release(&mut self, aof: bool) {
        while let Some((_, seq)) = self.drying.front().filter(|(at, _)| aof && at.elapsed() >= EVERY_SECOND) {
            self.released = *seq;
            self.drying.pop_front();
        }
    }
}

/// What the store says of a workspace and of the rows of this journal in its state.
#[derive(Clone, Debug)]
pub(super) struct StoreState {
    pub(super) born: Vec<u8>,
    pub(super) inbox: bool,
    decided: HashMap<Stint, Decided>,
}

/// Asks; a store that knows nothing of the workspace begins with this.
pub(super) async fn store_state(
    connection: &mut MultiplexedConnection,
    keys: &Keys,
    identity: &Identity,
) -> Result<StoreState> {
    let mut question = Pipeline::new();
    question.cmd("HSETNX").arg(keys.at("head")).arg("born").arg(&rand::random::<[u8; 16]>());
    question.cmd("HGET").arg(keys.at("head")).arg("born");
    question.cmd("EXISTS").arg(keys.at("inbox"));
    question.cmd("HMGET").arg(keys.at("rows"));
    for (_, stint) in &identity.stints {
        question.arg(stint);
    }
    let mut told = Answers::of(link::ask(connection, &question).await?);
    let _: i64 = told.next()?;
    let (born, inbox): (Vec<u8>, bool) = (told.next()?, told.next()?);
    let lists: Vec<Option<Vec<u8>>> = told.next()?;
    let mut decided = HashMap::new();
    for ((_, stint), list) in identity.stints.iter().zip(lists) {
        if let Some(list) = list {
            decided.insert(*stint, Decided::decode(&list)?);
        }
    }
    Ok(StoreState { born, inbox, decided })
}

impl StoreState {
    /// The last row before the first that the state does not hold.
    pub(super) fn first_gap(&self, journal: &JournalReader, workspace: &WorkspaceId, who: &Identity) -> Result<i64> {
        let mut up_to = 0;
        for (index, (first, stint)) in who.stints.iter().enumerate() {
            let next = who.stints.get(index + 1).map_or(i64::MAX, |(next, _)| *next);
            let last = journal.last_below(workspace, next)?;
            if last < *first {
                continue;
            }
            let decided = self.decided.get(stint).map_or(first - 1, |decided| decided.up_to(*first));
            if decided < last {
                return Ok(decided.max(up_to));
            }
            up_to = last;
        }
        Ok(up_to)
    }

    /// Every stretch of row numbers that the state does not hold.
    pub(super) fn gaps(&self, identity: &Identity) -> Gaps {
        let mut gaps = Gaps::new();
        for (index, (first, stint)) in identity.stints.iter().enumerate() {
            let last = identity.stints.get(index + 1).map_or(i64::MAX, |(next, _)| next - 1);
            let whole = Decided::new(identity.gateway);
            gaps.extend(self.decided.get(stint).unwrap_or(&whole).gaps(first - 1, last));
        }
        gaps
    }

    /// Signals of this journal in the state, by channel.
    pub(super) fn counts(&self) -> BTreeMap<ChannelId, u64> {
        let mut counts = BTreeMap::new();
        for (channel, n) in self.decided.values().flat_map(|decided| &decided.counts) {
            *counts.entry(channel.clone()).or_default() += n;
        }
        counts
    }
}
