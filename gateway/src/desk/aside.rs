//! What was set aside, and how does it come back? Dead letters are tried again as they are; what could not be read is
//! read again from its bytes. Both return as new entries of their own, with the moment they first arrived.

use super::ask::{self, Asked, Named};
use super::auth::{Managing, Reading, Scope, Seat};
use super::cursor::{self, List};
use super::error::{Failure, Kind, Result};
use crate::channel::Channel;
use crate::rows;
use crate::sources::{self, Refusal, Request};
use axum::response::Response;
use bytes::Bytes;
use data_encoding::BASE64;
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{HeaderMap, Method, StatusCode};
use lead::changes::AsideKind;
use lead::entry::{Entry, Signal, Unreadable};
use lead::ids::{ChannelId, Uid, digest};
use lead::time::At;
use ledger::SetAside;
use ledger::journal::Row;
use serde::Serialize;
use std::collections::BTreeMap;

#[derive(Serialize)]
struct Summary {
    uid: Uid,
    kind: &'static str,
    channel: ChannelId,
    source: String,
    received_at: At,
    set_aside_at: At,
    reason: String,
    attempts: u32,
    content_type: Option<String>,
    /// Of the request, where it is still kept.
    bytes: Option<usize>,
}

#[derive(Serialize)]
struct Whole {
    #[serde(flatten)]
    summary: Summary,
    /// What was read of it; an unreadable request has nothing.
    entry: Option<Entry>,
    raw_base64: Option<String>,
}

#[derive(Serialize)]
struct Page {
    entries: Vec<Summary>,
    next: Option<String>,
}

impl Summary {
    fn of(aside: &SetAside) -> Self {
        let content_type = match &aside.entry.signal {
            Signal::Unreadable(unreadable) => unreadable.content_type.clone(),
            _ => None,
        };
        Self {
            uid: aside.entry.uid,
            kind: aside.kind.word(),
            channel: aside.entry.channel.clone(),
            source: aside.entry.source.clone(),
            received_at: aside.entry.received_at,
            set_aside_at: aside.at,
            reason: aside.reason.clone(),
            attempts: aside.attempts,
            content_type,
            bytes: aside.raw.as_ref().map(Vec::len),
        }
    }
}

/// `GET …/dead`
pub(super) async fn dead(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    list(&seat, asked, AsideKind::Dead).await
}

/// `GET …/quarantine`
pub(super) async fn quarantine(seat: Seat<Reading>, asked: Asked) -> Result<Response> {
    list(&seat, asked, AsideKind::Quarantined).await
}

/// Entries come with their bytes, which may be large: few at a time, and only what the list shows is kept.
const BITE: usize = 10;

async fn list(seat: &Seat<Reading>, asked: Asked, kind: AsideKind) -> Result<Response> {
    let asked = asked.only(&["before", "limit"])?;
    let limit = asked.number("limit", 1..=1000, 100)?;
    let workspace = seat.workspace();
    let before = asked.text("before").map(|text| cursor::read_position(List::Aside, workspace, text));
    let mut before = before.transpose()?;
    let mut entries = Vec::new();
    while entries.len() < limit {
        let bite = BITE.min(limit - entries.len());
        let found = seat.desk.ledger.aside(workspace, kind, before, bite).await?;
        entries.extend(found.iter().map(Summary::of));
        before = found.last().map(|last| last.position);
        if found.len() < bite {
            before = None;
            break;
        }
    }
    let next = before.map(|place| cursor::position(List::Aside, workspace, place));
    ask::json(StatusCode::OK, &Page { entries, next })
}

/// `GET …/dead/{uid}`
pub(super) async fn dead_one(seat: Seat<Reading>, uid: Named) -> Result<Response> {
    let aside = find(&seat, &uid.0, AsideKind::Dead).await?;
    whole(&seat, aside)
}

/// `GET …/quarantine/{uid}`
pub(super) async fn quarantine_one(seat: Seat<Reading>, uid: Named) -> Result<Response> {
    let aside = find(&seat, &uid.0, AsideKind::Quarantined).await?;
    whole(&seat, aside)
}

/// The bytes as they came are for those who manage.
fn whole(seat: &Seat<Reading>, aside: SetAside) -> Result<Response> {
    let raw = aside.raw.as_deref().filter(|_| seat.caller.may(Scope::Manage));
    let raw_base64 = raw.map(|raw| BASE64.encode(raw));
    let summary = Summary::of(&aside);
    let entry = Some(aside.entry).filter(|entry| !matches!(entry.signal, Signal::Unreadable(_)));
    ask::json(StatusCode::OK, &Whole { summary, entry, raw_base64 })
}

async fn find<N>(seat: &Seat<N>, uid: &str, kind: AsideKind) -> Result<SetAside> {
    let uid = Uid::parse(uid).ok_or(Kind::NotFound)?;
    let found = seat.desk.ledger.aside_one(seat.workspace(), uid).await?;
    found.filter(|aside| aside.kind == kind).ok_or_else(|| Kind::NotFound.into())
}

/// `POST …/dead/{uid}/retry`
pub(super) async fn retry(seat: Seat<Managing>, uid: Named) -> Result<Response> {
    let aside = find(&seat, &uid.0, AsideKind::Dead).await?;
    let old = aside.entry.uid;
    bring_back(&seat, old, vec![again(aside)]).await
}

/// A copy under a new id, which two orders to retry make alike. It is an order of ours, not a post that may be the
/// second of its content.
fn again(aside: SetAside) -> Row {
    let SetAside { entry, raw, attempts, .. } = aside;
    let uid = Uid::from_bytes(digest("retry", &[entry.uid.bytes(), &attempts.to_be_bytes()]));
    Row { entry: Entry { uid, same: None, ..entry }, raw: raw.map(Bytes::from) }
}

/// `POST …/quarantine/{uid}/release`
pub(super) async fn release(seat: Seat<Managing>, uid: Named) -> Result<Response> {
    let aside = find(&seat, &uid.0, AsideKind::Quarantined).await?;
    let channel = seat.view.channels.iter().find(|channel| channel.id == aside.entry.channel);
    let channel = channel.ok_or_else(|| Failure::invalid("its channel is not configured any more"))?;
    let rows = read_again(channel, &aside)?;
    bring_back(&seat, aside.entry.uid, rows).await
}

/// The bytes as the channel's source reads them now.
fn read_again(channel: &Channel, aside: &SetAside) -> Result<Vec<Row>> {
    let Signal::Unreadable(unreadable) = &aside.entry.signal else { return Err(Kind::NotFound.into()) };
    let raw = aside.raw.clone().ok_or_else(|| Failure::invalid("its bytes are not kept any more"))?;
    let source = sources::source(channel.source).ok_or(Kind::Broken)?;
    let request = request(channel, unreadable, raw, aside.entry.received_at);
    let still = |why: &'static str| Failure::invalid(format!("it still cannot be read: {why}"));
    let reading = (source.read)(&request, channel).map_err(|refusal| match refusal {
        Refusal::Bad(why) | Refusal::TooLarge(why) | Refusal::Unreadable(why) => still(why),
        Refusal::MediaType => still("its content type is unknown"),
        Refusal::Needs(_) => still("its provider would have to be asked for the rest"),
    })?;
    if reading.signals.is_empty() {
        return Err(Failure::invalid("it can be read now, and holds nothing of interest"));
    }
    Ok(rows::rows(channel, &request, reading.signals, aside.entry.synthetic, luck(aside.entry.uid)))
}

/// What is kept of a request: its bytes, their type and the path below the channel's. A request without a body had spoken in its query.
fn request(channel: &Channel, kept: &Unreadable, raw: Vec<u8>, received_at: At) -> Request {
    let content_type = kept.content_type.as_deref();
    let mut headers = HeaderMap::new();
    if let Some(kind) = content_type.and_then(|kind| HeaderValue::from_str(kind).ok()) {
        headers.insert(CONTENT_TYPE, kind);
    }
    let query = if content_type.is_none() { String::from_utf8(raw.clone()).unwrap_or_default() } else { String::new() };
    Request {
        method: Method::POST,
        url: channel.url.clone(),
        rest: kept.rest.clone().unwrap_or_default(),
        query,
        headers,
        body: Bytes::from(raw),
        documents: BTreeMap::new(),
        received_at,
    }
}

/// Derived, so that a release that was cut short and is tried again makes the same ids.
fn luck(uid: Uid) -> rows::Luck {
    let mut luck = rows::Luck::default();
    luck.copy_from_slice(&digest("release", &[uid.bytes()])[..10]);
    luck
}

/// First durable anew, then taken out: cut short in between, it is there twice with one id, never not at all.
async fn bring_back<N>(seat: &Seat<N>, old: Uid, rows: Vec<Row>) -> Result<Response> {
    let ids: Vec<Uid> = rows.iter().map(|row| row.entry.uid).collect();
    seat.desk.journal.append(rows).await?;
    seat.desk.ledger.release(seat.workspace(), old).await?;
    tracing::info!(name: "desk.brought_back", workspace = %seat.workspace(), by = %seat.caller.name, uid = %old, entries = ids.len(), "an entry set aside is decided anew");
    ask::json(StatusCode::ACCEPTED, &serde_json::json!({ "id": ids.first(), "ids": ids }))
}
