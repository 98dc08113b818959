//! How long do we wait before we try again? Ever longer, and never all at the same moment.

use super::Failure;
use std::time::Duration;

const SHORTEST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// Mail servers lock an account for some minutes after some wrong passwords.
const REFUSED: Duration = Duration::from_secs(30);
const REFUSED_LONGEST: Duration = Duration::from_secs(600);

/// How often in a row it went wrong.
#[derive(Debug, Default)]
pub(super) struct Patience {
    tries: u32,
}

impl Patience {
    /// It went well: the next failure is the first.
    pub(super) const fn reset(&mut self) {
        self.tries = 0;
    }

    pub(super) const fn is_first(&self) -> bool {
        self.tries == 0
    }

    /// The pause after one more failure, spread by `luck` over its second half.
    pub(super) fn after(&mut self, failure: Failure, luck: u8) -> Duration {
        let (first, longest) = match failure {
            Failure::Away(_) => (SHORTEST, LONGEST),
            Failure::Refused(_) => (REFUSED, REFUSED_LONGEST),
        };
        let whole = first.saturating_mul(1 << self.tries.min(16)).min(longest);
        self.tries = self.tries.saturating_add(1);
        whole / 2 + whole * u32::from(luck) / 510
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_their_longest_and_begin_anew_after_success() {
        let mut patience = Patience::default();
        let mut pauses = |failure| (0..12).map(|_| patience.after(failure, 255).as_secs()).collect::<Vec<_>>();
        assert_eq!(pauses(Failure::Away("")), [1, 2, 4, 8, 16, 32, 60, 60, 60, 60, 60, 60]);
        patience.reset();
        assert!(patience.is_first());
        let mut pauses = |failure| (0..6).map(|_| patience.after(failure, 255).as_secs()).collect::<Vec<_>>();
        assert_eq!(pauses(Failure::Refused("")), [30, 60, 120, 240, 480, 600]);
    }

    #[test]
    fn nobody_waits_less_than_half() {
        let pauses = |luck| Patience { tries: 9 }.after(Failure::Away(""), luck);
        assert_eq!((pauses(0), pauses(255)), (Duration::from_secs(30), Duration::from_secs(60)));
    }
}
