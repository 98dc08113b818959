//! One batch, one transaction; one claim at a time.

use super::Backend;
use super::made::{NO_WAIT, at, batch, contact, entry, event, ids, lead, put_contact, put_lead, shop, uid};
use crate::commit::Position;
use crate::error::Error;
use lead::books::Verdict;
use lead::changes::{QueueChange, Timer, TimerChange, Wake};
use lead::entry::Direction;
use lead::identity::IdentityKey;
use lead::ids::{CallKey, ChannelId, Digest};
use lead::record::{Key, Record};
use lead::state::{CallRecord, CallTimes, Exclusion, Floor, Pending, PendingFact, Same, Seen};

fn everything() -> crate::Batch {
    let mut all = batch(Position(1));
    all.records = vec![put_lead(lead(1)), put_contact(contact(1))];
    all.events = vec![event(1)];
    all.timers = vec![TimerChange::Set(Timer { due: at(5), what: Wake::Queue })];
    all.queue = vec![QueueChange::Put(at(1), ids(1).0)];
    all.books.insert((ChannelId::new("odd"), Verdict::Lead), 1);
    all
}

pub(super) async fn whole(backend: &dyn Backend) {
    let ledger = backend.ledger();
    backend.accept(vec![entry("shop", 1)], b"").await;
    let claim = ledger.claim(&shop()).await.unwrap();
    let mut all = everything();
    all.cursor = ledger.inbox(&shop(), Position(0), 1, NO_WAIT).await.unwrap()[0].position;
    let cursor = all.cursor;
    ledger.commit(&shop(), &claim, all).await.unwrap();
    assert_eq!(ledger.claim(&shop()).await.unwrap().cursor, cursor);
    let (found, person) = ledger.lead(&shop(), ids(1).0).await.unwrap().unwrap();
    assert_eq!((found, person), (lead(1), Some(contact(1))));
    assert_eq!(ledger.events(&shop(), Position(0), 9, NO_WAIT).await.unwrap().len(), 1);
    assert_eq!(ledger.next_due(&shop()).await.unwrap(), Some(at(5)));
    assert_eq!(ledger.queue(&shop(), 9).await.unwrap(), [(at(1), ids(1).0)]);
    assert_eq!(ledger.books(&shop()).await.unwrap()[&ChannelId::new("odd")].difference(), 0);
    assert_eq!(ledger.waiting(&shop()).await.unwrap()[&ChannelId::new("odd")], (1, at(1)));
}

pub(super) async fn fenced(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let old = ledger.claim(&shop()).await.unwrap();
    let new = ledger.claim(&shop()).await.unwrap();
    assert!(new.epoch > old.epoch);
    let refused = ledger.commit(&shop(), &old, everything()).await;
    assert!(matches!(refused, Err(Error::Fenced)), "{refused:?}");
    assert!(ledger.lead(&shop(), ids(1).0).await.unwrap().is_none());
    assert!(ledger.events(&shop(), Position(0), 9, NO_WAIT).await.unwrap().is_empty());
    assert_eq!(ledger.next_due(&shop()).await.unwrap(), None);
    assert!(ledger.queue(&shop(), 9).await.unwrap().is_empty());
    ledger.commit(&shop(), &new, everything()).await.unwrap();
    assert!(ledger.lead(&shop(), ids(1).0).await.unwrap().is_some());
}

pub(super) async fn records(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    let call = CallRecord {
        id: "CA1".into(),
        direction: Direction::Inbound,
        lead: Some(ids(1).0),
        birth: true,
        from: Some("+74951234567".into()),
        to: None,
        agent: None,
        answered: Some((lead::entry::AnsweredBy::Human, at(3))),
        ended: None,
        talk_s: Some(41),
        recording_url: None,
        first_seen: at(1),
        set_aside: false,
        told: CallTimes { began: true, start: Some(at(1)), end: None },
    };
    let pending = Pending {
        at: at(1),
        channel: ChannelId::new("odd"),
        what: PendingFact::Reply { at: at(1), by: Some("anna".into()) },
    };
    let exclusion = Exclusion {
        matcher: "domain:spam.example".into(),
        reason: "spam".into(),
        by: "anna".into(),
        at: at(1),
        expires_at: Some(at(9)),
    };
    let floor = Floor { queue_length: 3, ..Floor::default() };
    let all = vec![
        (Key::Seen(uid(1)), Some(Record::Seen(Seen { at: at(1), digest: 7 }))),
        (Key::Same(Digest::from_bytes([2; 16])), Some(Record::Same(Same { at: at(1), uid: uid(1) }))),
        (Key::Identity(IdentityKey([3; 16])), Some(Record::Identity(ids(1).1))),
        put_contact(contact(1)),
        put_lead(lead(1)),
        (Key::Call(CallKey::from_bytes([4; 16])), Some(Record::Call(Box::new(call)))),
        (Key::Unmatched([5; 16]), Some(Record::Unmatched(vec![pending]))),
        (Key::Exclusion(exclusion.matcher.clone()), Some(Record::Exclusion(Box::new(exclusion)))),
        (Key::Floor, Some(Record::Floor(Box::new(floor)))),
    ];
    let keys: Vec<Key> = all.iter().map(|(key, _)| key.clone()).collect();
    let put: Vec<_> = all.iter().map(|(_, record)| record.clone()).collect();
    assert!(ledger.fetch(&shop(), &keys).await.unwrap().iter().all(Option::is_none));
    let mut some = batch(Position(0));
    some.records = all;
    ledger.commit(&shop(), &claim, some).await.unwrap();
    assert_eq!(ledger.fetch(&shop(), &keys).await.unwrap(), put);
    let mut none = batch(Position(0));
    none.records = keys.iter().map(|key| (key.clone(), None)).collect();
    ledger.commit(&shop(), &claim, none).await.unwrap();
    assert!(ledger.fetch(&shop(), &keys).await.unwrap().iter().all(Option::is_none));
}

pub(super) async fn timers(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    let timer = |due, n| Timer { due: at(due), what: Wake::Lead(ids(n).0) };
    let mut set = batch(Position(0));
    set.timers = [timer(30, 3), timer(10, 1), timer(20, 2)].map(TimerChange::Set).to_vec();
    ledger.commit(&shop(), &claim, set).await.unwrap();
    assert_eq!(ledger.next_due(&shop()).await.unwrap(), Some(at(10)));
    assert_eq!(ledger.due(&shop(), at(9), 9).await.unwrap(), []);
    assert_eq!(ledger.due(&shop(), at(20), 9).await.unwrap(), [timer(10, 1), timer(20, 2)]);
    assert_eq!(ledger.due(&shop(), at(20), 1).await.unwrap(), [timer(10, 1)]);
    let mut clear = batch(Position(0));
    clear.timers =
        vec![TimerChange::Clear(timer(10, 1)), TimerChange::Set(timer(15, 1)), TimerChange::Clear(timer(20, 2))];
    ledger.commit(&shop(), &claim, clear).await.unwrap();
    assert_eq!(ledger.due(&shop(), at(99), 9).await.unwrap(), [timer(15, 1), timer(30, 3)]);
}

pub(super) async fn queue(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    let mut put = batch(Position(0));
    put.queue = [3, 1, 2].map(|n| QueueChange::Put(at(i64::from(n)), ids(n).0)).to_vec();
    ledger.commit(&shop(), &claim, put).await.unwrap();
    assert_eq!(ledger.queue(&shop(), 2).await.unwrap(), [(at(1), ids(1).0), (at(2), ids(2).0)]);
    let mut drop = batch(Position(0));
    drop.queue = vec![QueueChange::Drop(at(1), ids(1).0)];
    ledger.commit(&shop(), &claim, drop).await.unwrap();
    assert_eq!(ledger.queue(&shop(), 9).await.unwrap(), [(at(2), ids(2).0), (at(3), ids(3).0)]);
}

pub(super) async fn unclean(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let first = ledger.claim(&shop()).await.unwrap();
    assert!(!first.unclean, "nobody was here before");
    let second = ledger.claim(&shop()).await.unwrap();
    assert!(second.unclean, "the first never came to rest");
    ledger.rest(&shop(), &first).await.unwrap();
    assert!(ledger.claim(&shop()).await.unwrap().unclean, "the rest of an ousted owner says nothing");
    let last = ledger.claim(&shop()).await.unwrap();
    ledger.rest(&shop(), &last).await.unwrap();
    assert!(!ledger.claim(&shop()).await.unwrap().unclean);
}

pub(super) async fn attempts(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    for before in 0..3 {
        assert_eq!(ledger.attempt(&shop(), uid(1)).await.unwrap(), before);
    }
    assert_eq!(ledger.attempt(&shop(), uid(2)).await.unwrap(), 0);
    let mut well = batch(Position(0));
    well.survived = Some(uid(1));
    ledger.commit(&shop(), &claim, well).await.unwrap();
    assert_eq!(ledger.attempt(&shop(), uid(1)).await.unwrap(), 0);
    assert_eq!(ledger.attempt(&shop(), uid(2)).await.unwrap(), 1);
}
