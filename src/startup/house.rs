//! What does one process hold, and in what order does it come and go?

use super::engines::Engines;
use super::{hints, views};
use crate::config::machine::Config;
use crate::config::problem::Problem;
use crate::config::watch::{Snapshot, Watcher};
use crate::config::{Env, Place};
use anyhow::Context as _;
use gateway::Gateway;
use gateway::clock::Clock;
use gateway::desk::{self, Desk, Now, Parts, Readiness};
use gateway::metrics::Metrics as GatewayMetrics;
use gateway::server;
use lead::identity::Pepper;
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::Journal;
use ledger::{Keep, SharedLedger};
use prometheus::{IntGaugeVec, Opts, Registry};
use secrecy::ExposeSecret as _;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use workers::keeper::Keeper;

/// Everything in one process: entrances, engines, desk.
pub(super) struct House {
    machine: Config,
    built_in: bool,
    _folder: Folder,
    watcher: Watcher,
    rules: watch::Receiver<Arc<Snapshot>>,
    journal: Journal,
    ledger: Arc<Embedded>,
    registry: Registry,
    stale: IntGaugeVec,
    gateway: Arc<Gateway>,
    desk: Arc<Desk>,
    public: TcpListener,
    staff: TcpListener,
}

/// Why serving ended.
pub(super) enum Ended {
    Told,
    /// The disk failed under the journal: only a new start, with a new handle, can go on.
    Broken,
}

impl House {
    /// Opens everything that can fail before anybody is told that we are here.
    pub(super) fn open(place: Place, env: Env, machine: Config) -> anyhow::Result<Result<Self, Vec<Problem>>> {
        std::thread::spawn(lead::phone::warm);
        let built_in = place.is_built_in();
        let folder = Folder::take(&machine.data)?;
        let pepper = pepper(&machine, &folder)?;
        let (watcher, rules) = match Watcher::start(place, env, machine.clone(), pepper.clone()) {
            Ok(started) => started,
            Err(problems) => return Ok(Err(problems)),
        };
        let journal = Journal::open(folder.path(), machine.journal.clone())?;
        let ledger = Arc::new(Embedded::open(folder.path(), journal.clone())?);
        let registry = Registry::new();
        let stale =
            Opts::new("leadgate_rules_stale", "1 while a workspace runs with older rules because its file is broken.");
        let stale = IntGaugeVec::new(stale, &["workspace"])?;
        registry.register(Box::new(stale.clone()))?;
        let clock = Clock::not_before(journal.reader()?.newest_received()?);
        let table = views::entrances(&rules.borrow());
        let metrics = GatewayMetrics::new(&registry);
        let settings = gateway_config(&machine);
        let gateway = Arc::new(Gateway::new(settings, table, journal.clone(), metrics, pepper.clone(), clock));
        let desk = Arc::new(Desk::new(Parts {
            ledger: Arc::clone(&ledger) as SharedLedger,
            journal: journal.clone(),
            tokens: views::tokens(&machine),
            workspaces: views::workspaces(&rules.borrow()),
            registry: registry.clone(),
            ready: Arc::new(Readiness::new()),
            pepper,
            now: Now::new({
                let gateway = Arc::clone(&gateway);
                move || gateway.clock.now()
            }),
            measure: {
                let gateway = Arc::clone(&gateway);
                Arc::new(move || gateway.measure())
            },
            limits: desk::Limits::default(),
            stop: CancellationToken::new(),
        }));
        let public = listen(machine.gateway.listen, "gateway.listen")?;
        let staff = listen(machine.desk.listen, "desk.listen")?;
        Ok(Ok(Self {
            machine,
            built_in,
            _folder: folder,
            watcher,
            rules,
            journal,
            ledger,
            registry,
            stale,
            gateway,
            desk,
            public,
            staff,
        }))
    }

    /// Serves until a signal; what is returned then finishes everything in order.
    pub(super) async fn serve(self) -> anyhow::Result<(Ended, impl Future<Output = ()>)> {
        let shared: SharedLedger = Arc::clone(&self.ledger) as SharedLedger;
        let metrics = workers::Metrics::register(&self.registry)?;
        let bounds = self.machine.workers.bounds.clone();
        let mut engines = Engines::new(Arc::clone(&shared), metrics.clone(), bounds.clone());
        let mut rules = self.rules.clone();
        let first = Arc::clone(&rules.borrow_and_update());
        engines.follow(&first).await;
        let keeper = Keeper {
            ledger: shared,
            metrics,
            config: bounds,
            keep: keep(&self.machine),
            clock: workers::clock::Clock::Wall,
            workspaces: engines.served(),
        };
        let (stop, close) = (CancellationToken::new(), CancellationToken::new());
        tokio::spawn(keeper.run(stop.clone()));
        std::thread::spawn(inspect(self.machine.data.clone(), Arc::clone(&self.desk)));
        tokio::spawn(self.watcher.run(stop.clone()));
        let mut public = tokio::spawn(gateway::run(self.public, Arc::clone(&self.gateway), stop.clone()));
        let (limits, series) = (self.machine.limits.clone(), self.gateway.metrics.clone());
        let staff = tokio::spawn(desk::run(self.staff, Arc::clone(&self.desk), limits, series, close.clone()));
        note_stale(&self.stale, &self.desk.ready, &first);
        self.desk.ready.started();
        announce(&self.machine, &first, self.built_in, self.gateway.clock.now());
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ended = loop {
            tokio::select! {
                _ = terminate.recv() => break Ended::Told,
                _ = interrupt.recv() => break Ended::Told,
                () = self.journal.broken() => break Ended::Broken,
                failed = &mut public => { failed??; break Ended::Broken }
                changed = rules.changed() => {
                    if changed.is_err() { break Ended::Broken }
                    let snapshot = Arc::clone(&rules.borrow_and_update());
                    self.gateway.channels.store(Arc::new(views::entrances(&snapshot)));
                    self.desk.workspaces.store(Arc::new(views::workspaces(&snapshot)));
                    note_stale(&self.stale, &self.desk.ready, &snapshot);
                    engines.follow(&snapshot).await;
                }
            }
        };
        let stopping = async move {
            tracing::info!("stop.begun: no longer ready");
            self.desk.ready.need("start", false);
            stop.cancel();
            if !public.is_finished() {
                let _ = public.await;
            }
            close.cancel();
            let _ = staff.await;
            engines.stop().await;
            self.journal.close().await;
            self.ledger.close().await;
            tracing::info!("stop.done: stopped");
        };
        Ok((ended, stopping))
    }
}

/// What lay on the disk while we were away is read once: damage is better known now than when it is needed.
fn inspect(data: std::path::PathBuf, desk: Arc<Desk>) -> impl FnOnce() + Send {
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

/// A workspace with a broken file serves with older rules: somebody has to know.
fn note_stale(gauge: &IntGaugeVec, ready: &Readiness, snapshot: &Snapshot) {
    for id in snapshot.workspaces.keys() {
        gauge.with_label_values(&[id.as_str()]).set(i64::from(snapshot.stale.contains(id)));
    }
    ready.note("rules", snapshot.stale.is_empty());
}

fn pepper(machine: &Config, folder: &Folder) -> anyhow::Result<Pepper> {
    let secret = match &machine.pepper {
        Some(own) => own.expose_secret().as_bytes().to_vec(),
        None => folder.pepper(rand::random())?,
    };
    Ok(Pepper::new(&secret))
}

fn listen(address: SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
    server::bind(address).with_context(|| format!("failed to listen on {key} = \"{address}\""))
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

fn keep(machine: &Config) -> Keep {
    let keep = &machine.keep;
    Keep { events: keep.events, journal: keep.journal, seen: keep.seen, closed: keep.closed }
}

/// One line for the log; and for a newcomer, what to try.
#[expect(clippy::print_stdout, reason = "a newcomer reads this on the terminal")]
fn announce(machine: &Config, snapshot: &Snapshot, built_in: bool, now: lead::time::At) {
    let channels: usize = snapshot.workspaces.values().map(|workspace| workspace.channels.len()).sum();
    tracing::info!(
        version = env!("CARGO_PKG_VERSION"),
        role = "all",
        public = %machine.gateway.listen,
        desk = %machine.desk.listen,
        data = %machine.data.display(),
        workspaces = snapshot.workspaces.len(),
        channels,
        "start.ready: leadgate serves"
    );
    for workspace in snapshot.workspaces.values().filter(|workspace| !workspace.consumers.is_empty()) {
        tracing::warn!(
            workspace = %workspace.rules.workspace,
            consumers = workspace.consumers.len(),
            "consumers.idle: this version does not deliver by itself; read the stream over HTTP"
        );
    }
    if built_in {
        let demo: Vec<_> = snapshot.workspaces.values().flat_map(|workspace| workspace.channels.clone()).collect();
        println!("{}", hints::text(&demo, machine.gateway.listen, machine.desk.listen, now));
    }
}
