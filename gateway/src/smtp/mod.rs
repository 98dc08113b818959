//! How does a mail server deliver straight into a channel? A listener that speaks SMTP and one that speaks LMTP.
//!
//! The recipients are the addresses of the channels with the source `mail`. 250 after a mail means what 2xx means
//! elsewhere: its rows are on disk. Read in this order: [`session`] (what follows from a command, without any IO),
//! [`data`] (where a mail ends), [`talk`] (one connection), [`trace`] (what we write above a mail), [`deliver`] (from a mail to the
//! journal).
//!
//! After RFC 5321 (SMTP), 2033 (LMTP), 1870 (SIZE), 2034 (enhanced codes), 2920 (PIPELINING), 3207 (STARTTLS), 6152
//! (8BITMIME) and 6531 (SMTPUTF8). There is no relaying, no login, and nobody is ever answered by mail. No line of the
//! log holds what an envelope said.

mod command;
pub mod data;
mod deliver;
#[doc(hidden)]
pub mod fuzzing;
mod lines;
mod listener;
mod mail;
pub mod reply;
pub mod session;
mod talk;
mod trace;

pub use listener::{Listen, Listener};

use crate::admission::Budget;
use crate::config::TlsFiles;
use crate::doors::Doors;
use crate::server::{drain, sort_out};
use crate::state::Gateway;
use crate::tls::{Tls, TlsError};
use lead::ids::ChannelId;
use lead::units::{Size, Span};
use reply::Reply;
use session::{Offer, Protocol};
use std::sync::Arc;
use std::time::Duration;
use talk::Talk;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What both listeners are told; the largest mail and the time for an end are among the gateway's limits. The defaults
/// are what `[gateway.smtp]` of the manual shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Our name in the greeting, and in what we write above a mail.
    pub host: String,
    /// The channel that gets what is written to postmaster, who must be reachable (RFC 5321 4.5.1).
    pub postmaster: Option<ChannelId>,
    pub tls: Option<TlsFiles>,
    /// Open connections of one listener.
    pub connections: usize,
    /// Bytes of the mails that one listener holds in memory, besides what all bodies together may have: slow senders of
    /// mails leave room for calls and forms.
    pub mails: Size,
    /// Recipients of one mail.
    pub recipients: usize,
    /// Commands of one connection without a mail that was taken.
    pub commands: usize,
    /// Commands of one connection that were refused for good.
    pub mistakes: usize,
    /// Longest command.
    pub line: Size,
    /// From our answer to the next whole command; also the longest silence within a mail.
    pub command_time: Span,
    /// From the first byte of a mail to its last.
    pub mail_time: Span,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            postmaster: None,
            tls: None,
            connections: 256,
            mails: Size(50 << 20),
            recipients: 100,
            commands: 2000,
            mistakes: 20,
            line: Size(2 << 10),
            command_time: Span(Duration::from_secs(5 * 60)),
            mail_time: Span(Duration::from_secs(5 * 60)),
        }
    }
}

/// What the sessions of both listeners share.
#[derive(Debug)]
pub struct Server {
    gateway: Arc<Gateway>,
    config: Config,
    tls: Option<Arc<Tls>>,
    /// Mails on their way to the journal: they arrive there although their sender hangs up.
    deliveries: TaskTracker,
}

impl Server {
    pub fn new(gateway: Arc<Gateway>, config: Config) -> Result<Self, TlsError> {
        let tls = config.tls.clone().map(Tls::for_mail).transpose()?.map(Arc::new);
        Ok(Self { gateway, config, tls, deliveries: TaskTracker::new() })
    }

    /// Serves until stopped; returns when every session has ended or the drain time is over.
    pub async fn run(self, listeners: Vec<(Protocol, Listener)>, stop: CancellationToken) {
        let (server, running) = (Arc::new(self), TaskTracker::new());
        for (protocol, listener) in listeners {
            running.spawn(serve(Arc::clone(&server), protocol, listener, stop.clone()));
        }
        if let Some(tls) = &server.tls {
            tls.watch(stop).await;
        }
        running.close();
        running.wait().await;
        server.deliveries.close();
        if timeout(server.gateway.config.limits.drain_time.0, server.deliveries.wait()).await.is_err() {
            tracing::warn!(mails = server.deliveries.len(), "smtp.cut: mails outlived the drain time");
        }
    }

    fn offer(&self) -> Offer {
        Offer {
            host: self.config.host.clone(),
            size: self.gateway.config.limits.mail.bytes(),
            tls: self.tls.is_some(),
            recipients: self.config.recipients,
            commands: self.config.commands,
            mistakes: self.config.mistakes,
        }
    }
}

/// What the connections of one listener share.
#[derive(Clone, Debug)]
struct Place {
    protocol: Protocol,
    doors: Arc<Doors>,
    mails: Arc<Budget>,
    stop: CancellationToken,
}

impl Place {
    fn new(server: &Server, protocol: Protocol, stop: CancellationToken) -> Self {
        let (config, gateway) = (&server.config, &server.gateway);
        let each = gateway.config.limits.connections_per_address;
        let trusted = &gateway.config.trusted_proxies;
        let doors = Arc::new(Doors::new(protocol.word(), config.connections, each, trusted, &gateway.metrics));
        Self { protocol, doors, mails: Budget::new(config.mails.bytes()), stop }
    }
}

async fn serve(server: Arc<Server>, protocol: Protocol, listener: Listener, stop: CancellationToken) {
    let (tasks, cut) = (TaskTracker::new(), CancellationToken::new());
    let place = Place::new(&server, protocol, stop.clone());
    let (gateway, doors) = (&server.gateway, Arc::clone(&place.doors));
    while let Some(accepted) = stop.run_until_cancelled(listener.accept()).await {
        let Some((io, address)) = sort_out(accepted).await else { continue };
        match doors.open(address) {
            Ok(pass) => {
                let talk = Talk::new(io, Arc::clone(&server), place.clone(), address);
                let cut = cut.clone();
                tasks.spawn(async move {
                    let _pass = pass;
                    cut.run_until_cancelled(talk.run()).await;
                });
            }
            Err(full) => {
                let Some(permit) = doors.turn_away(full) else { continue };
                tasks.spawn(async move {
                    let _permit = permit;
                    talk::part(io, &Reply::FULL).await;
                });
            }
        }
    }
    drop(listener);
    drain(protocol.word(), gateway.config.limits.drain_time.0, &tasks, &cut).await;
}
