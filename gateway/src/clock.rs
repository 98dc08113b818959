//! What time is it at the entrance? The gateway's wall clock, which never goes back: the order of leads is the order
//! of `received_at`, also while the machine's clock is being corrected.

use lead::time::At;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The only place of this crate that asks the machine for the date.
#[derive(Debug, Default)]
pub struct Clock {
    latest: AtomicI64,
}

impl Clock {
    /// A clock that starts no earlier than `floor`: the newest `received_at` of the journal.
    pub fn not_before(floor: At) -> Self {
        Self { latest: AtomicI64::new(floor.millis()) }
    }

    pub fn now(&self) -> At {
        #[expect(clippy::disallowed_methods, reason = "this is the clock the others are told to take")]
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.observe(At::default().plus(wall))
    }

    fn observe(&self, wall: At) -> At {
        let before = self.latest.fetch_max(wall.millis(), Ordering::AcqRel);
        At::from_millis(before.max(wall.millis()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wall_clock_set_back_does_not_take_the_entrance_with_it() {
        let clock = Clock::not_before(At::from_secs(100));
        let told: Vec<At> = [90, 101, 99, 102].map(|secs| clock.observe(At::from_secs(secs))).into();
        assert_eq!(told, [100, 101, 101, 102].map(At::from_secs));
    }
}
