//! What does deciding know of the store? Records that were fetched, overlaid by what this batch has already decided.
//!
//! Deciding never waits: where a record has not been fetched it answers [`Need`], and runs again when it is here.

use crate::changes::{Changes, QueueChange};
use crate::identity::IdentityKey;
use crate::ids::{CallKey, ContactId, Digest, LeadId, Uid};
use crate::record::{Key, Record};
use crate::state;
use crate::time::At;
use std::collections::{BTreeSet, HashMap};

/// Records without which nothing can be decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Need {
    Records(Vec<Key>),
    /// The heads of the queue, at least this many.
    Queue(usize),
}

/// Fetched records under the batch's own changes.
#[derive(Debug, Default)]
pub struct Facts {
    records: HashMap<Key, Option<Record>>,
    changed: BTreeSet<Key>,
    queue: Option<Queue>,
    queued: Vec<QueueChange>,
}

#[derive(Debug)]
struct Queue {
    heads: Vec<(At, LeadId)>,
    /// The heads are the whole queue.
    whole: bool,
}

impl Queue {
    /// Keeps the order of the store, oldest first and then by id, so that a batch drains as single entries do.
    fn apply(&mut self, change: QueueChange) {
        match change {
            QueueChange::Put(at, lead) => {
                let place = self.heads.partition_point(|head| *head < (at, lead));
                let within = self.whole || place < self.heads.len();
                if within && self.heads.get(place) != Some(&(at, lead)) {
                    self.heads.insert(place, (at, lead));
                }
            }
            QueueChange::Drop(at, lead) => self.heads.retain(|head| *head != (at, lead)),
        }
    }
}

impl Facts {
    pub fn knows(&self, key: &Key) -> bool {
        self.records.contains_key(key)
    }

    /// What the store said. A record that this batch has changed is not overwritten.
    pub fn learn(&mut self, key: Key, record: Option<Record>) {
        self.records.entry(key).or_insert(record);
    }

    /// What the store said of its queue; `asked` tells whether that is all of it.
    pub fn learn_queue(&mut self, mut heads: Vec<(At, LeadId)>, asked: usize) {
        let whole = heads.len() < asked;
        heads.sort_unstable();
        let mut queue = Queue { heads, whole };
        for change in &self.queued {
            queue.apply(*change);
        }
        self.queue = Some(queue);
    }

    /// How many heads to ask the store for so that `wanted` remain after what this batch took out.
    pub fn queue_to_ask(&self, wanted: usize) -> usize {
        wanted + self.queued.len()
    }

    pub fn get(&self, key: &Key) -> Result<Option<&Record>, Need> {
        match self.records.get(key) {
            Some(known) => Ok(known.as_ref()),
            None => Err(Need::Records(vec![key.clone()])),
        }
    }

    /// The oldest of the queue: at least `wanted`, or all there are.
    pub fn queue(&self, wanted: usize) -> Result<&[(At, LeadId)], Need> {
        match &self.queue {
            Some(queue) if queue.whole || queue.heads.len() >= wanted => Ok(&queue.heads),
            _ => Err(Need::Queue(wanted)),
        }
    }

    /// Lays the changes of one entry over what is known, so that the next entry sees them.
    pub fn apply(&mut self, changes: &mut Changes) {
        for (key, record) in changes.records.drain(..) {
            self.changed.insert(key.clone());
            self.records.insert(key, record);
        }
        for change in &changes.queue {
            self.queued.push(*change);
            if let Some(queue) = &mut self.queue {
                queue.apply(*change);
            }
        }
    }

    /// The final state of every record that was changed, each once, in the order of their keys.
    pub fn into_changed(mut self) -> Vec<(Key, Option<Record>)> {
        let changed = std::mem::take(&mut self.changed);
        changed
            .into_iter()
            .map(|key| {
                let record = self.records.remove(&key).flatten();
                (key, record)
            })
            .collect()
    }
}

/// A typed look-up for each kind of record.
macro_rules! typed {
    ($($name:ident($($arg:ident: $type:ty)?) => $key:expr, $variant:ident -> $out:ty;)*) => {
        impl Facts {
            $(pub fn $name(&self $(, $arg: $type)?) -> Result<Option<&$out>, Need> {
                match self.get(&$key)? {
                    None => Ok(None),
                    Some(Record::$variant(record)) => Ok(Some(record)),
                    Some(_) => unreachable!("a record's kind follows from its key"),
                }
            })*
        }
    };
}
typed! {
    seen(uid: Uid) => Key::Seen(uid), Seen -> state::Seen;
    same(digest: Digest) => Key::Same(digest), Same -> state::Same;
    identity(key: IdentityKey) => Key::Identity(key), Identity -> ContactId;
    contact(id: ContactId) => Key::Contact(id), Contact -> state::Contact;
    lead(id: LeadId) => Key::Lead(id), Lead -> state::Lead;
    call(key: CallKey) => Key::Call(key), Call -> state::CallRecord;
    unmatched(key: [u8; 16]) => Key::Unmatched(key), Unmatched -> Vec<state::Pending>;
    floor() => Key::Floor, Floor -> state::Floor;
}

impl Facts {
    pub fn exclusion(&self, matcher: &str) -> Result<Option<&state::Exclusion>, Need> {
        match self.get(&Key::Exclusion(matcher.to_owned()))? {
            Some(Record::Exclusion(exclusion)) => Ok(Some(exclusion)),
            _ => Ok(None),
        }
    }
}
