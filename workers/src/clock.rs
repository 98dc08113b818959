//! What time is it for the engine? Only timers ask; an entry brings its own moment.

use lead::time::At;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// The one place in this crate that reads the wall clock.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    #[default]
    Wall,
    /// Milliseconds since 1970 that somebody else sets: a simulation, where clocks step.
    Set(Arc<AtomicI64>),
}

impl Clock {
    pub fn now(&self) -> At {
        match self {
            Self::Wall => wall(),
            Self::Set(millis) => At::from_millis(millis.load(Ordering::Relaxed)),
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the engine's clock")]
fn wall() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
