//! What is the gateway told? Its own resolved settings; reading them from a file is the root's work.

use ipnet::IpNet;
use lead::units::{Rate, Size, Span};
use serde::{Deserialize, Serialize};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The public listener.
#[derive(Clone, Debug)]
pub struct Config {
    pub listen: SocketAddr,
    /// What providers were given and sign, without a trailing slash.
    pub public_url: String,
    /// Their `X-Forwarded-For` is believed; they are not limited themselves. They must append to that header or
    /// overwrite it, never pass a client's own through.
    pub trusted_proxies: Vec<IpNet>,
    /// When not empty, a request for another host is answered 421.
    pub hosts: Vec<String>,
    pub tls: Option<TlsFiles>,
    pub limits: Limits,
}

/// A certificate chain and its key, both PEM.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
    /// How often the files are looked at for a change.
    #[serde(default = "ten_seconds")]
    pub check: Span,
}

const fn ten_seconds() -> Span {
    seconds(10)
}

/// Every bound of a listener. The defaults are the product's promise; they are what `[limits]` shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest JSON body.
    pub json: Size,
    /// Largest form body.
    pub form: Size,
    /// Largest mail.
    pub mail: Size,
    /// Largest document that a source has fetched from its provider: a certificate, the lead behind an id.
    pub fetched: Size,
    /// All bodies in memory at one moment.
    pub bodies: Size,
    /// What one client of anonymous sources may have of them.
    pub bodies_per_client: Size,
    /// Requests being handled at one moment.
    pub requests: usize,
    /// Largest request head.
    pub head: Size,
    /// Most header lines.
    pub headers: usize,
    /// Longest path and query.
    pub uri: Size,
    /// From the first byte of a head to its last; also from the connection to the first byte.
    pub head_time: Span,
    /// From a head to the last byte of its body.
    pub body_time: Span,
    /// Slowest body, in bytes a second …
    pub body_rate: Size,
    /// … measured after this long.
    pub body_grace: Span,
    /// From a head to the answer.
    pub request_time: Span,
    /// A kept-alive connection without a request.
    pub idle_time: Span,
    /// A client that does not take its answer.
    pub write_time: Span,
    /// Fetching one such document.
    pub fetch_time: Span,
    /// A TLS handshake.
    pub handshake_time: Span,
    pub connections: usize,
    /// Per client address; an IPv6 client is its /64.
    pub connections_per_address: usize,
    /// Requests to anonymous sources, per client address.
    pub per_address: Rate,
    /// Requests to one channel.
    pub per_channel: Rate,
    /// Documents fetched for one channel's requests that nobody has proven genuine yet.
    pub unproven_fetches: Rate,
    /// Client addresses remembered one by one; beyond it newcomers share buckets.
    pub addresses: usize,
    /// After SIGTERM: how long running requests may finish.
    pub drain_time: Span,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            json: Size(256 << 10),
            form: Size(1 << 20),
            mail: Size(25 << 20),
            fetched: Size(256 << 10),
            bodies: Size(128 << 20),
            bodies_per_client: Size(16 << 20),
            requests: 2048,
            head: Size(16 << 10),
            headers: 64,
            uri: Size(8 << 10),
            head_time: seconds(5),
            body_time: seconds(10),
            body_rate: Size(1 << 10),
            body_grace: seconds(3),
            request_time: seconds(15),
            idle_time: seconds(30),
            write_time: seconds(30),
            fetch_time: seconds(4),
            handshake_time: seconds(5),
            connections: 4096,
            connections_per_address: 64,
            per_address: Rate { count: 20, period: Duration::from_secs(1), burst: 100 },
            per_channel: Rate { count: 1000, period: Duration::from_secs(1), burst: 4000 },
            unproven_fetches: Rate { count: 10, period: Duration::from_secs(60), burst: 10 },
            addresses: 100_000,
            drain_time: seconds(10),
        }
    }
}

const fn seconds(count: u64) -> Span {
    Span(Duration::from_secs(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_section_is_the_defaults_and_one_line_changes_one_limit() {
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::default());
        let changed: Limits = serde_json::from_str(r#"{"per_address": "5/m burst 2"}"#).unwrap();
        assert_eq!(changed, Limits { per_address: Rate::parse("5/m burst 2").unwrap(), ..Limits::default() });
    }

    #[test]
    fn a_limit_that_does_not_exist_is_refused_by_name() {
        let error = serde_json::from_str::<Limits>(r#"{"jsn": "1MiB"}"#).unwrap_err();
        assert!(error.to_string().starts_with("unknown field `jsn`"), "{error}");
    }
}
