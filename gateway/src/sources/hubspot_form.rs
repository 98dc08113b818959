//! How does a form sent to HubSpot become a touch? HubSpot has no webhook for forms, so there are two ways in:
//!
//! - A workflow that starts when a form is sent and posts the contact, whole or as the owner picked fields.
//! - An app subscribed to contacts. Its events hold ids only; the contact is asked of the API, and one that never sent a
//!   form is left alone.
//!
//! A contact may send many forms: each conversion is one touch.

use super::shared::fields::{MOST_FIELDS, Pairs, get};

use super::shared::submission::{self, Entries, is_mapped, scalar};

use super::shared::{json, signature};
use super::{
    Answer, BodyLimit, Needed, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Shown, Source, Value,
    hubspot_proof,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeSet;

pub const SOURCE: Source = Source {
    name: "hubspot_form",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[
        Setting::optional(TOKEN, Value::Secret, "the access token of a private app"),
        Setting::optional("api_url", Value::Url, "the address of HubSpot's API"),
    ],
    methods: &[Method::POST],
    verify: hubspot_proof::verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("hubspot_form.md"),
};

const TOKEN: &str = "access_token";
const API: &str = "https://api.hubapi.com";
const CONVERTED: &str = "recent_conversion_date";
/// Asked for besides what the channel maps.
const ASKED: &str = "firstname,lastname,email,phone,mobilephone,company,city,state,zip,country,message,\
                     recent_conversion_date,recent_conversion_event_name,hs_google_click_id,hs_facebook_click_id,\
                     hs_analytics_source,hs_analytics_first_url";

/// What a workflow posts, and what the API answers.
#[derive(Deserialize)]
struct Contact<'a> {
    #[serde(borrow)]
    vid: Option<&'a RawValue>,
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    properties: Option<Entries<'a, &'a RawValue>>,
    #[serde(borrow, rename = "form-submissions", default)]
    forms: Vec<Conversion<'a>>,
}

/// What a property is, where it is an object with all it ever was.
#[derive(Deserialize)]
struct Property<'a> {
    #[serde(borrow)]
    value: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Conversion<'a> {
    #[serde(borrow, rename = "conversion-id")]
    id: Option<Cow<'a, str>>,
    timestamp: Option<i64>,
    #[serde(borrow, rename = "form-id")]
    form: Option<Cow<'a, str>>,
    #[serde(borrow, rename = "page-url")]
    page: Option<Cow<'a, str>>,
    #[serde(borrow)]
    title: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(borrow)]
    subscription_type: Cow<'a, str>,
    #[serde(borrow)]
    object_id: Option<&'a RawValue>,
    #[serde(borrow)]
    object_type_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    property_name: Option<Cow<'a, str>>,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let body = request.json()?;
    if body.trim_ascii_start().first() == Some(&b'[') {
        return events(request, channel);
    }
    let contact: Contact<'_> = json::typed(body)?;
    let pairs = match &contact.properties {
        Some(properties) => told(properties, channel),
        None => json::read(body)?,
    };
    Ok(form(&contact, pairs, channel))
}

/// What the contact's properties say. HubSpot's own, hundreds of them, are about HubSpot, but for a few.
fn told<'a>(properties: &Entries<'a, &'a RawValue>, channel: &Channel) -> Pairs<'a> {
    let known = properties.0.iter().filter_map(|(name, raw)| {
        let name = match &**name {
            "hs_google_click_id" => "gclid".into(),
            "hs_facebook_click_id" => "fbclid".into(),
            "hs_analytics_first_url" => "page".into(),
            own if own.starts_with("hs_") && own != "hs_analytics_source" && !is_mapped(own, channel) => return None,
            _ => name.clone(),
        };
        let raw =
            if raw.get().starts_with('{') { serde_json::from_str::<Property<'_>>(raw.get()).ok()?.value? } else { raw };
        scalar(raw).map(|value| (name, value))
    });
    known.take(MOST_FIELDS).collect()
}

/// The contact's latest form.
fn form(contact: &Contact<'_>, pairs: Pairs<'_>, channel: &Channel) -> Reading {
    let latest = contact.forms.iter().max_by_key(|conversion| conversion.timestamp);
    let converted_at = get(&pairs, CONVERTED).and_then(moment);
    let own = contact.vid.or(contact.id).and_then(scalar);
    let own = own.as_deref().or_else(|| get(&pairs, "hs_object_id"));
    let by_date = || Some(format!("{}:{}", own?, converted_at?.millis()));
    let id = latest.and_then(|latest| latest.id.as_deref()).map(str::to_owned).or_else(by_date);
    let page = latest.and_then(|latest| latest.page.clone()).map(|page| (Cow::Borrowed("page_url"), page));
    let (mut touch, _) = submission::touch(page.into_iter().chain(pairs).collect(), Vec::new(), channel);
    let sent_at = latest.and_then(|latest| latest.timestamp).map(At::from_millis);
    touch.occurred_at = sent_at.or(converted_at);
    let about = latest.map(|latest| [("form", latest.title.as_deref()), ("form_id", latest.form.as_deref())]);
    submission::reading(SOURCE.name, id, touch, about.into_iter().flatten(), "hubspot_form.empty")
}

/// The older API counts milliseconds, the newer writes RFC 3339.
fn moment(text: &str) -> Option<At> {
    text.parse().ok().map(At::from_millis).or_else(|| At::parse(text))
}

fn events(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let events: Vec<Event<'_>> = json::typed(&request.body)?;
    let (mut reading, mut needed, mut seen) = (Reading::default(), Vec::new(), BTreeSet::new());
    for event in &events {
        let id = event.object_id.and_then(scalar).filter(|id| id.bytes().all(|byte| byte.is_ascii_digit()));
        let Some(id) = id.filter(|_| is_form(event)) else {
            reading.ignored.push("hubspot_form.other_event");
            continue;
        };
        if !seen.insert(id.clone()) {
            continue;
        }
        let url = address(&id, channel);
        match request.documents.get(&url) {
            Some(document) => match fetched(document, channel) {
                Ok(one) => {
                    reading.signals.extend(one.signals);
                    reading.ignored.extend(one.ignored);
                }
                Err(_) => reading.signals.push(submission::unreadable(&id, "the contact cannot be read")),
            },
            None => needed.push(Needed { url, shown: Some(Shown::bearer(TOKEN)), lasting: false }),
        }
    }
    if request.documents.is_empty() && !needed.is_empty() { Err(Refusal::Needs(needed)) } else { Ok(reading) }
}

/// Could a form stand behind it? A new contact, or one whose latest conversion changed.
fn is_form(event: &Event<'_>) -> bool {
    let Some((object, what)) = event.subscription_type.split_once('.') else { return false };
    let contact = object == "contact" || (object == "object" && event.object_type_id.as_deref() == Some("0-1"));
    let converted = event.property_name.as_deref().is_some_and(|name| name.starts_with("recent_conversion"));
    contact && (what == "creation" || (what == "propertyChange" && converted))
}

/// The document of one contact. The id is digits only, so it cannot lead anywhere else.
fn address(id: &str, channel: &Channel) -> String {
    let api = channel.setting("api_url").unwrap_or(API).trim_end_matches('/');
    let mut asked = ASKED.to_owned();
    for theirs in channel.fields.values() {
        asked.push(',');
        asked.extend(form_urlencoded::byte_serialize(theirs.as_bytes()));
    }
    format!("{api}/crm/v3/objects/contacts/{id}?properties={asked}")
}

fn fetched(document: &[u8], channel: &Channel) -> Result<Reading, Refusal> {
    let contact: Contact<'_> = json::typed(document)?;
    let pairs = contact.properties.as_ref().map(|properties| told(properties, channel)).unwrap_or_default();
    if get(&pairs, CONVERTED).is_none() {
        return Ok(Reading::ignored("hubspot_form.no_form"));
    }
    Ok(form(&contact, pairs, channel))
}

/// A workflow's post.
fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let said = sample.said(["firstname", "phone", "email", "message"]);
    let said = said.map(|(name, value)| (name.to_owned(), json!({"value": value})));
    let form = json!({"conversion-id": sample.nonce, "timestamp": now.millis(), "title": "Test"});
    let body = json!({
        "vid": 101,
        "properties": serde_json::Value::Object(said.collect()),
        "form-submissions": [form],
    });
    SampleRequest::json(&body).signed(|body| {
        let sign = |secret: &str| hubspot_proof::v2(secret.as_bytes(), "POST", &channel.url, body);
        let signed = signature::current(&channel.secrets).map(sign).into_iter();
        signed.flat_map(|signed| {
            [(hubspot_proof::VERSION.to_owned(), "v2".to_owned()), (hubspot_proof::OLDER.to_owned(), signed)]
        })
    })
}
