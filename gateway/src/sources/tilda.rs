//! How does a form of a site made with Tilda become a touch?
//!
//! Tilda posts the fields under the names that the site's owner chose, with `tranid` as the id of the post, and tries
//! three times within two minutes. When the address is entered it posts `test=test`. It signs nothing; its "API key"
//! comes as a header or as a field, whichever the owner chose. A newer kind of webhook posts JSON.
//!
//! Read in Tilda's help («Webhook», «Приём данных»). With the visitor's cookies ticked, the analytics ids in them and
//! Tilda's own note of the campaign are taken out; other cookies are nobody's business and dropped.

use super::shared::aliases::{self, Field};
use super::shared::fields::{self, Pairs};
use super::shared::renamed;
use super::shared::said;
use super::shared::{json, shown, signature, submission, urlencoded};
use super::{
    Answer, BodyLimit, Denied, FORM_TYPE, JSON_TYPE, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest,
    Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Kind, Touch};
use lead::text::cut;
use lead::time::At;
use percent_encoding::percent_decode_str;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "tilda",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::SecretOrKey,
    settings: &[KEY_NAME],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("tilda.md"),
};

const KEY_NAME: Setting =
    Setting::optional("api_key_name", Value::Text, "the name of the API key in Tilda, \"api_key\" if not set");

const NAMES: [(&str, &str); 3] = [("tranid", ""), ("COOKIES", ""), ("cookies", "")];
const MOST_COOKIES: usize = 200;

fn key_name(channel: &Channel) -> &str {
    channel.setting(KEY_NAME.name).unwrap_or("api_key")
}

/// The key in the head or in the body; without one, the address itself.
fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if shown::by_address(channel) || is_test(request) {
        return Ok(());
    }
    let bearer = || request.header("authorization")?.strip_prefix("Bearer ");
    if let Some(shown) = request.header(key_name(channel)).or_else(bearer) {
        return signature::shown(channel, shown);
    }
    let fields = fields(request).map_err(|_| Denied::Wrong)?;
    signature::shown(channel, said::only(&fields, key_name(channel)).ok_or(Denied::Wrong)?)
}

/// Nothing follows from it, so nobody has to prove it.
fn is_test(request: &Request) -> bool {
    *request.body == *b"test=test"
}

fn fields(request: &Request) -> Result<Pairs<'_>, Refusal> {
    if request.is(FORM_TYPE) {
        urlencoded::read(&request.body, request.charset())
    } else if request.is(JSON_TYPE) {
        json::read(&request.body)
    } else {
        Err(Refusal::MediaType)
    }
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if is_test(request) {
        return Ok(Reading::ignored("tilda.test"));
    }
    let pairs = fields(request)?;
    let id = said::only(&pairs, "tranid").map(|id| cut(id.trim(), 128).to_owned()).filter(|id| !id.is_empty());
    let cookies = pairs.iter().find(|(path, _)| path.eq_ignore_ascii_case("cookies"));
    let mined = cookies.map(|(_, cookies)| mined(cookies)).unwrap_or_default();
    let own = pairs.into_iter().filter(|(path, _)| path != key_name(channel)).collect();
    let mut touch = Touch::new(Kind::Form);
    let service = fields::fill(&mut touch, renamed::rename(own, &NAMES, channel), channel);
    if submission::is_empty(&touch) {
        return Ok(Reading::ignored("tilda.empty_form"));
    }
    fields::fill_campaign(&mut touch, &mined);
    fields::hear(&mut touch, channel);
    touch.junk = service.honeypot.then(|| "tilda.honeypot".to_owned());
    Ok(Reading::of([Read::touch(id.or(service.post_id), SOURCE.name, touch)]))
}

/// What the visitor's cookies tell of the way he came. Tilda's own one reads `utm_source=a|||utm_medium=b`.
fn mined(cookies: &str) -> Pairs<'static> {
    let decoded = |text: &str| percent_decode_str(text.trim()).decode_utf8_lossy().into_owned();
    let mut mined = Pairs::new();
    for (name, value) in cookies.split(';').take(MOST_COOKIES).filter_map(|cookie| cookie.trim().split_once('=')) {
        if name.eq_ignore_ascii_case("TILDAUTM") {
            let tags = decoded(value);
            let tags = tags.split("|||").filter_map(|tag| tag.split_once('='));
            mined.extend(tags.map(|(name, value)| (Cow::Owned(name.to_owned()), Cow::Owned(value.to_owned()))));
        } else if matches!(aliases::of_path(name), Some(Field::Campaign(_) | Field::Utm)) {
            mined.push((Cow::Owned(name.to_owned()), Cow::Owned(decoded(value))));
        }
    }
    mined
}

/// A form that hears nothing else shows its visitor an error.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let id = sample.id();
    let asked =
        [("Name", &sample.name), ("Phone", &sample.phone), ("Email", &sample.email), ("Textarea", &sample.text)];
    let mut fields: Vec<(&str, &str)> =
        asked.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))).collect();
    fields.extend([("tranid", id.as_str()), ("formid", "form1")]);
    fields.extend(signature::current(&channel.secrets).map(|secret| (key_name(channel), secret)));
    SampleRequest::form(&fields)
}
