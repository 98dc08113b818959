//! How do the answers of a Typeform become a touch?
//!
//! An answer names its question by id and `ref`; the words stand in the form's definition, which may be large and is
//! only looked up (typeform.com/developers/webhooks). An e-mail or phone question is one whatever it is called.

use super::shared::fields::{Pairs, get};

use super::shared::submission::{self, Entries, called, is_mapped};

use super::shared::{json, signature};
use super::{Answer, BodyLimit, Denied, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source};
use crate::channel::Channel;
use data_encoding::BASE64;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::HashMap;

pub const SOURCE: Source = Source {
    name: "typeform",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[],
    methods: &[Method::POST],
    verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("typeform.md"),
};

const SIGNATURE: &str = "typeform-signature";

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    signature::in_header(request, channel, SIGNATURE, |secret| signed(secret, &request.body))
}

/// Base64, although the prefix looks like those that hold hex.
fn signed(secret: &[u8], body: &[u8]) -> String {
    format!("sha256={}", BASE64.encode(&signature::hmac_sha256(secret, &[body])))
}

#[derive(Deserialize)]
struct Event<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    form_response: Option<Response<'a>>,
}

#[derive(Deserialize)]
struct Response<'a> {
    #[serde(borrow)]
    form_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    token: Cow<'a, str>,
    #[serde(borrow)]
    submitted_at: Option<Cow<'a, str>>,
    /// What the address of the form carried: campaigns, click ids, whatever the page knew.
    #[serde(borrow)]
    hidden: Option<&'a RawValue>,
    #[serde(borrow)]
    calculated: Option<Entries<'a, &'a RawValue>>,
    #[serde(borrow, default)]
    answers: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    definition: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct Definition {
    #[serde(default)]
    fields: Vec<Question>,
}

/// A group holds questions in turn.
#[derive(Deserialize)]
struct Question {
    id: String,
    title: Option<String>,
    #[serde(default)]
    properties: Definition,
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let event: Event<'_> = json::typed(request.json()?)?;
    match &*event.event_type {
        "form_response" => {}
        "form_response_partial" => return Ok(Reading::ignored("typeform.partial_response")),
        _ => return Ok(Reading::ignored("typeform.other_event")),
    }
    let response = event.form_response.ok_or(Refusal::Unreadable("the event has no form_response"))?;
    let titles = titles(response.definition);
    let mut pairs = Pairs::new();
    for answer in response.answers.iter().flatten() {
        said(&mut pairs, &json::read(answer.get().as_bytes())?, &titles, channel);
    }
    if let Some(hidden) = response.hidden.filter(|hidden| hidden.get().starts_with('{')) {
        pairs.extend(json::read(hidden.get().as_bytes())?);
    }
    for (name, value) in response.calculated.into_iter().flat_map(|entries| entries.0) {
        pairs.extend(submission::scalar(value).map(|value| (name, value)));
    }
    let (mut touch, _) = submission::touch(pairs, Vec::new(), channel);
    touch.occurred_at = response.submitted_at.as_deref().and_then(At::parse);
    let about = [("form_id", response.form_id.as_deref())];
    Ok(submission::reading(SOURCE.name, Some(response.token.into_owned()), touch, about, "typeform.empty"))
}

/// The words of every question, by its id. A definition we cannot read costs only the words.
fn titles(definition: Option<&RawValue>) -> HashMap<String, String> {
    let definition: Definition = definition.and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default();
    let mut titles = HashMap::new();
    let mut open = definition.fields;
    while let Some(question) = open.pop() {
        open.extend(question.properties.fields);
        titles.extend(question.title.map(|title| (question.id, title)));
    }
    titles
}

/// One answer under the name of its question. Ids and refs of choices are Typeform's own business.
fn said<'a>(pairs: &mut Pairs<'a>, answer: &Pairs<'_>, titles: &HashMap<String, String>, channel: &Channel) {
    let id = get(answer, "field.id").unwrap_or_default();
    let reference = get(answer, "field.ref").unwrap_or(id);
    let title = titles.get(id).map(String::as_str);
    let name = match (get(answer, "type"), get(answer, "field.type")) {
        _ if is_mapped(reference, channel) => reference,
        (Some("phone_number"), _) => "phone",
        (Some("email"), _) => "email",
        (_, Some("legal")) => "consent",
        _ => called(reference, title, channel),
    };
    const SKIPPED: [&str; 5] = ["type", "choice.id", "choice.ref", "choices.ids", "choices.refs"];
    let values = answer.iter().filter(|(path, _)| !path.starts_with("field.") && !SKIPPED.contains(&&**path));
    for (_, value) in values {
        pairs.push((name.to_owned().into(), value.clone().into_owned().into()));
        if let Some(title) = title.filter(|_| name == "consent") {
            pairs.push(("consent_text".into(), title.to_owned().into()));
        }
    }
}

fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let answer = |(name, value): (&str, &str)| {
        let kind = match name {
            "phone" => "phone_number",
            "email" => "email",
            _ => "text",
        };
        json!({"type": kind, kind: value, "field": {"id": name, "ref": name, "type": "short_text"}})
    };
    let said = sample.said(["name", "phone", "email", "message"]);
    let body = json!({
        "event_id": sample.nonce,
        "event_type": "form_response",
        "form_response": {
            "form_id": "test",
            "token": sample.nonce,
            "submitted_at": now.to_string(),
            "answers": said.map(answer).collect::<Vec<_>>(),
        },
    });
    let secret = signature::current(&channel.secrets);
    let sign = |body: &[u8]| secret.map(|secret| (SIGNATURE.to_owned(), signed(secret.as_bytes(), body)));
    SampleRequest::json(&body).signed(sign)
}
