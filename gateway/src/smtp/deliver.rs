//! How does a mail reach the journal? Read once for each channel it was sent to, then stored in one commit.

use super::Config;
use super::command::POSTMASTER;
use super::mail::Whole;
use crate::channels::{ChannelTable, Entrance, Lookup, Mailbox, State};
use crate::knock;
use crate::problem::Refused;
use crate::rows;
use crate::sources::Request;
use crate::state::Gateway;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method};
use lead::entry::Signal;
use ledger::journal::Row;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The channels behind one recipient.
pub(super) type Behind = Vec<Arc<Entrance>>;

/// Who takes mail for an address? A refusal is counted; an address that is nobody's has no name there.
pub(super) fn find(gateway: &Gateway, config: &Config, address: &str) -> Result<Behind, Refused> {
    let table = gateway.channels.load();
    let found = match table.mailbox(address) {
        Mailbox::Here(doors) => doors.iter().map(|door| open(gateway, door)).collect(),
        Mailbox::Closed => Err(("", Refused::Paused)),
        Mailbox::Unknown => match postmaster(&table, config, address) {
            Lookup::Here(door) => open(gateway, door).map(|door| vec![door]),
            Lookup::Absent => Err(("", Refused::Paused)),
            Lookup::Unknown => Err(("", Refused::NotFound)),
        },
    };
    found.map_err(|(channel, refused)| count(gateway, channel, refused))
}

/// Every domain that takes mail has a postmaster, and so has the server itself (RFC 5321 4.5.1).
fn postmaster<'a>(table: &'a ChannelTable, config: &Config, address: &str) -> Lookup<'a> {
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, &config.host));
    let is_ours = || domain.eq_ignore_ascii_case(&config.host) || table.has_mailboxes_at(domain);
    match &config.postmaster {
        Some(channel) if local.eq_ignore_ascii_case(POSTMASTER) && is_ours() => table.lookup(channel.as_str()),
        _ => Lookup::Unknown,
    }
}

/// Faults on our side are told before the mail is sent.
fn open<'a>(gateway: &Gateway, door: &'a Arc<Entrance>) -> Result<Arc<Entrance>, (&'a str, Refused)> {
    let state = match door.state {
        State::Paused => Err(Refused::Paused),
        State::Open if !gateway.journal.healthy() => Err(Refused::Journal),
        State::Open => Ok(()),
    };
    state.map(|()| Arc::clone(door)).map_err(|refused| (door.channel.id.as_str(), refused))
}

pub(super) fn count(gateway: &Gateway, channel: &str, refused: Refused) -> Refused {
    gateway.metrics.refused.with_label_values(&[channel, refused.word()]).inc();
    tracing::debug!(channel, reason = refused.word(), "mail.refused");
    refused
}

/// What became of the mail at each door. One answer for all of them (`whole`) means that it is stored for all or none.
pub(super) async fn deliver(
    gateway: &Gateway,
    mail: &Whole,
    doors: &[Arc<Entrance>],
    whole: bool,
) -> Vec<Result<(), Refused>> {
    let mut taken = Vec::with_capacity(doors.len());
    for door in doors {
        taken.push(read(gateway, mail, door).await);
        // A large mail to many channels is work for a while: others may go between.
        tokio::task::yield_now().await;
    }
    let failed = taken.iter().find_map(|one| one.as_ref().err().copied());
    if let Some(refused) = failed.filter(|_| whole) {
        taken = doors.iter().map(|_| Err(refused)).collect();
    }
    let counts: Vec<Result<usize, Refused>> =
        taken.iter().map(|one| one.as_ref().map(Vec::len).map_err(|e| *e)).collect();
    let rows: Vec<Row> = taken.into_iter().flatten().flatten().collect();
    let stored = if rows.is_empty() { Ok(()) } else { knock::store(gateway, rows).await };
    let result = |(door, count): (&Arc<Entrance>, Result<usize, Refused>)| {
        let told = count.and_then(|count| stored.map(|()| count));
        told.map(|count| note(gateway, door, count))
            .map_err(|refused| self::count(gateway, door.channel.id.as_str(), refused))
    };
    doors.iter().zip(counts).map(result).collect()
}

fn note(gateway: &Gateway, door: &Entrance, count: usize) {
    let (metrics, channel) = (&gateway.metrics, &door.channel);
    let labels = [channel.workspace.as_str(), channel.id.as_str()];
    match count {
        0 => metrics.ignored.with_label_values(&labels).inc(),
        count => metrics.accepted.with_label_values(&labels).inc_by(count as u64),
    }
    tracing::debug!(channel = channel.id.as_str(), "mail.taken");
}

/// The mail as its source sees it. It came through the mail system, so there is no secret to check.
async fn read(gateway: &Gateway, mail: &Whole, door: &Entrance) -> Result<Vec<Row>, Refused> {
    // Naming a recipient costs a sender nothing, so only a mail counts.
    gateway.admission.per_channel(&door.channel.id)?;
    let mut request = Request {
        method: Method::POST,
        url: door.channel.url.clone(),
        rest: String::new(),
        query: String::new(),
        headers: HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("message/rfc822"))]),
        body: mail.bytes.clone(),
        documents: BTreeMap::new(),
        received_at: gateway.clock.now(),
    };
    let mut rows = knock::read(gateway, door.source, &mut request, &door.channel).await?.rows;
    for entry in rows.iter_mut().map(|row| &mut row.entry) {
        if matches!(entry.signal, Signal::Unreadable(_)) {
            entry.same = Some(rows::same_bytes(&door.channel, mail.sent()));
        }
    }
    Ok(rows)
}
