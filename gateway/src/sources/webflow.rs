//! How does a form of a Webflow site become a touch? Both shapes: API v2 (`triggerType`, `payload`) and v1 (flat).
//!
//! A hook made with an app or, since 2025, in the dashboard is signed; an older one is not, and its channel then needs
//! a `url_key` (developers.webflow.com, Working with webhooks).

use super::shared::fields::get;
use super::shared::submission;
use super::shared::{json, shown, signature};
use super::{Answer, BodyLimit, Denied, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};

use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde_json::json;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "webflow",
    kind: Kind::Form,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Open,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("webflow.md"),
};

const TIMESTAMP: &str = "x-webflow-timestamp";
const SIGNATURE: &str = "x-webflow-signature";

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if shown::by_address(channel) {
        return Ok(());
    }
    let timestamp = request.header(TIMESTAMP).ok_or(Denied::Missing)?;
    signature::in_header(request, channel, SIGNATURE, |secret| signed(secret, timestamp, &request.body))?;
    let sent_at = timestamp.parse().map(At::from_millis).map_err(|_| Denied::Wrong)?;
    signature::fresh(sent_at, request, signature::CLOCKS)
}

fn signed(secret: &[u8], timestamp: &str, body: &[u8]) -> String {
    HEXLOWER.encode(&signature::hmac_sha256(secret, &[timestamp.as_bytes(), b":", body]))
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let pairs = json::read(request.json()?)?;
    let (within, id, at) = match get(&pairs, "triggerType") {
        Some("form_submission") => ("payload.", "id", "submittedAt"),
        Some(_) => return Ok(Reading::ignored("webflow.other_event")),
        None => ("", "_id", "d"),
    };
    let of = |name: &str| get(&pairs, &format!("{within}{name}"));
    let id = of(id).ok_or(Refusal::Unreadable("the submission has no id"))?.to_owned();
    let data = format!("{within}data.");
    let fields = pairs.iter().filter_map(|(path, value)| {
        path.strip_prefix(&data).map(|label| (Cow::Borrowed(label), Cow::Borrowed(&**value)))
    });
    let (mut touch, _) = submission::touch(fields.collect(), Vec::new(), channel);
    touch.occurred_at = of(at).and_then(At::parse);
    let site = of("siteId").or(of("site"));
    let about = [("form", of("name")), ("form_id", of("formId")), ("site_id", site)];
    Ok(submission::reading(SOURCE.name, Some(id), touch, about, "webflow.empty"))
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let said = sample.said(["Name", "Phone", "Email", "Message"]);
    let data = said.map(|(label, value)| (label.to_owned(), value.into()));
    let payload = json!({
        "name": "Test",
        "id": sample.nonce,
        "submittedAt": now.to_string(),
        "data": serde_json::Value::Object(data.collect()),
    });
    let body = json!({"triggerType": "form_submission", "payload": payload});
    let timestamp = now.millis().to_string();
    SampleRequest::json(&body).signed(|body| {
        let sign = |secret: &str| signed(secret.as_bytes(), &timestamp, body);
        let signed = signature::current(&channel.secrets).map(sign).into_iter();
        signed.flat_map(|signed| [(TIMESTAMP.to_owned(), timestamp.clone()), (SIGNATURE.to_owned(), signed)])
    })
}
