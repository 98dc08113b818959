//! How does one provider's request become signals?
//!
//! A source is one row of [`SOURCES`]: pure, synchronous functions in one file. Limits, metrics, the journal and the
//! answer on the wire are shared code around them. A new source is its file, the steps for people beside it, a row of
//! this table, and its fixtures in `tests/fixtures/sources/<name>/`.
//!
//! What several of them do alike is in [`shared`]. Beside a source may lie how it proves its requests (`_proof`) and how
//! its provider is asked for what the webhook lost (`_poll`).

pub mod asterisk;
pub mod bitrix24_form;
pub(crate) mod bitrix24_poll;
pub mod call;
pub mod chat;
pub mod chatfuel;
pub mod chatwoot;
pub mod dialogflow;
pub mod form;
pub mod freeswitch;
mod freeswitch_cdr;
pub mod getresponse;
pub(crate) mod getresponse_poll;
pub mod google_ads;
pub mod hubspot_form;
mod hubspot_proof;
pub mod imap;
pub mod jivo;
pub mod jotform;
pub mod mail;
pub mod mailchimp;
pub mod mailgun;
pub mod mango;
pub mod manychat;
pub mod messenger;
pub mod meta_leads;
pub(crate) mod meta_leads_poll;
pub mod plivo;
mod plivo_proof;
pub mod postmark;
pub mod sendgrid;
pub mod sendpulse;
pub mod ses;
pub(crate) mod shared;
mod sns;
pub mod telegram;
pub mod telnyx;
mod telnyx_proof;
pub mod tilda;
pub mod twilio;
mod twilio_proof;
pub mod typeform;
pub mod uis;
pub mod viber;
pub mod vk;
pub mod vonage;
mod vonage_proof;
pub mod web_to_lead;
pub mod webflow;
pub mod whatsapp;
pub mod wordpress;
pub mod zadarma;

pub use shared::sample::{Sample, SampleRequest};
pub use shared::{aliases, explain, expression};

use crate::channel::Channel;
use bytes::Bytes;
use http::{HeaderMap, Method};
use lead::entry::{Call, Kind, Signal, Touch};
use lead::time::At;
use shared::{fields, json, urlencoded};
use std::collections::BTreeMap;

/// Every source, in the order of the docs.
#[rustfmt::skip]
pub static SOURCES: &[&Source] = &[
    &twilio::SOURCE,
    &telnyx::SOURCE,
    &plivo::SOURCE,
    &vonage::SOURCE,
    &mango::SOURCE,
    &zadarma::SOURCE,
    &uis::SOURCE,
    &freeswitch::SOURCE,
    &asterisk::SOURCE,
    &call::SOURCE,
    &form::SOURCE,
    &tilda::SOURCE,
    &google_ads::SOURCE,
    &meta_leads::SOURCE,
    &vk::SOURCE,
    &typeform::SOURCE,
    &jotform::SOURCE,
    &webflow::SOURCE,
    &wordpress::SOURCE,
    &web_to_lead::SOURCE,
    &hubspot_form::SOURCE,
    &bitrix24_form::SOURCE,
    &mail::SOURCE,
    &imap::SOURCE,
    &mailgun::SOURCE,
    &sendgrid::SOURCE,
    &postmark::SOURCE,
    &ses::SOURCE,
    &telegram::SOURCE,
    &whatsapp::SOURCE,
    &messenger::SOURCE,
    &viber::SOURCE,
    &jivo::SOURCE,
    &chatwoot::SOURCE,
    &dialogflow::SOURCE,
    &manychat::SOURCE,
    &chatfuel::SOURCE,
    &sendpulse::SOURCE,
    &chat::SOURCE,
    &mailchimp::SOURCE,
    &getresponse::SOURCE,
];

pub fn source(name: &str) -> Option<&'static Source> {
    SOURCES.iter().copied().find(|source| source.name == name)
}

/// One way in.
#[derive(Debug)]
pub struct Source {
    pub name: &'static str,
    pub kind: Kind,
    /// Which limit of `[limits]` bounds the body.
    pub body: BodyLimit,
    /// No provider stands behind it: anyone may post, so it is limited per client address and answers CORS.
    pub anonymous: bool,
    /// What must be configured so that anything can be believed.
    pub proof: Proof,
    /// The keys of `[[channel]]` that only this source has.
    pub settings: &'static [Setting],
    /// None where we open the connection ourselves, see [`crate::feeds`].
    pub methods: &'static [Method],
    /// Is it genuine? Over the raw bytes.
    pub verify: fn(&Request, &Channel) -> Result<(), Denied>,
    /// What does it say?
    pub read: fn(&Request, &Channel) -> Result<Reading, Refusal>,
    /// What does the provider want to hear when it is safe? `uid` is the first signal's.
    pub answer: fn(&Request, &Channel, uid: Option<&str>) -> Answer,
    /// A request as this provider would send it, signed: for `leadgate send` and for tests.
    pub sample: fn(&Channel, &Sample, At) -> SampleRequest,
    /// What to paste where, in Markdown: the file of this name beside the source.
    pub help: &'static str,
}

/// What a channel needs so that its provider can be told from anybody else.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Nothing, or what the source's own settings say.
    Open,
    /// The provider signs with a secret, or shows it.
    Secret,
    /// It shows a secret, or its address is one.
    SecretOrKey,
}

/// A key of `[[channel]]` that only one source has: what is a fact of the customer's account, or uncertain about the
/// provider. Read with [`Channel::setting`].
#[derive(Debug)]
pub struct Setting {
    pub name: &'static str,
    pub value: Value,
    /// Without it the channel is a mistake of the configuration.
    pub required: bool,
    /// What belongs there, as a mistake would name it: `the token that Meta echoes when a webhook is set up`.
    pub expected: &'static str,
}

impl Setting {
    pub(crate) const fn optional(name: &'static str, value: Value, expected: &'static str) -> Self {
        Self { name, value, required: false, expected }
    }

    pub(crate) const fn required(name: &'static str, value: Value, expected: &'static str) -> Self {
        Self { name, value, required: true, expected }
    }
}

/// What stands behind a key.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Value {
    Text,
    /// A literal, `env:NAME` or `file:PATH`.
    Secret,
    /// A list of texts.
    Texts,
    /// An address of the web.
    Url,
    /// A time with its unit, above zero.
    Span,
    /// One of these words; the first where nothing is written.
    Word(&'static [&'static str]),
    /// The number of a TCP port.
    Port,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum BodyLimit {
    Json,
    Form,
    Mail,
}

/// One HTTP request, whole.
#[derive(Debug)]
pub struct Request {
    pub method: Method,
    /// As the provider knows it: the configured public URL, this path and query.
    pub url: String,
    /// What follows the channel id in the path, without the leading slash.
    pub rest: String,
    pub query: String,
    pub headers: HeaderMap,
    pub body: Bytes,
    /// What was fetched because the source asked for it, by its address.
    pub documents: BTreeMap<String, Bytes>,
    pub received_at: At,
}

/// A document that a source cannot do without: a certificate that signed a request, the lead behind an id. It is
/// fetched, put into [`Request::documents`], and the source is asked again. Where one cannot be had the provider hears
/// 503 and sends its request again; what the source reads without it is kept already.
///
/// A source must name only addresses whose host it knows or the operator has listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Needed {
    pub url: String,
    /// What is shown there.
    pub shown: Option<Shown>,
    /// The document does not change: it may come from memory.
    pub lasting: bool,
}

/// A header with a secret of the channel's.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub header: &'static str,
    /// What stands before the secret: `Bearer `.
    pub before: &'static str,
    /// The setting that holds it.
    pub setting: &'static str,
}

impl Shown {
    const fn bearer(setting: &'static str) -> Self {
        Self { header: "authorization", before: "Bearer ", setting }
    }
}

impl Request {
    /// The value of a header that must be there at most once; two different values are none.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values = self.headers.get_all(name).iter();
        let first = values.next()?;
        if values.any(|other| other != first) { None } else { first.to_str().ok() }
    }

    fn content_type(&self) -> &str {
        self.header("content-type").unwrap_or_default()
    }

    /// The media type without its parameters; compare without regard to case.
    fn media_type(&self) -> &str {
        media_type(self.content_type())
    }

    fn charset(&self) -> Option<&str> {
        let parameters = self.content_type().split(';').skip(1);
        let charset = parameters
            .filter_map(|one| one.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
        charset.map(|(_, label)| label.trim().trim_matches('"'))
    }

    fn is(&self, media_type: &str) -> bool {
        self.media_type().eq_ignore_ascii_case(media_type)
    }

    /// The body of a provider that sends JSON and nothing else.
    fn json(&self) -> Result<&[u8], Refusal> {
        if self.is(JSON_TYPE) { Ok(&self.body) } else { Err(Refusal::MediaType) }
    }

    /// The query of a GET, a form with flat names, or JSON.
    fn pairs(&self) -> Result<fields::Pairs<'_>, Refusal> {
        if self.method == Method::GET {
            urlencoded::flat(self.query.as_bytes())
        } else if self.is(FORM_TYPE) {
            urlencoded::flat(&self.body)
        } else if self.is(JSON_TYPE) {
            json::read(&self.body)
        } else {
            Err(Refusal::MediaType)
        }
    }
}

fn media_type(content_type: &str) -> &str {
    content_type.split(';').next().unwrap_or_default().trim()
}

pub(crate) const FORM_TYPE: &str = "application/x-www-form-urlencoded";
const JSON_TYPE: &str = "application/json";

/// Why a request is not believed. All answer the same 401, except a fault on our side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// No proof in the head. The edge asks once before it reads the body, so that an unsigned flood costs no memory;
    /// a source whose proof travels in the body says `Wrong` when it is not there.
    Missing,
    Wrong,
    Stale,
    /// 400: the proof itself is malformed beyond what any provider sends.
    Malformed,
    /// 503: our configuration has no secret to check with.
    Misconfigured,
    /// It cannot be told without this.
    Needs(Needed),
}

/// What a request held.
#[derive(Debug, Default)]
pub struct Reading {
    pub signals: Vec<Read>,
    /// Known to the provider, of no interest to us: counted, answered 2xx.
    pub ignored: Vec<&'static str>,
}

impl Reading {
    /// One event that makes no signal.
    pub(crate) fn ignored(what: &'static str) -> Self {
        Self { signals: Vec::new(), ignored: vec![what] }
    }

    fn of(signals: impl Into<Vec<Read>>) -> Self {
        Self { signals: signals.into(), ignored: Vec::new() }
    }
}

/// One signal and how its redelivery is recognised.
#[derive(Debug)]
pub struct Read {
    /// `(event id, phase)` where the provider has one. Without it the content is compared.
    pub id: Option<(String, String)>,
    pub signal: Signal,
}

impl Read {
    /// The same id and word are the same event.
    fn touch(id: Option<String>, word: &str, touch: Touch) -> Self {
        Self { id: id.map(|id| (id, word.to_owned())), signal: Signal::Touch(Box::new(touch)) }
    }

    /// The same leg in the same state is the same event.
    fn call(leg: &str, state: &str, call: Call) -> Self {
        Self { id: Some((leg.to_owned(), state.to_owned())), signal: Signal::Call(Box::new(call)) }
    }
}

/// Why nothing could be read.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// 400, with a reason that holds nothing of the content.
    Bad(&'static str),
    /// 413
    TooLarge(&'static str),
    /// 415
    MediaType,
    /// Genuine where the source verifies: quarantine and 2xx. From an anonymous source: 400.
    Unreadable(&'static str),
    /// It cannot be read without these.
    Needs(Vec<Needed>),
}

impl Refusal {
    /// For where nobody hears the refusal itself.
    pub(crate) const fn why(&self) -> &'static str {
        match self {
            Self::Bad(why) | Self::TooLarge(why) | Self::Unreadable(why) => why,
            Self::MediaType | Self::Needs(_) => "nobody here reads this",
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// `{"id": …, "status": "accepted"}`
    Accepted,
    /// 204
    Empty,
    Text(&'static str),
    /// Body and content type.
    Body(String, &'static str),
    /// 303
    SeeOther(String),
    /// 302, for whoever copies a service that answers so.
    Found(String),
}
