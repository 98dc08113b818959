//! What does a batch write? Every change as a command, so that one transaction holds all of them.

use super::keys::{Keys, place};
use super::rows::{Decided, Stint};
use super::tenure::transaction;
use super::words::stream_id;
use crate::commit::{Batch, Position};
use ::redis::Pipeline;
use lead::changes::{Aside, AsideKind, QueueChange, TimerChange, Wake};
use lead::entry::Entry;
use lead::ids::{ChannelId, LeadId};
use lead::record::{Key, Record};
use lead::state::Lead;
use lead::time::At;
use std::collections::BTreeMap;

/// Everything but what is set aside, whose bytes the caller has.
pub(super) fn commands(
    keys: &Keys,
    epoch: u64,
    cursor: Position,
    batch: &Batch,
    rows: &[(Stint, Decided)],
) -> Pipeline {
    let mut all = transaction();
    let head = all.cmd("HSET").arg(keys.at("head")).arg("epoch").arg(epoch);
    head.arg("cursor").arg(stream_id(cursor));
    if !rows.is_empty() {
        all.cmd("HSET").arg(keys.at("rows"));
        for (stint, decided) in rows {
            all.arg(stint).arg(decided.encode());
        }
    }
    records(&mut all, keys, &batch.records);
    for event in &batch.events {
        let put = all.cmd("XADD").arg(keys.at("events")).arg("*");
        put.arg("id").arg(event.id.to_string()).arg("type").arg(event.kind.word());
        put.arg("subject").arg(&event.subject).arg("data").arg(&event.json);
    }
    timers(&mut all, keys, &batch.timers);
    queue(&mut all, keys, &batch.queue);
    for ((channel, verdict), n) in batch.books.iter().filter(|(_, n)| **n != 0) {
        all.cmd("HINCRBY").arg(keys.at("books")).arg(format!("{channel} {}", verdict.word())).arg(*n);
    }
    if let Some(uid) = batch.survived {
        all.cmd("HDEL").arg(keys.at("attempts")).arg(uid.bytes());
    }
    all
}

/// Fields to set and fields to remove.
type Fields<'a> = (Vec<(&'a [u8], Vec<u8>)>, Vec<&'a [u8]>);

/// One command a kind, however many records.
fn records(all: &mut Pipeline, keys: &Keys, records: &[(Key, Option<Record>)]) {
    let mut kinds: BTreeMap<&str, Fields<'_>> = BTreeMap::new();
    let mut leads = Vec::new();
    for (key, record) in records {
        let (kind, field) = place(key);
        let (puts, drops) = kinds.entry(kind).or_default();
        match record {
            Some(record) => puts.push((field, record.encode())),
            None => drops.push(field),
        }
        if let Some(Record::Lead(lead)) = record {
            leads.push(&**lead);
        }
    }
    for (kind, (puts, drops)) in kinds {
        if !puts.is_empty() {
            all.cmd("HSET").arg(keys.at(kind)).arg(puts);
        }
        if !drops.is_empty() {
            all.cmd("HDEL").arg(keys.at(kind)).arg(&drops);
            if kind == "lead" {
                all.cmd("ZREM").arg(keys.at("leads")).arg(&drops);
            }
        }
    }
    exclusions(all, keys, records);
    index(all, keys, &leads);
}

/// Exclusions are listed in the order of their texts.
fn exclusions(all: &mut Pipeline, keys: &Keys, records: &[(Key, Option<Record>)]) {
    for (key, record) in records {
        let Key::Exclusion(matcher) = key else { continue };
        match record {
            Some(_) => all.cmd("ZADD").arg(keys.at("exclusions")).arg(0).arg(matcher),
            None => all.cmd("ZREM").arg(keys.at("exclusions")).arg(matcher),
        };
    }
}

/// Leads by their arrival, and those nobody has contacted by channel.
fn index(all: &mut Pipeline, keys: &Keys, leads: &[&Lead]) {
    if leads.is_empty() {
        return;
    }
    all.cmd("ZADD").arg(keys.at("leads"));
    for lead in leads {
        all.arg(lead.received_at.millis()).arg(lead.id.bytes());
    }
    let mut channels: BTreeMap<&ChannelId, (Vec<&Lead>, Vec<&Lead>)> = BTreeMap::new();
    for lead in leads {
        let (waiting, met) = channels.entry(&lead.channel).or_default();
        if lead.is_waiting() { waiting.push(lead) } else { met.push(lead) }
    }
    for (channel, (waiting, met)) in channels {
        if !waiting.is_empty() {
            all.cmd("ZADD").arg(keys.waiting(channel));
            for lead in waiting {
                all.arg(lead.received_at.millis()).arg(lead.id.bytes());
            }
        }
        if !met.is_empty() {
            all.cmd("ZREM").arg(keys.waiting(channel));
            for lead in met {
                all.arg(lead.id.bytes());
            }
        }
    }
}

fn timers(all: &mut Pipeline, keys: &Keys, timers: &[TimerChange]) {
    for change in timers {
        match change {
            TimerChange::Set(timer) => {
                all.cmd("ZADD").arg(keys.at("timers")).arg(timer.due.millis()).arg(timer_name(timer.due, &timer.what))
            }
            TimerChange::Clear(timer) => all.cmd("ZREM").arg(keys.at("timers")).arg(timer_name(timer.due, &timer.what)),
        };
    }
}

/// The due time stands in the name, too: a timer set anew is another one.
fn timer_name(due: At, what: &Wake) -> Vec<u8> {
    let name = due.millis().to_be_bytes();
    match what {
        Wake::Queue => name.to_vec(),
        Wake::Lead(id) => [&name[..], id.bytes()].concat(),
    }
}

/// Reads back what a timer's name says.
pub(super) fn timer(name: &[u8]) -> Option<lead::changes::Timer> {
    let (due, what) = name.split_first_chunk::<8>()?;
    let what = match what {
        [] => Wake::Queue,
        id => Wake::Lead(LeadId::from_bytes(id.try_into().ok()?)),
    };
    Some(lead::changes::Timer { due: At::from_millis(i64::from_be_bytes(*due)), what })
}

fn queue(all: &mut Pipeline, keys: &Keys, queue: &[QueueChange]) {
    for change in queue {
        match change {
            QueueChange::Put(at, lead) => {
                all.cmd("ZADD").arg(keys.at("queue")).arg(at.millis()).arg(queue_name(*at, *lead))
            }
            QueueChange::Drop(at, lead) => all.cmd("ZREM").arg(keys.at("queue")).arg(queue_name(*at, *lead)),
        };
    }
}

fn queue_name(at: At, lead: LeadId) -> Vec<u8> {
    [&at.millis().to_be_bytes()[..], lead.bytes()].concat()
}

pub(super) fn queued(name: &[u8]) -> Option<(At, LeadId)> {
    let (at, lead) = name.split_first_chunk::<8>()?;
    Some((At::from_millis(i64::from_be_bytes(*at)), LeadId::from_bytes(lead.try_into().ok()?)))
}

/// Keeps an entry apart under its number, since `at`; an entry is apart in one place at a time.
pub(super) fn put_aside(
    all: &mut Pipeline,
    keys: &Keys,
    (number, at): (u64, At),
    (aside, entry): (&Aside, &Entry),
    raw: &[u8],
) {
    let uid = entry.uid.bytes();
    let kept = (number, aside.kind.word(), &aside.reason, aside.attempts, entry, raw, at);
    let kept = rmp_serde::to_vec(&kept).expect("an entry holds nothing that MessagePack cannot say");
    for kind in AsideKind::ALL.into_iter().filter(|kind| *kind != aside.kind) {
        all.cmd("ZREM").arg(keys.aside(kind.word())).arg(uid);
    }
    all.cmd("ZADD").arg(keys.aside(aside.kind.word())).arg(number).arg(uid);
    all.cmd("HSET").arg(keys.at("aside")).arg(uid).arg(kept);
    all.cmd("HSET").arg(keys.at("head")).arg("asides").arg(number);
    all.cmd("HDEL").arg(keys.at("attempts")).arg(uid);
}
