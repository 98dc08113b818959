//! Where and how do mail servers deliver? `[gateway.smtp]` and `[gateway.lmtp]`, which keeps to the same bounds.

use super::machine::{AN_ADDRESS, certificate, host};
use super::problem::Problem;
use super::read::{Section, Spot, too_large};
use super::{A_NAME, Place};
use gateway::channel::Channel;
use gateway::config::Limits;
use gateway::smtp::session::Protocol;
use gateway::smtp::{Config, Listen};
use lead::ids::{ChannelId, is_name};
use lead::units::Span;
use std::net::SocketAddr;

/// The mail servers' entrance.
#[derive(Clone, Debug)]
pub(crate) struct Mail {
    pub(crate) listeners: Vec<(Protocol, Listen)>,
    pub(crate) config: Config,
    /// Where the postmaster is named.
    postmaster: Spot,
}

impl Mail {
    /// The listeners that have an address which another could have.
    pub(super) fn addresses(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        self.listeners.iter().filter_map(|(protocol, listen)| match (protocol, listen) {
            (Protocol::Smtp, Listen::Tcp(address)) => Some(("gateway.smtp", *address)),
            (Protocol::Lmtp, Listen::Tcp(address)) => Some(("gateway.lmtp", *address)),
            (_, Listen::Unix(_)) => None,
        })
    }

    /// The name of a listener's key.
    pub(crate) const fn key(protocol: Protocol) -> &'static str {
        match protocol {
            Protocol::Smtp => "gateway.smtp.listen",
            Protocol::Lmtp => "gateway.lmtp.listen",
        }
    }
}

pub(super) fn read(gateway: &Section<'_>, public_url: &str, place: &Place) -> Mail {
    let (smtp, lmtp) = (gateway.section("smtp"), gateway.section("lmtp"));
    let tcp = |text: &str| text.parse().ok().map(Listen::Tcp);
    let socket = |text: &str| {
        let path = text.strip_prefix("unix:").filter(|path| !path.trim().is_empty())?;
        Some(Listen::Unix(place.folder().join(path)))
    };
    let or_socket = format!("{AN_ADDRESS}, or the file of a socket like \"unix:run/lmtp.sock\"");
    let smtp_listen = smtp.parsed("listen", AN_ADDRESS, tcp).map(|listen| (Protocol::Smtp, listen));
    let lmtp_listen = lmtp.parsed("listen", &or_socket, |text| tcp(text).or_else(|| socket(text)));
    let listeners = smtp_listen.into_iter().chain(lmtp_listen.map(|listen| (Protocol::Lmtp, listen))).collect();
    lmtp.end();
    Mail { listeners, config: config(&smtp, public_url, place), postmaster: smtp.spot("postmaster") }
}

/// A postmaster who reads no mail; only the workspaces know their channels.
pub(super) fn no_postmaster(mail: &Mail, channels: &[&Channel]) -> Option<Problem> {
    let named = mail.config.postmaster.as_ref()?;
    let is_mailbox = |channel: &&Channel| channel.id == *named && channel.source == gateway::sources::mail::SOURCE.name;
    let expected = "the id of a [[channel]] with source = \"mail\"";
    (!channels.iter().any(is_mailbox)).then(|| mail.postmaster.wrong(expected))
}

/// What `[limits]` says of mails, seen from here; it matters only where somebody listens.
pub(super) fn contradictions(root: &Section<'_>, mail: &Mail, limits: &Limits) {
    if mail.listeners.is_empty() {
        return;
    }
    let (smtp, all) = (root.section("gateway").section("smtp"), root.section("limits"));
    if limits.mail > mail.config.mails {
        root.wrong(too_large(&all.spot("mail"), &smtp.spot("mails")));
    }
    if mail.config.mails > limits.bodies {
        root.wrong(too_large(&smtp.spot("mails"), &all.spot("bodies")));
    }
}

fn config(section: &Section<'_>, public_url: &str, place: &Place) -> Config {
    let named = section.parsed("host", "a host name like \"mx.leads.example.com\"", host);
    let config = Config {
        host: named.unwrap_or_else(|| host_of(public_url)),
        postmaster: section.parsed("postmaster", A_NAME, |text| is_name(text).then(|| ChannelId::new(text))),
        tls: section.maybe_section("tls").and_then(|tls| certificate(&tls, place)),
        connections: section.count("connections", 1..=100_000),
        mails: section.size("mails"),
        recipients: section.count("recipients", 1..=10_000),
        commands: section.count("commands", 10..=1_000_000),
        mistakes: section.count("mistakes", 1..=1_000_000),
        line: section.size("line"),
        command_time: Span(section.span("command_time")),
        mail_time: Span(section.span("mail_time")),
    };
    let pairs = [
        ("recipients", "commands", config.recipients <= config.commands),
        ("command_time", "mail_time", config.command_time <= config.mail_time),
    ];
    for (small, large, fits) in pairs {
        if !fits {
            section.wrong(too_large(&section.spot(small), &section.spot(large)));
        }
    }
    // RFC 5321 4.5.3.1: no command of those we know is longer than 512 bytes without its parameters.
    if config.line.bytes() < 512 {
        section.wrong(section.spot("line").wrong("at least 512B"));
    }
    section.end();
    config
}

/// The host of an address; an IP address is no name to be greeted with.
fn host_of(url: &str) -> String {
    let url = url::Url::parse(url).ok();
    url.and_then(|url| url.domain().map(str::to_owned)).unwrap_or_else(|| "localhost".to_owned())
}
