//! What would a payload become? Read by the channel's source as if it had come in, and stored nowhere.

use super::ask::{self, Named, Told};
use super::auth::{Managing, Seat};
use super::error::{Failure, Kind, Result};
use crate::channel::Channel;
use crate::sources::explain::{self, Line};
use crate::sources::{self, Reading, Refusal, Request};
use axum::response::Response;
use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use lead::time::At;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Payload {
    #[serde(default = "post")]
    method: String,
    /// What follows the channel's address: `/events/call`, `?a=b`.
    #[serde(default)]
    path: String,
    /// Name and value of each line; `content-type` says how the body is read.
    #[serde(default)]
    headers: Vec<(String, String)>,
    #[serde(default)]
    body_base64: String,
}

fn post() -> String {
    "POST".to_owned()
}

#[derive(Serialize)]
struct Mapped {
    signals: Vec<Signal>,
    /// Events that are known and make no signal.
    ignored: Vec<&'static str>,
    /// Why nothing could be read.
    refused: Option<&'static str>,
    fields: Vec<Line>,
    /// Fields of ours whose expression computes nothing of this.
    failed: Vec<Failed>,
}

#[derive(Serialize)]
struct Failed {
    field: String,
    why: String,
}

#[derive(Serialize)]
struct Signal {
    what: &'static str,
    /// Known by the provider's own event id, so that a redelivery is recognised.
    provider_id: bool,
    fields: Value,
}

/// `POST …/channels/{c}/map`
pub(super) async fn map(seat: Seat<Managing>, id: Named, Told(payload): Told<Payload>) -> Result<Response> {
    let channel = seat.view.channels.iter().find(|channel| channel.id.as_str() == id.0).ok_or(Kind::NotFound)?;
    let source = sources::source(channel.source).ok_or(Kind::Broken)?;
    let request = request(channel, &payload, seat.desk.now.now())?;
    ask::json(StatusCode::OK, &mapped(&request, channel, (source.read)(&request, channel)))
}

fn request(channel: &Channel, payload: &Payload, received_at: At) -> Result<Request> {
    let method = Method::try_from(payload.method.as_str()).map_err(|_| Failure::invalid("`method`: no HTTP method"))?;
    let body = BASE64.decode(payload.body_base64.as_bytes());
    let body = body.map_err(|_| Failure::invalid("`body_base64`: expected base64"))?;
    let mut headers = HeaderMap::new();
    for (name, value) in &payload.headers {
        let name = HeaderName::try_from(name.as_str()).map_err(|_| Failure::invalid("`headers`: no header's name"))?;
        let value = HeaderValue::try_from(value.as_str());
        headers.append(name, value.map_err(|_| Failure::invalid("`headers`: no header's value"))?);
    }
    let (rest, query) = payload.path.split_once('?').unwrap_or((&payload.path, ""));
    Ok(Request {
        method,
        url: format!("{}{}", channel.url, payload.path),
        rest: rest.trim_start_matches('/').to_owned(),
        query: query.to_owned(),
        headers,
        body: Bytes::from(body),
        documents: BTreeMap::new(),
        received_at,
    })
}

fn mapped(request: &Request, channel: &Channel, read: std::result::Result<Reading, Refusal>) -> Mapped {
    let (reading, refused) = match read {
        Ok(reading) => (reading, None),
        Err(Refusal::Bad(why) | Refusal::TooLarge(why) | Refusal::Unreadable(why)) => (Reading::default(), Some(why)),
        Err(Refusal::MediaType) => (Reading::default(), Some("this content type is not read here")),
        Err(Refusal::Needs(_)) => (Reading::default(), Some("the rest would be fetched from the provider first")),
    };
    let signal = |read: &sources::Read| {
        let (what, fields) = explain::said(&read.signal);
        Signal { what, provider_id: read.id.is_some(), fields }
    };
    let fields = explain::fields(request);
    let failed = explain::failed(&fields, channel, &reading.signals);
    Mapped {
        signals: reading.signals.iter().map(signal).collect(),
        failed: failed.into_iter().map(|(field, why)| Failed { field, why }).collect(),
        fields: explain::trace(fields, &reading.signals),
        ignored: reading.ignored,
        refused,
    }
}
