//! What does the entrance count? One struct, one series a field; labels are configured ids and closed words, so no
//! sender can make a new series.

use prometheus::core::Collector;
use prometheus::{Histogram, HistogramOpts, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, exponential_buckets};

#[derive(Clone, Debug)]
pub struct Metrics {
    /// Signals made durable and acknowledged.
    pub accepted: IntCounterVec,
    /// Requests that were not taken; a channel that is not configured has no name.
    pub refused: IntCounterVec,
    /// Genuine requests that hold nothing of interest.
    pub ignored: IntCounterVec,
    /// Seconds from a request's head to its acknowledgement.
    pub accept_seconds: Histogram,
    /// Open connections.
    pub connections: IntGaugeVec,
    /// Connections turned away.
    pub connections_refused: IntCounterVec,
    /// Bytes of request bodies in memory.
    pub body_bytes: IntGauge,
    /// Requests being handled.
    pub requests: IntGauge,
    /// Client addresses the limiter remembers.
    pub limited_addresses: IntGauge,
    /// 1 while this gateway keeps the connection of a channel that is fetched.
    pub feed_connected: IntGaugeVec,
    /// Connections of feeds that failed or broke.
    pub feed_failures: IntCounterVec,
    /// Seconds of which a feed without a memory will never tell.
    pub feed_missed_seconds: IntCounterVec,
    /// What a mail server was told instead of yes, by the codes it heard.
    pub smtp_refusals: IntCounterVec,
    /// Signals that a provider's webhook did not bring and its list did.
    pub reconciled: IntCounterVec,
}

impl Metrics {
    /// Registered in `registry`; a registry takes one gateway.
    pub fn new(registry: &Registry) -> Self {
        let add = Add(registry);
        let seconds = exponential_buckets(0.0005, 2.0, 15).expect("the buckets grow");
        let accept =
            HistogramOpts::new("leadgate_accept_seconds", "Seconds from a request's head to its acknowledgement");
        let (channel, listener) = (["workspace", "channel"], ["listener"]);
        Self {
            accepted: add.counter("signals_accepted_total", "Signals made durable and acknowledged", &channel),
            refused: add.counter("signals_refused_total", "Requests that were not taken", &["channel", "reason"]),
            ignored: add.counter("signals_ignored_total", "Genuine requests that hold nothing of interest", &channel),
            accept_seconds: add.add(Histogram::with_opts(accept.buckets(seconds)).expect("a valid histogram")),
            connections: add.gauges("connections", "Open connections", &listener),
            connections_refused: add.counter(
                "connections_refused_total",
                "Connections turned away",
                &["listener", "reason"],
            ),
            body_bytes: add.gauge("body_bytes", "Bytes of request bodies in memory"),
            requests: add.gauge("requests_in_flight", "Requests being handled"),
            limited_addresses: add.gauge("limited_addresses", "Client addresses the limiter remembers"),
            feed_connected: add.gauges(
                "feed_connected",
                "1 while this gateway keeps the connection of a channel that is fetched",
                &["channel"],
            ),
            feed_failures: add.counter(
                "feed_failures_total",
                "Connections of feeds that failed or broke",
                &["channel"],
            ),
            feed_missed_seconds: add.counter(
                "feed_missed_seconds_total",
                "Seconds of which a feed without a memory will never tell",
                &["channel"],
            ),
            smtp_refusals: add.counter(
                "smtp_refusals_total",
                "What a mail server was told instead of yes, by the codes it heard",
                &["listener", "reply"],
            ),
            reconciled: add.counter(
                "reconciled_total",
                "Signals that a provider's webhook did not bring and its list did",
                &["channel"],
            ),
        }
    }
}

struct Add<'a>(&'a Registry);

impl Add<'_> {
    fn add<C: Collector + Clone + 'static>(&self, collector: C) -> C {
        self.0.register(Box::new(collector.clone())).expect("a registry takes one gateway");
        collector
    }

    fn counter(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.add(IntCounterVec::new(opts(name, help), labels).expect("a valid counter"))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.add(IntGaugeVec::new(opts(name, help), labels).expect("a valid gauge"))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.add(IntGauge::with_opts(opts(name, help)).expect("a valid gauge"))
    }
}

fn opts(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace("leadgate")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_gateways_side_by_side_count_apart() {
        let (one, other) = (Metrics::new(&Registry::new()), Metrics::new(&Registry::new()));
        one.accepted.with_label_values(&["demo", "form"]).inc();
        assert_eq!(other.accepted.with_label_values(&["demo", "form"]).get(), 0);
    }
}
