//! What is promised of bytes that a disk or a store gives back? They are what was written or they are nothing; what can
//! be read can be written and read again. The first byte says what they should be.

use lead::entry::Entry;
use lead::identity::IdentityKey;
use lead::ids::{CallKey, ContactId, Digest, LeadId, Uid};
use lead::record::{Key, Record};

/// What the first byte chooses; any other is an entry.
fn keys() -> [Key; 9] {
    let name = [7; 16];
    [
        Key::Seen(Uid::from_bytes(name)),
        Key::Same(Digest::from_bytes(name)),
        Key::Identity(IdentityKey(name)),
        Key::Contact(ContactId::from_bytes(name)),
        Key::Lead(LeadId::from_bytes(name)),
        Key::Call(CallKey::from_bytes(name)),
        Key::Unmatched(name),
        Key::Exclusion(String::new()),
        Key::Floor,
    ]
}

pub(crate) fn play(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match char::from(*kind).to_digit(10).and_then(|kind| keys().into_iter().nth(kind as usize)) {
        Some(key) => {
            let Some(record) = key.decode(bytes) else { return };
            let _ = record.ages_from();
            comes_back(&key, &record);
        }
        None => {
            if let Ok(entry) = rmp_serde::from_slice::<Entry>(bytes) {
                is_the_same(&entry);
            }
        }
    }
}

pub(crate) fn comes_back(key: &Key, record: &Record) {
    assert!(key.decode(&record.encode()).as_ref() == Some(record), "a record changes when it is stored: {record:?}");
}

pub(crate) fn is_the_same(entry: &Entry) {
    let written = rmp_serde::to_vec(entry).expect("an entry can be stored");
    let again: Entry = rmp_serde::from_slice(&written).expect("what was stored can be read");
    assert!(again == *entry, "an entry changes when it is stored: {entry:?}");
}

/// An entry as this target takes it.
pub(crate) fn entry(entry: &Entry) -> Vec<u8> {
    [b"e".to_vec(), rmp_serde::to_vec(entry).expect("an entry can be stored")].concat()
}

/// A record as this target takes it.
pub(crate) fn record(key: &Key, record: &Record) -> Vec<u8> {
    let kind = keys().iter().position(|one| std::mem::discriminant(one) == std::mem::discriminant(key));
    [kind.map(|kind| kind.to_string()).unwrap_or_default().into_bytes(), record.encode()].concat()
}
