//! Which rows does one request leave in the journal? Pure: what was read becomes entries with ids that a redelivery
//! makes again.

use crate::channel::Channel;
use crate::sources::{Read, Request};
use bytes::Bytes;
use lead::entry::{Entry, Signal, Synthetic, Unreadable};
use lead::ids::{Digest, Uid, digest};
use ledger::journal::Row;

/// Ten random bytes: what makes a request without a provider's id its own.
pub type Luck = [u8; 10];

/// One row a signal, the request's own bytes on the first.
pub fn rows(
    channel: &Channel,
    request: &Request,
    reads: Vec<Read>,
    synthetic: Option<Synthetic>,
    luck: Luck,
) -> Vec<Row> {
    let base = drawn(request, luck);
    let entries = reads.into_iter().enumerate().map(|(index, read)| {
        let (uid, same) = match &read.id {
            Some((id, phase)) => (Uid::derived(channel.id.as_str(), id, phase), None),
            None => (base.nth(index), Some(content(channel, &read.signal, synthetic))),
        };
        entry(channel, request, synthetic, (uid, same), read.signal)
    });
    let mut rows: Vec<Row> = entries.map(|entry| Row { entry, raw: None }).collect();
    if let Some(first) = rows.first_mut() {
        first.raw = raw(request);
    }
    rows
}

/// A genuine request that nobody here can read: its bytes go to quarantine.
pub fn unreadable(channel: &Channel, request: &Request, reason: &str, synthetic: Option<Synthetic>, luck: Luck) -> Row {
    let signal = Signal::Unreadable(Unreadable {
        reason: reason.to_owned(),
        content_type: request.header("content-type").map(str::to_owned),
        rest: (!request.rest.is_empty()).then(|| request.rest.clone()),
    });
    let raw = raw(request);
    let ids = (drawn(request, luck), Some(same_bytes(channel, raw.as_deref().unwrap_or_default())));
    Row { entry: entry(channel, request, synthetic, ids, signal), raw }
}

/// How a request that nobody can read is known again.
pub(crate) fn same_bytes(channel: &Channel, bytes: &[u8]) -> Digest {
    Digest::from_bytes(digest("raw", &[channel.id.as_str().as_bytes(), bytes]))
}

fn entry(
    channel: &Channel,
    request: &Request,
    synthetic: Option<Synthetic>,
    (uid, same): (Uid, Option<Digest>),
    signal: Signal,
) -> Entry {
    Entry {
        uid,
        workspace: channel.workspace.clone(),
        channel: channel.id.clone(),
        received_at: request.received_at,
        source: channel.source.to_owned(),
        synthetic,
        same,
        signal,
    }
}

/// The body; where a provider speaks in the query only, the query.
fn raw(request: &Request) -> Option<Bytes> {
    if request.body.is_empty() && !request.query.is_empty() {
        return Some(Bytes::from(request.query.clone()));
    }
    (!request.body.is_empty()).then(|| request.body.clone())
}

/// A UUIDv7 of our clock: neighbours in time are neighbours in the store.
fn drawn(request: &Request, luck: Luck) -> Uid {
    let millis = u64::try_from(request.received_at.millis()).unwrap_or(0);
    Uid::from_bytes(uuid::Builder::from_unix_timestamp_millis(millis, &luck).into_uuid().into_bytes())
}

/// The content without the sender's clock and proof, which differ when the same form is posted twice.
pub(crate) fn content(channel: &Channel, signal: &Signal, synthetic: Option<Synthetic>) -> Digest {
    let mut signal = signal.clone();
    match &mut signal {
        Signal::Touch(touch) => (touch.occurred_at, touch.proof) = (None, None),
        Signal::Call(call) => call.occurred_at = None,
        Signal::Reply(reply) => reply.occurred_at = None,
        Signal::Feedback(_) | Signal::Command(_) | Signal::Unreadable(_) => {}
    }
    let written = serde_json::to_vec(&(synthetic, &signal)).expect("a signal is plain data with text keys");
    Digest::from_bytes(digest("same", &[channel.id.as_str().as_bytes(), &written]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderMap, Method};
    use lead::entry::{Kind, Touch};
    use lead::time::At;

    fn channel(id: &str) -> Channel {
        Channel::new(id.into(), "demo".into(), "form")
    }

    fn request(body: &'static str, query: &str, secs: i64) -> Request {
        Request {
            method: Method::POST,
            url: String::new(),
            rest: String::new(),
            query: query.into(),
            headers: HeaderMap::new(),
            body: Bytes::from(body),
            documents: Default::default(),
            received_at: At::from_secs(secs),
        }
    }

    fn read(id: Option<&str>, name: &str, occurred: i64) -> Read {
        let mut touch = Touch::new(Kind::Form);
        touch.name = Some(name.into());
        touch.occurred_at = Some(At::from_secs(occurred));
        Read { id: id.map(|id| (id.to_owned(), "new".to_owned())), signal: Signal::Touch(Box::new(touch)) }
    }

    fn one(channel_id: &str, read: Read, luck: u8) -> Entry {
        let rows = rows(&channel(channel_id), &request("x", "", 1_000), vec![read], None, [luck; 10]);
        rows.into_iter().next().unwrap().entry
    }

    #[test]
    fn a_redelivery_with_a_providers_id_is_the_same_entry() {
        let (first, again) = (one("a", read(Some("E1"), "Ann", 1), 1), one("a", read(Some("E1"), "Ann", 2), 2));
        assert_eq!((first.uid, first.same), (again.uid, None));
        assert_ne!(first.uid, one("b", read(Some("E1"), "Ann", 1), 1).uid);
    }

    #[test]
    fn a_post_without_an_id_is_known_by_its_content_and_channel() {
        let first = one("a", read(None, "Ann", 1), 1);
        let again = one("a", read(None, "Ann", 99), 2);
        assert_ne!(first.uid, again.uid);
        assert_eq!(first.same, again.same);
        assert_ne!(first.same, one("a", read(None, "Bob", 1), 1).same);
        assert_ne!(first.same, one("b", read(None, "Ann", 1), 1).same);
    }

    #[test]
    fn drawn_ids_follow_the_clock() {
        let at =
            |secs| rows(&channel("a"), &request("", "", secs), vec![read(None, "Ann", 1)], None, [7; 10])[0].entry.uid;
        assert!(at(1_000) < at(1_001));
    }

    #[test]
    fn many_signals_of_one_request_have_ids_of_their_own_and_share_its_bytes() {
        let reads = vec![read(None, "Ann", 1), read(Some("E1"), "Bob", 1), read(None, "Eve", 1)];
        let rows = rows(&channel("a"), &request("body", "q=1", 5), reads, Some(Synthetic::Technical), [1; 10]);
        let uids: std::collections::BTreeSet<_> = rows.iter().map(|row| row.entry.uid).collect();
        assert_eq!(uids.len(), 3);
        let raws: Vec<_> = rows.iter().map(|row| row.raw.as_deref()).collect();
        assert_eq!(raws, [Some(b"body".as_slice()), None, None]);
        assert!(rows.iter().all(|row| row.entry.synthetic == Some(Synthetic::Technical)));
    }

    #[test]
    fn what_cannot_be_read_keeps_its_bytes_wherever_they_were() {
        let kept = |body, query| unreadable(&channel("a"), &request(body, query, 5), "depth", None, [1; 10]).raw;
        assert_eq!(kept("{[", "a=b").as_deref(), Some(b"{[".as_slice()));
        assert_eq!(kept("", "a=b").as_deref(), Some(b"a=b".as_slice()));
        assert_eq!(kept("", ""), None);
    }
}
