//! The two streams: what comes in, and what goes out.

use super::Backend;
use super::made::{ENOUGH, NO_WAIT, batch, entry, event, shop};
use crate::Duty;
use crate::commit::Position;
use lead::ids::{ChannelId, WorkspaceId};
use std::time::Duration;

pub(super) async fn inbox(backend: &dyn Backend) {
    backend.accept((1..=5).map(|n| entry("shop", n)).collect(), b"").await;
    backend.accept(vec![entry("other", 6), entry("shop", 7)], b"").await;
    let ledger = backend.ledger();
    let all = ledger.inbox(&shop(), Position(0), 100, NO_WAIT).await.unwrap();
    let uids: Vec<_> = all.iter().map(|arrived| (*arrived.entry).clone()).collect();
    let expected: Vec<_> = [1, 2, 3, 4, 5, 7].into_iter().map(|n| entry("shop", n)).collect();
    assert_eq!(uids, expected);
    let rest = ledger.inbox(&shop(), all[1].position, 2, NO_WAIT).await.unwrap();
    assert_eq!(rest.iter().map(|arrived| arrived.position).collect::<Vec<_>>(), [all[2].position, all[3].position]);
    assert_eq!(ledger.inbox(&WorkspaceId::new("other"), Position(0), 100, NO_WAIT).await.unwrap().len(), 1);
    assert!(ledger.inbox(&WorkspaceId::new("nobody"), Position(0), 100, NO_WAIT).await.unwrap().is_empty());
}

pub(super) async fn woken(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let workspace = shop();
    let reading = ledger.inbox(&workspace, Position(0), 100, ENOUGH);
    let accepting = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        backend.accept(vec![entry("shop", 1)], b"").await;
    };
    let (read, ()) = tokio::join!(reading, accepting);
    assert_eq!(read.unwrap().len(), 1);
    let waited = tokio::time::Instant::now();
    assert!(ledger.inbox(&workspace, Position::END, 1, Duration::from_millis(80)).await.unwrap().is_empty());
    assert!(waited.elapsed() >= Duration::from_millis(70));
}

pub(super) async fn events(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let claim = ledger.claim(&shop()).await.unwrap();
    for part in [1..=3, 4..=6] {
        let mut some = batch(claim.cursor);
        some.events = part.map(event).collect();
        ledger.commit(&shop(), &claim, some).await.unwrap();
    }
    let all = ledger.events(&shop(), Position(0), 100, NO_WAIT).await.unwrap();
    assert_eq!(
        all.iter().map(|one| one.json.as_str()).collect::<Vec<_>>(),
        [1, 2, 3, 4, 5, 6].map(|n| format!(r#"{{"n":{n}}}"#))
    );
    assert!(all.windows(2).all(|pair| pair[0].position < pair[1].position));
    assert_eq!(
        (all[0].id.clone(), all[0].kind.as_str(), all[0].subject.clone()),
        (event(1).id.to_string(), "lead.created", event(1).subject)
    );
    let some = ledger.events(&shop(), all[1].position, 2, NO_WAIT).await.unwrap();
    assert_eq!(some, all[2..4]);
    assert_eq!(ledger.last_event(&shop()).await.unwrap(), all[5].position);
    assert!(ledger.events(&WorkspaceId::new("other"), Position(0), 100, NO_WAIT).await.unwrap().is_empty());
}

pub(super) async fn published(backend: &dyn Backend) {
    let ledger = backend.ledger();
    let workspace = shop();
    let claim = ledger.claim(&workspace).await.unwrap();
    let reading = ledger.events(&workspace, Position(0), 100, ENOUGH);
    let publishing = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut one = batch(claim.cursor);
        one.events = vec![event(1)];
        ledger.commit(&workspace, &claim, one).await.unwrap();
    };
    let (read, ()) = tokio::join!(reading, publishing);
    assert_eq!(read.unwrap().len(), 1);
}

pub(super) async fn consumers(backend: &dyn Backend) {
    let ledger = backend.ledger();
    ledger.claim(&shop()).await.unwrap();
    assert_eq!(ledger.consumer(&shop(), "crm").await.unwrap(), Position(0));
    for (to, rewind, is) in [(7, false, 7), (5, false, 7), (5, true, 5), (9, false, 9)] {
        ledger.acknowledge(&shop(), "crm", Position(to), rewind).await.unwrap();
        assert_eq!(ledger.consumer(&shop(), "crm").await.unwrap(), Position(is));
    }
    assert_eq!(ledger.consumer(&shop(), "other").await.unwrap(), Position(0));
}

pub(super) async fn leases(backend: &dyn Backend) {
    let (ledger, mailbox) = (backend.ledger(), ChannelId::new("mailbox"));
    let duties = [(Duty::Decide, "worker"), (Duty::Feed(&mailbox), "one gateway")];
    for (duty, holder) in duties {
        assert!(ledger.lease(&shop(), duty, holder, ENOUGH).await.unwrap(), "{duty:?}");
    }
    for (duty, holder) in duties {
        assert!(ledger.lease(&shop(), duty, holder, ENOUGH).await.unwrap(), "{duty:?} is kept");
        ledger.give_back(&shop(), duty, "a stranger").await.unwrap();
        ledger.give_back(&shop(), duty, holder).await.unwrap();
        assert!(ledger.lease(&shop(), duty, "another", ENOUGH).await.unwrap(), "{duty:?} was given back");
    }
}

pub(super) async fn notes(backend: &dyn Backend) {
    let ledger = backend.ledger();
    assert_eq!(ledger.note(&shop(), "mailbox").await.unwrap(), None);
    for text in ["as far as here", "and on to there"] {
        ledger.put_note(&shop(), "mailbox", text).await.unwrap();
        assert_eq!(ledger.note(&shop(), "mailbox").await.unwrap().as_deref(), Some(text));
    }
    assert_eq!(ledger.note(&shop(), "another").await.unwrap(), None);
    assert_eq!(ledger.note(&WorkspaceId::new("farm"), "mailbox").await.unwrap(), None);
}
