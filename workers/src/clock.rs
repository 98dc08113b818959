//! What time is it for the engine? Only timers ask; an entry brings its own moment.

use lead::time::At;
use std::time::{SystemTime, UNIX_EPOCH};

/// The one place in this crate that reads the wall clock.
#[derive(Copy, Clone, Debug, Default)]
pub struct Clock;

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "this is the engine's clock")]
    pub fn now(self) -> At {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        At::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}
