//! How does leadgate come up, and how does it go down?
//!
//! Up: configuration, folder, journal, ledger, listeners, engines, and only then ready. Down, with a deadline: not
//! ready, accept no more, finish requests, finish batches, close the journal, exit. What is composed here knows
//! nothing of each other beyond the ledger.

mod engines;
mod hints;
mod views;

use crate::config::machine::{Config, Store};
use crate::config::problem::Problem;
use crate::config::watch::{Snapshot, Watcher};
use crate::config::{self, Env, Place};
use anyhow::Context as _;
use engines::Engines;
use gateway::Gateway;
use gateway::clock::Clock;
use gateway::metrics::Metrics as GatewayMetrics;
use gateway::server;
use lead::identity::Pepper;
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::Journal;
use ledger::{Keep, SharedLedger};
use prometheus::Registry;
use secrecy::ExposeSecret as _;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use workers::keeper::Keeper;

/// Configuration wrong, or at odds with what was asked.
const WRONG: u8 = 64;

/// Which half of the product this process is.
#[derive(Copy, Clone, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Role {
    /// Everything in one process.
    All,
    /// The entrances only; needs a Redis store.
    Gateway,
    /// The engines only; needs a Redis store.
    Workers,
}

/// Runs until told to stop. Every problem of the configuration is printed, with what was expected.
pub(crate) fn run(config: Option<&Path>, role: Role) -> ExitCode {
    let env: Env = std::env::vars().collect();
    let place = Place::find(config, &env);
    let (machine, problems) = config::machine(&place, &env);
    if !problems.is_empty() {
        return refuse(&problems);
    }
    if role != Role::All && matches!(machine.store, Store::Embedded) {
        say(
            "the embedded store belongs to one process, so there are no halves to run: start `leadgate` without --role, or set store.url to a Redis",
        );
        return ExitCode::from(WRONG);
    }
    crate::log::start(&machine.log);
    match serve(place, env, machine) {
        Ok(code) => code,
        Err(error) => {
            say(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stderr, reason = "the process ends with this sentence; there may be no log yet")]
fn say(sentence: &str) {
    eprintln!("leadgate: {sentence}");
}

#[expect(clippy::print_stderr, reason = "the process ends with these sentences; there is no log yet")]
fn refuse(problems: &[Problem]) -> ExitCode {
    for problem in problems {
        eprintln!("{problem}");
    }
    ExitCode::from(WRONG)
}

#[tokio::main]
async fn serve(place: Place, env: Env, machine: Config) -> anyhow::Result<ExitCode> {
    let grace = machine.grace;
    let built_in = place.is_built_in();
    let house = match House::open(place, env, machine)? {
        Ok(house) => house,
        Err(problems) => return Ok(refuse(&problems)),
    };
    let stopping = house.serve(built_in).await?;
    if timeout(grace, stopping).await.is_err() {
        tracing::error!(
            grace_s = grace.as_secs(),
            "stop.overran: stopping took too long; what was accepted is in the journal"
        );
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// Everything one process holds.
struct House {
    machine: Config,
    _folder: Folder,
    watcher: Watcher,
    rules: watch::Receiver<Arc<Snapshot>>,
    journal: Journal,
    ledger: Arc<Embedded>,
    registry: Registry,
    gateway: Arc<Gateway>,
    public: TcpListener,
}

impl House {
    /// Opens everything that can fail before anybody is told that we are here.
    fn open(place: Place, env: Env, machine: Config) -> anyhow::Result<Result<Self, Vec<Problem>>> {
        std::thread::spawn(lead::phone::warm);
        let folder = Folder::take(&machine.data)?;
        let pepper = pepper(&machine, &folder)?;
        let (watcher, rules) = match Watcher::start(place, env, machine.clone(), pepper.clone()) {
            Ok(started) => started,
            Err(problems) => return Ok(Err(problems)),
        };
        let journal = Journal::open(folder.path(), machine.journal.clone())?;
        let ledger = Arc::new(Embedded::open(folder.path(), journal.clone())?);
        let registry = Registry::new();
        let clock = Clock::not_before(journal.reader()?.newest_received()?);
        let settings = gateway_config(&machine);
        let table = views::entrances(&rules.borrow());
        let metrics = GatewayMetrics::new(&registry);
        let gateway = Arc::new(Gateway::new(settings, table, journal.clone(), metrics, pepper, clock));
        let public = listen(machine.gateway.listen, "gateway.listen")?;
        Ok(Ok(Self { machine, _folder: folder, watcher, rules, journal, ledger, registry, gateway, public }))
    }

    /// Serves until a signal; what is returned then finishes everything in order.
    async fn serve(self, built_in: bool) -> anyhow::Result<impl Future<Output = ()>> {
        let shared: SharedLedger = Arc::clone(&self.ledger) as SharedLedger;
        let metrics = workers::Metrics::register(&self.registry)?;
        let bounds = self.machine.workers.bounds.clone();
        let mut engines = Engines::new(Arc::clone(&shared), metrics.clone(), bounds.clone());
        let stop = CancellationToken::new();
        let mut rules = self.rules.clone();
        let snapshot = Arc::clone(&rules.borrow_and_update());
        engines.follow(&snapshot).await;
        let keeper = Keeper {
            ledger: Arc::clone(&shared),
            metrics,
            config: bounds,
            keep: keep(&self.machine),
            clock: workers::clock::Clock,
            workspaces: engines.served(),
        };
        tokio::spawn(keeper.run(stop.clone()));
        tokio::spawn(self.watcher.run(stop.clone()));
        let public = tokio::spawn(gateway::run(self.public, Arc::clone(&self.gateway), stop.clone()));
        announce(&self.machine, &snapshot, built_in, self.gateway.clock.now());
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                () = self.journal.broken() => break,
                changed = rules.changed() => {
                    if changed.is_err() { break }
                    let snapshot = Arc::clone(&rules.borrow_and_update());
                    self.gateway.channels.store(Arc::new(views::entrances(&snapshot)));
                    engines.follow(&snapshot).await;
                    tracing::info!(workspaces = snapshot.workspaces.len(), stale = snapshot.stale.len(), "rules.changed: new rules are in force");
                }
            }
        }
        Ok(async move {
            tracing::info!("stop.begun: no longer ready");
            stop.cancel();
            let _ = public.await;
            engines.stop().await;
            self.journal.close().await;
            self.ledger.close().await;
            tracing::info!("stop.done: stopped");
        })
    }
}

fn pepper(machine: &Config, folder: &Folder) -> anyhow::Result<Pepper> {
    let secret = match &machine.pepper {
        Some(own) => own.expose_secret().as_bytes().to_vec(),
        None => folder.pepper(rand::random())?,
    };
    Ok(Pepper::new(&secret))
}

fn listen(address: std::net::SocketAddr, key: &str) -> anyhow::Result<TcpListener> {
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
        workspaces = snapshot.workspaces.len(),
        channels,
        "start: leadgate is ready"
    );
    if built_in {
        let demo: Vec<_> = snapshot.workspaces.values().flat_map(|workspace| workspace.channels.clone()).collect();
        println!("{}", hints::text(&demo, machine.gateway.listen, machine.desk.listen, now));
    }
}
