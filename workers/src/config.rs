//! What bounds the workers?

use lead::units::Span;
use std::time::Duration;

/// `[workers]` of the configuration, with its defaults.
#[derive(Clone, Debug)]
pub struct Config {
    /// Entries decided and committed together.
    pub batch: usize,
    /// Tries of an entry decided alone before it goes to the dead letters.
    pub attempts: u32,
    /// Deciding one batch never takes this long; if it does, the process is beyond help and ends.
    pub watchdog: Span,
    /// How long a workspace stays with a worker that says nothing any more.
    pub lease: Span,
    /// How often retention looks for what is past its age.
    pub trim_every: Span,
    /// How often gauges are read from the store.
    pub gauges_every: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            batch: 256,
            attempts: 4,
            watchdog: Span(Duration::from_secs(30)),
            lease: Span(Duration::from_secs(5)),
            trim_every: Span(Duration::from_secs(60)),
            gauges_every: Span(Duration::from_secs(5)),
        }
    }
}
