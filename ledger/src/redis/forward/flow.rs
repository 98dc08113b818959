//! Where do a workspace's rows stand? How far they are sent, safe and decided.

use super::super::books::Said;
use super::super::keys::{Keys, WORKSPACES};
use super::super::link;
use super::super::rows::{Decided, RowName, Stint};
use super::super::words::{Answers, moment, position, stream_id};
use super::Written;
use crate::commit::Position;
use crate::error::Result;
use crate::journal::{Gaps, Identity, JournalReader, Places, ToSend};
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
    /// Lost rows go back to where they stood.
    pub(super) refill: Option<Refill>,
    /// Where confirmed rows came to stand, since it was last noted.
    pub(super) places: Places,
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
            refill: None,
            places: Places::new(),
            drying: VecDeque::new(),
        }
    }

    /// New rows wait until the lost ones are decided again, or they would come before them if that went wrong.
    pub(super) fn holds(&self, seq: i64) -> bool {
        self.refill.as_ref().is_some_and(|refill| seq > refill.until)
    }

    /// Leaves only what may be sent now.
    pub(super) fn hold_back(&mut self, rows: &mut Vec<ToSend>) {
        let now = rows.iter().take_while(|row| !self.holds(row.seq)).count();
        self.behind |= now < rows.len();
        rows.truncate(now);
        if let Some(refill) = &mut self.refill {
            refill.exhausted |= rows.is_empty();
        }
    }

    pub(super) fn has_inbox(&self) -> bool {
        self.inbox
    }

    /// Puts a row into a pipeline; false when it was there before.
    pub(super) fn add(&mut self, order: &mut Pipeline, identity: &Identity, row: &ToSend) -> bool {
        if row.seq <= self.piped {
            return false;
        }
        let (first, stint) = identity.stint(row.seq);
        let before = self.piped.max(first - 1);
        let name = RowName { gateway: identity.gateway, stint, seq: row.seq, before };
        let keys = Keys::of(&row.workspace);
        let put = order.cmd("XADD");
        match &mut self.refill {
            Some(refill) => {
                put.arg(keys.refill(&refill.name));
                if std::mem::replace(&mut refill.begun, true) {
                    put.arg("NOMKSTREAM");
                }
                put.arg(stream_id(refill.place(row)));
            }
            None => {
                put.arg(keys.at("inbox"));
                if std::mem::replace(&mut self.inbox, true) {
                    put.arg("NOMKSTREAM");
                }
                put.arg("*");
            }
        }
        put.arg("row")
            .arg(&name.encode()[..])
            .arg("born")
            .arg(&self.born)
            .arg("channel")
            .arg(row.channel.as_str())
            .arg("entry")
            .arg(&row.entry)
            .arg("raw")
            .arg(&row.raw);
        self.piped = row.seq;
        true
    }

    /// Redis has answered with the position of a row.
    pub(super) fn confirmed(&mut self, seq: i64, place: Position, written: Written) {
        self.sent = seq;
        if self.refill.is_none() {
            self.places.push((seq, place));
        }
        match written {
            Written::Safe => self.released = seq,
            Written::Soon => self.drying.push_back((Instant::now(), seq)),
            Written::Never => {}
        }
    }

    /// Everything up to `seq` has arrived after all.
    pub(super) fn go_on_after(&mut self, seq: i64) {
        self.sent = seq;
        self.piped = seq;
    }

    /// What was answered long enough ago is on the disk, while there is one.
    pub(super) fn release(&mut self, aof: bool) {
        while let Some((_, seq)) = self.drying.front().filter(|(at, _)| aof && at.elapsed() >= EVERY_SECOND) {
            self.released = *seq;
            self.drying.pop_front();
        }
    }
}

/// Rows on their way back after a loss.
#[derive(Debug)]
pub(super) struct Refill {
    /// What this gateway is called in keys.
    pub(super) name: String,
    /// The last row whose place is known.
    pub(super) until: i64,
    /// Redis's clock when it began.
    pub(super) since: u64,
    /// Everything is there; the owner has yet to take it.
    pub(super) done: bool,
    places: BTreeMap<i64, Position>,
    last: Position,
    /// No row has been put back yet.
    first: bool,
    /// The journal has no more of them.
    pub(super) exhausted: bool,
    begun: bool,
}

impl Refill {
    /// What stood before the cursor cannot be put back there any more: it comes right behind it.
    pub(super) fn new(gateway: &[u8; 16], until: i64, since: u64, cursor: Position) -> Self {
        Self {
            name: data_encoding::HEXLOWER.encode(gateway),
            until,
            since,
            done: false,
            places: BTreeMap::new(),
            last: cursor,
            first: true,
            exhausted: false,
            begun: false,
        }
    }

    pub(super) fn learn(&mut self, places: BTreeMap<i64, Position>) {
        self.places = places;
    }

    /// Where a row stood. One that was never noted stands behind the one before it; before all that were, at its time.
    fn place(&mut self, row: &ToSend) -> Position {
        let known = self.places.get(&row.seq).copied();
        // Not where new rows do not come yet, or the cursor would go past those.
        let arrived = moment(row.received_at).min(Position(u128::from(self.since) << 64));
        let guess = if std::mem::take(&mut self.first) { arrived } else { self.last };
        self.last = known.unwrap_or(guess).max(Position(self.last.0 + 1));
        self.last
    }
}

/// What the store says of a workspace and of the rows of this journal in its state.
#[derive(Clone, Debug)]
pub(super) struct StoreState {
    pub(super) born: Vec<u8>,
    pub(super) inbox: bool,
    /// How far its owner has come.
    pub(super) cursor: Position,
    decided: HashMap<Stint, Decided>,
}

/// Asks; a store that knows nothing of the workspace begins with this.
pub(super) async fn store_state(
    connection: &mut MultiplexedConnection,
    workspace: &WorkspaceId,
    identity: &Identity,
) -> Result<StoreState> {
    let keys = Keys::of(workspace);
    let mut question = Pipeline::new();
    question.cmd("SADD").arg(WORKSPACES).arg(workspace.as_str());
    question.cmd("HSETNX").arg(keys.at("head")).arg("born").arg(&rand::random::<[u8; 16]>());
    question.cmd("HGET").arg(keys.at("head")).arg("born");
    question.cmd("EXISTS").arg(keys.at("inbox"));
    question.cmd("HGET").arg(keys.at("head")).arg("cursor");
    question.cmd("HMGET").arg(keys.at("rows"));
    for (_, stint) in &identity.stints {
        question.arg(stint);
    }
    let mut told = Answers::of(link::ask(connection, &question).await?);
    let (_, _): (i64, i64) = (told.next()?, told.next()?);
    let (born, inbox): (Vec<u8>, bool) = (told.next()?, told.next()?);
    let cursor: Option<String> = told.next()?;
    let cursor = cursor.map_or(Ok(Position::default()), |id| position(&id))?;
    let lists: Vec<Option<Vec<u8>>> = told.next()?;
    let mut decided = HashMap::new();
    for ((_, stint), list) in identity.stints.iter().zip(lists) {
        if let Some(list) = list {
            decided.insert(*stint, Decided::decode(&list)?);
        }
    }
    Ok(StoreState { born, inbox, cursor, decided })
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
