//! What happened since? The clean stream over HTTP: pages with a cursor, waiting for news, and positions kept for
//! consumers. Reading moves nothing; an acknowledgement does.

use super::ask::{self, Asked, Named, Told};
use super::auth::{Reading, Seat};
use super::cursor::{self, List};
use super::error::{Failure, Kind, Result};
use super::sse;
use axum::response::Response;
use http::header::ACCEPT;
use http::{HeaderMap, StatusCode};
use ledger::{Position, Published};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::sync::PoisonError;
use std::time::Duration;

#[derive(Serialize)]
struct Page {
    events: Vec<Box<RawValue>>,
    next: String,
}

/// `GET …/events`
pub(super) async fn read(seat: Seat<Reading>, asked: Asked, headers: HeaderMap) -> Result<Response> {
    let asked = asked.only(&["after", "limit", "wait", "consumer"])?;
    let limit = asked.number("limit", 1..=1000, 100)?;
    let wait = asked.span("wait", seat.desk.limits.wait)?;
    if wants_stream(&headers) {
        let resumed = headers.get("last-event-id").map(|id| id.to_str().unwrap_or_default());
        let from = match resumed {
            Some(id) => cursor::read_position(List::Events, seat.workspace(), id)?,
            None => start(&seat, &asked).await?,
        };
        return sse::stream(seat, from);
    }
    let from = start(&seat, &asked).await?;
    let found = pull(&seat, from, limit, wait).await?;
    ask::json(StatusCode::OK, &page(&seat, from, found)?)
}

fn wants_stream(headers: &HeaderMap) -> bool {
    let accepts = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepts.flat_map(|value| value.split(',')).any(|one| {
        let kind = one.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("text/event-stream")
    })
}

/// Instead of a cursor: only what is still to come.
const NEWEST: &str = "newest";

/// Where to begin: the cursor given, the place kept for the consumer, or the oldest event there is.
async fn start(seat: &Seat<Reading>, asked: &Asked) -> Result<Position> {
    let name = asked.text("consumer").map(consumer_name).transpose()?;
    match (asked.text("after"), name) {
        (Some(NEWEST), _) => Ok(seat.desk.ledger.last_event(seat.workspace()).await?),
        (Some(after), _) => cursor::read_position(List::Events, seat.workspace(), after),
        (None, Some(name)) => Ok(seat.desk.ledger.consumer(seat.workspace(), name).await?),
        (None, None) => Ok(Position::default()),
    }
}

fn consumer_name(name: &str) -> Result<&str> {
    let fits = lead::ids::is_name(name);
    fits.then_some(name).ok_or_else(|| Failure::invalid("a consumer's name has a-z, 0-9, - and _, up to 64"))
}

/// Waits within its place among the waiting, and no longer than the desk is up.
async fn pull(seat: &Seat<Reading>, from: Position, limit: usize, wait: Duration) -> Result<Vec<Published>> {
    let desk = &seat.desk;
    let _place = match wait.is_zero() {
        true => None,
        false => Some(desk.bounds.waits.try_acquire().map_err(|_| Kind::Busy)?),
    };
    tokio::select! {
        found = desk.ledger.events(seat.workspace(), from, limit, wait) => Ok(found?),
        () = desk.stop.cancelled(), if !wait.is_zero() => Ok(Vec::new()),
    }
}

/// As many of the events as fit a page, at least one.
fn page(seat: &Seat<Reading>, from: Position, found: Vec<Published>) -> Result<Page> {
    let (mut bytes, mut last, mut events) = (0, from, Vec::with_capacity(found.len()));
    for event in found {
        bytes += event.json.len();
        if bytes > seat.desk.limits.page && !events.is_empty() {
            break;
        }
        last = event.position;
        events.push(RawValue::from_string(event.json).map_err(|_| ledger::Error::Corrupt("event"))?);
    }
    Ok(Page { events, next: cursor::position(List::Events, seat.workspace(), last) })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ack {
    cursor: String,
    #[serde(default)]
    rewind: bool,
}

/// `POST …/consumers/{name}/ack`
pub(super) async fn acknowledge(seat: Seat<Reading>, name: Named, Told(ack): Told<Ack>) -> Result<Response> {
    let name = consumer_name(&name.0)?;
    let (desk, workspace) = (&seat.desk, seat.workspace());
    let to = cursor::read_position(List::Events, workspace, &ack.cursor)?;
    let kept = desk.ledger.consumer(workspace, name).await?;
    if kept == Position::default() && !seat.view.consumers.contains(name) {
        register(&seat, name)?;
    }
    desk.ledger.acknowledge(workspace, name, to, ack.rewind).await?;
    let now = if ack.rewind { to } else { to.max(kept) };
    let next = cursor::position(List::Events, workspace, now);
    ask::json(StatusCode::OK, &serde_json::json!({ "next": next }))
}

/// A consumer that is forgotten keeps events from being trimmed, so there are only so many.
fn register(seat: &Seat<Reading>, name: &str) -> Result<()> {
    let mut all = seat.desk.bounds.consumers.lock().unwrap_or_else(PoisonError::into_inner);
    let names = all.entry(seat.workspace().clone()).or_default();
    if !names.contains(name) && names.len() >= seat.desk.limits.consumers {
        return Err(Failure::new(Kind::Conflict, "too many consumers that the workspace file does not name"));
    }
    names.insert(name.to_owned());
    Ok(())
}
