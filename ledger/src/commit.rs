//! What does one batch change? Collected entry by entry, committed whole.

use lead::books::Verdict;
use lead::changes::{Aside, Changes, QueueChange, TimerChange};
use lead::entry::Entry;
use lead::event::Event;
use lead::facts::Facts;
use lead::ids::{ChannelId, Uid};
use lead::record::{Key, Record};
use lead::time::At;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A place in an inbox or an event stream. Readers outside see it as an opaque text.
///
/// SQLite numbers its rows; a Redis stream has a time and a number within it. Both fit, and grow.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u128);

impl Position {
    /// After everything there can be.
    pub const END: Self = Self(u128::MAX);

    pub(crate) fn of_row(number: i64) -> Self {
        Self(u128::from(number.unsigned_abs()))
    }

    /// SQLite's integers are signed; positions of rows never reach their sign bit.
    pub(crate) fn row(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

/// Everything between two cursors.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// The new cursor.
    pub cursor: Position,
    pub records: Vec<(Key, Option<Record>)>,
    pub events: Vec<Event>,
    pub timers: Vec<TimerChange>,
    pub queue: Vec<QueueChange>,
    pub books: BTreeMap<(ChannelId, Verdict), i64>,
    pub asides: Vec<(Position, Aside, Arc<Entry>)>,
    /// When it was decided, which what is set aside ages from.
    pub at: At,
    /// Decided alone and well: its attempts are forgotten.
    pub survived: Option<Uid>,
}

impl Batch {
    /// Takes over what [`Facts::apply`] has not: everything but the records, which are taken once at the end.
    pub fn absorb(&mut self, changes: Changes, source: Option<(Position, &Arc<Entry>)>) {
        self.events.extend(changes.events);
        self.timers.extend(changes.timers);
        self.queue.extend(changes.queue);
        for (channel, verdict, n) in changes.books {
            *self.books.entry((channel, verdict)).or_default() += n;
        }
        if let (Some(aside), Some((position, entry))) = (changes.aside, source) {
            self.asides.push((position, aside, Arc::clone(entry)));
        }
    }

    /// When an entry of it was set aside: not before it came, whatever the clock says.
    pub(crate) fn set_aside_at(&self, entry: &Entry) -> At {
        self.at.max(entry.received_at)
    }

    /// The final state of every record, each once.
    pub fn seal(&mut self, facts: Facts, cursor: Position) {
        self.records = facts.into_changed();
        self.cursor = cursor;
    }
}
