//! How does a lead form of a Google ad become a touch?
//!
//! Google shows its key in the body (developers.google.com/google-ads/webhook/docs/implementation), so the body is read
//! before it is believed. Answers come by column ids; a question of the advertiser's own has the id Google gave it and,
//! mostly, its words.

use super::shared::fields::{self, Pairs, get};
use super::shared::submission::{self, elements, of};
use super::shared::{json, signature};
use super::{Answer, BodyLimit, Denied, JSON_TYPE, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde_json::json;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "google_ads",
    kind: Kind::Form,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("google_ads.md"),
};

const COLUMNS: &str = "user_column_data";

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let pairs = json::read(&request.body).map_err(|_| Denied::Wrong)?;
    signature::shown(channel, get(&pairs, "google_key").ok_or(Denied::Wrong)?)
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let pairs = json::read(request.json()?)?;
    if get(&pairs, "is_test") == Some("true") {
        return Ok(Reading::ignored("google_ads.test"));
    }
    let id = get(&pairs, "lead_id").ok_or(Refusal::Unreadable("the lead has no lead_id"))?.to_owned();
    let columns = elements(&pairs, COLUMNS);
    let answers = columns.iter().filter_map(|column| {
        let words = of(column, "column_name");
        let name = submission::called(of(column, "column_id").or(words)?, words, channel);
        Some((Cow::Borrowed(name), Cow::Borrowed(of(column, "string_value")?)))
    });
    let (mut touch, _) = submission::touch(answers.chain(about(&pairs)).collect(), Vec::new(), channel);
    for name in ["campaign_id", "adgroup_id", "creative_id", "asset_group_id"] {
        if let Some(value) = get(&pairs, name).filter(|value| *value != "0") {
            fields::campaign(&mut touch, name, value);
        }
    }
    touch.occurred_at = get(&pairs, "lead_submit_time").and_then(At::parse);
    Ok(submission::reading(SOURCE.name, Some(id), touch, [], "google_ads.empty"))
}

/// What stands beside the answers, without the key and what has a place of its own.
fn about<'p>(pairs: &'p Pairs<'_>) -> impl Iterator<Item = (Cow<'p, str>, Cow<'p, str>)> {
    const PLACED: [&str; 9] = [
        "lead_id",
        "google_key",
        "is_test",
        "api_version",
        "campaign_id",
        "adgroup_id",
        "creative_id",
        "asset_group_id",
        "lead_submit_time",
    ];
    let rest = pairs.iter().filter(|(path, _)| !path.starts_with(COLUMNS) && !PLACED.contains(&&**path));
    rest.map(|(path, value)| (Cow::Borrowed(&**path), Cow::Borrowed(&**value)))
}

/// An empty JSON object is what the documentation shows for a lead that was taken.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Body("{}".to_owned(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let said = sample.said(["FULL_NAME", "PHONE_NUMBER", "EMAIL", "message"]);
    let columns = said.map(|(id, value)| json!({"column_id": id, "string_value": value}));
    let body = json!({
        "lead_id": sample.nonce,
        COLUMNS: columns.collect::<Vec<_>>(),
        "api_version": "1.0",
        "form_id": 40_000_000_001_u64,
        "campaign_id": 50_000_000_002_u64,
        "google_key": signature::current(&channel.secrets),
        "is_test": false,
        "lead_submit_time": now.to_string(),
    });
    SampleRequest::json(&body)
}
