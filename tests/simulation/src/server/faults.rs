//! What goes wrong on the way, and with the server itself?

use super::resp::{Answer, Request};
use super::{Event, Line, Server};

/// Something that befalls the server.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Mishap {
    Down,
    Up,
    Remember,
    /// The state of that moment is all that is left.
    Recall(u64),
    /// Everything is gone, and connections stay.
    Wipe,
}

/// How bad a run is: times in a thousand, and for how long.
#[derive(Clone, Debug, Default)]
pub(crate) struct Weather {
    /// From then on nothing goes wrong any more.
    pub(crate) until: u64,
    pub(crate) slow: u64,
    pub(crate) slow_for: u64,
    /// A commit is underway for long, and arrives after all.
    pub(crate) held: u64,
    pub(crate) held_for: u64,
    /// The connection breaks before a request is executed, or after.
    pub(crate) cut_before: u64,
    pub(crate) cut_after: u64,
    /// It is executed, and nothing is ever answered again.
    pub(crate) mute: u64,
    /// Between these moments nothing goes in or out of a process.
    pub(crate) stalls: Vec<(u32, u64, u64)>,
    /// From when on the server's clock is how far off.
    pub(crate) clock: Vec<(u64, i64)>,
    pub(crate) mishaps: Vec<(u64, Mishap)>,
}

impl Weather {
    pub(crate) fn stalled(&self, actor: u32, at: u64) -> Option<u64> {
        let stall = self.stalls.iter().find(|(who, from, to)| *who == actor && (*from..*to).contains(&at));
        stall.map(|(_, _, to)| *to)
    }

    pub(super) fn server_clock(&self, at: u64) -> i64 {
        self.clock.iter().rev().find(|(from, _)| *from <= at).map_or(0, |(_, off)| *off)
    }

    /// When what would arrive at `at` arrives.
    fn through(&self, actor: u32, at: u64) -> u64 {
        self.stalled(actor, at).map_or(at, |end| end + 1)
    }
}

/// What becomes of the connection once a request is executed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    Fine,
    Break,
    Mute,
}

impl Server {
    /// A client has sent something.
    pub(crate) fn sent(&mut self, now: u64, line: Line, requests: Vec<Request>) {
        for request in requests {
            let Some(connection) = self.connections.get_mut(&line).filter(|connection| !connection.deaf) else {
                return;
            };
            let bad = now < self.weather.until;
            let dice = &mut connection.dice;
            let mut due = now + 1;
            if bad && dice.in_1000(self.weather.slow) {
                due += dice.between(1, self.weather.slow_for);
            }
            if bad && request[0] == b"EXEC" && dice.in_1000(self.weather.held) {
                due += dice.between(1_000, self.weather.held_for);
            }
            due = self.weather.through(line.0, due.max(connection.reaches_server));
            connection.reaches_server = due;
            if bad && dice.in_1000(self.weather.cut_before) {
                connection.deaf = true;
                self.put(due, line, Event::Break);
                return;
            }
            let fate = match () {
                () if bad && dice.in_1000(self.weather.cut_after) => Fate::Break,
                () if bad && dice.in_1000(self.weather.mute) => Fate::Mute,
                () => Fate::Fine,
            };
            self.put(due, line, Event::Request(request, fate));
        }
    }

    /// A client has closed its end; what it sent before still arrives.
    pub(crate) fn hung_up(&mut self, now: u64, line: Line) {
        if let Some(connection) = self.connections.get(&line) {
            let due = connection.reaches_server.max(now + 1);
            self.put(due, line, Event::HangUp);
        }
    }

    /// A process is no more: what it sent still arrives, and nobody is there for an answer.
    pub(crate) fn killed(&mut self, now: u64, actor: u32) {
        let lines: Vec<Line> = self.connections.range((actor, 0)..(actor + 1, 0)).map(|(line, _)| *line).collect();
        for line in lines {
            self.hung_up(now, line);
            if let Some(connection) = self.connections.get_mut(&line) {
                (connection.deaf, connection.mute) = (true, true);
            }
        }
    }

    pub(super) fn answer(&mut self, at: u64, line: Line, answer: &Answer) {
        let Some(connection) = self.connections.get_mut(&line).filter(|connection| !connection.mute) else { return };
        let dice = &mut connection.dice;
        let mut due = at + 1;
        if at < self.weather.until && dice.in_1000(self.weather.slow) {
            due += dice.between(1, self.weather.slow_for);
        }
        due = self.weather.through(line.0, due.max(connection.reaches_client));
        connection.reaches_client = due;
        let mut bytes = Vec::new();
        answer.encode(&mut bytes);
        self.put(due, line, Event::Answer(bytes));
    }

    pub(super) fn meet(&mut self, at: u64, line: Line, fate: Fate) {
        let Some(connection) = self.connections.get_mut(&line) else { return };
        connection.mute |= fate != Fate::Fine;
        if fate == Fate::Break {
            self.put(at + 1, line, Event::Break);
        }
    }

    pub(super) fn befall(&mut self, at: u64, mishap: Mishap) {
        match mishap {
            Mishap::Down => {
                self.up = false;
                let lines: Vec<Line> = self.connections.keys().copied().collect();
                lines.into_iter().for_each(|line| self.deliver(line, None));
                self.connections.clear();
            }
            Mishap::Up => {
                self.up = true;
                self.runs += 1;
                self.says.run_id = format!("run-{}", self.runs);
            }
            Mishap::Remember => drop(self.snapshots.insert(at, self.store.clone())),
            Mishap::Recall(then) => {
                self.store = self.snapshots.remove(&then).expect("what is recalled was remembered");
            }
            Mishap::Wipe => self.store.wipe(),
        }
    }
}
