//! What was copied from one Redis comes back in another, and goes on there.

use crate::server::Server;
use lead::books::Verdict;
use lead::changes::{Aside, AsideKind, QueueChange, Timer, TimerChange, Wake};
use lead::entry::{Entry, Kind, Signal, Touch};
use lead::event::{Event, EventType};
use lead::ids::{ChannelId, EventId, Uid, WorkspaceId};
use lead::record::{Key, Record};
use lead::state::{Contact, Exclusion};
use lead::time::At;
use ledger::journal::{Bounds, Journal, Row};
use ledger::redis::{Dial as _, Dump, Durability, Forwarder, Forwarding, Redis};
use ledger::{Arrived, Batch, Duty, Ledger as _, Position};
use redis::aio::MultiplexedConnection;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

const PEPPER: &[u8] = b"a pepper of some length";
const NOW: Duration = Duration::ZERO;

fn shop() -> WorkspaceId {
    WorkspaceId::new("shop")
}

fn at() -> At {
    At::from_secs(1_800_000_000)
}

fn row(n: u32) -> Row {
    let entry = Entry {
        uid: Uid::derived("form", &n.to_string(), ""),
        workspace: shop(),
        channel: ChannelId::new("form"),
        received_at: at(),
        source: "form".to_owned(),
        synthetic: None,
        same: None,
        signal: Signal::Touch(Box::new(Touch::new(Kind::Form))),
    };
    Row { entry, raw: None }
}

/// Decides an entry so that every kind of key gets something.
fn decided(arrived: &Arrived) -> Batch {
    let uid = arrived.entry.uid;
    let contact = Contact::new(uid.contact(), at());
    let matcher = "domain:a.example".to_owned();
    let exclusion =
        Exclusion { matcher: matcher.clone(), reason: "r".into(), by: "anna".into(), at: at(), expires_at: None };
    let subject = uid.lead().to_string();
    let id = EventId::derived(&subject, "lead.created", b"1");
    let aside = Aside { kind: AsideKind::Dead, reason: "poison".into(), attempts: 4 };
    Batch {
        cursor: arrived.position,
        records: vec![
            (Key::Contact(contact.id), Some(Record::Contact(Box::new(contact)))),
            (Key::Exclusion(matcher), Some(Record::Exclusion(Box::new(exclusion)))),
        ],
        events: vec![Event { id, kind: EventType::Created, json: "{}".into(), subject, time: at() }],
        timers: vec![TimerChange::Set(Timer { due: at(), what: Wake::Queue })],
        queue: vec![QueueChange::Put(at(), uid.lead())],
        books: BTreeMap::from([((ChannelId::new("form"), Verdict::Lead), 1)]),
        asides: vec![(arrived.position, aside, Arc::clone(&arrived.entry))],
        at: at(),
        survived: None,
    }
}

/// A gateway and what it knows of its forwarding.
struct Gateway {
    journal: Journal,
    state: watch::Receiver<Forwarding>,
    stop: CancellationToken,
}

impl Gateway {
    fn open(folder: &Path, redis: &Arc<Redis>) -> Self {
        let journal = Journal::open(folder, Bounds { free_percent: 0, ..Bounds::default() }).unwrap();
        let (state, watching) = watch::channel(Forwarding::default());
        let stop = CancellationToken::new();
        let forwarder = Forwarder {
            journal: journal.clone(),
            redis: Arc::clone(redis),
            durability: Durability::Aof,
            keep: Duration::from_hours(24),
            clock: Arc::new(at),
            state,
        };
        tokio::spawn(forwarder.run(stop.clone()));
        Self { journal, state: watching, stop }
    }

    async fn sent(&mut self, rows: u64) {
        let sent = self.state.wait_for(|state| state.sent >= rows);
        tokio::time::timeout(Duration::from_secs(10), sent).await.unwrap().unwrap();
    }
}

fn fresh() -> Server {
    Server::start(&["--appendonly", "yes", "--appendfsync", "always"])
}

async fn raw(server: &Server) -> MultiplexedConnection {
    server.address().dial(Duration::from_secs(5)).await.unwrap()
}

/// Every key with what Redis dumps of it.
async fn everything(connection: &mut MultiplexedConnection) -> BTreeMap<String, Vec<u8>> {
    let names: Vec<String> = redis::cmd("KEYS").arg("*").query_async(connection).await.unwrap();
    let mut all = BTreeMap::new();
    for name in names {
        all.insert(name.clone(), redis::cmd("DUMP").arg(&name).query_async(connection).await.unwrap());
    }
    all
}

async fn head(connection: &mut MultiplexedConnection) -> BTreeMap<String, Vec<u8>> {
    redis::cmd("HGETALL").arg("lg:{shop}:head").query_async(connection).await.unwrap()
}

fn ledger(server: &Server) -> Arc<Redis> {
    Arc::new(Redis::new(Arc::new(server.address()), PEPPER))
}

fn quiet(_: u64, _: u64) {}

/// A store in which of three entries one is decided, and its backup.
async fn copied(server: &Server, folder: &Path) -> Gateway {
    let ledger = ledger(server);
    let mut gateway = Gateway::open(folder, &ledger);
    gateway.journal.append((1..=3).map(row).collect()).await.unwrap();
    gateway.sent(3).await;
    let claim = ledger.claim(&shop()).await.unwrap();
    ledger.lease(&shop(), Duty::Decide, "worker", Duration::from_secs(60)).await.unwrap();
    ledger.present("worker", Duration::from_secs(60)).await.unwrap();
    ledger.lease(&shop(), Duty::Feed(&ChannelId::new("mailbox")), "gateway", Duration::from_secs(60)).await.unwrap();
    ledger.put_note(&shop(), "mailbox", "as far as here").await.unwrap();
    let inbox = ledger.inbox(&shop(), Position(0), 9, NOW).await.unwrap();
    ledger.keep_rules("v1", "rules").await.unwrap();
    ledger.attempt(&shop(), inbox[0].entry.uid).await.unwrap();
    ledger.commit(&shop(), &claim, decided(&inbox[0])).await.unwrap();
    let seen = ledger.events(&shop(), Position(0), 1, NOW).await.unwrap();
    ledger.acknowledge(&shop(), "crm", seen[0].position, false).await.unwrap();
    // A lead that waits, as the index has it.
    let order = redis::cmd("ZADD").arg("lg:{shop}:waiting:form").arg(1).arg("a lead").to_owned();
    let _: i64 = order.query_async(&mut raw(server).await).await.unwrap();
    ledger.backup(folder).await.unwrap();
    gateway
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_comes_back_whole_and_gateways_send_what_it_does_not_hold() {
    let (old, new, folder) = (fresh(), fresh(), tempfile::tempdir().unwrap());
    let gateway = copied(&old, folder.path()).await;
    let mut before = everything(&mut raw(&old).await).await;
    gateway.journal.append(vec![row(4)]).await.unwrap();
    gateway.stop.cancel();
    gateway.journal.close().await;

    let store = ledger(&new);
    let dump = Dump::open(folder.path(), &quiet).unwrap();
    let restored = store.restore(&dump, &quiet).await.unwrap();
    let mut after = everything(&mut raw(&new).await).await;
    for gone in ["lg:{shop}:lease", "lg:{shop}:lease:feed:mailbox", "lg:workers"] {
        assert!(before.remove(gone).is_some() && !after.contains_key(gone), "{gone}");
    }
    assert_eq!((restored.workspaces, restored.keys), (1, before.len()));
    let changed: BTreeSet<_> =
        before.iter().filter(|(key, value)| after.get(*key) != Some(value)).map(|(key, _)| key.as_str()).collect();
    assert_eq!(changed, BTreeSet::from(["lg:{shop}:head"]));
    after.retain(|key, _| !before.contains_key(key));
    assert_eq!(after.len(), 0, "{:?}", after.keys());
    let (was, is) = (head(&mut raw(&old).await).await, head(&mut raw(&new).await).await);
    assert_ne!(was["born"], is["born"]);
    assert_eq!((&was["cursor"], &was["epoch"][..], &is["epoch"][..]), (&is["cursor"], &b"1"[..], &b"2"[..]));

    let mut gateway = Gateway::open(folder.path(), &store);
    gateway.sent(3).await;
    let claim = store.claim(&shop()).await.unwrap();
    assert!(claim.unclean);
    let fresh = store.inbox(&shop(), claim.cursor, 9, NOW).await.unwrap();
    let uids: Vec<Uid> = fresh.iter().map(|arrived| arrived.entry.uid).collect();
    assert_eq!(uids, [2, 3, 4].map(|n| row(n).entry.uid), "each once, and not the one that was decided");
    gateway.stop.cancel();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_user_that_is_handed_out_may_copy() {
    let (old, new, folder) = (Server::deployed(&[]), fresh(), tempfile::tempdir().unwrap());
    let store = ledger(&old);
    store.claim(&shop()).await.unwrap();
    store.backup(folder.path()).await.unwrap();
    let dump = Dump::open(folder.path(), &quiet).unwrap();
    assert_eq!(ledger(&new).restore(&dump, &quiet).await.unwrap().workspaces, 1);
    let refused = store.restore(&dump, &quiet).await.unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"this Redis is not empty (it has lg:store and the workspaces shop): stop every gateway and every worker, empty it or name another one, then restore again");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_must_not_come_back_is_refused_before_anything_is_written() {
    let (old, new, folder) = (fresh(), fresh(), tempfile::tempdir().unwrap());
    copied(&old, folder.path()).await.stop.cancel();
    let dump = Dump::open(folder.path(), &quiet).unwrap();
    let stranger = Redis::new(Arc::new(new.address()), b"another pepper, as long");
    let refused = stranger.restore(&dump, &quiet).await.unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"store.pepper is not the one of this backup, so nobody in it would be recognised: set the pepper it was made with");
    assert!(everything(&mut raw(&new).await).await.is_empty());

    ledger(&new).greet().await.unwrap();
    let refused = ledger(&new).restorable(&dump).await.unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"this Redis is not empty (it has lg:store): stop every gateway and every worker, empty it or name another one, then restore again");
    assert_eq!(everything(&mut raw(&new).await).await.len(), 1);

    let file = folder.path().join("store.dump");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    let refused = Dump::open(folder.path(), &quiet).unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"store.dump is damaged: what it holds and its checksum differ; take another backup");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_begins_with_half_a_store() {
    let (old, new, folder) = (fresh(), fresh(), tempfile::tempdir().unwrap());
    copied(&old, folder.path()).await.stop.cancel();
    let large: Vec<u8> = std::iter::repeat_with(rand::random).take(2 << 20).collect();
    let order = redis::cmd("HSET").arg("lg:{shop}:call").arg("a call").arg(large).to_owned();
    let _: i64 = order.query_async(&mut raw(&old).await).await.unwrap();
    std::fs::remove_file(folder.path().join("store.dump")).unwrap();
    ledger(&old).backup(folder.path()).await.unwrap();
    let dump = Dump::open(folder.path(), &quiet).unwrap();
    let mut admin = raw(&new).await;
    let small = redis::cmd("CONFIG").arg("SET").arg("maxmemory").arg("3mb").to_owned();
    let _: String = small.query_async(&mut admin).await.unwrap();
    assert_eq!(ledger(&new).restore(&dump, &quiet).await.unwrap_err().to_string(), "the store is full");
    let refused = ledger(&new).greet().await.unwrap_err().to_string();
    insta::assert_snapshot!(refused, @"a backup is being restored into this Redis, or was cut short there: wait for its end, or empty this Redis and restore again");
    assert!(ledger(&new).claim(&shop()).await.is_err());
}
