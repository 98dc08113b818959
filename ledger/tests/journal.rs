//! The journal keeps what it said it has, and says so when it cannot.
#![expect(clippy::unwrap_used, reason = "a test: what cannot be unwrapped has failed")]

use bytes::Bytes;
use lead::entry::{Command, Entry, Kind, Order, Signal, Touch};
use lead::ids::{ChannelId, PersonId, Uid, WorkspaceId};
use lead::time::At;
use ledger::embedded::Embedded;
use ledger::folder::Folder;
use ledger::journal::{Bounds, Journal, Row};
use ledger::{Batch, Error, Ledger, Position};
use std::path::Path;
use std::time::Duration;

fn roomy() -> Bounds {
    Bounds { free_percent: 0, ..Bounds::default() }
}

fn shop() -> WorkspaceId {
    WorkspaceId::new("shop")
}

fn row(n: u32, signal: Signal, raw: &'static [u8]) -> Row {
    let entry = Entry {
        uid: Uid::derived("form", &n.to_string(), ""),
        workspace: shop(),
        channel: ChannelId::new("form"),
        received_at: At::from_secs(i64::from(n)),
        source: "form".to_owned(),
        synthetic: None,
        same: None,
        signal,
    };
    Row { entry, raw: Some(Bytes::from_static(raw)) }
}

fn touch(n: u32) -> Row {
    row(n, Signal::Touch(Box::new(Touch::new(Kind::Form))), b"name=Anna")
}

fn uids(journal: &Journal) -> Vec<Uid> {
    let rows = journal.reader().unwrap().after(&shop(), 0, 10_000).unwrap();
    rows.into_iter().map(|row| row.entry.uid).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_appended_is_there_in_order_after_reopening() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    for n in 1..=20 {
        journal.append(vec![touch(n)]).await.unwrap();
    }
    journal.close().await;
    assert!(matches!(journal.append(vec![touch(21)]).await, Err(Error::Closed)));
    let again = Journal::open(folder.path(), roomy()).unwrap();
    again.append(vec![touch(21)]).await.unwrap();
    let expected: Vec<_> = (1..=21).map(|n| touch(n).entry.uid).collect();
    assert_eq!(uids(&again), expected);
    assert_eq!(again.reader().unwrap().newest_received().unwrap(), At::from_secs(21));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_at_once_are_all_there_exactly_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    let appends = (0..1_000).map(|n| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(vec![touch(2 * n), touch(2 * n + 1)]).await })
    });
    for append in appends.collect::<Vec<_>>() {
        append.await.unwrap().unwrap();
    }
    let mut found = uids(&journal);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found.len(), 2_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_without_room_takes_nothing_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let full = Bounds { free_percent: 101, free_enough: u64::MAX, ..Bounds::default() };
    let journal = Journal::open(folder.path(), full).unwrap();
    assert!(matches!(journal.append(vec![touch(1)]).await, Err(Error::Full)));
    assert!(!journal.healthy());
    assert!(uids(&journal).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_disk_has_room_before_the_share_of_it_is_free() {
    let folder = tempfile::tempdir().unwrap();
    let journal =
        Journal::open(folder.path(), Bounds { free_percent: 101, free_enough: 1, ..Bounds::default() }).unwrap();
    journal.append(vec![touch(1)]).await.unwrap();
    assert_eq!(uids(&journal).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_waiting_than_the_bound_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Bounds { waiting: 1, ..roomy() }).unwrap();
    let crowd = (0..400).map(|n| {
        let journal = journal.clone();
        tokio::spawn(async move { journal.append(vec![touch(n)]).await })
    });
    let (mut taken, mut refused) = (0, 0);
    for one in crowd.collect::<Vec<_>>() {
        match one.await.unwrap() {
            Ok(()) => taken += 1,
            Err(Error::Busy) => refused += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(taken + refused, 400);
    assert!(refused > 0 && taken > 0, "{taken} taken, {refused} refused");
    assert_eq!(uids(&journal).len(), taken);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_large_body_lies_in_the_spool_and_leaves_with_its_row() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), Bounds { spool_over: 16, ..roomy() }).unwrap();
    let large = b"a body that is longer than sixteen bytes";
    journal.append(vec![row(1, Signal::Touch(Box::new(Touch::new(Kind::Mail))), large)]).await.unwrap();
    journal.append(vec![touch(2)]).await.unwrap();
    let reader = journal.reader().unwrap();
    assert_eq!(reader.raw(1).unwrap().as_deref(), Some(large.as_slice()));
    assert_eq!(reader.raw(2).unwrap().as_deref(), Some(b"name=Anna".as_slice()));
    assert_eq!(spooled(folder.path()), 1);
    journal.trim("shop", 2, At::from_secs(100)).await.unwrap();
    assert_eq!(spooled(folder.path()), 0);
}

fn spooled(folder: &Path) -> usize {
    std::fs::read_dir(folder.join("spool")).unwrap().count()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_stay_when_the_rest_is_past_its_age() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    let order = Order::Presence { person: PersonId::new("anna"), present: false };
    let command = row(2, Signal::Command(Box::new(Command { by: "anna".to_owned(), order })), b"");
    let uid = command.entry.uid;
    journal.append(vec![touch(1), command, touch(3), touch(4)]).await.unwrap();
    assert_eq!(journal.trim("shop", 3, At::from_secs(100)).await.unwrap(), 2);
    assert_eq!(uids(&journal), [uid, touch(4).entry.uid], "what is not decided stays too");
}

#[test]
fn a_folder_belongs_to_one_process_at_a_time() {
    let folder = tempfile::tempdir().unwrap();
    let first = Folder::take(folder.path()).unwrap();
    let second = Folder::take(folder.path()).unwrap_err();
    assert!(second.to_string().starts_with("another leadgate uses the folder"), "{second}");
    drop(first);
    Folder::take(folder.path()).unwrap();
}

#[test]
fn the_pepper_is_made_once_and_only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let taken = Folder::take(folder.path()).unwrap();
    assert_eq!(taken.pepper([1; 32]).unwrap(), [1; 32]);
    assert_eq!(taken.pepper([2; 32]).unwrap(), [1; 32]);
    let mode = std::fs::metadata(folder.path().join("pepper")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_file_of_a_newer_version_is_refused_with_both_versions() {
    let folder = tempfile::tempdir().unwrap();
    let db = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let error = Journal::open(folder.path(), roomy()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "journal.db has schema version 99, this leadgate knows up to 2; start the newer version again"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_taken_while_entries_come_in_opens_and_goes_on() {
    let (folder, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let to = copy.path().join("backup");
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    let ledger = Embedded::open(folder.path(), journal.clone()).unwrap();
    let writing = async {
        for n in 1..=200 {
            journal.append(vec![touch(n)]).await.unwrap();
        }
    };
    let ((), saved) = tokio::join!(writing, ledger.backup(&to));
    saved.unwrap();
    let journal = Journal::open(&to, roomy()).unwrap();
    let restored = Embedded::open(&to, journal.clone()).unwrap();
    let claim = restored.claim(&shop()).await.unwrap();
    let inbox = restored.inbox(&shop(), claim.cursor, 1_000, Duration::ZERO).await.unwrap();
    let expected: Vec<_> = (1..).take(inbox.len()).map(|n| touch(n).entry.uid).collect();
    assert_eq!(inbox.iter().map(|one| one.entry.uid).collect::<Vec<_>>(), expected, "a prefix of what was accepted");
    journal.append(vec![touch(900)]).await.unwrap();
    let last = inbox.last().map_or(Position(0), |one| one.position);
    assert_eq!(restored.inbox(&shop(), last, 9, Duration::ZERO).await.unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_journal_that_lost_its_end_goes_on_after_what_was_decided() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    let ledger = Embedded::open(folder.path(), journal.clone()).unwrap();
    journal.append(vec![touch(1), touch(2), touch(3)]).await.unwrap();
    let claim = ledger.claim(&shop()).await.unwrap();
    let decided = Batch { cursor: Position(3), ..Batch::default() };
    ledger.commit(&shop(), &claim, decided).await.unwrap();
    journal.close().await;
    ledger.close().await;
    drop((journal, ledger));
    for file in ["journal.db", "journal.db-wal", "journal.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(file));
    }
    for _ in 0..2 {
        let journal = Journal::open(folder.path(), roomy()).unwrap();
        let ledger = Embedded::open(folder.path(), journal.clone()).unwrap();
        journal.append(vec![touch(4)]).await.unwrap();
        let next = ledger.inbox(&shop(), Position(3), 10, Duration::ZERO).await.unwrap();
        assert_eq!(next.first().map(|row| (row.position, row.entry.uid)), Some((Position(4), touch(4).entry.uid)));
        journal.close().await;
        ledger.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_row_is_handed_on_with_its_bytes_and_holds_up_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    journal.append(vec![touch(1), touch(2), touch(3)]).await.unwrap();
    let db = rusqlite::Connection::open(folder.path().join("journal.db")).unwrap();
    db.execute("UPDATE row SET entry = substr(entry, 1, 20) WHERE seq = 2", []).unwrap();
    let reader = journal.reader().unwrap();
    let rows = reader.after(&shop(), 0, 10).unwrap();
    let [first, damaged, last] = rows.as_slice() else { panic!("three rows: {}", rows.len()) };
    assert_eq!([first.entry.uid, last.entry.uid], [touch(1).entry.uid, touch(3).entry.uid]);
    assert!(matches!(damaged.entry.signal, Signal::Unreadable(_)));
    assert_eq!((&damaged.entry.workspace, damaged.entry.received_at), (&shop(), At::from_secs(2)));
    assert_eq!(damaged.entry.uid, reader.after(&shop(), 1, 1).unwrap()[0].entry.uid, "the same at every look");
    assert_eq!(reader.raw(2).unwrap().as_deref(), Some(b"name=Anna".as_slice()));
}

#[tokio::test(flavor = "multi_thread")]
async fn damage_on_the_disk_is_found_by_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::open(folder.path(), roomy()).unwrap();
    let ledger = Embedded::open(folder.path(), journal.clone()).unwrap();
    for n in 1..=200 {
        journal.append(vec![touch(n)]).await.unwrap();
    }
    journal.close().await;
    ledger.close().await;
    assert_eq!(Folder::damage(folder.path()).unwrap(), None);
    let path = folder.path().join("journal.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The headers of every page but the first.
    for page in bytes.chunks_mut(4096).skip(1) {
        page[..8].fill(0xA5);
    }
    std::fs::write(&path, bytes).unwrap();
    let found = Folder::damage(folder.path());
    assert!(matches!(found, Ok(Some("journal.db")) | Err(_)), "{found:?}");
}
