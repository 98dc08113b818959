//! How does a lead form of Facebook or Instagram become a touch? The webhook brings ids only; the lead itself is asked of
//! the Graph API.
//!
//! - Leads of one request are independent: one that cannot be had now is asked for again when Meta sends its request
//!   again, and the others are kept already.
//! - What the webhook loses is asked for, see `meta_leads_poll`.
//! - A lead that Meta's Lead Ads Testing Tool filled in is known by its words alone; no field says it is a test.

use super::shared::fields::{self, Pairs, get};
use super::shared::submission::{self, elements, of};
use super::shared::{json, meta, reconcile};
use super::{
    BodyLimit, Needed, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Shown, Source, Value,
    meta_leads_poll as poll,
};
use crate::channel::Channel;
use data_encoding::HEXLOWER;
use http::Method;
use lead::entry::{Kind, Touch};
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "meta_leads",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[
        meta::VERIFY_TOKEN,
        Setting::required(PAGE_TOKEN, Value::Secret, "the access token of the page"),
        Setting::optional("graph_url", Value::Url, "the address of the Graph API"),
        Setting::optional("graph_version", Value::Text, "a version like \"v24.0\""),
        poll::PAGE,
        poll::FORMS,
        reconcile::EVERY,
    ],
    methods: &[Method::POST, Method::GET],
    verify: meta::verify,
    read,
    answer: meta::answer,
    sample,
    help: include_str!("meta_leads.md"),
};

pub(super) const PAGE_TOKEN: &str = "page_token";
const GRAPH: &str = "https://graph.facebook.com";
const VERSION: &str = "v24.0";
const CAMPAIGN: [&str; 8] =
    ["ad_id", "ad_name", "adgroup_id", "adset_id", "adset_name", "campaign_id", "campaign_name", "platform"];
const FIELDS: &str = "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,field_data,\
                      is_organic,platform,custom_disclaimer_responses";

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.method == Method::GET {
        return Ok(Reading::ignored("meta_leads.challenge"));
    }
    let notice = meta::read(request)?;
    let changes = notice.entry.iter().flat_map(|entry| &entry.changes);
    let (ours, others): (Vec<_>, Vec<_>) = changes.partition(|change| change.field == "leadgen");
    let mut reading = Reading { signals: Vec::new(), ignored: vec!["meta_leads.other_field"; others.len()] };
    let mut needed = Vec::new();
    for change in ours {
        let value = change.value.get().as_bytes();
        let event = json::read(value).unwrap_or_default();
        let Some(id) = get(&event, "leadgen_id").filter(|id| poll::is_id(id)) else {
            let id = HEXLOWER.encode(&lead::ids::digest("meta change", &[value]));
            reading.signals.push(submission::unreadable(&id, "the lead has no leadgen_id"));
            continue;
        };
        let url = address(id, channel);
        let Some(document) = request.documents.get(&url) else {
            needed.push(Needed { url, shown: Some(Shown::bearer(PAGE_TOKEN)), lasting: false });
            continue;
        };
        match lead(document, &event, channel) {
            Ok(Some(touch)) => reading.signals.push(Read::touch(Some(id.to_owned()), SOURCE.name, touch)),
            Ok(None) => reading.ignored.push("meta_leads.test"),
            Err(_) => reading.signals.push(submission::unreadable(id, "the lead's document cannot be read")),
        }
    }
    if request.documents.is_empty() && !needed.is_empty() { Err(Refusal::Needs(needed)) } else { Ok(reading) }
}

/// The document of one lead.
fn address(id: &str, channel: &Channel) -> String {
    format!("{}/{id}?fields={FIELDS}", graph(channel))
}

/// Where the Graph API is, its version included.
pub(super) fn graph(channel: &Channel) -> String {
    let graph = channel.setting("graph_url").unwrap_or(GRAPH).trim_end_matches('/');
    format!("{graph}/{}", channel.setting("graph_version").unwrap_or(VERSION))
}

/// The lead as Graph tells it; none for a test.
fn lead(document: &[u8], event: &Pairs<'_>, channel: &Channel) -> Result<Option<Touch>, Refusal> {
    const TEST: &str = "<test lead: dummy data for";
    let pairs = json::read(document)?;
    let answers = elements(&pairs, "field_data");
    if answers.iter().flatten().any(|(_, value)| value.starts_with(TEST)) {
        return Ok(None);
    }
    let said = answers.iter().flat_map(|answer| {
        let name = of(answer, "name").unwrap_or_default();
        answer.iter().filter(|(key, _)| *key == "values").map(move |(_, value)| (name.into(), (*value).into()))
    });
    let (mut touch, _) = submission::touch(said.collect(), Vec::new(), channel);
    for name in CAMPAIGN {
        if let Some(value) = get(&pairs, name).or_else(|| get(event, name)) {
            fields::campaign(&mut touch, name, value);
        }
    }
    for name in ["form_id", "page_id", "is_organic"] {
        if let Some(value) = get(&pairs, name).or_else(|| get(event, name)) {
            fields::attribute(&mut touch, name, value);
        }
    }
    for answer in elements(&pairs, "custom_disclaimer_responses") {
        let (key, tick) = (of(&answer, "checkbox_key"), of(&answer, "is_checked"));
        fields::attribute(&mut touch, key.unwrap_or("disclaimer"), tick.unwrap_or("false"));
    }
    touch.occurred_at = get(event, "created_time").and_then(|seconds| seconds.parse().ok()).map(At::from_secs);
    Ok(Some(touch))
}

/// The ids of a lead that only Graph can know: a real gateway gets as far as asking for it.
fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let value = json!({"leadgen_id": sample.number().to_string(), "page_id": "111", "form_id": "222",
        "created_time": now.millis() / 1000});
    let entry = json!({"id": "111", "time": now.millis() / 1000, "changes": [{"field": "leadgen", "value": value}]});
    let body = json!({"object": "page", "entry": [entry]});
    SampleRequest::json(&body).signed(|body| meta::header(channel, body))
}
