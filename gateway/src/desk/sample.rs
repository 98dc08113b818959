//! What would the provider send? A signed sample request, marked as our own, for whoever proves an entrance.

use super::ask::{self, Named, Told};
use super::auth::{Managing, Seat};
use super::error::{Failure, Kind, Result};
use crate::channel::Channel;
use crate::sources::{self, Proof, Sample, Source};
use crate::synthetic;
use axum::response::Response;
use data_encoding::{BASE64, HEXLOWER};
use http::StatusCode;
use lead::entry::Synthetic;
use lead::identity::Pepper;
use lead::time::At;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    #[serde(default)]
    name: Option<String>,
    #[serde(default)]
    phone: Option<String>,
    #[serde(default)]
    email: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default = "technical")]
    synthetic: Synthetic,
}

const fn technical() -> Synthetic {
    Synthetic::Technical
}

#[derive(Serialize)]
struct Made {
    method: String,
    url: String,
    /// Name and value of each line.
    headers: Vec<(String, String)>,
    body_base64: String,
    /// The status of a good answer.
    expect: u16,
}

/// `POST …/channels/{c}/sample`
pub(super) async fn make(seat: Seat<Managing>, id: Named, Told(wanted): Told<Wanted>) -> Result<Response> {
    let channel = seat.view.channels.iter().find(|channel| channel.id.as_str() == id.0).ok_or(Kind::NotFound)?;
    let source = sources::source(channel.source).ok_or(Kind::Broken)?;
    if source.methods.is_empty() {
        return Err(Failure::invalid("the channel is fetched, not sent: write to it, or call it, from outside"));
    }
    if source.proof == Proof::Secret && channel.secrets.is_empty() {
        return Err(Failure::invalid("the channel has no secret to sign with"));
    }
    let made = signed(source, channel, wanted, &seat.desk.pepper, seat.desk.now.now());
    ask::json(StatusCode::OK, &made)
}

fn signed(source: &Source, channel: &Channel, wanted: Wanted, pepper: &Pepper, now: At) -> Made {
    let Wanted { name, phone, email, text, synthetic } = wanted;
    let nonce = HEXLOWER.encode(&rand::random::<[u8; 8]>());
    let request = (source.sample)(channel, &Sample { name, phone, email, text, nonce }, now);
    let mark = synthetic::mark(pepper, synthetic, channel.id.as_str(), now);
    let mut headers = request.headers;
    headers.push((synthetic::HEADER.to_owned(), mark));
    Made {
        method: request.method.to_string(),
        url: format!("{}{}", channel.url, request.path),
        headers,
        body_base64: BASE64.encode(&request.body),
        expect: request.expect.as_u16(),
    }
}
