//! A workspace in a folder of its own, with an engine that can be stopped or killed.

use crate::spy::Spy;
use arc_swap::ArcSwap;
use bytes::Bytes;
use lead::books::Verdict;
use lead::calendar::Calendar;
use lead::entry::{Entry, Kind, Signal, Touch};
use lead::identity::Pepper;
use lead::ids::{ChannelId, Digest, PersonId, Uid, WorkspaceId};
use lead::phone::Region;
use lead::rules::{Channel, Person, Rules};
use lead::time::At;
use ledger::embedded::Embedded;
use ledger::journal::{Bounds, Journal, Row};
use ledger::{Account, Ledger, Position, Published};
use prometheus::Registry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use workers::clock::Clock;
use workers::engine::Engine;
use workers::watchdog::Watchdog;
use workers::{Config, Metrics};

pub(crate) struct House {
    pub(crate) ledger: Arc<Embedded>,
    pub(crate) spy: Arc<Spy>,
    pub(crate) workspace: WorkspaceId,
    pub(crate) metrics: Metrics,
    journal: Journal,
    rules: Arc<ArcSwap<Rules>>,
    _folder: tempfile::TempDir,
}

pub(crate) struct Running {
    task: JoinHandle<()>,
    stop: CancellationToken,
}

impl Running {
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }

    /// It ends by itself.
    pub(crate) async fn ended(self) {
        tokio::time::timeout(Duration::from_secs(10), self.task).await.unwrap().unwrap();
    }

    pub(crate) async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

impl House {
    pub(crate) fn open() -> Self {
        Self::with_rules(|_| {})
    }

    pub(crate) fn with_rules(change: impl FnOnce(&mut Rules)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Bounds { free_percent: 0, ..Bounds::default() }).unwrap();
        let ledger = Arc::new(Embedded::open(folder.path(), journal.clone()).unwrap());
        let mut rules = rules();
        change(&mut rules);
        Self {
            spy: Arc::new(Spy::over(Arc::clone(&ledger) as _)),
            ledger,
            workspace: WorkspaceId::new("shop"),
            metrics: Metrics::register(&Registry::new()).unwrap(),
            journal,
            rules: Arc::new(ArcSwap::from_pointee(rules)),
            _folder: folder,
        }
    }

    pub(crate) fn engine(&self) -> Running {
        let config = Config::default();
        let stop = CancellationToken::new();
        let engine = Engine {
            workspace: self.workspace.clone(),
            rules: Arc::clone(&self.rules),
            ledger: Arc::clone(&self.spy) as _,
            metrics: self.metrics.clone(),
            clock: Clock::Wall,
            watchdog: Watchdog::start(config.watchdog.0),
            config,
        };
        Running { task: tokio::spawn(engine.run(stop.clone())), stop }
    }

    pub(crate) fn change_rules(&self, change: impl FnOnce(&mut Rules)) {
        let mut rules = Rules::clone(&self.rules.load());
        change(&mut rules);
        self.rules.store(Arc::new(rules));
    }

    pub(crate) async fn accept(&self, entries: Vec<Entry>) {
        let rows = entries.into_iter().map(|entry| Row { entry, raw: Some(Bytes::from_static(b"as sent")) });
        self.journal.append(rows.collect()).await.unwrap();
    }

    /// Waits until nothing is in flight; the books balance then.
    pub(crate) async fn settled(&self) {
        for _ in 0..600 {
            let books = self.books().await;
            if books.in_flight == 0 {
                assert_eq!(books.difference(), 0);
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the engine did not get through");
    }

    pub(crate) async fn books(&self) -> Account {
        self.ledger.books(&self.workspace).await.unwrap().remove(&ChannelId::new("landing")).unwrap_or_default()
    }

    pub(crate) async fn verdict(&self, verdict: Verdict) -> i64 {
        self.books().await.verdicts.get(&verdict).copied().unwrap_or(0)
    }

    pub(crate) async fn events(&self) -> Vec<Published> {
        self.ledger.events(&self.workspace, Position(0), 10_000, Duration::ZERO).await.unwrap()
    }

    pub(crate) async fn until(&self, enough: impl Fn(&[Published]) -> bool) -> Vec<Published> {
        for _ in 0..400 {
            let events = self.events().await;
            if enough(&events) {
                return events;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the expected event did not come");
    }

    pub(crate) fn failures(&self, reason: &str) -> u64 {
        self.metrics.engine_failures.with_label_values(&["shop", reason]).get()
    }
}

pub(crate) fn posts(which: RangeInclusive<u32>) -> Vec<Entry> {
    which.map(post).collect()
}

/// A post of a stranger, each with a phone of its own.
pub(crate) fn post(n: u32) -> Entry {
    made(n, &format!("+7903{:07}", 1_000_000 + n), None, At::from_secs(1_790_000_000 + i64::from(n)))
}

pub(crate) fn post_now(n: u32) -> Entry {
    made(n, "+79035550000", None, Clock::Wall.now())
}

/// A post without an id of its provider: its content says whether it was here before.
pub(crate) fn same_post(n: u32, phone: &str) -> Entry {
    made(n, phone, Some(Digest::from_bytes([7; 16])), At::from_secs(1_790_000_000))
}

fn made(n: u32, phone: &str, same: Option<Digest>, received_at: At) -> Entry {
    let touch = Touch { phones: vec![phone.to_owned()], ..Touch::new(Kind::Form) };
    Entry {
        uid: Uid::derived("landing", &n.to_string(), ""),
        workspace: WorkspaceId::new("shop"),
        channel: ChannelId::new("landing"),
        received_at,
        source: "form".to_owned(),
        synthetic: None,
        same,
        signal: Signal::Touch(Box::new(touch)),
    }
}

/// Posts are dated in the past: their clocks are not what these tests are about.
const FAR: Duration = Duration::from_hours(24 * 365 * 50);

fn rules() -> Rules {
    let anna = Person::new(PersonId::new("anna"), "Anna");
    let channel = Channel::new(ChannelId::new("landing"), "form", Kind::Form, anna.id.clone());
    Rules {
        workspace: WorkspaceId::new("shop"),
        version: "1".to_owned(),
        name: "Shop".to_owned(),
        region: Region::RU,
        calendar: Calendar::always(),
        duplicate_window: Duration::from_hours(24),
        same_post_window: Duration::from_mins(10),
        close_after: FAR,
        active_for: Duration::from_hours(24),
        unmatched_for: Duration::from_hours(48),
        first_contact: FAR,
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: BTreeMap::from([(channel.id.clone(), channel)]),
        people: vec![anna],
        exclusions: Vec::new(),
        own: BTreeSet::new(),
        pepper: Pepper::new(b"pepper"),
    }
}
