//! What time is it for the engine? Only timers ask; an entry brings its own moment.

use lead::time::At;
use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The one place in this crate that reads the wall clock.
#[derive(Clone, Default)]
pub enum Clock {
    #[default]
    Wall,
    /// Somebody else says what time it is: a simulation, in which clocks step.
    Told(Arc<dyn Fn() -> At + Send + Sync>),
}

impl Clock {
    pub fn now(&self) -> At {
        match self {
            Self::Wall => wall(),
            Self::Told(tell) => tell(),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Wall => "Wall",
            Self::Told(_) => "Told",
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the engine's clock")]
fn wall() -> At {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    At::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
