//! How does a post from any web form become a touch? JSON, urlencoded or multipart, with field names as people write
//! them.
//!
//! No provider stands behind it, so nothing is verified and an unreadable post is the sender's fault. A post that
//! carries its own id (`leadgate_id` or `Idempotency-Key`) is recognised when it is sent again; any other by its
//! content. Files are not kept: name, type and size of each go into the attribute `files`.

use super::shared::aliases::{self, Field};

use super::shared::fields::{Pairs, Service};

use super::shared::{json, multipart, submission, urlencoded};
use super::{
    Answer, BodyLimit, Denied, FORM_TYPE, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest,
    Source,
};

use crate::channel::Channel;
use crate::spam;
use http::Method;
use lead::entry::Kind;
use lead::time::At;
use serde_json::Value;
use url::Url;

pub const SOURCE: Source = Source {
    name: "form",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: true,
    proof: Proof::Open,
    settings: spam::SETTINGS,
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("form.md"),
};

fn verify(_: &Request, _: &Channel) -> Result<(), Denied> {
    Ok(())
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if request.body.is_empty() {
        return Err(Refusal::Bad("the form is empty"));
    }
    if *request.body == *b"test=test" {
        // A site builder tries the address out when it is entered.
        return Ok(Reading::ignored("form.test"));
    }
    let (pairs, files) = body(request)?;
    let (mut touch, service) = submission::touch(pairs, files, channel);
    if submission::is_empty(&touch) {
        return Err(Refusal::Bad("no field of the form is filled"));
    }
    touch.junk = service.honeypot.then(|| "form.honeypot".to_owned());
    Ok(Reading::of([Read::touch(post_id(request, service), SOURCE.name, touch)]))
}

/// The fields and the files, in whichever format they came.
pub(super) fn body(request: &Request) -> Result<(Pairs<'_>, Vec<Value>), Refusal> {
    if request.is(FORM_TYPE) {
        Ok((urlencoded::read(&request.body, request.charset())?, Vec::new()))
    } else if is_json(request) {
        Ok((json::read(&request.body)?, Vec::new()))
    } else if request.is("multipart/form-data") {
        let form = multipart::read(&request.body, request.content_type())?;
        Ok((form.pairs, form.files))
    } else {
        Err(Refusal::MediaType)
    }
}

/// A browser's beacon cannot say "JSON" without asking first, so it says "text".
fn is_json(request: &Request) -> bool {
    let suffix =
        || request.media_type().rsplit_once('+').is_some_and(|(_, suffix)| suffix.eq_ignore_ascii_case("json"));
    let beacon = || request.is("text/plain") && request.body.first() == Some(&b'{');
    request.is(JSON_TYPE) || suffix() || beacon()
}

/// An id is text of a line; anything else would be a mistake, and the content is compared instead.
pub(super) fn post_id(request: &Request, service: Service) -> Option<String> {
    let header = || request.header("idempotency-key").map(|key| key.trim_matches('"').to_owned());
    let is_id = |id: &String| (1..=128).contains(&id.len()) && id.bytes().all(|byte| byte.is_ascii_graphic());
    service.post_id.or_else(header).filter(is_id)
}

/// A browser that posted a plain form is shown a page; a script gets JSON.
fn answer(request: &Request, channel: &Channel, _: Option<&str>) -> Answer {
    if !wants_page(request) {
        return Answer::Accepted;
    }
    match asked_redirect(request, channel).or_else(|| channel.redirect.clone()) {
        Some(target) => Answer::SeeOther(target),
        None => Answer::Body(thanks(channel), "text/html; charset=utf-8"),
    }
}

fn wants_page(request: &Request) -> bool {
    let accept = request.header("accept").unwrap_or_default().to_ascii_lowercase();
    accept.contains("text/html") && !accept.contains("json")
}

/// The form's own wish, followed only to hosts the channel names.
fn asked_redirect(request: &Request, channel: &Channel) -> Option<String> {
    if channel.redirect_hosts.is_empty() {
        return None;
    }
    let (pairs, _) = body(request).ok()?;
    let asked = pairs.iter().find(|(path, _)| aliases::of_path(path) == Some(Field::Redirect));
    followed(&asked?.1, channel)
}

/// Where a form's wish is followed to: only to hosts the channel names.
pub(super) fn followed(asked: &str, channel: &Channel) -> Option<String> {
    let target = Url::parse(asked.trim()).ok()?;
    let host = target.host_str()?;
    let plain =
        matches!(target.scheme(), "http" | "https") && target.username().is_empty() && target.password().is_none();
    (plain && channel.redirect_hosts.iter().any(|known| known.eq_ignore_ascii_case(host))).then(|| target.into())
}

pub(super) fn thanks(channel: &Channel) -> String {
    let text = channel.thanks.as_deref().unwrap_or("Thank you! We have received your request.");
    let page = maud::html! {
        (maud::DOCTYPE)
        html {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (text) }
            }
            body { p { (text) } }
        }
    };
    page.into_string()
}

fn sample(_: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let said = sample.said(["name", "phone", "email", "message"]).chain([("leadgate_id", sample.nonce.as_str())]);
    SampleRequest::json(&said.map(|(name, value)| (name, Value::from(value))).collect())
}
