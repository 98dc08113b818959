//! After a store lost state: how do rows of several gateways come back in the order they were first decided in?
//!
//! A gateway remembers where in the inbox each of its rows stood. It puts what was lost into a stream of its own, under
//! the same positions, and says in `refill` that it is at it. The owner of the workspace merges these streams with the
//! inbox by position, waits for whoever is not done, and meanwhile lets no timer fire: so leads, owners and events come
//! out as they did the first time. A gateway that dies over it is waited for only as long as a lease lives.

use super::words::Item;
use crate::commit::Position;

/// The owner waits this long for further gateways to say that they have something to bring back: one whose connection
/// went mute needs [`super::link::PATIENCE`] to notice that.
pub(super) const GATHERING_MS: u64 = 6_000;
/// A gateway that says nothing for this long is not waited for.
pub(super) const SILENT_MS: u64 = 5_000;

/// A gateway brings rows back. Times are Redis's, in milliseconds.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) since: u64,
    pub(super) seen: u64,
    pub(super) done: bool,
}

impl Turn {
    pub(super) fn write(self) -> String {
        format!("{} {} {}", self.since, self.seen, u8::from(self.done))
    }

    pub(super) fn read(text: &str) -> Option<Self> {
        let mut words = text.split(' ').map(str::parse::<u64>);
        let mut next = || words.next()?.ok();
        Some(Self { since: next()?, seen: next()?, done: next()? == 1 })
    }

    pub(super) fn gathers(self, now: u64) -> bool {
        now < self.since + GATHERING_MS
    }

    pub(super) fn is_over(self, now: u64) -> bool {
        self.done || self.seen + SILENT_MS < now
    }
}

/// One stream as far as it was read.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) items: Vec<Item>,
    /// More may be added behind what was read.
    pub(super) grows: bool,
    /// There was more than was asked for.
    pub(super) cut: bool,
}

/// What is certain to come next: everything up to where the first stream may still bring something.
pub(super) fn merge(parts: Vec<Part>, limit: usize) -> Vec<Item> {
    let reached = |part: &Part| match part.items.last() {
        Some(last) if part.grows || part.cut => last.position,
        None if part.grows => Position::default(),
        _ => Position::END,
    };
    let bound = parts.iter().map(reached).min().unwrap_or_default();
    let mut items: Vec<Item> = parts.into_iter().flat_map(|part| part.items).collect();
    items.retain(|item| item.position <= bound);
    items.sort_by_key(|item| item.position);
    let Some(last) = items.get(limit.saturating_sub(1)).map(|item| item.position) else { return items };
    // Rows that stood nowhere may share a position; a cursor must not come between them.
    items.retain(|item| item.position <= last);
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(positions: &[u128], grows: bool, cut: bool) -> Part {
        Part { items: positions.iter().map(|at| Item::at(Position(*at))).collect(), grows, cut }
    }

    fn merged(parts: Vec<Part>, limit: usize) -> Vec<u128> {
        merge(parts, limit).into_iter().map(|item| item.position.0).collect()
    }

    #[test]
    fn streams_that_are_whole_come_in_the_order_of_their_positions() {
        assert_eq!(merged(vec![part(&[1, 4], false, false), part(&[2, 3, 9], false, false)], 9), [1, 2, 3, 4, 9]);
        assert_eq!(merged(vec![part(&[1, 4], false, false), part(&[2, 3, 9], false, false)], 2), [1, 2]);
    }

    #[test]
    fn nothing_overtakes_what_may_still_come() {
        assert_eq!(merged(vec![part(&[1, 4], true, false), part(&[2, 9], false, false)], 9), [1, 2, 4]);
        assert_eq!(merged(vec![part(&[], true, false), part(&[2, 9], false, false)], 9), [] as [u128; 0]);
        assert_eq!(merged(vec![part(&[1, 2], false, true), part(&[2, 9], false, false)], 9), [1, 2, 2]);
    }

    #[test]
    fn rows_of_one_position_are_not_parted() {
        assert_eq!(merged(vec![part(&[1, 2], false, false), part(&[2, 3], false, false)], 2), [1, 2, 2]);
    }

    #[test]
    fn a_turn_says_what_it_was_told() {
        let turn = Turn { since: 7, seen: 9, done: true };
        assert_eq!(Turn::read(&turn.write()), Some(turn));
        assert_eq!(Turn::read("7 x 0"), None);
        let turn = Turn { since: 10_000, seen: 10_000, done: false };
        assert!(turn.gathers(15_999) && !turn.gathers(16_000));
        assert!(!turn.is_over(15_000) && turn.is_over(15_001));
    }
}
