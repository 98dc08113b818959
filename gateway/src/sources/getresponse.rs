//! How does a new contact of a GetResponse list become a touch?
//!
//! Webhooks post JSON; the older callbacks ask with GET, once, everything in the query. Nothing is signed that is
//! documented, so the address itself is the secret. A subscription is a contact of its own there, so its id is what it is
//! known by, however it comes; with a key of the API also what both lost, see `getresponse_poll`.
//!
//! From the vendor's API documentation (apidocs.getresponse.com).

use super::shared::fields::{self, Pairs};

use super::shared::renamed::{self, Names, Person};

use super::shared::submission::{elements, of};

use super::shared::{json, reconcile, shown, urlencoded};
use super::{
    Answer, BodyLimit, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
    getresponse_poll as poll,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;

pub const SOURCE: Source = Source {
    name: "getresponse",
    kind: Kind::List,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[API_KEY, API_URL, reconcile::EVERY],
    methods: &[Method::POST, Method::GET],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("getresponse.md"),
};

pub(super) const API_KEY: Setting =
    Setting::optional("api_key", Value::Secret, "a key of the API, with which leadgate asks for what the webhook lost");

const API_URL: Setting =
    Setting::optional("api_url", Value::Url, "the address of the API, unless it is \"https://api.getresponse.com/v3\"");

pub(super) const PHASE: &str = "subscribe";
const CONTACT: &str = "contact.contactId";
const OWN_FIELDS: &str = "contact.customFieldValues";
const NAMES: &Names = &[
    ("contact.campaign.name", "campaign_name"),
    ("contact.campaign.campaignId", "campaign_id"),
    ("event.occurredAt", "occurred_at"),
    ("type", ""),
    ("action", ""),
    (shown::KEY, ""),
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.method == Method::GET {
        return callback(request, channel);
    }
    let mut pairs = json::read(request.json()?)?;
    match fields::get(&pairs, "type") {
        Some("contact_subscribed") => {}
        Some("contact_unsubscribed") => return Ok(Reading::ignored("getresponse.unsubscribe")),
        Some(_) => return Ok(Reading::ignored("getresponse.other_event")),
        None => return Err(Refusal::Unreadable("the event has no type")),
    }
    if fields::get(&pairs, "contact.email").is_none()
        && let Some(id) =
            fields::get(&pairs, CONTACT).filter(|id| poll::is_id(id) && channel.setting(API_KEY.name).is_some())
    {
        let needed = poll::needed(channel, &format!("contacts/{id}"));
        let Some(document) = request.documents.get(&needed.url) else { return Err(Refusal::Needs(vec![needed])) };
        let told = json::read(document)?;
        pairs.extend(told.into_iter().map(|(path, value)| (format!("contact.{path}").into(), value)));
    }
    subscribed(pairs, channel)
}

fn subscribed(mut pairs: Pairs<'_>, channel: &Channel) -> Result<Reading, Refusal> {
    let id = renamed::take(&mut pairs, CONTACT);
    let own = own_fields(&pairs);
    pairs.retain(|(path, _)| !path.starts_with(OWN_FIELDS));
    pairs.extend(own);
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (touch, _) = known.ok_or(Refusal::Unreadable("the event names no contact"))?;
    Ok(Reading::of([Read::touch(id, PHASE, touch)]))
}

/// The account's own fields, such as a phone, come as a list of names and values.
fn own_fields(pairs: &Pairs<'_>) -> Pairs<'static> {
    let mut own = Vec::new();
    for element in elements(pairs, OWN_FIELDS) {
        let name = of(&element, "name").unwrap_or_default();
        let values = element.iter().filter(|(key, value)| *key == "value" && !value.is_empty() && !name.is_empty());
        own.extend(values.map(|(_, value)| (name.to_owned().into(), (*value).to_owned().into())));
    }
    own
}

/// It is tried once.
fn callback(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let mut pairs = urlencoded::flat(request.query.as_bytes())?;
    match fields::get(&pairs, "action") {
        Some("subscribe") => {}
        Some("unsubscribe") => return Ok(Reading::ignored("getresponse.unsubscribe")),
        Some(_) => return Ok(Reading::ignored("getresponse.other_event")),
        None => return Ok(Reading::ignored("getresponse.check")),
    }
    let id = renamed::take(&mut pairs, "CONTACT_ID");
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (touch, _) = known.ok_or(Refusal::Unreadable("the callback names no contact"))?;
    Ok(Reading::of([Read::touch(id, PHASE, touch)]))
}

/// Where the API is.
pub(super) fn api(channel: &Channel) -> &str {
    channel.setting(API_URL.name).unwrap_or("https://api.getresponse.com/v3").trim_end_matches('/')
}

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let at = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default().to_rfc3339();
    let body = serde_json::json!({
        "type": "contact_subscribed",
        "contact": {
            "contactId": sample.nonce,
            "name": sample.name(),
            "email": sample.email(),
            "phone": sample.phone,
            "note": sample.text,
            "campaign": {"campaignId": "test", "name": "test"},
        },
        "event": {"occurredAt": at},
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
