//! Does the product keep its promises whatever goes wrong between it and Redis? Played through from a seed.
//!
//! Read in this order: `plan` (what a run is), `server` (a Redis in memory, and everything that is on its way to it),
//! `world` (real journals, forwarders, rosters and engines around it), `checks` (what must come out). A run has one
//! thread, a clock of its own and dice that follow from its seed, so a run that failed can be seen again.

mod checks;
mod dice;
mod net;
mod people;
mod plan;
mod server;
mod world;

use checks::{Expected, Found};
use ledger::journal::Journal;
use net::Net;
use plan::{AUDITOR, Plan};
use prometheus::Registry;
use server::Server;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use workers::Metrics;
use world::{EPOCH, Journals, World};

pub use server::Flaw;

/// How long everything may take to come right once nothing goes wrong any more.
const HEALING: Duration = Duration::from_secs(180);
/// A journal's thread that does not end its work in this time never will.
const STUCK: Duration = Duration::from_secs(20);
/// Past every deadline of a run.
const AHEAD: i64 = 2 * 86_400_000;

/// What became of a run.
#[derive(Debug, Default)]
pub struct Report {
    pub seed: u64,
    pub accepted: usize,
    pub events: usize,
    /// Commits that came from an owner who was ousted.
    pub aborted: u64,
    /// Another one means another run.
    pub trace: u64,
    /// Milliseconds of the run's own clock.
    pub lasted: u64,
    pub violations: Vec<String>,
    /// What was to happen, for whoever looks into a violation.
    pub plan: String,
}

impl Report {
    /// What went wrong, and how to see it again.
    pub fn told(&self, with_plan: bool) -> String {
        let mut told = format!("seed {} fails:\n", self.seed);
        for violation in &self.violations {
            told.push_str(&format!("  {violation}\n"));
        }
        if with_plan {
            told.push_str(&self.plan);
        }
        told + &format!("to repeat: cargo run -p simulation -- --from {} --plan\n", self.seed)
    }
}

/// Plays one run.
pub fn run(seed: u64) -> Report {
    run_with(seed, None)
}

/// Plays one run over a server that is worse than any real one.
pub fn run_with(seed: u64, flaw: Option<Flaw>) -> Report {
    let journals = Journals::default();
    let waited_for = Arc::clone(&journals);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .max_blocking_threads(1)
        .on_thread_park(move || wait_for(&waited_for))
        .build()
        .expect("a runtime needs nothing that could be missing");
    let report = runtime.block_on(play(Plan::of(seed), flaw, journals));
    runtime.shutdown_background();
    report
}

/// Time stands still while a journal's thread works.
fn wait_for(journals: &Mutex<BTreeMap<usize, Journal>>) {
    let begun = Instant::now();
    let busy = || locked(journals).values().any(|journal| !journal.is_idle());
    while busy() {
        assert!(begun.elapsed() < STUCK, "a journal's thread hangs");
        std::thread::yield_now();
    }
}

async fn play(plan: Plan, flaw: Option<Flaw>, journals: Journals) -> Report {
    let (seed, told) = (plan.seed, format!("{plan:#?}"));
    let folder = folder();
    let epoch = u64::try_from(EPOCH).expect("the run does not begin before 1970");
    let net = Net::new(Server::new(seed, epoch, plan.fsync, plan.weather.clone()));
    net.server().flaw = flaw;
    let rules = people::rules(Duration::from_secs(plan.first_contact_s));
    let world = Arc::new(World {
        net: Arc::clone(&net),
        metrics: Metrics::register(&Registry::new()).expect("a new registry has room for every name"),
        rules: Arc::new(arc_swap::ArcSwap::from_pointee(rules)),
        journals,
        accepted: Mutex::default(),
        read: Mutex::default(),
        ahead: Arc::default(),
        plan,
    });
    let serving = tokio::spawn(Arc::clone(&net).run());
    tokio::spawn(Arc::clone(&world).reader());
    for life in world.plan.lives.clone() {
        tokio::spawn(Arc::clone(&world).worker(life));
    }
    let mut gateways = Vec::new();
    for which in 0..world.plan.gateways.len() {
        let own: Arc<Path> = Arc::from(folder.path().join(which.to_string()));
        std::fs::create_dir(&own).expect("the folder is ours");
        gateways.push(tokio::spawn(Arc::clone(&world).gateway(which, own)));
    }
    net.sleep_until(world.plan.weather.until).await;
    let mut houses = Vec::new();
    for gateway in gateways {
        houses.push(gateway.await.expect("a gateway does not panic"));
    }
    let (mut violations, events) = settle(&world).await;
    if serving.is_finished() {
        violations.push("the simulated server was asked what it does not know".to_owned());
    }
    violations.extend(std::mem::take(&mut net.server().violations));
    let accepted = locked(&world.accepted).values().map(Vec::len).sum();
    for (journal, forwarder) in houses {
        forwarder.abort();
        journal.close().await;
    }
    let (aborted, trace) = net.server().told();
    Report { seed, accepted, events, aborted, trace, lasted: net.now(), violations, plan: told }
}

/// Waits until everything is as it must be; what is still wrong after [`HEALING`] is a violation.
async fn settle(world: &World) -> (Vec<String>, usize) {
    let expected = Expected::of(&locked(&world.accepted));
    let auditor = world.redis(AUDITOR);
    let deadline = tokio::time::Instant::now() + HEALING;
    loop {
        let (problems, events) = match Found::ask(&auditor).await {
            Ok(found) => {
                if found.settled(&expected) {
                    *locked(&world.ahead) = AHEAD;
                }
                (checks::problems(&world.plan, &expected, &found, &locked(&world.read)), found.events())
            }
            Err(error) => (vec![format!("the auditor hears: {error}")], 0),
        };
        if problems.is_empty() || tokio::time::Instant::now() >= deadline {
            return (problems, events);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// In memory where there is a place for that: what a disk does is not what a run is about.
fn folder() -> tempfile::TempDir {
    let memory = PathBuf::from("/dev/shm");
    let made = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() };
    made.expect("a folder can be made")
}

fn locked<T>(what: &Mutex<T>) -> MutexGuard<'_, T> {
    what.lock().unwrap_or_else(PoisonError::into_inner)
}
