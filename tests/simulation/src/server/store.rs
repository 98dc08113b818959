//! What does the server hold? Keys with their values, and the version of each that a watch compares.

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(crate) type Bytes = Vec<u8>;
/// Time and number of an entry.
pub(crate) type EntryId = (u64, u64);

#[derive(Clone, Debug)]
pub(crate) enum Value {
    /// With the moment at which it vanishes.
    Text(Bytes, Option<u64>),
    Hash(BTreeMap<Bytes, Bytes>),
    Sorted(Sorted),
    Stream(Stream),
    Set(BTreeSet<Bytes>),
}

impl Value {
    pub(crate) fn word(&self) -> &'static str {
        match self {
            Value::Text(..) => "string",
            Value::Hash(_) => "hash",
            Value::Sorted(_) => "zset",
            Value::Stream(_) => "stream",
            Value::Set(_) => "set",
        }
    }

    /// A key whose value holds nothing is gone; only a stream stays.
    fn is_empty(&self) -> bool {
        match self {
            Value::Text(..) | Value::Stream(_) => false,
            Value::Hash(all) => all.is_empty(),
            Value::Sorted(all) => all.order.is_empty(),
            Value::Set(all) => all.is_empty(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Sorted {
    scores: HashMap<Bytes, i64>,
    pub(crate) order: BTreeSet<(i64, Bytes)>,
}

impl Sorted {
    pub(crate) fn put(&mut self, score: i64, name: Bytes) -> bool {
        let before = self.scores.insert(name.clone(), score);
        if let Some(before) = before {
            self.order.remove(&(before, name.clone()));
        }
        self.order.insert((score, name));
        before.is_none()
    }

    pub(crate) fn drop(&mut self, name: &Bytes) -> bool {
        let before = self.scores.remove(name);
        if let Some(before) = before {
            self.order.remove(&(before, name.clone()));
        }
        before.is_some()
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Stream {
    pub(crate) entries: BTreeMap<EntryId, Vec<Bytes>>,
    pub(crate) last: EntryId,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Store {
    keys: HashMap<Bytes, Value>,
    versions: HashMap<Bytes, u64>,
    changes: u64,
}

impl Store {
    /// To look at; what has expired by `now` is not there.
    pub(crate) fn get(&self, key: &[u8], now: u64) -> Option<&Value> {
        self.keys.get(key).filter(|value| !matches!(value, Value::Text(_, Some(until)) if *until <= now))
    }

    pub(crate) fn hash(&self, key: &[u8]) -> Option<&BTreeMap<Bytes, Bytes>> {
        match self.keys.get(key) {
            Some(Value::Hash(hash)) => Some(hash),
            _ => None,
        }
    }

    pub(crate) fn sorted(&self, key: &[u8]) -> Option<&Sorted> {
        match self.keys.get(key) {
            Some(Value::Sorted(sorted)) => Some(sorted),
            _ => None,
        }
    }

    pub(crate) fn stream(&self, key: &[u8]) -> Option<&Stream> {
        match self.keys.get(key) {
            Some(Value::Stream(stream)) => Some(stream),
            _ => None,
        }
    }

    /// To change, made where it is not there.
    pub(crate) fn hash_mut(&mut self, key: &[u8]) -> &mut BTreeMap<Bytes, Bytes> {
        match self.change(key, || Value::Hash(BTreeMap::new())) {
            Value::Hash(hash) => hash,
            other => panic!("a hash is asked of a {}", other.word()),
        }
    }

    pub(crate) fn sorted_mut(&mut self, key: &[u8]) -> &mut Sorted {
        match self.change(key, || Value::Sorted(Sorted::default())) {
            Value::Sorted(sorted) => sorted,
            other => panic!("a sorted set is asked of a {}", other.word()),
        }
    }

    pub(crate) fn set_mut(&mut self, key: &[u8]) -> &mut BTreeSet<Bytes> {
        match self.change(key, || Value::Set(BTreeSet::new())) {
            Value::Set(set) => set,
            other => panic!("a set is asked of a {}", other.word()),
        }
    }

    pub(crate) fn stream_mut(&mut self, key: &[u8]) -> &mut Stream {
        match self.change(key, || Value::Stream(Stream::default())) {
            Value::Stream(stream) => stream,
            other => panic!("a stream is asked of a {}", other.word()),
        }
    }

    pub(crate) fn put(&mut self, key: &[u8], value: Value) {
        self.touch(key);
        self.keys.insert(key.to_vec(), value);
    }

    pub(crate) fn remove(&mut self, key: &[u8]) -> bool {
        self.touch(key);
        self.keys.remove(key).is_some()
    }

    /// After a command that takes away: an empty value is no value.
    pub(crate) fn tidy(&mut self, key: &[u8]) {
        if self.keys.get(key).is_some_and(Value::is_empty) {
            self.keys.remove(key);
        }
    }

    /// Everything goes, and whoever watches any of it notices.
    pub(crate) fn wipe(&mut self) {
        let keys: Vec<Bytes> = self.keys.keys().cloned().collect();
        for key in keys {
            self.remove(&key);
        }
    }

    pub(crate) fn version(&self, key: &[u8]) -> u64 {
        self.versions.get(key).copied().unwrap_or(0)
    }

    fn touch(&mut self, key: &[u8]) {
        self.changes += 1;
        self.versions.insert(key.to_vec(), self.changes);
    }

    fn change(&mut self, key: &[u8], make: impl FnOnce() -> Value) -> &mut Value {
        self.touch(key);
        self.keys.entry(key.to_vec()).or_insert_with(make)
    }
}
