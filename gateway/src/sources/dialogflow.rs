//! How does a Dialogflow agent's fulfilment call (ES or CX) become a touch?
//!
//! Read in Google's reference of both (cloud.google.com/dialogflow/es/docs/fulfillment-webhook,
//! cloud.google.com/dialogflow/cx/docs/concept/webhook):
//! - Nothing is signed: the agent shows a secret, as the password of Basic authentication or in a header.
//! - One dialogue calls several times while its parameters fill. Its session is the person's handle, so all calls are
//!   touches of one lead and a phone that is named late still joins it.
//! - The agent waits for an answer: an empty object lets it say what it was going to say.
//! - Nobody of us speaks here, so there are no replies.

use super::shared::fields::Pairs;
use super::shared::item::Item;
use super::shared::talk::{self, Told};
use super::shared::{fields, shown};
use super::{
    Answer, BodyLimit, JSON_TYPE, Proof, Reading, Refusal, Request, Sample, SampleRequest, Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Handle, Kind};
use lead::time::At;
use serde_json::json;

pub const SOURCE: Source = Source {
    name: "dialogflow",
    kind: Kind::Chat,
    body: BodyLimit::Json,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[TAGS],
    methods: &[Method::POST],
    verify: shown::verify,
    read,
    answer,
    sample,
    help: include_str!("dialogflow.md"),
};

const TAGS: Setting =
    Setting::optional("tags", Value::Texts, "a list of webhook tags (CX), actions or intents (ES) that make a lead");

/// Where one of the two versions says what.
struct Dialect {
    id: &'static str,
    session: &'static str,
    words: &'static [&'static str],
    parameters: &'static str,
    /// What the call is for.
    tags: &'static [(&'static str, &'static str)],
    caller: &'static str,
}

static ES: Dialect = Dialect {
    id: "responseId",
    session: "session",
    words: &["queryResult.queryText"],
    parameters: "queryResult.parameters",
    tags: &[("action", "queryResult.action"), ("intent", "queryResult.intent.displayName")],
    caller: "originalDetectIntentRequest.payload.telephony.caller_id",
};

static CX: Dialect = Dialect {
    id: "detectIntentResponseId",
    session: "sessionInfo.session",
    words: &["text", "transcript"],
    parameters: "sessionInfo.parameters",
    tags: &[("tag", "fulfillmentInfo.tag"), ("intent", "intentInfo.displayName")],
    caller: "payload.telephony.caller_id",
};

/// What an ES agent remembers of earlier turns.
const REMEMBERED: &str = "queryResult.outputContexts";

fn dialect(item: &Item<'_>) -> Option<&'static Dialect> {
    [&ES, &CX].into_iter().find(|dialect| item.holds(dialect.session))
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    let item = Item::of(request.json()?)?;
    let dialect = dialect(&item).ok_or(Refusal::Unreadable("the request has no session"))?;
    Ok(talk::reading(told(&item, dialect, channel)))
}

fn told(item: &Item<'_>, dialect: &Dialect, channel: &Channel) -> Told {
    let tags = || dialect.tags.iter().filter_map(|(name, path)| Some((*name, item.get(path)?)));
    let wanted: Vec<&str> = channel.each_setting(TAGS.name).collect();
    if !wanted.is_empty() && !tags().any(|(_, tag)| wanted.contains(&tag)) {
        return Err("dialogflow.other_tag");
    }
    let mut touch = talk::touch(item.get(dialect.session).map(handle), None);
    touch.phones.extend(item.get(dialect.caller).filter(|caller| caller.starts_with('+')).map(str::to_owned));
    talk::say(&mut touch, item.any(dialect.words), None, channel.region);
    fields::fill(&mut touch, parameters(item, dialect), channel);
    let language = item.any(&["languageCode", "queryResult.languageCode"]).map(|code| ("language", code));
    let network = item.get("originalDetectIntentRequest.source").map(|source| ("network", source));
    for (name, value) in tags().chain(language).chain(network) {
        fields::attribute(&mut touch, name, value);
    }
    let id = item.get(dialect.id).map(|id| (id.to_owned(), "turn".to_owned()));
    talk::touched(id, touch)
}

/// `projects/P/…/agents/A/sessions/S`: the agent (in ES the project) and the session are enough, and short.
fn handle(session: &str) -> Handle {
    let after = |name: &str| session.split('/').skip_while(|part| *part != name).nth(1);
    let short = after("agents").or_else(|| after("projects")).zip(after("sessions"));
    let id = short.map_or_else(|| session.to_owned(), |(agent, session)| format!("{agent}/{session}"));
    talk::handle("dialogflow", &id)
}

/// The parameters of this turn, then those of earlier turns; `.original` is the same as the customer spelled it.
fn parameters<'i>(item: &'i Item<'_>, dialect: &Dialect) -> Pairs<'i> {
    let mut known = item.fields_below(dialect.parameters);
    for (path, value) in item.fields_below(REMEMBERED) {
        let Some((_, name)) = path.split_once(".parameters.") else { continue };
        let again = known.iter().any(|(known, _)| known == name);
        if !again && !name.ends_with(".original") && !matches!(name, "no-input" | "no-match") {
            known.push((name.to_owned().into(), value));
        }
    }
    known
}

/// `thanks` is what the bot says once the lead is safe.
fn answer(request: &Request, channel: &Channel, uid: Option<&str>) -> Answer {
    let is_es = Item::of(&request.body).is_ok_and(|item| dialect(&item).is_some_and(|found| found.id == ES.id));
    let body = match channel.thanks.as_deref().filter(|_| uid.is_some()) {
        None => json!({}),
        Some(text) if is_es => json!({"fulfillmentText": text}),
        Some(text) => json!({"fulfillmentResponse": {"messages": [{"text": {"text": [text]}}]}}),
    };
    Answer::Body(body.to_string(), JSON_TYPE)
}

fn sample(channel: &Channel, sample: &Sample, _: At) -> SampleRequest {
    let tag = channel.setting(TAGS.name).unwrap_or("lead");
    let body = json!({
        "detectIntentResponseId": format!("sample-{}", sample.nonce),
        "fulfillmentInfo": {"tag": tag},
        "sessionInfo": {
            "session": format!("projects/p/locations/global/agents/sample/sessions/{}", sample.nonce),
            "parameters": {"name": sample.name, "phone": sample.phone, "email": sample.email},
        },
        "text": sample.words(&[]),
        "languageCode": "en",
    });
    SampleRequest::json(&body).with(shown::header(channel))
}
