//! How does a form made for Salesforce's Web-to-Lead become a touch here, without a change but of its `action`?
//!
//! - Names and answer are Salesforce's: `oid`, `retURL`, `00N…` fields; 302 to `retURL` whatever became of the lead. Only
//!   hosts that the channel lists are followed; an open redirect is a gift to others.
//! - The page says in `encoding` how it writes letters; pages in windows-1251 exist.

use super::shared::aliases::{Field, of_path};
use super::shared::fields::{Pairs, get};
use super::shared::submission;
use super::shared::urlencoded;
use super::{Answer, BodyLimit, FORM_TYPE, Proof, Reading, Refusal, Request, Sample, SampleRequest, Source, form};
use crate::channel::Channel;
use crate::spam;
use http::{Method, StatusCode};
use lead::entry::Kind;
use lead::time::At;
use serde_json::Value;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "web_to_lead",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: true,
    proof: Proof::Open,
    settings: spam::SETTINGS,
    methods: &[Method::POST],
    verify: |_, _| Ok(()),
    read,
    answer,
    sample,
    help: include_str!("web_to_lead.md"),
};

/// Said to Salesforce; nobody here reads it.
const DROPPED: [&str; 10] = [
    "oid",
    "orgId",
    "retURL",
    "encoding",
    "debug",
    "debugEmail",
    "captcha_settings",
    "g-recaptcha-response",
    "submit",
    "recordType",
];

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let (pairs, files) = body(request)?;
    let kept = pairs.into_iter().filter(|(name, _)| !DROPPED.contains(&&**name));
    let fields = kept.map(|(name, value)| (renamed(name), value));
    let (mut touch, service) = submission::touch(fields.collect(), files, channel);
    touch.junk = service.honeypot.then(|| "form.honeypot".to_owned());
    let id = form::post_id(request, service);
    Ok(submission::reading(SOURCE.name, id, touch, [], "web_to_lead.empty"))
}

fn body(request: &Request) -> Result<(Pairs<'_>, Vec<Value>), Refusal> {
    if !request.is(FORM_TYPE) {
        return form::body(request);
    }
    let plain = urlencoded::flat(&request.body)?;
    let query = urlencoded::flat(request.query.as_bytes()).unwrap_or_default();
    let said = get(&plain, "encoding").or_else(|| get(&query, "encoding")).or_else(|| request.charset());
    Ok((urlencoded::read(&request.body, said)?, Vec::new()))
}

/// Where Salesforce's name means something else to us, or nothing.
fn renamed(name: Cow<'_, str>) -> Cow<'_, str> {
    match &*name {
        "URL" => "website".into(),
        "state_code" => "state".into(),
        _ => name,
    }
}

/// A visitor goes on whatever became of his form.
fn answer(request: &Request, channel: &Channel, _: Option<&str>) -> Answer {
    let asked = || {
        let (pairs, _) = body(request).ok()?;
        let own = pairs.iter().find(|(name, _)| name == "retURL");
        let asked = own.or_else(|| pairs.iter().find(|(name, _)| of_path(name) == Some(Field::Redirect)))?;
        form::followed(&asked.1, channel)
    };
    match asked().or_else(|| channel.redirect.clone()) {
        Some(target) => Answer::Found(target),
        None => Answer::Body(form::thanks(channel), "text/html; charset=utf-8"),
    }
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let about = [("leadgate_id", sample.nonce.as_str()), ("oid", "00D000000000000"), ("encoding", "UTF-8")];
    let said = sample.said(["last_name", "phone", "email", "description"]);
    let said: Vec<(&str, &str)> = said.chain(about).collect();
    let expect = if channel.redirect.is_some() { StatusCode::FOUND } else { StatusCode::OK };
    SampleRequest::form(&said).below("/servlet/servlet.WebToLead?encoding=UTF-8").answered(expect)
}
