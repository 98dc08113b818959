//! Who decides for a workspace, and what proves it at every commit?
//!
//! Claiming bumps the epoch in `head`, and a connection of the owner's own watches `head` from then on. Every commit
//! writes `head` in its transaction, so one that comes late, twice, or from an owner who was ousted aborts whole. The
//! same pipeline that commits sets the next watch and reads the epoch for the next batch: a batch costs one round trip.

use super::inbox::{Brought, Look, Reader};
use super::keys::{Keys, TYPES, WORKSPACES};
use super::link::{self, PATIENCE, SharedDial};
use super::rows::{Decided, RowName, Stint};
use super::words::{Answers, Item, arrived_at, position, stream_id};
use crate::commit::Position;
use crate::error::{Error, Result};
use crate::place::Place;
use crate::{Arrived, Claim};
use ::redis::Pipeline;
use ::redis::aio::MultiplexedConnection;
use lead::entry::Entry;
use lead::ids::{ChannelId, WorkspaceId};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Mutex as AsyncMutex;

/// Between two looks at what gateways bring back.
const BRINGING: Duration = Duration::from_millis(20);

/// What an owner holds as long as nobody else claims.
#[derive(Debug)]
pub(super) struct Tenure {
    pub(super) keys: Keys,
    workspace: WorkspaceId,
    epoch: u64,
    /// The store's own name: rows meant for the one before it come here from gateways that have not noticed.
    born: Vec<u8>,
    /// Watches `head`; none after an error, and then this tenure is over.
    writer: AsyncMutex<Option<MultiplexedConnection>>,
    reader: AsyncMutex<Reader>,
    rows: Mutex<Rows>,
    /// Numbers what is set aside.
    pub(super) asides: std::sync::atomic::AtomicU64,
}

/// Rows that are decided, and those that were handed out to be.
#[derive(Debug, Default)]
struct Rows {
    decided: HashMap<Stint, Decided>,
    handed: BTreeMap<(Position, Stint, i64), Handed>,
    /// From a cursor up to a position everything has come a second time.
    over: Option<(Position, Position)>,
}

#[derive(Debug)]
struct Handed {
    row: RowName,
    channel: ChannelId,
    raw: Vec<u8>,
}

impl Tenure {
    /// Takes the workspace from whoever had it.
    pub(super) async fn claim(workspace: &WorkspaceId, dial: &SharedDial) -> Result<(Self, Claim)> {
        let keys = Keys::of(workspace);
        let mut writer = dial.dial(PATIENCE).await?;
        check_types(&mut writer, &keys).await?;
        let head = keys.at("head");
        let mut claim = Pipeline::new();
        claim.cmd("SADD").arg(WORKSPACES).arg(workspace.as_str());
        claim.cmd("HSETNX").arg(&head).arg("born").arg(&rand::random::<[u8; 16]>());
        claim.cmd("HINCRBY").arg(&head).arg("epoch").arg(1);
        claim.cmd("HMGET").arg(&head).arg("cursor").arg("resting").arg("asides").arg("born");
        claim.cmd("HSET").arg(&head).arg("resting").arg(0);
        claim.cmd("WATCH").arg(&head);
        claim.cmd("HGET").arg(&head).arg("epoch");
        claim.cmd("HGETALL").arg(keys.at("rows"));
        let mut told = Answers::of(link::ask(&mut writer, &claim).await?);
        let (_, _, epoch): (i64, i64, u64) = (told.next()?, told.next()?, told.next()?);
        let (cursor, resting, asides, born): (Option<String>, Option<u8>, Option<u64>, Vec<u8>) = told.next()?;
        let (_, _): (i64, String) = (told.next()?, told.next()?);
        if told.next::<Option<u64>>()? != Some(epoch) {
            return Err(Error::Fenced);
        }
        let rows: Vec<(Vec<u8>, Vec<u8>)> = told.next()?;
        let cursor = cursor.map_or(Ok(Position::default()), |id| position(&id))?;
        let tenure = Self {
            workspace: workspace.clone(),
            epoch,
            born,
            writer: AsyncMutex::new(Some(writer)),
            reader: AsyncMutex::new(Reader::new(Arc::clone(dial), keys.clone())),
            rows: Mutex::new(Rows { decided: decided(rows)?, ..Rows::default() }),
            keys,
            asides: asides.unwrap_or(0).into(),
        };
        Ok((tenure, Claim { epoch, cursor, unclean: resting == Some(0) }))
    }

    pub(super) fn epoch(&self) -> u64 {
        self.epoch
    }

    /// Asks on the connection that watches; what it reads stands until the next commit, or that commit aborts.
    pub(super) async fn ask(&self, pipeline: &Pipeline) -> Result<Answers> {
        let mut writer = self.writer.lock().await;
        let connection = writer.as_mut().ok_or(Error::Closed)?;
        let told = link::ask(connection, pipeline).await;
        if told.is_err() {
            *writer = None;
        }
        told.map(Answers::of)
    }

    /// Does all of `changes`, which [`transaction`] began, or nothing when somebody else has claimed the workspace.
    pub(super) async fn commit(&self, mut changes: Pipeline) -> Result<()> {
        let mut writer = self.writer.lock().await;
        let mut connection = writer.take().ok_or(Error::Closed)?;
        let head = self.keys.at("head");
        changes.cmd("EXEC");
        changes.cmd("WATCH").arg(&head);
        changes.cmd("HGET").arg(&head).arg("epoch");
        let mut told = link::ask(&mut connection, &changes).await?;
        let epoch: Option<u64> = super::words::read(told.pop().unwrap_or_default())?;
        let done = told.swap_remove(told.len() - 2);
        if done == ::redis::Value::Nil {
            return Err(Error::Fenced);
        }
        // Somebody may have come between the commit and the next watch: then this commit counts, and no other will.
        if epoch == Some(self.epoch) {
            *writer = Some(connection);
        }
        Ok(())
    }

    /// Entries after `after` that the state does not hold yet. Empty means that none is on its way either.
    pub(super) async fn inbox(&self, after: Position, limit: usize, wait: Duration) -> Result<Vec<Arrived>> {
        let deadline = tokio::time::Instant::now() + wait;
        let mut reader = self.reader.lock().await;
        loop {
            let from = self.past_repeats(after);
            let left = deadline.saturating_duration_since(tokio::time::Instant::now());
            let items = match reader.look(from, limit, left).await? {
                Look::Items(items) => items,
                Look::Refilling => self.bring(&mut reader, from, limit).await?,
            };
            let Some(last) = items.last().map(|item| item.position) else {
                if left.is_zero() {
                    self.still_ours().await?;
                    return Ok(Vec::new());
                }
                continue;
            };
            let fresh = self.hand_out(items)?;
            if !fresh.is_empty() {
                return Ok(fresh);
            }
            self.pass_repeats(after, last).await?;
        }
    }

    /// What comes next while a lost state comes back; nothing only when all of it is here.
    async fn bring(&self, reader: &mut Reader, from: Position, limit: usize) -> Result<Vec<Item>> {
        loop {
            match reader.brought(from, limit).await? {
                Brought::Items(items) => return Ok(items),
                Brought::NotYet => {
                    self.still_ours().await?;
                    tokio::time::sleep(BRINGING).await;
                }
                Brought::Over(gateways) => {
                    let mut order = transaction();
                    order.cmd("HDEL").arg(self.keys.at("refill")).arg(&gateways);
                    for gateway in gateways {
                        order.cmd("DEL").arg(self.keys.refill(&gateway));
                    }
                    self.commit(order).await?;
                    return Ok(Vec::new());
                }
            }
        }
    }

    /// Where reading goes on: behind what has come a second time.
    pub(super) fn past_repeats(&self, after: Position) -> Position {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.over.filter(|(from, to)| *from <= after && after < *to).map_or(after, |(_, to)| to)
    }

    /// All of it came a second time. The cursor says so at once: whoever brings back rows puts them behind it.
    async fn pass_repeats(&self, after: Position, last: Position) -> Result<()> {
        let mut order = transaction();
        order.cmd("HSET").arg(self.keys.at("head")).arg("cursor").arg(stream_id(last));
        self.commit(order).await?;
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).over = Some((after, last));
        Ok(())
    }

    /// A store that lost its state has lost the claim, too; nothing else would tell an owner who has nothing to do.
    async fn still_ours(&self) -> Result<()> {
        let mut question = Pipeline::new();
        question.cmd("HGET").arg(self.keys.at("head")).arg("epoch");
        let epoch: Option<u64> = self.ask(&question).await?.next()?;
        if epoch == Some(self.epoch) { Ok(()) } else { Err(Error::Fenced) }
    }

    fn hand_out(&self, items: Vec<Item>) -> Result<Vec<Arrived>> {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut under_way: HashSet<(Stint, i64)> = HashSet::new();
        if let Some(first) = items.first() {
            let before = rows.handed.range(..(first.position, [0; 16], 0));
            under_way.extend(before.map(|((_, stint, seq), _)| (*stint, *seq)));
        }
        let mut fresh = Vec::with_capacity(items.len());
        for mut item in items {
            // A mark says how far the stream had come, and nothing else.
            let Some(row) = item.take("row") else { continue };
            if item.take("born").is_some_and(|born| born != self.born) {
                // It comes again, in its turn.
                continue;
            }
            let Ok(row) = RowName::decode(&row) else {
                tracing::error!(workspace = %self.workspace, entry = stream_id(item.position), "inbox.foreign: an entry that no gateway has sent is passed over");
                continue;
            };
            let known = rows.decided.get(&row.stint).is_some_and(|decided| decided.has(row.seq));
            if known || !under_way.insert((row.stint, row.seq)) {
                continue;
            }
            let entry = entry(&mut item).or_else(|_| self.damaged(&mut item, &row))?;
            let raw = item.take("raw").unwrap_or_default();
            let handed = Handed { row, channel: entry.channel.clone(), raw };
            rows.handed.insert((item.position, row.stint, row.seq), handed);
            fresh.push(Arrived { position: item.position, entry: Arc::new(entry) });
        }
        Ok(fresh)
    }

    /// An entry that somebody changed, or that a newer gateway has written.
    fn damaged(&self, item: &mut Item, row: &RowName) -> Result<Entry> {
        let channel = ChannelId::new(&item.text("channel")?);
        let name = format!("{}:{}", data_encoding::HEXLOWER.encode(&row.stint), row.seq);
        Ok(Place { workspace: self.workspace.clone(), channel, received_at: arrived_at(item.position) }
            .damaged("inbox", &name))
    }

    /// The bytes of the request behind an entry that was handed out.
    pub(super) fn raw(&self, position: Position) -> Vec<u8> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut at = rows.handed.range((position, [0; 16], 0)..);
        let found = at.next().filter(|((found, ..), _)| *found == position);
        found.map(|(_, handed)| handed.raw.clone()).unwrap_or_default()
    }

    /// The lists of decided rows as they are once everything up to `cursor` is.
    pub(super) fn decided_by(&self, cursor: Position) -> Vec<(Stint, Decided)> {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed: BTreeMap<Stint, Decided> = BTreeMap::new();
        for handed in rows.handed.range(..after(cursor)).map(|(_, handed)| handed) {
            let stint = handed.row.stint;
            let list = changed.entry(stint).or_insert_with(|| {
                rows.decided.get(&stint).cloned().unwrap_or_else(|| Decided::new(handed.row.gateway))
            });
            list.add(&handed.row, &handed.channel);
        }
        changed.into_iter().collect()
    }

    /// A commit went through: what it decided is not handed out again.
    pub(super) fn committed(&self, cursor: Position, lists: Vec<(Stint, Decided)>) {
        let mut rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        rows.decided.extend(lists);
        rows.handed = rows.handed.split_off(&after(cursor));
    }
}

/// What [`Tenure::commit`] takes: changes are added, and all of them happen or none.
pub(super) fn transaction() -> Pipeline {
    let mut changes = Pipeline::new();
    changes.cmd("MULTI");
    changes
}

/// The first name that can come after everything up to `cursor`.
fn after(cursor: Position) -> (Position, Stint, i64) {
    (Position(cursor.0.saturating_add(1)), [0; 16], 0)
}

/// Reads the inbox without an owner, for whoever only looks.
pub(super) async fn look(
    dial: &SharedDial,
    keys: Keys,
    after: Position,
    limit: usize,
    wait: Duration,
) -> Result<Vec<Arrived>> {
    let deadline = tokio::time::Instant::now() + wait;
    let mut reader = Reader::new(Arc::clone(dial), keys);
    loop {
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        let found = reader.look(after, limit, left).await?;
        let items = if let Look::Items(items) = found { items } else { Vec::new() };
        if !items.is_empty() || left.is_zero() {
            let arrived = |mut item: Item| Ok(Arrived { position: item.position, entry: Arc::new(entry(&mut item)?) });
            return items.into_iter().map(arrived).collect();
        }
    }
}

fn entry(item: &mut Item) -> Result<Entry> {
    let bytes = item.take("entry").unwrap_or_default();
    rmp_serde::from_slice(&bytes).map_err(|_| Error::Corrupt("entry of the inbox"))
}

fn decided(rows: Vec<(Vec<u8>, Vec<u8>)>) -> Result<HashMap<Stint, Decided>> {
    let one = |(stint, list): (Vec<u8>, Vec<u8>)| {
        let stint = stint.try_into().map_err(|_| Error::Corrupt("name of a stint"))?;
        Ok((stint, Decided::decode(&list)?))
    };
    rows.into_iter().map(one).collect()
}

/// Nothing in a transaction may fail halfway, so that every key is of our type is made sure before the first.
pub(super) async fn check_types(connection: &mut MultiplexedConnection, keys: &Keys) -> Result<()> {
    let mut question = Pipeline::new();
    for (name, _) in TYPES {
        question.cmd("TYPE").arg(keys.at(name));
    }
    let mut told = Answers::of(link::ask(connection, &question).await?);
    for (name, expected) in TYPES {
        let found: String = told.next()?;
        if found != "none" && found != expected {
            return Err(foreign(&keys.at(name), &found, expected));
        }
    }
    Ok(())
}

pub(super) fn foreign(key: &str, found: &str, expected: &str) -> Error {
    Error::Setup(format!(
        "the key {key} in Redis is a {found} and should be a {expected}: something else writes under lg:, give leadgate a database of its own"
    ))
}
