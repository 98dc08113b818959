//! The entrance of a process: the public listener, the desk, and with Redis the way from the journal to the inboxes.

use super::store::{Kind, Store};
use super::views;
use crate::config::machine::{Config, Store as Configured};
use crate::config::mail::Mail;
use crate::config::watch::Snapshot;
use anyhow::Context as _;
use gateway::Gateway;
use gateway::clock::Clock;
use gateway::desk::{self, Desk, Now, Parts, Readiness};
use gateway::metrics::Metrics;
use gateway::smtp::session::Protocol;
use gateway::smtp::{Listener, Server};
use lead::identity::Pepper;
use lead::time::At;
use ledger::SharedLedger;
use ledger::folder::Folder;
use ledger::journal::Journal;
use ledger::redis::{Forwarder, Forwarding};
use prometheus::{GaugeVec, IntGauge, Opts, Registry};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::metrics::Unreleased;

/// Everything that takes knocks and questions.
pub(super) struct Front {
    pub(super) gateway: Arc<Gateway>,
    journal: Journal,
    ledger: SharedLedger,
    desk: Arc<Desk>,
    public: TcpListener,
    staff: TcpListener,
    mail: Option<MailServer>,
    forwarder: Option<(Forwarder, Sent)>,
    data: PathBuf,
}

/// The entrance of mail servers, not yet open.
type MailServer = (Server, Vec<(Protocol, Listener)>);

/// What is told of forwarding.
struct Sent {
    state: watch::Receiver<Forwarding>,
    unreleased: Unreleased,
    /// Known here also when no worker is there to say it.
    undecided: GaugeVec,
    connected: IntGauge,
}

/// The entrance while it is open.
pub(super) struct Open {
    public: JoinHandle<Result<(), gateway::tls::TlsError>>,
    staff: JoinHandle<()>,
    feeds: JoinHandle<()>,
    mail: Option<JoinHandle<()>>,
    forwarder: Option<JoinHandle<()>>,
    forwarding: CancellationToken,
    close: CancellationToken,
}

impl Front {
    pub(super) fn new(
        machine: &Config,
        store: &Store,
        journal: Journal,
        snapshot: &Snapshot,
        registry: &Registry,
        ready: &Arc<Readiness>,
    ) -> anyhow::Result<Self> {
        let clock = Clock::not_before(journal.reader()?.newest_received()?);
        let (settings, table) = (gateway_config(machine), views::entrances(snapshot));
        let pepper = Pepper::new(&store.pepper);
        let metrics = Metrics::new(registry);
        let gateway = Arc::new(Gateway::new(settings, table, journal.clone(), metrics, pepper.clone(), clock));
        let (now, measure) = (Arc::clone(&gateway), Arc::clone(&gateway));
        let desk = Arc::new(Desk::new(Parts {
            ledger: store.ledger(),
            journal: journal.clone(),
            tokens: views::tokens(machine),
            workspaces: views::workspaces(snapshot),
            registry: registry.clone(),
            ready: Arc::clone(ready),
            pepper,
            now: Now::new(move || now.clock.now()),
            measure: Arc::new(move || measure.measure()),
            limits: desk::Limits::default(),
            stop: CancellationToken::new(),
        }));
        Ok(Self {
            forwarder: forwarder(machine, store, &journal, &gateway, registry)?,
            mail: mail(machine, &gateway)?,
            gateway,
            journal,
            ledger: store.ledger(),
            desk,
            public: super::listen(machine.gateway.listen, "gateway.listen")?,
            staff: super::listen(machine.desk.listen, "desk.listen")?,
            data: machine.data.clone(),
        })
    }

    /// Takes knocks until `stop`.
    pub(super) fn open(self, machine: &Config, stop: &CancellationToken) -> (Open, Changing) {
        std::thread::spawn(inspect(self.data, Arc::clone(&self.desk)));
        let (forwarding, close) = (CancellationToken::new(), CancellationToken::new());
        let forwarder = self.forwarder.map(|(forwarder, sent)| {
            tokio::spawn(tell(sent, Arc::clone(&self.gateway), Arc::clone(&self.desk.ready), forwarding.clone()));
            tokio::spawn(forwarder.run(forwarding.clone()))
        });
        let (limits, series) = (machine.limits.clone(), self.gateway.metrics.clone());
        let open = Open {
            public: tokio::spawn(gateway::run(self.public, Arc::clone(&self.gateway), stop.clone())),
            staff: tokio::spawn(desk::run(self.staff, Arc::clone(&self.desk), limits, series, close.clone())),
            feeds: tokio::spawn(gateway::feeds::run(Arc::clone(&self.gateway), self.ledger, stop.clone())),
            mail: self.mail.map(|(server, listeners)| tokio::spawn(server.run(listeners, stop.clone()))),
            forwarder,
            forwarding,
            close,
        };
        (open, Changing { gateway: self.gateway, desk: self.desk, journal: self.journal })
    }
}

/// What a change of the configuration reaches.
pub(super) struct Changing {
    gateway: Arc<Gateway>,
    desk: Arc<Desk>,
    journal: Journal,
}

impl Changing {
    pub(super) fn follow(&self, snapshot: &Snapshot) {
        let table = views::entrances(snapshot).after(&self.gateway.channels.load());
        self.gateway.channels.store(Arc::new(table));
        self.desk.workspaces.store(Arc::new(views::workspaces(snapshot)));
    }

    /// Resolves when the disk under the journal has failed.
    pub(super) async fn broken(&self) {
        self.journal.broken().await;
    }
}

impl Open {
    /// Resolves when a listener of the world's ends although nobody told it to.
    pub(super) async fn failed(&mut self) -> anyhow::Result<()> {
        let Some(mail) = &mut self.mail else { return Ok((&mut self.public).await??) };
        tokio::select! {
            ended = &mut self.public => Ok(ended??),
            ended = mail => Ok(ended?),
        }
    }

    /// Lets running requests finish, after `stop` was said. What is answered last is still sent on.
    pub(super) async fn shut(self) {
        if !self.public.is_finished() {
            let _ = self.public.await;
        }
        let _ = self.feeds.await;
        if let Some(mail) = self.mail.filter(|mail| !mail.is_finished()) {
            let _ = mail.await;
        }
        self.close.cancel();
        let _ = self.staff.await;
        self.forwarding.cancel();
        if let Some(forwarder) = self.forwarder {
            let _ = forwarder.await;
        }
    }
}

/// The entrance of mail servers, where one is configured.
fn mail(machine: &Config, gateway: &Arc<Gateway>) -> anyhow::Result<Option<MailServer>> {
    let mail = &machine.gateway.mail;
    if mail.listeners.is_empty() {
        return Ok(None);
    }
    let mut listeners = Vec::new();
    for (protocol, listen) in &mail.listeners {
        let key = Mail::key(*protocol);
        let listener = Listener::bind(listen).with_context(|| format!("failed to listen on {key} = \"{listen}\""))?;
        tracing::info!(listener = protocol.word(), listen = %listen, "start.mail: mail servers may deliver");
        listeners.push((*protocol, listener));
    }
    Ok(Some((Server::new(Arc::clone(gateway), mail.config.clone())?, listeners)))
}

fn forwarder(
    machine: &Config,
    store: &Store,
    journal: &Journal,
    gateway: &Arc<Gateway>,
    registry: &Registry,
) -> anyhow::Result<Option<(Forwarder, Sent)>> {
    let (Kind::Redis(redis), Configured::Redis { durability, .. }) = (&store.kind, &machine.store) else {
        return Ok(None);
    };
    let (state, watching) = watch::channel(Forwarding::default());
    let clock = Arc::clone(gateway);
    let forwarder = Forwarder {
        journal: journal.clone(),
        redis: Arc::clone(redis),
        durability: *durability,
        keep: machine.keep.journal,
        clock: Arc::new(move || clock.clock.now()),
        state,
    };
    let connected = IntGauge::new("leadgate_store_connected", "1 while this gateway's journal reaches Redis.")?;
    registry.register(Box::new(connected.clone()))?;
    let undecided = Opts::new(
        "leadgate_undecided_oldest_seconds",
        "Age of the oldest signal of this gateway that no worker has decided.",
    );
    let undecided = GaugeVec::new(undecided, &["workspace"])?;
    registry.register(Box::new(undecided.clone()))?;
    let unreleased = Unreleased::register(registry)?;
    Ok(Some((forwarder, Sent { state: watching, unreleased, undecided, connected })))
}

/// Says of forwarding what operators want to know. A gateway is ready with Redis or without it.
async fn tell(mut sent: Sent, gateway: Arc<Gateway>, ready: Arc<Readiness>, stop: CancellationToken) {
    let mut ticks = tokio::time::interval(Duration::from_secs(1));
    while stop.run_until_cancelled(ticks.tick()).await.is_some() {
        let state = sent.state.borrow_and_update().clone();
        sent.connected.set(i64::from(state.connected));
        ready.note("store", state.connected && state.paused.is_none());
        let mut oldest = None;
        for (workspace, (rows, since)) in &state.unreleased {
            let rows = i64::try_from(*rows).unwrap_or(i64::MAX);
            sent.unreleased.rows.with_label_values(&[workspace.as_str()]).set(rows);
            oldest = [oldest, *since].into_iter().flatten().min();
        }
        let age = |since: Option<At>| since.map_or(0.0, |since| gateway.clock.now().since(since).as_secs_f64());
        sent.unreleased.oldest.set(age(oldest));
        for (workspace, since) in &state.undecided {
            sent.undecided.with_label_values(&[workspace.as_str()]).set(age(*since));
        }
    }
}

/// What lay on the disk while we were away is read once: damage is better known now than when it is needed.
fn inspect(data: PathBuf, desk: Arc<Desk>) -> impl FnOnce() + Send {
    move || {
        let sound = match Folder::damage(&data) {
            Ok(None) => true,
            Ok(Some(file)) => {
                tracing::error!(file, "integrity.damaged: stop, restore the last backup, and keep this folder");
                false
            }
            Err(error) => {
                tracing::error!(%error, "integrity.unknown: the files could not be read whole");
                false
            }
        };
        desk.ready.note("integrity", sound);
    }
}

fn gateway_config(machine: &Config) -> gateway::config::Config {
    let public = &machine.gateway;
    gateway::config::Config {
        listen: public.listen,
        public_url: public.public_url.clone(),
        trusted_proxies: public.trusted_proxies.clone(),
        hosts: public.hosts.clone(),
        tls: public.tls.clone(),
        limits: machine.limits.clone(),
    }
}
