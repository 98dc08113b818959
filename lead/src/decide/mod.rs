//! What follows from this entry? The way of a decision, a room a rule:
//!
//! [`redelivery`] → [`exclusion`] → [`whose`] (contact, links) → [`duplicate`] or [`birth`] ([`repeat`],
//! [`assign`], [`clock`]) → [`unmatched`] facts that had waited for it. Calls, replies and feedback end in
//! [`first_contact`]. Each rule stands in the doc comment of its room, and each leaves a step in the lead's trail.

pub mod assign;
pub mod birth;
pub mod call;
pub mod clock;
pub mod close;
pub mod command;
pub mod duplicate;
pub mod exclusion;
pub mod feedback;
pub mod first_contact;
pub mod identify;
mod prefetch;
pub mod queue;
pub mod redelivery;
pub mod repeat;
pub mod reply;
pub mod touch;
pub mod unmatched;
pub mod whose;
mod work;

use crate::books::Verdict;
use crate::changes::{Aside, AsideKind, Changes, Timer, Wake};
use crate::entry::{Entry, Signal};
use crate::facts::{Facts, Need};
use crate::record::{Key, Record};
use crate::rules::Rules;
use crate::state::Seen;
use identify::Who;
use work::Work;

/// An entry with everything about it that needs no look-up worked out once, however often deciding is tried.
#[derive(Debug)]
pub struct Case<'a> {
    pub entry: &'a Entry,
    who: Who,
    /// Of the content, where the provider's id could come again with another body.
    digest: u32,
}

impl<'a> Case<'a> {
    pub fn open(rules: &Rules, entry: &'a Entry) -> Self {
        Self { entry, who: identify::who(rules, &entry.signal), digest: redelivery::digest(entry) }
    }

    /// Records that deciding will ask for and that are not known yet; empty when the rest cannot be foreseen.
    pub fn keys(&self, facts: &Facts) -> Vec<Key> {
        prefetch::keys(self, facts)
    }

    /// What follows; `now` is the entry's `received_at`.
    pub fn decide(&self, rules: &Rules, facts: &Facts) -> Result<Changes, Need> {
        let mut work = Work::of_entry(rules, facts, self.entry);
        if let Some(verdict) = redelivery::check(&mut work, self)? {
            work.verdict(verdict);
            return work.finish();
        }
        let verdict = match &self.entry.signal {
            Signal::Touch(touch) => touch::decide(&mut work, self, touch, &self.who)?.verdict,
            Signal::Call(call) => call::decide(&mut work, self, call, &self.who)?,
            Signal::Reply(reply) => reply::decide(&mut work, reply, &self.who)?,
            Signal::Feedback(feedback) => feedback::decide(&mut work, feedback)?,
            Signal::Command(command) => command::decide(&mut work, command)?,
            Signal::Unreadable(unreadable) => {
                work.aside(AsideKind::Quarantined, &unreadable.reason);
                Verdict::Quarantined
            }
        };
        work.verdict(verdict);
        queue::drain_if_freed(&mut work)?;
        work.finish()
    }
}

/// What follows from a timer; `now` is the moment it was due, however late it is looked at.
pub fn timer(rules: &Rules, facts: &Facts, timer: Timer) -> Result<Changes, Need> {
    let mut work = Work::of_timer(rules, facts, timer);
    match timer.what {
        Wake::Lead(id) => clock::wake(&mut work, id)?,
        Wake::Queue => queue::look_again(&mut work)?,
    }
    queue::drain_if_freed(&mut work)?;
    work.finish()
}

/// The record a timer will ask for first.
pub fn timer_key(timer: &Timer) -> Option<Key> {
    match timer.what {
        Wake::Lead(id) => Some(Key::Lead(id)),
        Wake::Queue => None,
    }
}

/// What becomes of an entry that cannot be decided: its bytes, the reason, one line in the books.
pub fn bury(entry: &Entry, reason: &str, attempts: u32) -> Changes {
    // Remembered like any other: the provider's own redelivery must not try it again.
    let seen = Record::Seen(Seen { at: entry.received_at, digest: redelivery::digest(entry) });
    Changes {
        records: vec![(Key::Seen(entry.uid), Some(seen))],
        aside: Some(Aside { kind: AsideKind::Dead, reason: reason.to_owned(), attempts }),
        books: vec![(entry.channel.clone(), Verdict::Dead, 1)],
        ..Changes::default()
    }
}
