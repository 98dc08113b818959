//! How does a new subscriber of a Mailchimp audience become a touch?
//!
//! Mailchimp asks the address with GET when it is entered, and posts a form for each event. It signs nothing, so the
//! address itself is the secret. There is no event id; audience, member and moment together are one.
//!
//! From the vendor's guide to Marketing webhooks (mailchimp.com/developer).

use super::shared::renamed::{self, Names, Person};
use super::shared::{fields, shown, urlencoded};
use super::{Answer, BodyLimit, FORM_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use chrono::NaiveDateTime;
use http::Method;
use lead::entry::Kind;
use lead::time::At;

pub const SOURCE: Source = Source {
    name: "mailchimp",
    kind: Kind::List,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST, Method::GET, Method::HEAD],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("mailchimp.md"),
};

const NAMES: &Names = &[("data.merges.", ""), ("data.", ""), ("type", ""), ("fired_at", "")];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.method != Method::POST {
        return Ok(Reading::ignored("mailchimp.check"));
    }
    if !request.is(FORM_TYPE) {
        return Err(Refusal::MediaType);
    }
    let mut pairs = urlencoded::read(&request.body, request.charset())?;
    match fields::get(&pairs, "type") {
        Some("subscribe") => {}
        Some("unsubscribe") => return Ok(Reading::ignored("mailchimp.unsubscribe")),
        Some("cleaned") => return Ok(Reading::ignored("mailchimp.cleaned")),
        Some("profile") => return Ok(Reading::ignored("mailchimp.profile")),
        Some("upemail") => return Ok(Reading::ignored("mailchimp.upemail")),
        Some("campaign") => return Ok(Reading::ignored("mailchimp.campaign")),
        Some(_) => return Ok(Reading::ignored("mailchimp.other_event")),
        None => return Err(Refusal::Unreadable("the event has no type")),
    }
    let fired_at = fields::get(&pairs, "fired_at").map(str::to_owned);
    let member = renamed::take(&mut pairs, "data.id");
    let list = fields::get(&pairs, "data.list_id").unwrap_or_default().to_owned();
    let id = member.zip(fired_at.as_ref()).map(|(member, at)| format!("{list} {member} {at}"));
    let person = Person { kind: Kind::List, network: SOURCE.name, id: None };
    let known = person.touch(renamed::rename(pairs, NAMES, channel), channel);
    let (mut touch, _) = known.ok_or(Refusal::Unreadable("the event names no subscriber"))?;
    touch.occurred_at = fired_at.and_then(|at| moment(&at));
    Ok(Reading::of([Read::touch(id, "subscribe", touch)]))
}

/// UTC, without saying so.
fn moment(text: &str) -> Option<At> {
    let at = NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S").ok()?;
    Some(At::from_secs(at.and_utc().timestamp()))
}

fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let at = chrono::DateTime::from_timestamp_millis(now.millis()).unwrap_or_default();
    let fields = [
        ("type", "subscribe"),
        ("fired_at", &at.format("%Y-%m-%d %H:%M:%S").to_string()),
        ("data[id]", &sample.id()),
        ("data[list_id]", "test"),
        ("data[email]", sample.email()),
        ("data[merges][FNAME]", sample.name()),
        ("data[merges][PHONE]", sample.phone.as_deref().unwrap_or_default()),
        ("data[merges][MESSAGE]", sample.text.as_deref().unwrap_or_default()),
    ];
    SampleRequest::form(&fields).with(shown::header(channel))
}
