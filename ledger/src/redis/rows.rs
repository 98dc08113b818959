//! Which rows of the journals are decided already? Ranges of their numbers, kept with the state they made.
//!
//! A gateway sends its rows in order, and sends again what it does not know to have arrived. What comes a second time
//! must not be decided a second time, nor be counted as the provider's redelivery, so a workspace remembers which rows
//! of which gateway its state already holds. A number says which row it is only within one *stint* of a gateway: a
//! journal that lost its end gives the same numbers to other rows after its next start.

use crate::error::{Error, Result};
use lead::ids::ChannelId;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// One run of a gateway over its journal.
pub(super) type Stint = [u8; 16];

/// A row as the inbox names it.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct RowName {
    pub(super) gateway: [u8; 16],
    pub(super) stint: Stint,
    pub(super) seq: i64,
    /// The row of the same workspace and stint before it, or the number before the stint's first.
    pub(super) before: i64,
}

impl RowName {
    pub(super) fn encode(&self) -> [u8; 48] {
        let mut bytes = [0; 48];
        bytes[..16].copy_from_slice(&self.gateway);
        bytes[16..32].copy_from_slice(&self.stint);
        bytes[32..40].copy_from_slice(&self.before.to_be_bytes());
        bytes[40..].copy_from_slice(&self.seq.to_be_bytes());
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        let bytes: &[u8; 48] = bytes.try_into().map_err(|_| Error::Corrupt("name of a row"))?;
        let part = |from: usize| bytes[from..from + 16].try_into().expect("sixteen bytes are sixteen");
        let number = |from: usize| i64::from_be_bytes(bytes[from..from + 8].try_into().expect("eight bytes are eight"));
        Ok(Self { gateway: part(0), stint: part(16), before: number(32), seq: number(40) })
    }
}

/// What of one stint is decided, and how many signals of each channel that were.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Decided {
    pub(super) gateway: [u8; 16],
    /// From (not itself) and to, in order, apart.
    ranges: Vec<(i64, i64)>,
    pub(super) counts: BTreeMap<ChannelId, u64>,
}

impl Decided {
    pub(super) fn new(gateway: [u8; 16]) -> Self {
        Self { gateway, ranges: Vec::new(), counts: BTreeMap::new() }
    }

    pub(super) fn has(&self, seq: i64) -> bool {
        let next = self.ranges.partition_point(|(_, to)| *to < seq);
        self.ranges.get(next).is_some_and(|(from, _)| *from < seq)
    }

    /// The row after which the first gap begins, if everything from `first` up to there is decided.
    pub(super) fn up_to(&self, first: i64) -> i64 {
        self.ranges.iter().find(|(from, to)| *from < first && first <= *to).map_or(first - 1, |(_, to)| *to)
    }

    /// The stretches above `after` and up to `last` that are not decided.
    pub(super) fn gaps(&self, after: i64, last: i64) -> Vec<(i64, i64)> {
        let mut gaps = Vec::new();
        let mut reached = after;
        for (from, to) in &self.ranges {
            if *from > reached {
                gaps.push((reached, *from));
            }
            reached = reached.max(*to);
        }
        if reached < last {
            gaps.push((reached, last));
        }
        gaps
    }

    /// Adds a row that was not there; between it and the one before it there is none.
    pub(super) fn add(&mut self, row: &RowName, channel: &ChannelId) {
        *self.counts.entry(channel.clone()).or_default() += 1;
        let (mut from, mut to) = (row.before.min(row.seq - 1), row.seq);
        self.ranges.retain(|(other_from, other_to)| {
            let touches = *other_from <= to && from <= *other_to;
            if touches {
                from = from.min(*other_from);
                to = to.max(*other_to);
            }
            !touches
        });
        let place = self.ranges.partition_point(|(other, _)| *other < from);
        self.ranges.insert(place, (from, to));
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        rmp_serde::to_vec(self).expect("numbers and names can be said in MessagePack")
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Self> {
        rmp_serde::from_slice(bytes).map_err(|_| Error::Corrupt("list of decided rows"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(before: i64, seq: i64) -> RowName {
        RowName { gateway: [1; 16], stint: [2; 16], seq, before }
    }

    fn decided(rows: &[(i64, i64)]) -> Decided {
        let mut decided = Decided::new([1; 16]);
        for (before, seq) in rows {
            decided.add(&row(*before, *seq), &ChannelId::new("form"));
        }
        decided
    }

    #[test]
    fn rows_in_order_are_one_range_whatever_lies_between_them() {
        let all = decided(&[(0, 1), (1, 4), (4, 5)]);
        assert_eq!(all.ranges, [(0, 5)]);
        assert!(all.has(1) && all.has(4) && all.has(5) && !all.has(6) && !all.has(0));
        assert_eq!((all.up_to(1), all.counts[&ChannelId::new("form")]), (5, 3));
    }

    #[test]
    fn a_hole_stays_one_until_it_is_filled_in_any_order() {
        let holes = [(0, 1), (5, 7), (7, 9)];
        let mut all = decided(&holes);
        assert_eq!((all.ranges.clone(), all.up_to(1)), (vec![(0, 1), (5, 9)], 1));
        assert!(!all.has(4) && !all.has(5));
        assert_eq!((all.gaps(0, 20), all.gaps(0, 9)), (vec![(1, 5), (9, 20)], vec![(1, 5)]));
        for (before, seq) in [(3, 5), (1, 3)] {
            all.add(&row(before, seq), &ChannelId::new("form"));
        }
        assert_eq!((all.ranges.clone(), all.up_to(1)), (vec![(0, 9)], 9));
    }

    #[test]
    fn what_is_stored_comes_back() {
        let all = decided(&[(0, 1), (5, 7)]);
        assert_eq!(Decided::decode(&all.encode()).unwrap(), all);
        assert_eq!(RowName::decode(&row(3, 9).encode()).unwrap(), row(3, 9));
        assert!(Decided::decode(b"x").is_err() && RowName::decode(b"short").is_err());
    }
}
