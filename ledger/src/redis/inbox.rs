//! What comes next for the owner of a workspace? Its inbox, and while a lost state comes back, the streams of those who
//! bring it.

use super::keys::Keys;
use super::link::{self, PATIENCE, SharedDial};
use super::refill::{Part, Turn, merge};
use super::words::{Answers, Item, stream_id};
use crate::commit::Position;
use crate::error::Result;
use ::redis::aio::MultiplexedConnection;
use ::redis::{Pipeline, Value};
use std::time::Duration;

/// The longest the server waits for an entry in one go.
const BLOCK: Duration = Duration::from_secs(2);

/// A connection of its own for reading, made anew after an error.
#[derive(Debug)]
pub(super) struct Reader {
    dial: SharedDial,
    keys: Keys,
    connection: Option<MultiplexedConnection>,
    /// What comes next does not come by the inbox, so it must not be waited for there.
    refilling: bool,
}

/// What a look into the inbox found.
#[derive(Debug)]
pub(super) enum Look {
    Items(Vec<Item>),
    /// Gateways bring back what the store lost.
    Refilling,
}

/// What a look at a refill found.
#[derive(Debug)]
pub(super) enum Brought {
    Items(Vec<Item>),
    NotYet,
    /// Everything is brought back and decided; these turns can go.
    Over(Vec<String>),
}

impl Reader {
    pub(super) fn new(dial: SharedDial, keys: Keys) -> Self {
        Self { dial, keys, connection: None, refilling: false }
    }

    pub(super) async fn look(&mut self, after: Position, limit: usize, wait: Duration) -> Result<Look> {
        let mut question = Pipeline::new();
        let read = question.cmd("XREAD").arg("COUNT").arg(limit);
        let millis = if self.refilling { 0 } else { wait.min(BLOCK).as_millis() };
        if millis > 0 {
            // Zero would mean for ever.
            read.arg("BLOCK").arg(u64::try_from(millis).unwrap_or(1));
        }
        read.arg("STREAMS").arg(self.keys.at("inbox")).arg(stream_id(after));
        question.cmd("EXISTS").arg(self.keys.at("refill"));
        let mut told = self.ask(&question).await?;
        let items: Value = told.next()?;
        self.refilling = told.next()?;
        if self.refilling { Ok(Look::Refilling) } else { Ok(Look::Items(Item::read(items)?)) }
    }

    /// The next entries of all streams together, in the order of their positions.
    pub(super) async fn brought(&mut self, after: Position, limit: usize) -> Result<Brought> {
        let mut question = Pipeline::new();
        question.cmd("TIME");
        question.cmd("HGETALL").arg(self.keys.at("refill"));
        let mut told = self.ask(&question).await?;
        let (seconds, micros): (u64, u64) = told.next()?;
        let now = seconds * 1_000 + micros / 1_000;
        let turns: Vec<(String, String)> = told.next()?;
        let turns: Vec<(String, Option<Turn>)> =
            turns.into_iter().map(|(gateway, text)| (gateway, Turn::read(&text))).collect();
        if turns.iter().any(|(_, turn)| turn.is_some_and(|turn| turn.gathers(now))) {
            return Ok(Brought::NotYet);
        }
        let parts = self.parts(&turns, now, after, limit).await?;
        let waiting = parts.iter().any(|part| part.grows);
        let from_refills = parts[1..].iter().any(|part| !part.items.is_empty());
        if !waiting && !from_refills {
            return Ok(Brought::Over(turns.into_iter().map(|(gateway, _)| gateway).collect()));
        }
        let items = merge(parts, limit);
        Ok(if items.is_empty() { Brought::NotYet } else { Brought::Items(items) })
    }

    /// The inbox first, then a stream for each turn.
    async fn parts(
        &mut self,
        turns: &[(String, Option<Turn>)],
        now: u64,
        after: Position,
        limit: usize,
    ) -> Result<Vec<Part>> {
        let over = |turn: &Option<Turn>| turn.is_none_or(|turn| turn.is_over(now));
        let mut streams = vec![(self.keys.at("inbox"), false)];
        streams.extend(turns.iter().map(|(gateway, turn)| (self.keys.refill(gateway), !over(turn))));
        let mut question = Pipeline::new();
        for (stream, _) in &streams {
            let range = question.cmd("XRANGE").arg(stream).arg(format!("({}", stream_id(after))).arg("+");
            range.arg("COUNT").arg(limit);
        }
        let mut told = self.ask(&question).await?;
        let part = |(_, grows)| {
            let items = Item::list(told.next()?)?;
            Ok(Part { cut: items.len() == limit, items, grows })
        };
        streams.into_iter().map(part).collect()
    }

    async fn ask(&mut self, question: &Pipeline) -> Result<Answers> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.dial.dial(PATIENCE + BLOCK).await?,
        };
        let told = link::ask(&mut connection, question).await?;
        self.connection = Some(connection);
        Ok(Answers::of(told))
    }
}
