//! What does a command do? Exactly those that the ledger sends; any other stops the run.

use super::resp::{Answer, Request};
use super::store::{Bytes, EntryId, Sorted, Store, Value};
use super::streams;

/// What the server says of itself and of the hour.
#[derive(Clone, Debug)]
pub(crate) struct Says {
    /// Milliseconds since 1970 by the server's clock.
    pub(crate) now: u64,
    pub(crate) run_id: String,
    pub(crate) fsync: &'static str,
}

/// A command is done, or waits for an entry.
#[derive(Debug)]
pub(crate) enum Outcome {
    Done(Answer),
    Wait { key: Bytes, after: EntryId, count: usize, millis: u64 },
}

pub(crate) fn execute(store: &mut Store, says: &Says, request: &Request) -> Outcome {
    let name = String::from_utf8_lossy(&request[0]).to_uppercase();
    if name == "XREAD" {
        return streams::xread(store, request);
    }
    let key = request.get(1).map_or(&[][..], Vec::as_slice);
    let rest = request.get(2..).unwrap_or_default();
    let answer = match name.get(..1) {
        Some("H") => hashes(store, &name, key, rest),
        Some("Z") => sorted(store, &name, key, rest),
        Some("X") => streams::streams(store, says, &name, key, rest),
        _ => keys(store, says, &name, key, rest),
    };
    Outcome::Done(answer)
}

fn keys(store: &mut Store, says: &Says, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
    match name {
        "TYPE" => Answer::Word(store.get(key, says.now).map_or("none", Value::word)),
        "EXISTS" => Answer::Number(store.get(key, says.now).is_some().into()),
        "GET" => match store.get(key, says.now) {
            Some(Value::Text(text, _)) => Answer::Bytes(text.clone()),
            _ => Answer::Nil,
        },
        "SET" => set(store, says, key, rest),
        "PEXPIRE" => match store.get(key, says.now).cloned() {
            Some(Value::Text(text, until)) => {
                let new = says.now + number(&rest[0]).unsigned_abs();
                let only_shorter = rest.get(1).is_some_and(|word| word == b"LT");
                if only_shorter && until.is_some_and(|until| until <= new) {
                    return Answer::Number(0);
                }
                store.put(key, Value::Text(text, Some(new)));
                Answer::Number(1)
            }
            _ => Answer::Number(0),
        },
        "DEL" => {
            let there = store.get(key, says.now).is_some();
            store.remove(key);
            Answer::Number(there.into())
        }
        "SADD" => Answer::Number(store.set_mut(key).insert(rest[0].clone()).into()),
        "TIME" => Answer::List(vec![
            Answer::text(&(says.now / 1_000).to_string()),
            Answer::text(&(says.now % 1_000 * 1_000).to_string()),
        ]),
        "INFO" => Answer::text(&format!(
            "redis_version:7.0.15\r\nredis_mode:standalone\r\nrun_id:{}\r\nrole:master\r\nmaster_replid:{}\r\naof_enabled:1\r\naof_last_write_status:ok\r\nused_memory:1000\r\nmaxmemory:0\r\nserver_time_usec:{}\r\n",
            says.run_id,
            says.run_id,
            says.now * 1_000
        )),
        "CONFIG" => Answer::List(vec![Answer::text("appendfsync"), Answer::text(says.fsync)]),
        other => panic!("the simulated server does not know {other}"),
    }
}

/// `SET key value NX GET PX life`: what was there, or nothing when it is set now.
fn set(store: &mut Store, says: &Says, key: &[u8], rest: &[Bytes]) -> Answer {
    let words: Vec<String> = rest[1..].iter().map(|word| String::from_utf8_lossy(word).to_uppercase()).collect();
    assert_eq!(words[..3], ["NX", "GET", "PX"], "the only way in which the ledger sets a text");
    match store.get(key, says.now) {
        Some(Value::Text(text, _)) => Answer::Bytes(text.clone()),
        _ => {
            store.put(key, Value::Text(rest[0].clone(), Some(says.now + number(&rest[4]).unsigned_abs())));
            Answer::Nil
        }
    }
}

fn hashes(store: &mut Store, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
    match name {
        "HGET" => Answer::maybe(store.hash(key).and_then(|hash| hash.get(&rest[0]))),
        "HEXISTS" => Answer::Number(store.hash(key).is_some_and(|hash| hash.contains_key(&rest[0])).into()),
        "HMGET" => {
            let hash = store.hash(key);
            Answer::List(rest.iter().map(|field| Answer::maybe(hash.and_then(|hash| hash.get(field)))).collect())
        }
        "HGETALL" => {
            let pairs = store.hash(key).into_iter().flatten();
            Answer::List(pairs.flat_map(|(field, value)| [field, value].map(|it| Answer::Bytes(it.clone()))).collect())
        }
        "HVALS" => Answer::List(store.hash(key).into_iter().flatten().map(|(_, v)| Answer::Bytes(v.clone())).collect()),
        "HSCAN" => {
            let pairs = store.hash(key).into_iter().flatten();
            let all = pairs.flat_map(|(field, value)| [field, value].map(|it| Answer::Bytes(it.clone()))).collect();
            Answer::List(vec![Answer::text("0"), Answer::List(all)])
        }
        "HSET" => {
            let hash = store.hash_mut(key);
            let new = rest.chunks(2).filter(|pair| hash.insert(pair[0].clone(), pair[1].clone()).is_none());
            Answer::count(new.count())
        }
        "HSETNX" => {
            if store.hash(key).is_some_and(|hash| hash.contains_key(&rest[0])) {
                return Answer::Number(0);
            }
            store.hash_mut(key).insert(rest[0].clone(), rest[1].clone());
            Answer::Number(1)
        }
        "HINCRBY" => {
            let hash = store.hash_mut(key);
            let value = hash.get(&rest[0]).map_or(0, number) + number(&rest[1]);
            hash.insert(rest[0].clone(), value.to_string().into_bytes());
            Answer::Number(value)
        }
        "HDEL" => {
            if store.hash(key).is_none_or(|hash| !rest.iter().any(|field| hash.contains_key(field))) {
                return Answer::Number(0);
            }
            let hash = store.hash_mut(key);
            let gone = rest.iter().filter(|field| hash.remove(*field).is_some()).count();
            store.tidy(key);
            Answer::count(gone)
        }
        other => panic!("the simulated server does not know {other}"),
    }
}

fn sorted(store: &mut Store, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
    match name {
        "ZADD" => {
            let sorted = store.sorted_mut(key);
            Answer::count(rest.chunks(2).filter(|pair| sorted.put(number(&pair[0]), pair[1].clone())).count())
        }
        "ZREM" => {
            if store.sorted(key).is_none() {
                return Answer::Number(0);
            }
            let sorted = store.sorted_mut(key);
            let gone = rest.iter().filter(|name| sorted.drop(name)).count();
            store.tidy(key);
            Answer::count(gone)
        }
        "ZREMRANGEBYSCORE" => {
            let gone = names(store.sorted(key).map(|sorted| by_score(sorted, &rest[0], &rest[1])));
            for name in &gone {
                store.sorted_mut(key).drop(name);
            }
            store.tidy(key);
            Answer::count(gone.len())
        }
        "ZCARD" => Answer::count(store.sorted(key).map_or(0, |sorted| sorted.order.len())),
        "ZRANGE" => by_rank(store.sorted(key), rest),
        "ZRANGEBYSCORE" => {
            page(names(store.sorted(key).map(|sorted| by_score(sorted, &rest[0], &rest[1]))), &rest[2..])
        }
        "ZREVRANGEBYSCORE" => {
            let mut found = names(store.sorted(key).map(|sorted| by_score(sorted, &rest[1], &rest[0])));
            found.reverse();
            page(found, &rest[2..])
        }
        other => panic!("the simulated server does not know {other}"),
    }
}

fn names(found: Option<Vec<&Bytes>>) -> Vec<Bytes> {
    found.into_iter().flatten().cloned().collect()
}

fn by_score<'a>(sorted: &'a Sorted, low: &[u8], high: &[u8]) -> Vec<&'a Bytes> {
    let (low, high) = (bound(low, 1), bound(high, -1));
    sorted.order.iter().filter(|(score, _)| (low..=high).contains(score)).map(|(_, name)| name).collect()
}

/// `-inf`, `+inf`, a number, or `(` and a number that does not belong to the range itself.
fn bound(text: &[u8], inwards: i64) -> i64 {
    match text {
        b"-inf" => i64::MIN,
        b"+inf" => i64::MAX,
        [b'(', rest @ ..] => number(rest).saturating_add(inwards),
        text => number(text),
    }
}

fn page(found: Vec<Bytes>, limit: &[Bytes]) -> Answer {
    let (skip, count) = match limit {
        [_, skip, count] => (number(skip).unsigned_abs() as usize, number(count).unsigned_abs() as usize),
        _ => (0, usize::MAX),
    };
    Answer::List(found.into_iter().skip(skip).take(count).map(Answer::Bytes).collect())
}

fn by_rank(sorted: Option<&Sorted>, rest: &[Bytes]) -> Answer {
    let (from, to) = (number(&rest[0]).unsigned_abs() as usize, number(&rest[1]));
    let Ok(to) = usize::try_from(to) else { return Answer::List(Vec::new()) };
    let scored = rest.len() > 2;
    let found = sorted.into_iter().flat_map(|sorted| &sorted.order).skip(from).take((to + 1).saturating_sub(from));
    let mut all = Vec::new();
    for (score, name) in found {
        all.push(Answer::Bytes(name.clone()));
        if scored {
            all.push(Answer::text(&score.to_string()));
        }
    }
    Answer::List(all)
}

pub(super) fn number<T: AsRef<[u8]> + ?Sized>(text: &T) -> i64 {
    let text = std::str::from_utf8(text.as_ref()).expect("numbers are sent as text");
    text.parse().expect("where a number belongs the ledger sends one")
}
