//! What does a source promise of any request? It is believed or not and read or not, and what was read is a customer's
//! word, never an order to us, that can be stored and decided.
//!
//! A changed body fails its signature, so it is read whether it is believed or not.

use crate::{company, recorded, stored};
use gateway::channel::Channel;
use gateway::rows::rows;
use gateway::sources::{Denied, Needed, Read, Reading, Refusal, Request, Source, explain};
use lead::entry::{Entry, Signal};
use lead::rules::Rules;

/// Stands between a request and the document that its source asks for.
pub(crate) const DOCUMENT: &[u8] = b"\n\x1edocument\n";

pub(crate) fn play(source: &Source, channel: &Channel, rules: &Rules, bytes: &[u8]) {
    let at = bytes.windows(DOCUMENT.len()).position(|window| window == DOCUMENT);
    let (request, document) = at.map_or((bytes, &[][..]), |at| (&bytes[..at], &bytes[at + DOCUMENT.len()..]));
    let Some(mut request) = recorded::parse(request) else { return };
    if let Err(Denied::Needs(needed)) = (source.verify)(&request, channel) {
        give(&mut request, &[needed], document);
        let _ = (source.verify)(&request, channel);
    }
    if let Some(reading) = read(source, channel, &mut request, document) {
        judge(channel, rules, &request, reading.signals);
    }
    for uid in [None, Some("0123456789abcdefghijklmnop")] {
        let _ = (source.answer)(&request, channel, uid);
    }
}

/// What it asks for is given once, as the gateway does.
fn read(source: &Source, channel: &Channel, request: &mut Request, document: &[u8]) -> Option<Reading> {
    match (source.read)(request, channel) {
        Err(Refusal::Needs(needed)) => {
            give(request, &needed, document);
            (source.read)(request, channel).ok()
        }
        told => told.ok(),
    }
}

fn give(request: &mut Request, needed: &[Needed], document: &[u8]) {
    let document = bytes::Bytes::copy_from_slice(document);
    request.documents.extend(needed.iter().map(|one| (one.url.clone(), document.clone())));
}

fn judge(channel: &Channel, rules: &Rules, request: &Request, reads: Vec<Read>) {
    explain::trace(explain::fields(request), &reads);
    for Read { signal, .. } in &reads {
        assert!(!matches!(signal, Signal::Command(_) | Signal::Feedback(_)), "a request from outside gives an order");
    }
    let entries: Vec<Entry> = rows(channel, request, reads, None, [7; 10]).into_iter().map(|row| row.entry).collect();
    for entry in &entries {
        stored::is_the_same(entry);
    }
    for (key, record) in company::decide(rules, &entries) {
        stored::comes_back(&key, &record);
    }
}

/// What the recorded requests of a source become, as a store keeps it.
pub(crate) fn entries_and_records(source: &'static Source) -> Vec<Vec<u8>> {
    let (channel, mut kept) = (recorded::channel(source.name), Vec::new());
    for name in recorded::names(source.name) {
        let request = recorded::parse(&recorded::raw(source.name, &name)).expect("a recorded request is one");
        let reads = (source.read)(&request, &channel).map(|reading| reading.signals).unwrap_or_default();
        let rows = rows(&channel, &request, reads, None, [7; 10]);
        let entries: Vec<Entry> = rows.into_iter().map(|row| row.entry).collect();
        kept.extend(entries.iter().map(stored::entry));
        let records = company::decide(&company::rules(&channel, source.kind), &entries);
        kept.extend(records.iter().map(|(key, record)| stored::record(key, record)));
    }
    kept
}
