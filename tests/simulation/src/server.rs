//! What happens between a request and its answer? One queue of everything that is on its way, in the order in which it
//! will arrive, and a server at its end.
//!
//! What arrives in the same millisecond is taken in the order of connections, not of tasks, so that a seed always gives
//! the same run.

mod commands;
mod faults;
mod fence;
mod resp;
mod store;
mod streams;

pub(crate) use faults::{Mishap, Weather};
pub(crate) use resp::Arriving;

use crate::dice::Dice;
use commands::{Outcome, Says, execute};
use faults::Fate;
use resp::{Answer, Request};
use std::collections::{BTreeMap, VecDeque};
use store::{Bytes, EntryId, Store};
use tokio::sync::mpsc::UnboundedSender;

/// What no real server does.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// Executes a transaction although what it watches has changed.
    Blind,
    /// Answers, and does not write what it has answered.
    Forgetful,
}

/// Whose connection, and which of his.
pub(crate) type Line = (u32, u32);

/// The server's own events come before anybody's requests.
const SELF: Line = (0, 0);

/// To a client: bytes, or none when its connection breaks.
pub(crate) type Outgoing = Option<Vec<u8>>;

#[derive(Debug)]
enum Event {
    Request(Request, Fate),
    HangUp,
    Answer(Vec<u8>),
    Break,
    /// A wait with this number is over.
    Tired(u64),
    Mishap(Mishap),
}

#[derive(Debug)]
struct Connection {
    to_client: UnboundedSender<Outgoing>,
    dice: Dice,
    /// Nothing overtakes on one connection, in either direction.
    reaches_server: u64,
    reaches_client: u64,
    watched: Vec<(Bytes, u64)>,
    queued: Option<Vec<Request>>,
    waiting: Option<(u64, Bytes, EntryId, usize)>,
    backlog: VecDeque<(Request, Fate)>,
    /// What is answered from now on never arrives.
    mute: bool,
    /// Requests sent from now on never arrive.
    deaf: bool,
}

#[derive(Debug)]
pub(crate) struct Server {
    seed: u64,
    /// What the server's clock shows when the run's clock shows nothing.
    epoch: u64,
    says: Says,
    up: bool,
    store: Store,
    connections: BTreeMap<Line, Connection>,
    on_its_way: BTreeMap<(u64, Line, u64), Event>,
    counter: u64,
    runs: u64,
    snapshots: BTreeMap<u64, Store>,
    weather: Weather,
    /// Told to be worse than any real one, to see that it would be noticed.
    pub(crate) flaw: Option<Flaw>,
    /// Transactions that came too late.
    aborted: u64,
    /// Tells two runs apart: everything that was asked, when, and by whom.
    trace: u64,
    /// What must never happen and did.
    pub(crate) violations: Vec<String>,
}

impl Server {
    pub(crate) fn new(seed: u64, epoch: u64, fsync: &'static str, weather: Weather) -> Self {
        let says = Says { now: epoch, run_id: "run-0".to_owned(), fsync };
        let mut server = Self {
            seed,
            epoch,
            says,
            up: true,
            store: Store::default(),
            connections: BTreeMap::new(),
            on_its_way: BTreeMap::new(),
            counter: 0,
            runs: 0,
            snapshots: BTreeMap::new(),
            weather,
            flaw: None,
            aborted: 0,
            trace: 0,
            violations: Vec::new(),
        };
        for (at, mishap) in server.weather.mishaps.clone() {
            server.put(at, SELF, Event::Mishap(mishap));
        }
        server
    }

    /// Late commits, and the trace.
    pub(crate) fn told(&self) -> (u64, u64) {
        (self.aborted, self.trace)
    }

    pub(crate) fn is_up(&self) -> bool {
        self.up
    }

    pub(crate) fn weather(&self) -> &Weather {
        &self.weather
    }

    pub(crate) fn connect(&mut self, line: Line, to_client: UnboundedSender<Outgoing>) {
        let dice = Dice::of(self.seed, &[2, line.0.into(), line.1.into()]);
        let connection = Connection {
            to_client,
            dice,
            reaches_server: 0,
            reaches_client: 0,
            watched: Vec::new(),
            queued: None,
            waiting: None,
            backlog: VecDeque::new(),
            mute: false,
            deaf: false,
        };
        self.connections.insert(line, connection);
    }

    /// When the next thing arrives.
    pub(crate) fn next(&self) -> Option<u64> {
        self.on_its_way.first_key_value().map(|((at, _, _), _)| *at)
    }

    /// Everything that has arrived by `now`.
    pub(crate) fn proceed(&mut self, now: u64) {
        while let Some(entry) = self.on_its_way.first_entry().filter(|entry| entry.key().0 <= now) {
            let ((at, line, _), event) = entry.remove_entry();
            self.says.now = self.epoch.saturating_add(at).saturating_add_signed(self.weather.server_clock(at));
            match event {
                Event::Request(request, fate) => self.take(at, line, request, fate),
                Event::HangUp => drop(self.connections.remove(&line)),
                Event::Answer(bytes) => self.deliver(line, Some(bytes)),
                Event::Break => {
                    self.deliver(line, None);
                    self.connections.remove(&line);
                }
                Event::Tired(number) => self.tired(at, line, number),
                Event::Mishap(mishap) => self.befall(at, mishap),
            }
        }
    }

    fn put(&mut self, at: u64, line: Line, event: Event) {
        self.counter += 1;
        self.on_its_way.insert((at, line, self.counter), event);
    }

    fn deliver(&mut self, line: Line, what: Outgoing) {
        if let Some(connection) = self.connections.get(&line) {
            let _ = connection.to_client.send(what);
        }
    }

    fn take(&mut self, at: u64, line: Line, request: Request, fate: Fate) {
        let Some(connection) = self.connections.get_mut(&line) else { return };
        if connection.waiting.is_some() {
            connection.backlog.push_back((request, fate));
            return;
        }
        let answer = self.obey(at, line, request);
        self.meet(at, line, fate);
        if let Some(answer) = answer {
            self.answer(at, line, &answer);
        }
        self.wake_waiting(at);
    }

    /// The answer, unless it has to wait.
    fn obey(&mut self, at: u64, line: Line, request: Request) -> Option<Answer> {
        for part in [at, line.0.into(), line.1.into(), request[0].len() as u64, request.len() as u64] {
            self.trace = (self.trace ^ part).wrapping_mul(0x0100_0000_01B3).rotate_left(17);
        }
        tracing::debug!(at, actor = line.0, nth = line.1, request = %resp::shown(&request), "asked");
        let name = request[0].to_ascii_uppercase();
        let connection = self.connections.get_mut(&line)?;
        match name.as_slice() {
            b"MULTI" => {
                connection.queued = Some(Vec::new());
                return Some(Answer::Ok);
            }
            b"EXEC" => return Some(self.exec(at, line)),
            b"WATCH" => {
                connection.watched.push((request[1].clone(), self.store.version(&request[1])));
                return Some(Answer::Ok);
            }
            _ => {}
        }
        if let Some(queued) = &mut connection.queued {
            queued.push(request);
            return Some(Answer::Queued);
        }
        if self.flaw == Some(Flaw::Forgetful) && name == b"XADD" && at.is_multiple_of(7) {
            return Some(Answer::text("1-1"));
        }
        match execute(&mut self.store, &self.says, &request) {
            Outcome::Done(answer) => Some(answer),
            Outcome::Wait { key, after, count, millis } => {
                self.counter += 1;
                let number = self.counter;
                self.connections.get_mut(&line)?.waiting = Some((number, key, after, count));
                self.put(at + millis, line, Event::Tired(number));
                None
            }
        }
    }

    fn exec(&mut self, at: u64, line: Line) -> Answer {
        let Some(connection) = self.connections.get_mut(&line) else { return Answer::NoList };
        let watched = std::mem::take(&mut connection.watched);
        let Some(queued) = connection.queued.take() else {
            return Answer::Refusal("ERR EXEC without MULTI".to_owned());
        };
        let blind = self.flaw == Some(Flaw::Blind);
        if !blind && watched.iter().any(|(key, version)| self.store.version(key) != *version) {
            self.aborted += 1;
            return Answer::NoList;
        }
        self.violations.extend(fence::broken(&self.store, &queued).map(|what| format!("at {at} ms {what}")));
        let done = queued.iter().map(|request| match execute(&mut self.store, &self.says, request) {
            Outcome::Done(answer) => answer,
            Outcome::Wait { .. } => Answer::NoList,
        });
        Answer::List(done.collect())
    }

    /// Whoever waits for an entry that is there now has it; what he sent meanwhile follows.
    fn wake_waiting(&mut self, at: u64) {
        let lines: Vec<Line> =
            self.connections.iter().filter(|(_, one)| one.waiting.is_some()).map(|(line, _)| *line).collect();
        for line in lines {
            let waiting = self.connections.get(&line).and_then(|one| one.waiting.as_ref());
            let Some((_, key, after, count)) = waiting else { continue };
            if let Some(news) = streams::news(&self.store, key, *after, *count) {
                self.awake(at, line, &news);
            }
        }
    }

    fn tired(&mut self, at: u64, line: Line, number: u64) {
        let waiting = self.connections.get(&line).and_then(|one| one.waiting.as_ref());
        if waiting.is_some_and(|(waits, ..)| *waits == number) {
            self.awake(at, line, &Answer::NoList);
        }
    }

    fn awake(&mut self, at: u64, line: Line, answer: &Answer) {
        let Some(connection) = self.connections.get_mut(&line) else { return };
        connection.waiting = None;
        let backlog = std::mem::take(&mut connection.backlog);
        self.answer(at, line, answer);
        for (request, fate) in backlog {
            self.take(at, line, request, fate);
        }
    }
}
