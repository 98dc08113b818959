//! What the desk reads, and what retention leaves of it.

use super::Backend;
use super::made::{NO_WAIT, at, batch, contact, entry, event, ids, lead, put_contact, put_lead, shop, uid};
use crate::commit::{Batch, Position};
use crate::{Arrived, Keep, LeadFilter};
use lead::books::Verdict;
use lead::changes::{Aside, AsideKind};
use lead::identity::{Identity, Pepper};
use lead::ids::{ChannelId, LeadId};
use lead::record::{Key, Record};
use lead::state::{Contact, Exclusion, LastLead, Linked, Seen};
use std::sync::Arc;
use std::time::Duration;

pub(super) async fn books(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let even = ChannelId::new("even");
    backend.accept((1..=6).map(|n| entry("shop", n)).collect(), b"").await;
    let claim = ledger.claim(&shop()).await.unwrap();
    let account = ledger.books(&shop()).await.unwrap()[&even].clone();
    assert_eq!((account.accepted, account.in_flight, account.difference()), (3, 3, 0));
    let arrived = ledger.inbox(&shop(), Position(0), 4, NO_WAIT).await.unwrap();
    let mut some = batch(arrived[3].position);
    some.books.insert((even.clone(), Verdict::Lead), 1);
    some.books.insert((even.clone(), Verdict::Unmatched), 1);
    some.books.insert((ChannelId::new("odd"), Verdict::Junk), 2);
    ledger.commit(&shop(), &claim, some).await.unwrap();
    let account = ledger.books(&shop()).await.unwrap()[&even].clone();
    assert_eq!((account.accepted, account.in_flight, account.difference()), (3, 1, 0));
    assert_eq!(ledger.behind_since(&shop()).await.unwrap(), Some(at(5)));
    let mut moved = batch(arrived[3].position);
    moved.books.insert((even.clone(), Verdict::Unmatched), -1);
    moved.books.insert((even.clone(), Verdict::Update), 1);
    ledger.commit(&shop(), &claim, moved).await.unwrap();
    let account = ledger.books(&shop()).await.unwrap()[&even].clone();
    assert_eq!(
        (account.verdicts[&Verdict::Unmatched], account.verdicts[&Verdict::Update], account.difference()),
        (0, 1, 0)
    );
}

pub(super) async fn aside(backend: &dyn Backend) {
    let ledger = backend.ledger();
    backend.accept(vec![entry("shop", 1)], b"the bytes of one").await;
    backend.accept(vec![entry("shop", 2)], b"the bytes of two").await;
    let claim = ledger.claim(&shop()).await.unwrap();
    let arrived = ledger.inbox(&shop(), Position(0), 9, NO_WAIT).await.unwrap();
    let mut buried = batch(arrived[1].position);
    let dead = |attempts| Aside { kind: AsideKind::Dead, reason: "deciding failed".to_owned(), attempts };
    buried.asides = arrived.iter().map(|one| (one.position, dead(4), Arc::clone(&one.entry))).collect();
    ledger.commit(&shop(), &claim, buried).await.unwrap();
    assert_eq!(ledger.aside_count(&shop(), AsideKind::Dead).await.unwrap(), 2);
    assert_eq!(ledger.aside_count(&shop(), AsideKind::Quarantined).await.unwrap(), 0);
    let listed = ledger.aside(&shop(), AsideKind::Dead, None, 1).await.unwrap();
    assert_eq!((listed[0].entry.uid, listed[0].attempts, listed[0].reason.as_str()), (uid(2), 4, "deciding failed"));
    let older = ledger.aside(&shop(), AsideKind::Dead, Some(listed[0].position), 9).await.unwrap();
    assert_eq!(older.len(), 1);
    assert_eq!(older[0].raw.as_deref(), Some(b"the bytes of one".as_slice()));
    let one = ledger.aside_one(&shop(), uid(1)).await.unwrap().unwrap();
    assert_eq!(one.entry, entry("shop", 1));
    assert!(ledger.release(&shop(), uid(1)).await.unwrap());
    assert!(!ledger.release(&shop(), uid(1)).await.unwrap());
    assert!(ledger.aside_one(&shop(), uid(1)).await.unwrap().is_none());
}

/// More of a kind than any backend looks at in one go.
const MANY: u32 = 400;

pub(super) async fn aged(backend: &dyn Backend) {
    let ledger = backend.ledger();
    backend.accept((1..=MANY + 4).map(|n| entry("shop", n)).collect(), b"the bytes").await;
    let claim = ledger.claim(&shop()).await.unwrap();
    let arrived = ledger.inbox(&shop(), Position(0), 999, NO_WAIT).await.unwrap();
    let (early, late) = arrived.split_at(MANY as usize);
    let set_aside = async |entries: &[Arrived], kinds: &[AsideKind], moment: i64| {
        let mut some = Batch { at: at(moment), ..batch(entries.last().unwrap().position) };
        for (one, kind) in entries.iter().zip(kinds.iter().cycle()) {
            let aside = Aside { kind: *kind, reason: "why".to_owned(), attempts: 0 };
            some.asides.push((one.position, aside, Arc::clone(&one.entry)));
            *some.books.entry((one.entry.channel.clone(), kind.verdict())).or_default() += 1;
        }
        ledger.commit(&shop(), &claim, some).await.unwrap();
    };
    set_aside(&early[..8], &AsideKind::ALL, 1_000).await;
    set_aside(&early[8..], &[AsideKind::Junk], 1_000).await;
    set_aside(late, &AsideKind::ALL, 2_000).await;
    let books = ledger.books(&shop()).await.unwrap();
    assert_eq!(ledger.aside_one(&shop(), uid(1)).await.unwrap().unwrap().at, at(1_000), "not when it came");

    let far = Duration::from_secs(1 << 30);
    let keep =
        Keep { events: far, inbox: far, journal: far, seen: far, closed: far, aside: Duration::from_secs(1_000) };
    let trimmed = async |moment: i64| {
        let mut removed = 0;
        loop {
            match ledger.trim(at(moment), &keep, &pepper()).await.unwrap() {
                0 => break removed,
                some => removed += some,
            }
        }
    };
    let left = async || {
        let mut left = Vec::new();
        for kind in [AsideKind::Dead, AsideKind::Quarantined, AsideKind::Excluded, AsideKind::Junk] {
            left.push(ledger.aside_count(&shop(), kind).await.unwrap());
        }
        left
    };
    assert_eq!(trimmed(2_000).await, 0, "its time is not over yet");
    assert_eq!(trimmed(2_001).await, u64::from(MANY) - 2);
    assert_eq!(left().await, [3, 1, 1, 1]);
    assert!(ledger.aside_one(&shop(), uid(9)).await.unwrap().is_none());
    let dead = ledger.aside(&shop(), AsideKind::Dead, None, 9).await.unwrap();
    assert!(dead.iter().all(|one| one.raw.as_deref() == Some(b"the bytes")), "dead letters stay whole");
    assert_eq!(trimmed(1 << 29).await, 3);
    assert_eq!(left().await, [3, 0, 0, 0]);
    assert_eq!(ledger.books(&shop()).await.unwrap(), books);
    assert!(books.values().all(|account| account.difference() == 0));
}

pub(super) async fn leads(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    let mut some = batch(Position(0));
    for n in 1..=5 {
        let mut one = lead(n);
        one.closed_at = (n == 5).then(|| at(50));
        some.records.extend([put_lead(one), put_contact(contact(n))]);
    }
    ledger.commit(&shop(), &claim, some).await.unwrap();
    let list = async |filter: LeadFilter| -> Vec<LeadId> {
        ledger.leads(&shop(), &filter).await.unwrap().into_iter().map(|(lead, _)| lead.id).collect()
    };
    let all = LeadFilter { limit: 9, ..LeadFilter::default() };
    let named = |ns: &[u32]| ns.iter().map(|n| ids(*n).0).collect::<Vec<_>>();
    assert_eq!(list(all.clone()).await, named(&[5, 4, 3, 2, 1]));
    assert_eq!(list(LeadFilter { limit: 2, before: Some((at(4), ids(4).0)), ..all.clone() }).await, named(&[3, 2]));
    assert_eq!(list(LeadFilter { open: Some(true), ..all.clone() }).await, named(&[4, 3, 2, 1]));
    assert_eq!(list(LeadFilter { open: Some(false), ..all.clone() }).await, named(&[5]));
    assert_eq!(list(LeadFilter { channel: Some(ChannelId::new("even")), ..all.clone() }).await, named(&[4, 2]));
    assert_eq!(list(LeadFilter { owner: Some("anna".to_owned()), ..all.clone() }).await, named(&[2, 1]));
    assert_eq!(list(LeadFilter { stage: Some(lead::entry::Stage::Qualified), ..all }).await, named(&[]));
}

pub(super) async fn exclusions(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    let mut some = batch(Position(0));
    for n in 1..=3 {
        let matcher = format!("domain:spam{n}.example");
        let one = Exclusion {
            matcher: matcher.clone(),
            reason: "spam".into(),
            by: "anna".into(),
            at: at(n),
            expires_at: None,
        };
        some.records.push((Key::Exclusion(matcher), Some(Record::Exclusion(Box::new(one)))));
    }
    ledger.commit(&shop(), &claim, some).await.unwrap();
    let first = ledger.exclusions(&shop(), None, 2).await.unwrap();
    assert_eq!(
        first.iter().map(|one| one.matcher.as_str()).collect::<Vec<_>>(),
        ["domain:spam1.example", "domain:spam2.example"]
    );
    let rest = ledger.exclusions(&shop(), Some(&first[1].matcher), 2).await.unwrap();
    assert_eq!(rest.len(), 1);
}

pub(super) async fn trim(backend: &dyn Backend) {
    let ledger = backend.ledger();
    backend.accept((1..=4).map(|n| entry("shop", n)).collect(), b"").await;
    let claim = ledger.claim(&shop()).await.unwrap();
    let arrived = ledger.inbox(&shop(), Position(0), 9, NO_WAIT).await.unwrap();
    let mut some = batch(arrived[1].position);
    some.events = (1..=4).map(event).collect();
    let seen = |n: u32| (Key::Seen(uid(n)), Some(Record::Seen(Seen { at: at(i64::from(n)), digest: 0 })));
    let mut closed = lead(1);
    closed.closed_at = Some(at(1));
    // Two contacts, of whom one has been here lately; a number of the other has become somebody else's.
    let (old, recent) = (customer(1, 1, ["+15005550001", "+15005550002"]), customer(2, 4, ["+15005550003"; 2]));
    let number = |n: &str| Key::Identity(Identity::Phone(n.to_owned()).key(&pepper()));
    let leads_to = |n: &str, whose: &Contact| (number(n), Some(Record::Identity(whose.id)));
    some.records = vec![seen(1), seen(4), put_lead(closed), put_lead(lead(2))];
    some.records.extend([
        leads_to("+15005550001", &old),
        leads_to("+15005550002", &recent),
        leads_to("+15005550003", &recent),
        put_contact(old),
        put_contact(recent.clone()),
    ]);
    ledger.commit(&shop(), &claim, some).await.unwrap();
    let events = ledger.events(&shop(), Position(0), 9, NO_WAIT).await.unwrap();
    ledger.acknowledge(&shop(), "crm", events[1].position, false).await.unwrap();
    let second = Duration::from_secs(1);
    let keep = Keep { events: second, inbox: second, journal: second, seen: second, closed: second, aside: second };
    // Everything before moment 4 is past its age by then.
    while ledger.trim(at(5), &keep, &pepper()).await.unwrap() > 0 {}
    let left: Vec<_> =
        ledger.events(&shop(), Position(0), 9, NO_WAIT).await.unwrap().into_iter().map(|one| one.json).collect();
    assert_eq!(left, [r#"{"n":3}"#, r#"{"n":4}"#], "what the consumer has not read stays");
    let known = ledger
        .fetch(&shop(), &[Key::Seen(uid(1)), Key::Seen(uid(4)), Key::Lead(ids(1).0), Key::Lead(ids(2).0)])
        .await
        .unwrap();
    assert_eq!(known.iter().map(Option::is_some).collect::<Vec<_>>(), [false, true, false, true]);
    let numbers = ["+15005550001", "+15005550002", "+15005550003"].map(number);
    let whose = ledger.fetch(&shop(), &numbers).await.unwrap();
    let theirs = Some(Record::Identity(recent.id));
    assert_eq!(whose, [None, theirs.clone(), theirs], "the keys of a contact go with it");
    let inbox = ledger.inbox(&shop(), Position(0), 9, NO_WAIT).await.unwrap();
    let kept: Vec<_> = inbox.iter().map(|one| one.entry.uid).collect();
    assert_eq!(kept, [uid(3), uid(4)], "what is not decided stays, however old");
    ledger.acknowledge(&shop(), "crm", events[3].position, false).await.unwrap();
    while ledger.trim(at(500), &keep, &pepper()).await.unwrap() > 0 {}
    let last = ledger.events(&shop(), Position(0), 9, NO_WAIT).await.unwrap();
    assert_eq!(last.len(), 1, "the newest event stays: positions never begin anew");
}

fn pepper() -> Pepper {
    Pepper::new(b"a pepper of some length")
}

/// Somebody whose last lead closed at that moment.
fn customer(n: u32, closed: i64, numbers: [&str; 2]) -> Contact {
    let identities = numbers.map(|number| Linked { identity: Identity::Phone(number.to_owned()), proof: uid(n) });
    let last = Some(LastLead { id: ids(n).0, closed_at: at(closed) });
    Contact { identities: identities.to_vec(), last, ..Contact::new(ids(n).1, at(1)) }
}
