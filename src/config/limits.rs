//! What may one sender cost? `[limits]`, every bound of the public listener.

use super::read::{Section, too_large};
use lead::units::{Rate, Size};
use std::time::Duration;

/// The bounds of the public listener, by the names of the file.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    pub(crate) json: Size,
    pub(crate) form: Size,
    pub(crate) mail: Size,
    pub(crate) bodies: Size,
    pub(crate) requests: usize,
    pub(crate) head: Size,
    pub(crate) headers: usize,
    pub(crate) uri: Size,
    pub(crate) head_time: Duration,
    pub(crate) body_time: Duration,
    pub(crate) request_time: Duration,
    /// Per second.
    pub(crate) body_rate: Size,
    pub(crate) body_grace: Duration,
    pub(crate) idle_time: Duration,
    pub(crate) write_time: Duration,
    pub(crate) handshake_time: Duration,
    pub(crate) connections: usize,
    pub(crate) connections_per_address: usize,
    pub(crate) per_address: Rate,
    pub(crate) per_channel: Rate,
    pub(crate) addresses: usize,
    pub(crate) drain_time: Duration,
}

pub(crate) fn read(section: &Section<'_>) -> Limits {
    let limits = Limits {
        json: section.size("json"),
        form: section.size("form"),
        mail: section.size("mail"),
        bodies: section.size("bodies"),
        requests: section.count("requests", 1..=1_000_000),
        head: section.size("head"),
        headers: section.count("headers", 16..=1024),
        uri: section.size("uri"),
        head_time: section.span("head_time"),
        body_time: section.span("body_time"),
        request_time: section.span("request_time"),
        body_rate: section.size("body_rate"),
        body_grace: section.span("body_grace"),
        idle_time: section.span("idle_time"),
        write_time: section.span("write_time"),
        handshake_time: section.span("handshake_time"),
        connections: section.count("connections", 1..=1_000_000),
        connections_per_address: section.count("connections_per_address", 1..=1_000_000),
        per_address: section.rate("per_address"),
        per_channel: section.rate("per_channel"),
        addresses: section.count("addresses", 1..=10_000_000),
        drain_time: section.span("drain_time"),
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
        ("mail", "bodies", limits.mail <= limits.bodies),
        ("uri", "head", limits.uri <= limits.head),
        ("connections_per_address", "connections", limits.connections_per_address <= limits.connections),
        ("body_time", "request_time", limits.body_time <= limits.request_time),
        ("body_grace", "body_time", limits.body_grace <= limits.body_time),
    ];
    for (small, large, fits) in pairs {
        if !fits {
            section.wrong(too_large(&section.spot(small), &section.spot(large)));
        }
    }
}
