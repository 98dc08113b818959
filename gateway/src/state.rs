//! What does one running gateway hold? Everything a request needs, with nothing global, so that two run side by side
//! in one test.

use crate::admission::Admission;
use crate::channels::ChannelTable;
use crate::clock::Clock;
use crate::config::Config;
use crate::fetch::Fetcher;
use crate::metrics::Metrics;
use crate::spam::Spam;
use arc_swap::ArcSwap;
use lead::identity::Pepper;
use ledger::journal::Journal;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio_util::task::TaskTracker;

#[derive(Debug)]
pub struct Gateway {
    pub config: Config,
    /// Swapped whole on reload.
    pub channels: ArcSwap<ChannelTable>,
    pub journal: Journal,
    pub metrics: Metrics,
    pub pepper: Pepper,
    pub clock: Clock,
    pub admission: Admission,
    pub(crate) fetcher: Fetcher,
    pub(crate) spam: Spam,
    /// Handlers, which finish even when their client has hung up.
    pub(crate) tasks: TaskTracker,
    journal_failing: AtomicBool,
}

impl Gateway {
    pub fn new(
        config: Config,
        channels: ChannelTable,
        journal: Journal,
        metrics: Metrics,
        pepper: Pepper,
        clock: Clock,
    ) -> Self {
        let admission = Admission::new(&config.limits);
        let fetcher = Fetcher::new(&config.limits);
        Self {
            config,
            channels: ArcSwap::from_pointee(channels),
            journal,
            metrics,
            pepper,
            clock,
            admission,
            fetcher,
            spam: Spam::default(),
            tasks: TaskTracker::new(),
            journal_failing: AtomicBool::new(false),
        }
    }

    /// Brings the gauges up to date; called when somebody is about to read them.
    pub fn measure(&self) {
        let count = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
        self.metrics.requests.set(count(self.admission.requests.used()));
        self.metrics.body_bytes.set(count(self.admission.bodies.used()));
        self.metrics.limited_addresses.set(count(self.admission.addresses()));
    }

    /// Says once that the journal began to fail, and once that it works again: a flood of refusals is no flood of
    /// log lines.
    pub(crate) fn note_journal(&self, result: &ledger::error::Result<()>) {
        let failing = result.is_err();
        if self.journal_failing.swap(failing, Ordering::Relaxed) == failing {
            return;
        }
        match result {
            Ok(()) => tracing::info!("journal.recovered: requests are taken again"),
            Err(error) => tracing::error!(%error, "journal.failing: requests are answered 503"),
        }
    }
}
