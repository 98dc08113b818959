//! What does the store keep, and under which name? Every record, its key, and how it is written.

use crate::identity::IdentityKey;
use crate::ids::{CallKey, ContactId, Digest, LeadId, Uid};
use crate::state;
use crate::time::At;

/// The name of a record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Seen(Uid),
    Same(Digest),
    Identity(IdentityKey),
    Contact(ContactId),
    Lead(LeadId),
    Call(CallKey),
    /// Facts that wait for a lead of this identity, or for this very lead.
    Unmatched([u8; 16]),
    Exclusion(String),
    Floor,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    Seen(state::Seen),
    Same(state::Same),
    Identity(ContactId),
    Contact(Box<state::Contact>),
    Lead(Box<state::Lead>),
    Call(Box<state::CallRecord>),
    Unmatched(Vec<state::Pending>),
    Exclusion(Box<state::Exclusion>),
    Floor(Box<state::Floor>),
}

impl Record {
    /// As stored.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = match self {
            Record::Seen(it) => rmp_serde::to_vec(it),
            Record::Same(it) => rmp_serde::to_vec(it),
            Record::Identity(it) => return it.bytes().to_vec(),
            Record::Contact(it) => rmp_serde::to_vec(it),
            Record::Lead(it) => rmp_serde::to_vec(it),
            Record::Call(it) => rmp_serde::to_vec(it),
            Record::Unmatched(it) => rmp_serde::to_vec(it),
            Record::Exclusion(it) => rmp_serde::to_vec(it),
            Record::Floor(it) => rmp_serde::to_vec(it),
        };
        encoded.expect("records hold nothing that MessagePack cannot say")
    }

    /// The moment from which a record that does not live for ever ages.
    pub fn ages_from(&self) -> Option<At> {
        match self {
            Record::Seen(it) => Some(it.at),
            Record::Same(it) => Some(it.at),
            Record::Call(it) => Some(it.first_seen),
            // A contact without an open lead ages with its last one.
            Record::Contact(it) => it.last.as_ref().filter(|_| it.open.is_none()).map(|last| last.closed_at),
            Record::Unmatched(all) => all.iter().map(|one| one.at).max(),
            _ => None,
        }
    }
}

impl Key {
    /// Reads back what [`Record::encode`] wrote; none if the bytes are not that.
    pub fn decode(&self, bytes: &[u8]) -> Option<Record> {
        Some(match self {
            Key::Seen(_) => Record::Seen(rmp_serde::from_slice(bytes).ok()?),
            Key::Same(_) => Record::Same(rmp_serde::from_slice(bytes).ok()?),
            Key::Identity(_) => Record::Identity(ContactId::from_bytes(bytes.try_into().ok()?)),
            Key::Contact(_) => Record::Contact(rmp_serde::from_slice(bytes).ok()?),
            Key::Lead(_) => Record::Lead(rmp_serde::from_slice(bytes).ok()?),
            Key::Call(_) => Record::Call(rmp_serde::from_slice(bytes).ok()?),
            Key::Unmatched(_) => Record::Unmatched(rmp_serde::from_slice(bytes).ok()?),
            Key::Exclusion(_) => Record::Exclusion(rmp_serde::from_slice(bytes).ok()?),
            Key::Floor => Record::Floor(rmp_serde::from_slice(bytes).ok()?),
        })
    }
}
