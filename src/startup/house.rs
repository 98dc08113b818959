//! What does one process hold, and in what order does it come and go?

use super::back::{Back, Probes};
use super::front::Front;
use super::store::Store;
use super::{Role, hints, listen};
use crate::config::machine::Config;
use crate::config::problem::Problem;
use crate::config::watch::{Snapshot, Watcher};
use crate::config::{Env, Place};
use gateway::desk::Readiness;
use lead::identity::Pepper;
use prometheus::process_collector::ProcessCollector;
use prometheus::{IntGaugeVec, Opts, Registry};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// One process: the entrance, the engines, or both.
pub(super) struct House {
    machine: Config,
    role: Role,
    built_in: bool,
    store: Store,
    watcher: Watcher,
    rules: watch::Receiver<Arc<Snapshot>>,
    registry: Registry,
    ready: Arc<Readiness>,
    stale: IntGaugeVec,
    front: Option<Front>,
    probes: Option<Probes>,
}

/// Why serving ended.
pub(super) enum Ended {
    Told,
    /// The disk failed under the journal: only a new start, with a new handle, can go on.
    Broken,
}

impl House {
    /// Opens everything that can fail before anybody is told that we are here.
    pub(super) async fn open(
        place: Place,
        env: Env,
        machine: Config,
        role: Role,
    ) -> anyhow::Result<Result<Self, Vec<Problem>>> {
        std::thread::spawn(lead::phone::warm);
        let built_in = place.is_built_in();
        let store = Store::open(&machine, role).await?;
        let (watcher, rules) = match Watcher::start(place, env, machine.clone(), Pepper::new(&store.pepper)) {
            Ok(started) => started,
            Err(problems) => return Ok(Err(problems)),
        };
        let (registry, ready) = (Registry::new(), Arc::new(Readiness::new()));
        let stale = Opts::new(
            "leadgate_rules_stale",
            "1 while the file of a workspace is broken: older rules are in force, or none.",
        );
        let stale = IntGaugeVec::new(stale, &["workspace"])?;
        registry.register(Box::new(stale.clone()))?;
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let front = store.journal.clone().map(|journal| {
            let snapshot = Arc::clone(&rules.borrow());
            Front::new(&machine, &store, journal, &snapshot, &registry, &ready)
        });
        let front = front.transpose()?;
        let probes = match &front {
            Some(_) => None,
            None => {
                let listener = listen(machine.workers.listen, "workers.listen")?;
                Some(Probes { listener, ready: Arc::clone(&ready) })
            }
        };
        Ok(Ok(Self { machine, role, built_in, store, watcher, rules, registry, ready, stale, front, probes }))
    }

    /// Serves until a signal; what is returned then finishes everything in order.
    pub(super) async fn serve(self) -> anyhow::Result<(Ended, impl Future<Output = ()>)> {
        let Self { machine, role, built_in, store, watcher, mut rules, registry, ready, stale, front, probes } = self;
        let first = Arc::clone(&rules.borrow_and_update());
        let stop = CancellationToken::new();
        super::settings::watch(&store.kind, &machine.store, &registry, &stop)?;
        let back = (role != Role::Gateway).then(|| Back::open(&machine, &store, &registry, probes, &stop));
        let back = back.transpose()?;
        if let Some(back) = &back {
            back.follow(&first).await;
        }
        tokio::spawn(watcher.run(stop.clone()));
        let now = front.as_ref().map(|front| front.gateway.clock.now());
        let (mut open, changing) = front.map(|front| front.open(&machine, &stop)).unzip();
        note_stale(&stale, &ready, &first);
        ready.started();
        announce(&machine, role, &first, now.filter(|_| built_in));
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let ended = loop {
            tokio::select! {
                _ = terminate.recv() => break Ended::Told,
                _ = interrupt.recv() => break Ended::Told,
                () = broken(changing.as_ref()) => break Ended::Broken,
                failed = failed(open.as_mut()) => { failed?; break Ended::Broken }
                changed = rules.changed() => {
                    if changed.is_err() { break Ended::Broken }
                    let snapshot = Arc::clone(&rules.borrow_and_update());
                    if let Some(changing) = &changing { changing.follow(&snapshot); }
                    note_stale(&stale, &ready, &snapshot);
                    if let Some(back) = &back { back.follow(&snapshot).await; }
                }
            }
        };
        let stopping = async move {
            tracing::info!("stop.begun: no longer ready");
            ready.need("start", false);
            stop.cancel();
            if let Some(open) = open {
                open.shut().await;
            }
            if let Some(back) = back {
                back.shut().await;
            }
            store.close().await;
            tracing::info!("stop.done: stopped");
        };
        Ok((ended, stopping))
    }
}

/// Never, where there is no journal to break.
async fn broken(changing: Option<&super::front::Changing>) {
    match changing {
        Some(changing) => changing.broken().await,
        None => std::future::pending().await,
    }
}

async fn failed(open: Option<&mut super::front::Open>) -> anyhow::Result<()> {
    match open {
        Some(open) => open.failed().await,
        None => std::future::pending().await,
    }
}

/// A workspace with a broken file serves with older rules or not at all: somebody has to know.
fn note_stale(gauge: &IntGaugeVec, ready: &Readiness, snapshot: &Snapshot) {
    // One that is gone is no longer anything.
    gauge.reset();
    for id in snapshot.workspaces.keys().chain(&snapshot.stale) {
        gauge.with_label_values(&[id.as_str()]).set(i64::from(snapshot.stale.contains(id)));
    }
    ready.note("rules", snapshot.stale.is_empty());
}

/// One line for the log; and for a newcomer, from `demo_at` on, what to try.
#[expect(clippy::print_stdout, reason = "a newcomer reads this on the terminal")]
fn announce(machine: &Config, role: Role, snapshot: &Snapshot, demo_at: Option<lead::time::At>) {
    let channels: usize = snapshot.workspaces.values().map(|workspace| workspace.channels.len()).sum();
    let (version, role_name) = (env!("CARGO_PKG_VERSION"), role.word());
    let (workspaces, data) = (snapshot.workspaces.len(), machine.data.display());
    if role == Role::Workers {
        let listen = machine.workers.listen;
        tracing::info!(version, role = role_name, workers = %listen, workspaces, channels, "start.ready: leadgate decides");
    } else {
        let (public, desk) = (machine.gateway.listen, machine.desk.listen);
        tracing::info!(version, role = role_name, public = %public, desk = %desk, data = %data, workspaces, channels, "start.ready: leadgate serves");
    }
    for workspace in snapshot.workspaces.values().filter(|workspace| !workspace.consumers.is_empty()) {
        tracing::warn!(
            workspace = %workspace.rules.workspace,
            consumers = workspace.consumers.len(),
            "consumers.idle: this version does not deliver by itself; read the stream over HTTP"
        );
    }
    if let Some(now) = demo_at {
        let demo: Vec<_> = snapshot.workspaces.values().flat_map(|workspace| workspace.channels.clone()).collect();
        println!("{}", hints::text(&demo, machine.gateway.listen, machine.desk.listen, now));
    }
}
