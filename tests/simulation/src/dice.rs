//! What is chance here? Numbers that follow from a seed, so that a run can be repeated.

/// SplitMix64.
#[derive(Clone, Debug)]
pub(crate) struct Dice(u64);

impl Dice {
    /// Dice of their own for each part of a run, so that one part's throws do not shift another's.
    pub(crate) fn of(seed: u64, part: &[u64]) -> Self {
        let mut dice = Self(seed);
        for number in part {
            dice.0 = dice.throw() ^ number.wrapping_mul(0xD6E8_FEB8_6659_FD93);
        }
        dice.throw();
        dice
    }

    pub(crate) fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// From `low` up to and with `high`.
    pub(crate) fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.throw() % (high - low + 1)
    }

    /// True this many times in a thousand.
    pub(crate) fn in_1000(&mut self, times: u64) -> bool {
        self.throw() % 1_000 < times
    }

    pub(crate) fn pick<T: Copy>(&mut self, among: &[T]) -> T {
        let index = self.between(0, among.len() as u64 - 1);
        among[usize::try_from(index).unwrap_or(0)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_and_part_throw_the_same_and_another_part_does_not() {
        let throws = |part: &[u64]| {
            let mut dice = Dice::of(7, part);
            [dice.throw(), dice.throw()]
        };
        assert_eq!(throws(&[1, 2]), throws(&[1, 2]));
        assert_ne!(throws(&[1, 2]), throws(&[2, 1]));
        let mut dice = Dice::of(1, &[]);
        assert!((0..1_000).all(|_| (3..=5).contains(&dice.between(3, 5))));
    }
}
