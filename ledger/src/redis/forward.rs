//! How do journal rows come into the inboxes? In order, many in one pipeline, and again whenever it is not known that
//! they arrived.
//!
//! A row is *sent* when Redis has answered, and *safe* when that answer would survive a crash of Redis: with
//! `appendfsync always` at once, with `everysec` two seconds later, with `replicated` when a replica has it. What is
//! not safe stays counted as unreleased. A server that is another one than before, or that came back with an older
//! state, tells itself which rows that state holds; the others are sent again, and what comes twice is not decided
//! twice.

mod flow;
mod server;
mod turns;

use super::Redis;
use super::books::Said;
use super::keys::Keys;
use super::link::{self, PATIENCE};
use super::words::{Answers, position, read};
use crate::error::{Error, Result};
use crate::journal::{Identity, Journal, JournalReader, Mark, ToSend};
use ::redis::aio::MultiplexedConnection;
use ::redis::{Pipeline, Value};
use flow::{Flow, store_state};
use lead::ids::{ChannelId, WorkspaceId};
use lead::time::At;
use server::{Server, Written};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// Rows of one pipeline, and of one workspace that catches up.
const ROWS: usize = 512;
const CATCHING_UP: usize = 256;
/// How often it is looked whether the store is still the same, while there is nothing to send.
const TICK: Duration = Duration::from_secs(1);
const TRIM: Duration = Duration::from_secs(60);
/// Waits between attempts to reach a server that is away.
const AGAIN: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(300), Duration::from_secs(1)];

/// When a journal row counts as safe.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Redis has it in its append-only file.
    Aof,
    /// A replica has it, too.
    Replicated,
}

/// By workspace: how many rows, and when the oldest of them was received.
pub type Unreleased = BTreeMap<WorkspaceId, (u64, Option<At>)>;

/// What forwarding is like now.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Forwarding {
    /// Redis answers.
    pub connected: bool,
    /// Why nothing is sent although it answers.
    pub paused: Option<String>,
    /// Rows that are not safe in Redis.
    pub unreleased: Unreleased,
    /// When the oldest row was received that nobody has decided, by workspace; none where all are.
    pub undecided: BTreeMap<WorkspaceId, Option<At>>,
    /// Rows that Redis has confirmed since the start; in all, and by workspace.
    pub sent: u64,
    pub sent_of: BTreeMap<WorkspaceId, u64>,
}

/// Everything forwarding is made of.
pub struct Forwarder {
    pub journal: Journal,
    pub redis: Arc<Redis>,
    pub durability: Durability,
    /// How long rows stay after they are decided.
    pub keep: Duration,
    pub clock: Arc<dyn Fn() -> At + Send + Sync>,
    pub state: watch::Sender<Forwarding>,
}

impl Forwarding {
    /// Every row is safe. Nobody knows that before Redis has answered once.
    pub fn is_done(&self) -> bool {
        self.connected && self.paused.is_none() && self.waiting() == 0
    }

    /// Rows that are not safe.
    pub fn waiting(&self) -> u64 {
        self.unreleased.values().map(|(rows, _)| rows).sum()
    }
}

impl fmt::Debug for Forwarder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Forwarder").field("durability", &self.durability).finish_non_exhaustive()
    }
}

/// One connection's time: what was learned of the server counts until the first error.
struct Session<'a> {
    house: &'a Forwarder,
    reader: Arc<Mutex<JournalReader>>,
    identity: Identity,
    connection: MultiplexedConnection,
    server: Server,
    flows: BTreeMap<WorkspaceId, Flow>,
    /// Up to here every row is sent, but for workspaces that catch up.
    read_up_to: i64,
    looked: Instant,
    trimmed: Instant,
}

impl Forwarder {
    /// Runs until `stop`, and through every failure of Redis.
    pub async fn run(self, stop: CancellationToken) {
        let mut failures = 0;
        while !stop.is_cancelled() {
            let error = match self.session(&stop, &mut failures).await {
                Ok(()) => break,
                Err(error) => error,
            };
            let wait = AGAIN[failures.min(AGAIN.len() - 1)];
            if failures == 0 {
                tracing::warn!(%error, retry_ms = wait.as_millis() as u64, "forward.failed: rows wait in the journal");
            }
            failures += 1;
            let unreleased = self.still_unreleased().await.unwrap_or_default();
            self.state.send_modify(|state| {
                state.connected = !matches!(error, Error::Away(_));
                state.paused = (!matches!(error, Error::Away(_))).then(|| error.to_string());
                state.unreleased = unreleased;
            });
            tokio::select! { () = tokio::time::sleep(wait) => {}, () = stop.cancelled() => {} }
        }
    }

    /// Counted without Redis: what is not noted as sent waits.
    async fn still_unreleased(&self) -> Result<Unreleased> {
        let journal = self.journal.reader()?;
        let counting = move || {
            let waiting = |workspace: WorkspaceId| {
                let sent = journal.mark(&workspace)?.map_or(0, |mark| mark.seq);
                Ok((workspace.clone(), journal.after_count(&workspace, sent)?))
            };
            journal.workspaces()?.into_iter().map(waiting).collect()
        };
        tokio::task::spawn_blocking(counting).await.unwrap_or(Err(Error::Closed))
    }

    async fn session(&self, stop: &CancellationToken, failures: &mut usize) -> Result<()> {
        let mut session = Session::open(self).await?;
        if std::mem::take(failures) > 0 {
            tracing::info!("forward.resumed: Redis answers again");
        }
        self.state.send_modify(|state| state.connected = true);
        let ended = self.forward(&mut session, stop).await;
        // What Redis has confirmed is noted whatever happened next.
        session.note().await?;
        ended
    }

    async fn forward(&self, session: &mut Session<'_>, stop: &CancellationToken) -> Result<()> {
        let mut newest = self.journal.newest();
        while !stop.is_cancelled() {
            newest.mark_unchanged();
            session.tick().await?;
            let paused = session.server.paused();
            self.state.send_if_modified(|state| {
                let changed = state.paused != paused;
                state.paused.clone_from(&paused);
                changed
            });
            if paused.is_none() && session.send().await? {
                continue;
            }
            tokio::select! {
                _ = newest.changed(), if paused.is_none() => {}
                () = tokio::time::sleep(TICK) => {}
                () = stop.cancelled() => {}
            }
        }
        Ok(())
    }
}

impl<'a> Session<'a> {
    async fn open(house: &'a Forwarder) -> Result<Self> {
        let mut connection = house.redis.dial.dial(PATIENCE).await?;
        super::greet::greet(&mut connection, &house.redis.fingerprint).await?;
        let server = Server::ask(&mut connection, house.durability).await?;
        let reader = house.journal.reader()?;
        let (identity, read_up_to) = (reader.identity()?, reader.newest()?);
        let known = reader.workspaces()?;
        let now = Instant::now();
        let mut session = Self {
            house,
            reader: Arc::new(Mutex::new(reader)),
            identity,
            connection,
            server,
            flows: BTreeMap::new(),
            read_up_to,
            looked: now,
            trimmed: now,
        };
        for workspace in known {
            session.open_flow(workspace).await?;
        }
        session.account().await?;
        session.note().await?;
        Ok(session)
    }

    /// Finds out where a workspace's rows go on: where the journal's mark says, if it is about this very store, else
    /// after what the store's state holds.
    async fn open_flow(&mut self, workspace: WorkspaceId) -> Result<()> {
        let state = store_state(&mut self.connection, &workspace, &self.identity).await?;
        let (asked, identity, aof) = (workspace.clone(), self.identity.clone(), self.server.aof);
        let server = self.server.identity.clone();
        let (mut flow, rebase, placed) = self
            .read(move |journal| {
                let mark = journal.mark(&asked)?;
                let known = mark.as_ref().is_none_or(|mark| mark.born == state.born);
                let rebase = (!known).then(|| (state.counts(), state.gaps(&identity)));
                let last = journal.last_below(&asked, i64::MAX)?;
                // An inbox never vanishes by itself: without it the mark is about something else.
                if let Some(mark) = mark.filter(|mark| mark.server == server && known && state.inbox) {
                    return Ok((Flow::new(&state, mark.seq, mark.seq < last, aof), None, None));
                }
                let sent = state.first_gap(journal, &asked, &identity)?;
                let lost = journal.last_placed(&asked)?.filter(|(placed, _)| *placed > sent);
                Ok((Flow::new(&state, sent, sent < last, aof), rebase, lost.map(|lost| (lost, state.cursor, known))))
            })
            .await?;
        if let Some((lost, cursor, known)) = placed {
            // In a store that began anew our last row says nothing of those before it.
            if known && self.stands_at(&Keys::of(&workspace), lost).await? {
                flow.go_on_after(lost.0);
            } else {
                self.begin_refill(&workspace, &mut flow, lost, cursor).await?;
            }
        }
        if let Some((decided, missing)) = rebase {
            tracing::warn!(workspace = %workspace, "forward.refill: the store began anew; sending what the journal still has");
            self.house.journal.rebase(workspace.clone(), decided, missing).await?;
        }
        self.flows.insert(workspace, flow);
        Ok(())
    }

    /// Sends one pipeline; false when there is nothing to send.
    async fn send(&mut self) -> Result<bool> {
        let late = self.late_rows().await?;
        let catching_up = !late.is_empty();
        let rows = if catching_up {
            late
        } else {
            let after = self.read_up_to;
            self.read(move |journal| journal.to_send(after, ROWS)).await?
        };
        let Some(last) = rows.last().map(|row| row.seq) else { return Ok(false) };
        for workspace in rows.iter().map(|row| &row.workspace) {
            if !self.flows.contains_key(workspace) {
                let workspace = workspace.clone();
                self.open_flow(workspace).await?;
            }
        }
        let mut order = Pipeline::with_capacity(rows.len());
        let mut sent: Vec<(WorkspaceId, i64)> = Vec::with_capacity(rows.len());
        self.learn_places(&rows).await?;
        for row in rows {
            let flow = self.flows.get_mut(&row.workspace).expect("its flow was opened above");
            if flow.holds(row.seq) {
                flow.behind = true;
            } else if flow.add(&mut order, &self.identity, &row) {
                sent.push((row.workspace, row.seq));
            }
        }
        if !sent.is_empty() {
            self.deliver(&order, sent).await?;
            self.keep_turns().await?;
        }
        if !catching_up {
            self.read_up_to = last;
        }
        Ok(true)
    }

    /// A share of rows for each workspace that catches up; new rows come when none does.
    async fn late_rows(&mut self) -> Result<Vec<ToSend>> {
        let late: Vec<_> =
            self.flows.iter().filter(|(_, flow)| flow.behind).map(|(name, flow)| (name.clone(), flow.sent)).collect();
        let found = self
            .read(move |journal| {
                late.into_iter()
                    .map(|(name, sent)| Ok((journal.to_send_of(&name, sent, CATCHING_UP)?, name)))
                    .collect::<Result<Vec<_>>>()
            })
            .await?;
        let mut rows = Vec::new();
        for (mut more, name) in found {
            if let Some(flow) = self.flows.get_mut(&name) {
                flow.behind = more.len() == CATCHING_UP;
                flow.hold_back(&mut more);
            }
            rows.extend(more);
        }
        Ok(rows)
    }

    /// What is not confirmed is forgotten with the connection, and sent again by the next one.
    async fn deliver(&mut self, order: &Pipeline, sent: Vec<(WorkspaceId, i64)>) -> Result<()> {
        let answers = link::ask(&mut self.connection, order).await?;
        if answers.contains(&Value::Nil) {
            return Err(Error::Refused("the inbox is gone".to_owned()));
        }
        let written = self.server.written(&mut self.connection).await?;
        for ((workspace, seq), place) in sent.iter().zip(answers) {
            if let Some(flow) = self.flows.get_mut(workspace) {
                flow.confirmed(*seq, position(&read::<String>(place)?)?, written);
            }
        }
        self.house.state.send_modify(|state| {
            state.sent += sent.len() as u64;
            for (workspace, _) in sent {
                *state.sent_of.entry(workspace).or_default() += 1;
            }
        });
        Ok(())
    }

    /// Once a second: is the store still the same, and what is to be told of it?
    async fn tick(&mut self) -> Result<()> {
        if self.looked.elapsed() < TICK {
            return Ok(());
        }
        self.looked = Instant::now();
        self.server = Server::ask(&mut self.connection, self.house.durability).await?;
        let mut question = Pipeline::new();
        for workspace in self.flows.keys() {
            question.cmd("HGET").arg(Keys::of(workspace).at("head")).arg("born");
            question.cmd("EXISTS").arg(Keys::of(workspace).at("inbox"));
        }
        if !self.flows.is_empty() {
            let mut told = Answers::of(link::ask(&mut self.connection, &question).await?);
            for (workspace, flow) in &self.flows {
                let (born, inbox): (Option<Vec<u8>>, bool) = (told.next()?, told.next()?);
                if flow.has_inbox() && !inbox {
                    // Every gateway has to hear of it, also one that looks when another has begun a new inbox.
                    let mut order = Pipeline::new();
                    let head = Keys::of(workspace).at("head");
                    order.cmd("HSET").arg(head).arg("born").arg(&rand::random::<[u8; 16]>());
                    link::ask(&mut self.connection, &order).await?;
                    return Err(Error::Refused("the store lost an inbox".to_owned()));
                }
                if born.as_ref() != Some(&flow.born) {
                    return Err(Error::Refused("the store lost its state".to_owned()));
                }
            }
        }
        for flow in self.flows.values_mut() {
            flow.release(self.server.aof);
        }
        self.keep_turns().await?;
        self.account().await?;
        self.note().await?;
        if self.trimmed.elapsed() >= TRIM {
            self.trimmed = Instant::now();
            self.trim().await?;
        }
        Ok(())
    }

    /// Tells the store what this journal has accepted and still misses there, and the process what is not safe.
    async fn account(&mut self) -> Result<()> {
        let mut orders = Pipeline::new();
        let (mut unreleased, mut undecided) = (BTreeMap::new(), BTreeMap::new());
        let names: Vec<(WorkspaceId, i64)> =
            self.flows.iter().map(|(name, flow)| (name.clone(), flow.released)).collect();
        for (workspace, released) in names {
            let keys = Keys::of(&workspace);
            let state = store_state(&mut self.connection, &workspace, &self.identity).await?;
            let (asked, identity) = (workspace.clone(), self.identity.clone());
            let decided = state.counts();
            let decided_up_to = state.clone();
            let (accepted, missing, waiting, first_gap, oldest) = self
                .read(move |journal| {
                    let (accepted, missing) = journal.accepted_and(&asked, &state.gaps(&identity))?;
                    let waiting = journal.after_count(&asked, released)?;
                    let first_gap = decided_up_to.first_gap(journal, &asked, &identity)?;
                    Ok((accepted, missing, waiting, first_gap, journal.oldest_after(&asked, first_gap)?))
                })
                .await?;
            undecided.insert(workspace.clone(), oldest);
            let lost = |(channel, n): (&ChannelId, &u64)| {
                let known = [&missing, &decided].map(|counts| counts.get(channel).copied().unwrap_or(0));
                (channel.clone(), n.cast_signed() - known.iter().sum::<u64>().cast_signed())
            };
            let said = Said { lost: accepted.iter().map(lost).collect(), accepted };
            if let Some(flow) = self.flows.get_mut(&workspace) {
                flow.decided_up_to = first_gap;
                if flow.said.as_ref() != Some(&said) {
                    let bytes = rmp_serde::to_vec(&said).expect("numbers and names can be said in MessagePack");
                    orders.cmd("HSET").arg(keys.at("accepted")).arg(&self.identity.gateway).arg(bytes);
                    flow.said = Some(said);
                }
            }
            unreleased.insert(workspace, waiting);
        }
        if !orders.is_empty() {
            link::ask(&mut self.connection, &orders).await?;
        }
        self.house.state.send_modify(|state| (state.unreleased, state.undecided) = (unreleased, undecided));
        Ok(())
    }

    /// Remembers how far this server has come, so that a restart of ours sends little twice.
    async fn note(&mut self) -> Result<()> {
        let server = &self.server.identity;
        // What is brought back may yet have to be sent again.
        let changed = self.flows.iter_mut().filter(|(_, flow)| flow.noted != flow.sent && flow.refill.is_none());
        let marks: Vec<Mark> = changed
            .map(|(workspace, flow)| {
                flow.noted = flow.sent;
                let places = std::mem::take(&mut flow.places);
                let (server, born) = (server.clone(), flow.born.clone());
                Mark { workspace: workspace.clone(), server, born, seq: flow.sent, places }
            })
            .collect();
        if marks.is_empty() {
            return Ok(());
        }
        self.house.journal.note(marks).await
    }

    /// Rows that are old, safe and decided have served.
    async fn trim(&mut self) -> Result<()> {
        let before = (self.house.clock)().minus(self.house.keep);
        for (workspace, flow) in &self.flows {
            let up_to = flow.released.min(flow.decided_up_to);
            while self.house.journal.trim(workspace.as_str(), up_to, before).await? > 0 {}
        }
        Ok(())
    }

    async fn read<T, F>(&self, ask: F) -> Result<T>
    where
        T: Send + 'static,
        F: FnOnce(&JournalReader) -> Result<T> + Send + 'static,
    {
        let reader = Arc::clone(&self.reader);
        let asking = move || ask(&*reader.lock().map_err(|_| Error::Closed)?);
        tokio::task::spawn_blocking(asking).await.unwrap_or(Err(Error::Closed))
    }
}
