//! The ledger on Redis is a ledger: the same suite on a real server.

use crate::server::Server;
use async_trait::async_trait;
use bytes::Bytes;
use lead::entry::{Entry, Kind, Signal, Touch};
use lead::ids::{ChannelId, Uid, WorkspaceId};
use lead::time::At;
use ledger::conformance::{self, Backend};
use ledger::journal::{Bounds, Journal, Row};
use ledger::redis::{Durability, Forwarder, Forwarding, Redis};
use ledger::{Duty, Ledger, Position, SharedLedger};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

struct OnRedis {
    ledger: Arc<Redis>,
    journal: Journal,
    accepted: AtomicU64,
    state: watch::Receiver<Forwarding>,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
    server: Server,
}

impl OnRedis {
    fn fresh(server: Server) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::open(folder.path(), Bounds { free_percent: 0, ..Bounds::default() }).unwrap();
        let ledger = Arc::new(Redis::new(Arc::new(server.address()), b"a pepper of some length"));
        let (state, watching) = watch::channel(Forwarding::default());
        let stop = CancellationToken::new();
        let forwarder = Forwarder {
            journal: journal.clone(),
            redis: Arc::clone(&ledger),
            durability: Durability::Aof,
            keep: Duration::from_hours(24),
            clock: Arc::new(|| At::from_secs(1_800_000_000)),
            state,
        };
        tokio::spawn(forwarder.run(stop.clone()));
        Self { ledger, journal, accepted: AtomicU64::new(0), state: watching, stop, _folder: folder, server }
    }
}

impl OnRedis {
    /// Signals that the books say were accepted.
    async fn told(&self) -> u64 {
        let mut told = 0;
        for workspace in ["shop", "other"] {
            let books = self.ledger.books(&WorkspaceId::new(workspace)).await.unwrap();
            told += books.values().map(|account| account.accepted).sum::<u64>();
        }
        told
    }
}

impl Drop for OnRedis {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[async_trait]
impl Backend for OnRedis {
    fn ledger(&self) -> SharedLedger {
        Arc::clone(&self.ledger) as Arc<dyn Ledger>
    }

    async fn accept(&self, entries: Vec<Entry>, raw: &'static [u8]) {
        let count = entries.len() as u64;
        let rows = entries.into_iter().map(|entry| Row { entry, raw: Some(Bytes::from_static(raw)) }).collect();
        self.journal.append(rows).await.unwrap();
        let all = self.accepted.fetch_add(count, Ordering::Relaxed) + count;
        let mut state = self.state.clone();
        let sent = state.wait_for(|state| state.sent >= all);
        tokio::time::timeout(Duration::from_secs(10), sent).await.unwrap().unwrap();
        // What a gateway accepted it tells every second.
        while self.told().await < all {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_ledger_on_redis_is_a_ledger() {
    let server = || Server::start(&["--appendonly", "yes", "--appendfsync", "always"]);
    conformance::run(async || OnRedis::fresh(server())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_duty_that_one_has_is_refused_to_another_until_its_lease_ends() {
    let backend = OnRedis::fresh(Server::start(&[]));
    let (shop, mailbox) = (WorkspaceId::new("shop"), ChannelId::new("mailbox"));
    for duty in [Duty::Decide, Duty::Feed(&mailbox)] {
        let lease = async |holder, life| backend.ledger.lease(&shop, duty, holder, life).await.unwrap();
        let (short, long) = (Duration::from_millis(200), Duration::from_secs(60));
        assert!(lease("one", short).await, "{duty:?}");
        assert!(!lease("another", long).await, "{duty:?}");
        tokio::time::sleep(2 * short).await;
        assert!(lease("another", long).await, "{duty:?}: the first one is missed");
        assert!(!lease("one", long).await, "{duty:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_of_the_deployment_may_do_all_that_a_ledger_does() {
    conformance::run(async || OnRedis::fresh(Server::deployed(&[]))).await;
}

/// Somebody has written into the inbox.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_in_the_inbox_goes_to_quarantine_and_holds_up_nobody() {
    let backend = OnRedis::fresh(Server::start(&[]));
    let shop = WorkspaceId::new("shop");
    let touch = |n: u8| Entry {
        uid: Uid::derived("form", &n.to_string(), "test"),
        workspace: shop.clone(),
        channel: ChannelId::new("form"),
        received_at: At::from_secs(n.into()),
        source: "form".to_owned(),
        synthetic: None,
        same: None,
        signal: Signal::Touch(Box::new(Touch::new(Kind::Form))),
    };
    backend.accept((1..=3).map(touch).collect(), b"the request").await;
    backend.server.order(&["XADD", "lg:{shop}:inbox", "*", "row", "nobody's"]);
    let spoil = r"
        local last = redis.call('XRANGE', KEYS[1], '-', '+')[3]
        redis.call('XDEL', KEYS[1], last[1])
        for i = 1, #last[2], 2 do if last[2][i] == 'entry' then last[2][i + 1] = 'spoiled' end end
        return redis.call('XADD', KEYS[1], '*', unpack(last[2]))";
    backend.server.order(&["EVAL", spoil, "1", "lg:{shop}:inbox"]);
    backend.accept(vec![touch(4)], b"the request").await;
    backend.ledger.claim(&shop).await.unwrap();
    let found = backend.ledger.inbox(&shop, Position::default(), 9, Duration::ZERO).await.unwrap();
    let found: Vec<&Entry> = found.iter().map(|one| &*one.entry).collect();
    let [first, second, spoiled, fourth] = found.as_slice() else { panic!("four entries: {}", found.len()) };
    assert_eq!([first.uid, second.uid, fourth.uid], [1, 2, 4].map(|n| touch(n).uid));
    assert_eq!(spoiled.channel, ChannelId::new("form"));
    assert!(matches!(&spoiled.signal, Signal::Unreadable(why) if why.reason == "it is damaged in the inbox"));
}
