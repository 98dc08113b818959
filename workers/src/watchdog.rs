//! Is deciding stuck? It is bounded by construction; if it hangs all the same, the process ends, restarts, and goes on
//! one entry at a time until the one that hangs is buried.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Marks the time an engine spends deciding.
#[derive(Clone, Debug)]
pub struct Watchdog {
    start: Instant,
    /// Milliseconds since `start` at which the batch under way began; zero when none is.
    busy_since: Arc<AtomicU64>,
}

impl Watchdog {
    /// Starts the watching thread; it ends with the last clone of what it watches.
    pub fn start(limit: Duration) -> Self {
        let watchdog = Self { start: Instant::now(), busy_since: Arc::new(AtomicU64::new(0)) };
        let (start, watched) = (watchdog.start, Arc::downgrade(&watchdog.busy_since));
        let watch = move || {
            while let Some(busy_since) = watched.upgrade() {
                let since = busy_since.load(Ordering::Relaxed);
                drop(busy_since);
                if since > 0
                    && millis(start).saturating_sub(since) > u64::try_from(limit.as_millis()).unwrap_or(u64::MAX)
                {
                    tracing::error!(
                        limit_s = limit.as_secs(),
                        "engine.stuck: deciding hangs; the process ends to start anew"
                    );
                    std::process::abort();
                }
                std::thread::sleep(Duration::from_millis(500).min(limit));
            }
        };
        if std::thread::Builder::new().name("watchdog".to_owned()).spawn(watch).is_err() {
            tracing::warn!("engine.unwatched: no thread for the watchdog");
        }
        watchdog
    }

    /// Runs `work` under watch.
    pub fn over<T>(&self, work: impl FnOnce() -> T) -> T {
        self.busy_since.store(millis(self.start).max(1), Ordering::Relaxed);
        let done = work();
        self.busy_since.store(0, Ordering::Relaxed);
        done
    }
}

fn millis(start: Instant) -> u64 {
    u64::try_from(start.elapsed().as_millis()).unwrap_or(u64::MAX)
}
