//! What do the commands of streams do?

use super::commands::{Outcome, Says, number};
use super::resp::{Answer, Request};
use super::store::{Bytes, EntryId, Store, Stream};

pub(super) fn streams(store: &mut Store, says: &Says, name: &str, key: &[u8], rest: &[Bytes]) -> Answer {
    match name {
        "XADD" => xadd(store, says, key, rest),
        "XRANGE" => range(store.stream(key), &rest[0], &rest[1], &rest[2..], false),
        "XREVRANGE" => range(store.stream(key), &rest[1], &rest[0], &rest[2..], true),
        "XTRIM" => {
            if store.stream(key).is_none() {
                return Answer::Number(0);
            }
            let first = id(&rest[1]);
            let stream = store.stream_mut(key);
            let kept = stream.entries.split_off(&first);
            Answer::count(std::mem::replace(&mut stream.entries, kept).len())
        }
        "XDEL" => {
            let gone = store.stream(key).is_some() && store.stream_mut(key).entries.remove(&id(&rest[0])).is_some();
            Answer::count(usize::from(gone))
        }
        // No reader of the simulation has a group.
        "XINFO" => Answer::List(Vec::new()),
        other => panic!("the simulated server does not know {other}"),
    }
}

fn xadd(store: &mut Store, says: &Says, key: &[u8], rest: &[Bytes]) -> Answer {
    let (must_exist, rest) = match rest.split_first() {
        Some((word, rest)) if word == b"NOMKSTREAM" => (true, rest),
        _ => (false, rest),
    };
    if must_exist && store.stream(key).is_none() {
        return Answer::Nil;
    }
    let last = store.stream(key).map_or((0, 0), |stream| stream.last);
    let next = match rest[0].as_slice() {
        b"*" if says.now > last.0 => (says.now, 0),
        b"*" => (last.0, last.1 + 1),
        named if id(named) > last => id(named),
        _ => return Answer::Refusal("ERR The ID specified in XADD is equal or smaller".to_owned()),
    };
    let stream = store.stream_mut(key);
    stream.last = next;
    stream.entries.insert(next, rest[1..].to_vec());
    Answer::text(&format!("{}-{}", next.0, next.1))
}

fn range(stream: Option<&Stream>, low: &[u8], high: &[u8], limit: &[Bytes], back: bool) -> Answer {
    let last = if high == b"+" { (u64::MAX, u64::MAX) } else { id(high) };
    let first = match low {
        b"-" => (0, 0),
        [b'(', rest @ ..] => after(id(rest)),
        low => id(low),
    };
    let count = limit.get(1).map_or(usize::MAX, |count| number(count).unsigned_abs() as usize);
    let all = stream.into_iter().flat_map(|stream| stream.entries.range(first..=last.max(first)));
    let mut found: Vec<_> = all.map(|(id, fields)| entry(*id, fields)).collect();
    if back {
        found.reverse();
    }
    found.truncate(count);
    Answer::List(found)
}

/// `XREAD COUNT n [BLOCK ms] STREAMS key id`.
pub(super) fn xread(store: &Store, request: &Request) -> Outcome {
    let place = |word: &[u8]| request.iter().position(|part| part == word);
    let argument = |word: &[u8]| place(word).map(|at| number(&request[at + 1]).unsigned_abs());
    let streams = place(b"STREAMS").expect("XREAD names its streams");
    let (key, after) = (&request[streams + 1], id(&request[streams + 2]));
    let count = argument(b"COUNT").unwrap_or(u64::MAX) as usize;
    match news(store, key, after, count) {
        Some(answer) => Outcome::Done(answer),
        None => match argument(b"BLOCK") {
            Some(millis) => Outcome::Wait { key: key.clone(), after, count, millis },
            None => Outcome::Done(Answer::NoList),
        },
    }
}

/// What XREAD answers when there is something after `after`.
pub(super) fn news(store: &Store, key: &[u8], last: EntryId, count: usize) -> Option<Answer> {
    let stream = store.stream(key)?;
    let found: Vec<_> =
        stream.entries.range(after(last)..).take(count).map(|(id, fields)| entry(*id, fields)).collect();
    let one = Answer::List(vec![Answer::Bytes(key.to_vec()), Answer::List(found.clone())]);
    (!found.is_empty()).then(|| Answer::List(vec![one]))
}

fn entry((time, number): EntryId, fields: &[Bytes]) -> Answer {
    let fields = fields.iter().map(|field| Answer::Bytes(field.clone())).collect();
    Answer::List(vec![Answer::text(&format!("{time}-{number}")), Answer::List(fields)])
}

fn after((time, number): EntryId) -> EntryId {
    number.checked_add(1).map_or((time.saturating_add(1), 0), |number| (time, number))
}

pub(super) fn id(text: &[u8]) -> EntryId {
    let text = std::str::from_utf8(text).expect("ids are sent as text");
    let (time, number) = text.split_once('-').expect("the ledger writes ids whole");
    (time.parse().expect("a time is a number"), number.parse().expect("a number is one"))
}
