//! How does a new contact of a GetResponse list become a touch?
//!
//! Webhooks post JSON with an id that stays the same when they are sent again; the older callbacks ask with GET, once,
//! everything in the query. Nothing is signed that is documented, so the address itself is the secret.
//!
//! From the vendor's API documentation (apidocs.getresponse.com).

use super::renamed::{self, Names, Person};
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source, fields, json,
    shown, urlencoded,
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
    settings: &[],
    methods: &[Method::POST, Method::GET],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: HELP,
};

/// The same over all tries of one event; with the contact beside it, in case it should ever name more than one.
const ID: &str = "x-webhook-id";
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
    if !request.is(JSON_TYPE) {
        return Err(Refusal::MediaType);
    }
    let mut pairs = json::read(&request.body)?;
    match fields::get(&pairs, "type") {
        Some("contact_subscribed") => {}
        Some("contact_unsubscribed") => return Ok(Reading::ignored("getresponse.unsubscribe")),
        Some(_) => return Ok(Reading::ignored("getresponse.other_event")),
        None => return Err(Refusal::Unreadable("the event has no type")),
    }
    let contact = renamed::take(&mut pairs, "contact.contactId");
    let id = request.header(ID).zip(contact.as_deref()).map(|(event, contact)| format!("{event} {contact}"));
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (touch, _) = known.ok_or(Refusal::Unreadable("the event names no contact"))?;
    Ok(Reading::of([Read::touch(id, "subscribe", touch)]))
}

/// One that failed is lost, so there is no second time to recognise.
fn callback(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let pairs = urlencoded::flat(request.query.as_bytes())?;
    match fields::get(&pairs, "action") {
        Some("subscribe") => {}
        Some("unsubscribe") => return Ok(Reading::ignored("getresponse.unsubscribe")),
        Some(_) => return Ok(Reading::ignored("getresponse.other_event")),
        None => return Ok(Reading::ignored("getresponse.check")),
    }
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (touch, _) = known.ok_or(Refusal::Unreadable("the callback names no contact"))?;
    Ok(Reading::of([Read::touch(None, "subscribe", touch)]))
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
    let id = (ID.to_owned(), sample.nonce.clone());
    SampleRequest::json(&body).with(shown::header(channel)).with([id])
}

const HELP: &str = "\
# GetResponse list

GetResponse signs nothing that it documents, so set `url_key`: it becomes part of the URL, which nobody else then knows.

1. *Tools → Integrations and API → Webhooks*: add a webhook with the URL below and the event **Contact subscribed**.

```
{url}
```

2. Only if your plan has no webhooks: *Callback* with the same URL and the event *subscribe*. A callback is tried once
   and lost if the gateway is down, so prefer the webhook.
3. Test it: subscribe through the list's form.

The list's name, the account and other fields are kept as attributes. Unsubscribing, opens and clicks are counted and
left alone.
";
