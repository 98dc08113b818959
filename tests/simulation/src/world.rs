//! How is a plan played? Real gateways' journals and forwarders, real rosters and engines, over a server that goes
//! wrong.

use crate::net::Net;
use crate::people::{self, FAR, Leads, PEPPER, workspace};
use crate::plan::{Act, GATEWAYS, Knock, Life, Plan, READER};
use arc_swap::ArcSwap;
use bytes::Bytes;
use lead::entry::Entry;
use lead::identity::Pepper;
use lead::rules::Rules;
use lead::time::At;
use ledger::journal::{Bounds, Journal, Row};
use ledger::redis::{Durability, Forwarder, Forwarding, Redis};
use ledger::{Keep, Ledger as _, Position, Published};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::clock::Clock;
use workers::engine::Engine;
use workers::roster::Roster;
use workers::watchdog::Watchdog;
use workers::{Config, Metrics};

/// When runs begin, by a clock that is right.
pub(crate) const EPOCH: i64 = 1_790_000_000_000;
const LEASE: Duration = Duration::from_secs(5);

/// What was accepted: the customer, and the signal as written down.
pub(crate) type Accepted = (Knock, Entry);

/// The journals that are open, for whoever waits for their threads.
pub(crate) type Journals = Arc<Mutex<BTreeMap<usize, Journal>>>;

pub(crate) struct World {
    pub(crate) plan: Plan,
    pub(crate) net: Arc<Net>,
    pub(crate) metrics: Metrics,
    pub(crate) rules: Arc<ArcSwap<Rules>>,
    pub(crate) journals: Journals,
    /// What every gateway accepted, in its order.
    pub(crate) accepted: Mutex<BTreeMap<usize, Vec<Accepted>>>,
    /// What a reader has read, in its order.
    pub(crate) read: Mutex<Vec<Published>>,
    /// Added to every worker's clock at the end, so that nobody waits for what is far.
    pub(crate) ahead: Arc<Mutex<i64>>,
}

impl World {
    pub(crate) fn redis(&self, actor: u32) -> Arc<Redis> {
        Arc::new(Redis::new(self.net.line(self.plan.seed, actor), PEPPER))
    }

    fn clock(&self, steps: &[(u64, i64)]) -> Clock {
        let (net, steps, ahead) = (Arc::clone(&self.net), steps.to_vec(), Arc::clone(&self.ahead));
        Clock::Told(Arc::new(move || {
            let now = net.now();
            let ahead = *ahead.lock().unwrap_or_else(PoisonError::into_inner);
            let off = steps.iter().rev().find(|(from, _)| *from <= now).map_or(0, |(_, off)| *off);
            // At the end a clock that was behind is not any more.
            let off = if ahead > 0 { ahead } else { off };
            At::from_millis(EPOCH + now.cast_signed() + off)
        }))
    }

    /// One gateway's process after another over the same journal.
    pub(crate) async fn gateway(self: Arc<Self>, which: usize, folder: Arc<Path>) -> (Journal, JoinHandle<()>) {
        let (mut leads, mut off, mut newest) = (Leads::default(), 0, 0);
        let mut house = self.open_gateway(which, &folder);
        for (at, act) in self.plan.gateways[which].clone() {
            self.net.sleep_until(at).await;
            match act {
                Act::Step(by) => off = by,
                Act::Crash(down) => {
                    house.1.abort();
                    house.0.close().await;
                    self.journals.lock().unwrap_or_else(PoisonError::into_inner).remove(&which);
                    tokio::time::sleep(Duration::from_millis(down)).await;
                    house = self.open_gateway(which, &folder);
                }
                Act::Accept(knocks) => {
                    // A gateway's clock never goes back.
                    newest = newest.max(EPOCH + self.net.now().cast_signed() + off);
                    let entry = |knock: Knock| {
                        let lead = leads.of(&knock);
                        (knock, people::entry(&knock, At::from_millis(newest), lead))
                    };
                    let made: Vec<Accepted> = knocks.into_iter().map(entry).collect();
                    let rows = made
                        .iter()
                        .map(|(_, entry)| Row { entry: entry.clone(), raw: Some(Bytes::from_static(b"sent")) });
                    house.0.append(rows.collect()).await.expect("the journal's disk is sound");
                    self.accepted.lock().unwrap_or_else(PoisonError::into_inner).entry(which).or_default().extend(made);
                }
            }
        }
        house
    }

    fn open_gateway(&self, which: usize, folder: &Path) -> (Journal, JoinHandle<()>) {
        let journal = Journal::open(folder, Bounds { free_percent: 0, ..Bounds::default() })
            .expect("a journal opens in a folder of its own");
        self.journals.lock().unwrap_or_else(PoisonError::into_inner).insert(which, journal.clone());
        let net = Arc::clone(&self.net);
        let forwarder = Forwarder {
            journal: journal.clone(),
            redis: self.redis(GATEWAYS + u32::try_from(which).unwrap_or(0)),
            durability: Durability::Aof,
            keep: if self.plan.forgetful { Duration::ZERO } else { FAR },
            clock: Arc::new(move || At::from_millis(EPOCH + net.now().cast_signed())),
            state: watch::Sender::new(Forwarding::default()),
        };
        (journal, tokio::spawn(forwarder.run(CancellationToken::new())))
    }

    /// One life of a worker.
    pub(crate) async fn worker(self: Arc<Self>, life: Life) {
        self.net.sleep_until(life.from).await;
        let redis = self.redis(life.actor);
        let config = Config { batch: life.batch, lease: lead::units::Span(LEASE), ..Config::default() };
        let clock = self.clock(&life.clock);
        let stop = CancellationToken::new();
        tokio::spawn(trim(Arc::clone(&redis), clock.clone(), stop.clone()));
        let task = if life.usurper {
            let engine = Engine {
                workspace: workspace(),
                rules: Arc::clone(&self.rules),
                ledger: redis,
                metrics: self.metrics.clone(),
                watchdog: Watchdog::start(config.watchdog.0),
                config,
                clock,
            };
            tokio::spawn(engine.run(stop.clone()))
        } else {
            let wanted = watch::Sender::new([(workspace(), Arc::clone(&self.rules))].into());
            let holder = format!("worker-{}", life.actor);
            let roster = Roster::new(redis, self.metrics.clone(), config, holder, wanted.subscribe()).with_clock(clock);
            let stop = stop.clone();
            tokio::spawn(async move {
                roster.run(stop).await;
                drop(wanted);
            })
        };
        let Some(to) = life.to else {
            let _ = task.await;
            return;
        };
        self.net.sleep_until(to).await;
        if life.polite {
            stop.cancel();
            let _ = tokio::time::timeout(Duration::from_secs(20), task).await;
        }
        self.net.kill(life.actor);
        stop.cancel();
    }

    /// Follows the clean stream from its beginning, through every failure.
    pub(crate) async fn reader(self: Arc<Self>) {
        let redis = self.redis(READER);
        let mut after = Position::default();
        loop {
            match redis.events(&workspace(), after, 50, Duration::ZERO).await {
                Ok(events) if !events.is_empty() => {
                    after = events[events.len() - 1].position;
                    self.read.lock().unwrap_or_else(PoisonError::into_inner).extend(events);
                }
                _ => tokio::time::sleep(Duration::from_millis(400)).await,
            }
        }
    }
}

/// What is decided leaves the inbox; nothing else ages during a run.
async fn trim(redis: Arc<Redis>, clock: Clock, stop: CancellationToken) {
    let keep = Keep { events: FAR, inbox: Duration::ZERO, journal: FAR, seen: FAR, closed: FAR, aside: FAR };
    while !stop.is_cancelled() {
        tokio::time::sleep(Duration::from_secs(4)).await;
        let _ = redis.trim(clock.now(), &keep, &Pepper::new(PEPPER)).await;
    }
}
