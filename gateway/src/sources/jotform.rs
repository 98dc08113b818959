//! How does a form of Jotform become a touch?
//!
//! A post holds the answers twice: as text for people in `pretty`, and as JSON in `rawRequest`, which is the one that can
//! be read. A question is called `q<number>_<name>`; answers of several parts (a name, a phone, an address) are objects.
//! Nothing is signed, so the address itself is the secret.
//!
//! From Jotform's published AsyncAPI description and its help pages; how often it tries is not documented.

use super::shared::fields::{Pairs, get};
use super::shared::{json, shown, submission};
use super::{Answer, BodyLimit, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source, form};
use crate::channel::Channel;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde_json::{Value, json};
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "jotform",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer: |_, _, _| Answer::Accepted,
    sample,
    help: include_str!("jotform.md"),
};

/// What Jotform's page says to Jotform.
const DROPPED: [&str; 11] = [
    "slug",
    "jsExecutionTracker",
    "submitSource",
    "submitDate",
    "buildDate",
    "uploadServerUrl",
    "eventObserver",
    "event_id",
    "timeToSubmit",
    "validatedNewRequiredFieldIDs",
    "path",
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let (posted, files) = form::body(request)?;
    let id = get(&posted, "submissionID").ok_or(Refusal::Unreadable("the submission has no id"))?;
    let raw = get(&posted, "rawRequest").ok_or(Refusal::Unreadable("the post has no rawRequest"))?;
    let answers = answers(json::read(raw.as_bytes())?, channel);
    let (touch, _) = submission::touch(answers, files, channel);
    let about = [("form", get(&posted, "formTitle")), ("form_id", get(&posted, "formID"))];
    Ok(submission::reading(SOURCE.name, Some(id.to_owned()), touch, about, "jotform.empty"))
}

/// The answers under the names of their questions.
fn answers<'a>(raw: Pairs<'a>, channel: &Channel) -> Pairs<'a> {
    let mut answers: Pairs<'a> = Vec::with_capacity(raw.len());
    for (path, value) in raw {
        let (question, part) = path.split_once('.').unwrap_or((&path, ""));
        if DROPPED.contains(&question) || value.trim().is_empty() {
            continue;
        }
        let name = if submission::is_mapped(question, channel) { question } else { named(question) };
        match (part, answers.last_mut()) {
            // A phone's country and area come before the number itself; an address has a country in words.
            ("area" | "phone", Some((last, number))) if *last == name => number.to_mut().push_str(&value),
            ("country", _) if is_code(&value) => {
                answers.push((Cow::Owned(name.to_owned()), format!("+{value}").into()));
            }
            _ => answers.push((Cow::Owned(called(name, part)), value)),
        }
    }
    answers
}

/// `q3_fullName` is `fullName`; a file's field has no number.
fn named(question: &str) -> &str {
    let numbered = question.strip_prefix('q').and_then(|rest| rest.split_once('_'));
    let name = numbered.filter(|(number, _)| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()));
    name.map_or(question, |(_, name)| name)
}

fn is_code(country: &str) -> bool {
    country.bytes().all(|byte| byte.is_ascii_digit())
}

fn called(name: &str, part: &str) -> String {
    match part {
        "" | "full" | "area" | "phone" => name.to_owned(),
        "first" | "middle" | "last" => format!("{part}_name"),
        "city" | "country" => part.to_owned(),
        "state" => "region".to_owned(),
        "postal" => "postcode".to_owned(),
        part => format!("{name}.{part}"),
    }
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let names = ["q3_name", "q4_phone", "q5_email", "q6_message"];
    let raw: Value = sample.said(names).map(|(name, value)| (name, Value::from(value))).collect();
    let raw = if sample.phone.is_some() { phone_in_full(raw) } else { raw };
    let (id, raw) = (sample.number().to_string(), raw.to_string());
    let fields = [("formID", "1"), ("submissionID", &id), ("formTitle", "Test"), ("rawRequest", &raw)];
    SampleRequest::multipart(&fields).below(shown::in_url(channel))
}

/// As the phone field says it.
fn phone_in_full(mut raw: Value) -> Value {
    raw["q4_phone"] = json!({"full": raw["q4_phone"].take()});
    raw
}
