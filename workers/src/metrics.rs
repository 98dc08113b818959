//! What do the workers count? Everything after the commit, so that a batch that was undone was never counted.

use lead::books::Verdict;
use lead::changes::Measure;
use lead::ids::{ChannelId, WorkspaceId};
use prometheus::{Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounterVec, IntGaugeVec, Opts, Registry};

/// Half a minute to three days: where answering a lead happens.
const CONTACT_BUCKETS: [f64; 13] =
    [15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 86_400.0, 259_200.0];
const DECIDE_BUCKETS: [f64; 9] = [1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 1e-2, 1e-1];

/// The workers' series. Labels come from the configuration or from closed sets only.
#[derive(Clone, Debug)]
pub struct Metrics {
    pub signals: IntCounterVec,
    pub first_contact: HistogramVec,
    pub first_contact_business: HistogramVec,
    pub waiting: IntGaugeVec,
    pub waiting_oldest: GaugeVec,
    pub breached: IntCounterVec,
    pub assignments: IntCounterVec,
    pub person_load: IntGaugeVec,
    pub queue_length: IntGaugeVec,
    pub id_conflicts: IntCounterVec,
    pub inbox_lag: IntGaugeVec,
    pub decide: Histogram,
    pub dead_letters: IntGaugeVec,
    pub quarantined: IntGaugeVec,
    pub books_difference: IntGaugeVec,
    pub engine_failures: IntCounterVec,
}

/// What is in the journal only. The gateway's series; where the journal itself is the inbox, the keeper knows them.
#[derive(Clone, Debug)]
pub struct Unreleased {
    pub rows: IntGaugeVec,
    pub oldest: Gauge,
}

impl Unreleased {
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let rows = Opts::new("leadgate_journal_unreleased", "Journal rows that are not safe elsewhere yet.");
        let oldest = Gauge::new(
            "leadgate_journal_unreleased_oldest_seconds",
            "Age of the oldest journal row that is not safe elsewhere yet.",
        );
        Ok(Self { rows: keep(registry, IntGaugeVec::new(rows, &["workspace"]))?, oldest: keep(registry, oldest)? })
    }
}

impl Metrics {
    /// Registers every series; a name can be registered once in a registry.
    #[expect(clippy::too_many_lines, reason = "one series after the other, no logic")]
    pub fn register(registry: &Registry) -> prometheus::Result<Self> {
        let counter =
            |name: &str, help: &str, labels: &[&str]| keep(registry, IntCounterVec::new(Opts::new(name, help), labels));
        let gauge =
            |name: &str, help: &str, labels: &[&str]| keep(registry, IntGaugeVec::new(Opts::new(name, help), labels));
        let contact = |name: &str, help: &str| {
            keep(
                registry,
                HistogramVec::new(
                    HistogramOpts::new(name, help).buckets(CONTACT_BUCKETS.to_vec()),
                    &["workspace", "channel"],
                ),
            )
        };
        Ok(Self {
            signals: counter(
                "leadgate_signals_total",
                "Accepted signals by what became of them. One that waited as unmatched for its lead counts as update, too.",
                &["workspace", "channel", "verdict"],
            )?,
            first_contact: contact(
                "leadgate_time_to_first_contact_seconds",
                "From the first touch to the first human contact, wall time.",
            )?,
            first_contact_business: contact(
                "leadgate_time_to_first_contact_business_seconds",
                "From the first touch to the first human contact, business time.",
            )?,
            waiting: gauge(
                "leadgate_leads_waiting",
                "Open leads that nobody has contacted.",
                &["workspace", "channel"],
            )?,
            waiting_oldest: keep(
                registry,
                GaugeVec::new(
                    Opts::new(
                        "leadgate_leads_waiting_oldest_seconds",
                        "Age of the oldest open lead that nobody has contacted.",
                    ),
                    &["workspace", "channel"],
                ),
            )?,
            breached: counter(
                "leadgate_sla_breached_total",
                "Leads whose deadline passed without a contact.",
                &["workspace", "channel"],
            )?,
            assignments: counter(
                "leadgate_assignments_total",
                "Leads given to a person, or to the queue, by rule.",
                &["workspace", "person", "rule"],
            )?,
            person_load: gauge("leadgate_person_load", "Leads a person has to answer.", &["workspace", "person"])?,
            queue_length: gauge("leadgate_queue_length", "Leads that wait for a person.", &["workspace"])?,
            id_conflicts: counter(
                "leadgate_id_conflicts_total",
                "Provider ids that came again with another content.",
                &["workspace", "channel"],
            )?,
            inbox_lag: gauge("leadgate_inbox_lag", "Accepted signals that are not decided yet.", &["workspace"])?,
            decide: keep(
                registry,
                Histogram::with_opts(
                    HistogramOpts::new("leadgate_decide_seconds", "Deciding one entry.")
                        .buckets(DECIDE_BUCKETS.to_vec()),
                ),
            )?,
            dead_letters: gauge("leadgate_dead_letters", "Entries that could not be decided.", &["workspace"])?,
            quarantined: gauge("leadgate_quarantined", "Genuine requests that could not be read.", &["workspace"])?,
            books_difference: gauge(
                "leadgate_books_difference",
                "Accepted signals without a verdict; 0 when the books balance.",
                &["workspace", "channel"],
            )?,
            engine_failures: counter(
                "leadgate_engine_failures_total",
                "Batches that were undone, by reason.",
                &["workspace", "reason"],
            )?,
        })
    }

    pub fn verdict(&self, workspace: &WorkspaceId, channel: &ChannelId, verdict: Verdict, count: i64) {
        // A fact adopted later moves from `unmatched` to `update`; a counter only tells the growth.
        let grown = u64::try_from(count).unwrap_or(0);
        self.signals.with_label_values(&[workspace.as_str(), channel.as_str(), verdict.word()]).inc_by(grown);
    }

    pub fn measure(&self, workspace: &WorkspaceId, measure: &Measure) {
        let ws = workspace.as_str();
        match measure {
            Measure::FirstContact { channel, wall, business } => {
                self.first_contact.with_label_values(&[ws, channel.as_str()]).observe(wall.as_secs_f64());
                self.first_contact_business.with_label_values(&[ws, channel.as_str()]).observe(business.as_secs_f64());
            }
            Measure::Breached { channel } => self.breached.with_label_values(&[ws, channel.as_str()]).inc(),
            Measure::Assigned { person, rule } => {
                let person = person.as_ref().map_or("", |person| person.as_str());
                self.assignments.with_label_values(&[ws, person, rule.word()]).inc();
            }
            Measure::IdConflict { channel } => self.id_conflicts.with_label_values(&[ws, channel.as_str()]).inc(),
        }
    }
}

fn keep<C: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    made: prometheus::Result<C>,
) -> prometheus::Result<C> {
    let collector = made?;
    registry.register(Box::new(collector.clone()))?;
    Ok(collector)
}
