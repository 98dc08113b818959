//! What follows from an entry? Everything deciding wants done, as data. Nothing else touches the store.

use crate::books::Verdict;
use crate::event::Event;
use crate::ids::{ChannelId, LeadId, PersonId};
use crate::record::{Key, Record};
use crate::state::AssignRule;
use crate::time::At;
use std::time::Duration;

/// The outcome of one entry or timer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// `None` removes the record.
    pub records: Vec<(Key, Option<Record>)>,
    pub events: Vec<Event>,
    pub timers: Vec<TimerChange>,
    pub queue: Vec<QueueChange>,
    pub books: Vec<(ChannelId, Verdict, i64)>,
    pub aside: Option<Aside>,
    pub measures: Vec<Measure>,
}

/// Something to look at again.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    pub due: At,
    pub what: Wake,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Wake {
    Lead(LeadId),
    /// The queue, in case somebody has room that no entry told us of.
    Queue,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum TimerChange {
    Set(Timer),
    Clear(Timer),
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum QueueChange {
    Put(At, LeadId),
    Drop(At, LeadId),
}

/// Keep this entry apart, with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aside {
    pub kind: AsideKind,
    pub reason: String,
    pub attempts: u32,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AsideKind {
    Dead,
    Quarantined,
    Excluded,
    Junk,
}

impl AsideKind {
    pub const ALL: [AsideKind; 4] = [AsideKind::Dead, AsideKind::Quarantined, AsideKind::Excluded, AsideKind::Junk];

    pub const fn word(self) -> &'static str {
        match self {
            AsideKind::Dead => "dead",
            AsideKind::Quarantined => "quarantined",
            AsideKind::Excluded => "excluded",
            AsideKind::Junk => "junk",
        }
    }

    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.word() == word)
    }

    /// Whether it may go with age. A dead letter stays until somebody deals with it: it may be a customer.
    pub const fn ages(self) -> bool {
        !matches!(self, AsideKind::Dead)
    }

    /// The line of the books an entry of this kind stands in.
    pub const fn verdict(self) -> Verdict {
        match self {
            AsideKind::Dead => Verdict::Dead,
            AsideKind::Quarantined => Verdict::Quarantined,
            AsideKind::Excluded => Verdict::Excluded,
            AsideKind::Junk => Verdict::Junk,
        }
    }
}

/// What metrics count, after the commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Measure {
    FirstContact { channel: ChannelId, wall: Duration, business: Duration },
    Breached { channel: ChannelId },
    Assigned { person: Option<PersonId>, rule: AssignRule },
    IdConflict { channel: ChannelId },
}
