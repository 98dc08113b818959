//! What may one sender cost? `[limits]`, every bound of the public listener.

use super::read::{Section, too_large};
use gateway::config::Limits;
use lead::units::Span;

pub(crate) fn read(section: &Section<'_>) -> Limits {
    let limits = Limits {
        json: section.size("json"),
        form: section.size("form"),
        mail: section.size("mail"),
        fetched: section.size("fetched"),
        bodies: section.size("bodies"),
        bodies_per_client: section.size("bodies_per_client"),
        requests: section.count("requests", 1..=1_000_000),
        head: section.size("head"),
        headers: section.count("headers", 16..=1024),
        uri: section.size("uri"),
        head_time: Span(section.span("head_time")),
        body_time: Span(section.span("body_time")),
        request_time: Span(section.span("request_time")),
        body_rate: section.size("body_rate"),
        body_grace: Span(section.span("body_grace")),
        idle_time: Span(section.span("idle_time")),
        write_time: Span(section.span("write_time")),
        fetch_time: Span(section.span("fetch_time")),
        handshake_time: Span(section.span("handshake_time")),
        connections: section.count("connections", 1..=1_000_000),
        connections_per_address: section.count("connections_per_address", 1..=1_000_000),
        per_address: section.rate("per_address"),
        per_channel: section.rate("per_channel"),
        unproven_fetches: section.rate("unproven_fetches"),
        addresses: section.count("addresses", 1..=10_000_000),
        drain_time: Span(section.span("drain_time")),
    };
    contradictions(section, &limits);
    section.end();
    limits
}

/// Pairs of which one makes the other pointless.
fn contradictions(section: &Section<'_>, limits: &Limits) {
    let pairs = [
        ("json", "bodies", limits.json <= limits.bodies),
        ("form", "bodies", limits.form <= limits.bodies),
        ("form", "bodies_per_client", limits.form <= limits.bodies_per_client),
        ("mail", "bodies", limits.mail <= limits.bodies),
        ("uri", "head", limits.uri <= limits.head),
        ("connections_per_address", "connections", limits.connections_per_address <= limits.connections),
        ("body_time", "request_time", limits.body_time <= limits.request_time),
        ("fetch_time", "request_time", limits.fetch_time <= limits.request_time),
        ("body_grace", "body_time", limits.body_grace <= limits.body_time),
    ];
    for (small, large, fits) in pairs {
        if !fits {
            section.wrong(too_large(&section.spot(small), &section.spot(large)));
        }
    }
}
