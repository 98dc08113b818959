//! How does a form of a Bitrix24 portal become a touch?
//!
//! Bitrix24 has no webhook of a single form. Its outgoing webhook tells the id of each new lead or deal; the rest is
//! asked for over the portal's inbound webhook, whose address is a setting, never the one that the event offers. Only
//! what a form made is kept, by `WEBFORM_ID` or the source.
//!
//! Read in Bitrix24's REST documentation (`bitrix-tools/b24-rest-docs`). The event carries a token in its body. Online
//! events are not repeated: what a portal that cannot be asked at that moment would cost, `bitrix24_poll` brings back.

use super::shared::fields::{self, Pairs};
use super::shared::renamed;
use super::shared::said::{self, Said};
use super::shared::{json, reconcile, signature, urlencoded};
use super::{
    Answer, BodyLimit, Denied, FORM_TYPE, Needed, Proof, Read, Reading, Refusal, Request, Sample, SampleRequest,
    Setting, Source, Value,
};
use crate::channel::Channel;
use http::Method;
use lead::entry::{Kind, Touch};
use lead::time::At;
use std::borrow::Cow;

pub const SOURCE: Source = Source {
    name: "bitrix24_form",
    kind: Kind::Form,
    body: BodyLimit::Form,
    anonymous: false,
    proof: Proof::Secret,
    settings: &[REST, SOURCES, reconcile::EVERY],
    methods: &[Method::POST],
    verify,
    read,
    answer,
    sample,
    help: include_str!("bitrix24_form.md"),
};

const REST: Setting = Setting::required(
    "rest_url",
    Value::Secret,
    "the address of an inbound webhook, like \"https://company.bitrix24.ru/rest/1/code/\"",
);

const SOURCES: Setting =
    Setting::optional("sources", Value::Texts, "the SOURCE_ID of what counts as a form, [\"WEBFORM\"] if not set");

/// What leadgate writes into the CRM bears its name and must not come back as a lead.
const OURS: &str = "leadgate";

const TOKEN: &str = "auth.application_token";
const FIELDS: &str = "data.FIELDS.";

/// The portal's names by ours; what is its own business is dropped.
const NAMES: [(&str, &str); 21] = [
    ("ID", "bitrix24_id"),
    ("ADDRESS_CITY", "city"),
    ("ADDRESS_REGION", "region"),
    ("ADDRESS_COUNTRY", "country"),
    ("ADDRESS_POSTAL_CODE", "postcode"),
    ("DATE_CREATE", "occurred_at"),
    ("DATE_MODIFY", ""),
    ("ASSIGNED_BY_ID", ""),
    ("CREATED_BY_ID", ""),
    ("MODIFY_BY_ID", ""),
    ("MOVED_BY_ID", ""),
    ("MOVED_TIME", ""),
    ("LAST_ACTIVITY_BY", ""),
    ("LAST_ACTIVITY_TIME", ""),
    ("HAS_PHONE", ""),
    ("HAS_EMAIL", ""),
    ("HAS_IMOL", ""),
    ("OPENED", ""),
    ("STATUS_SEMANTIC_ID", ""),
    ("IS_RETURN_CUSTOMER", ""),
    ("IS_MANUAL_OPPORTUNITY", ""),
];

fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    let event = fields(request).map_err(|_| Denied::Wrong)?;
    signature::shown(channel, said::only(&event, TOKEN).ok_or(Denied::Wrong)?)
}

fn fields(request: &Request) -> Result<Pairs<'_>, Refusal> {
    urlencoded::read(&request.body, Some("utf-8"))
}

#[derive(Copy, Clone)]
pub(super) enum Entity {
    Lead,
    Deal,
}

impl Entity {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Lead => "lead",
            Self::Deal => "deal",
        }
    }

    /// The event that says a new one is there.
    pub(super) const fn event(self) -> &'static str {
        match self {
            Self::Lead => "ONCRMLEADADD",
            Self::Deal => "ONCRMDEALADD",
        }
    }
}

fn read(request: &Request, channel: &Channel) -> Result<Reading, Refusal> {
    if !request.is(FORM_TYPE) {
        return Err(Refusal::MediaType);
    }
    let event = Said(fields(request)?);
    let entity = match event.get("event").map(str::to_ascii_uppercase).as_deref() {
        Some("ONCRMLEADADD") => Entity::Lead,
        Some("ONCRMDEALADD") => Entity::Deal,
        Some("ONCRMLEADUPDATE" | "ONCRMDEALUPDATE") => return Ok(Reading::ignored("bitrix24_form.update")),
        Some("ONCRMLEADDELETE" | "ONCRMDEALDELETE") => return Ok(Reading::ignored("bitrix24_form.deletion")),
        Some(_) => return Ok(Reading::ignored("bitrix24_form.other_event")),
        None => return Err(Refusal::Unreadable("the request has no event")),
    };
    let id =
        event.get("data.FIELDS.ID").filter(|id| is_number(id)).ok_or(Refusal::Unreadable("the event has no id"))?;
    if event.0.iter().any(|(path, _)| path.starts_with(FIELDS) && path != "data.FIELDS.ID") {
        return Ok(touch(below(&event.0, FIELDS), id, entity, channel));
    }
    let url = address(channel, id, entity).ok_or(Refusal::Bad("the channel has no rest_url"))?;
    let Some(document) = request.documents.get(&url) else {
        return Err(Refusal::Needs(vec![Needed { url, shown: None, lasting: false }]));
    };
    let told = json::read(document).map_err(|_| Refusal::Unreadable("the portal answers with something else"))?;
    let parts: Vec<Pairs<'_>> = match entity {
        Entity::Lead => vec![below(&told, "result.")],
        Entity::Deal => vec![below(&told, "result.result.deal."), person(&told)],
    };
    if parts[0].is_empty() {
        return Err(Refusal::Unreadable("the portal does not tell of this id"));
    }
    Ok(touch(parts.concat(), id, entity, channel))
}

pub(super) fn is_number(id: &str) -> bool {
    !id.is_empty() && id.len() <= 19 && id.bytes().all(|byte| byte.is_ascii_digit())
}

/// Where the portal is asked.
pub(super) fn rest(channel: &Channel) -> Option<&str> {
    channel.setting(REST.name).map(|rest| rest.trim_end_matches('/'))
}

/// A deal's phone is in its contact, so both are asked for at once.
fn address(channel: &Channel, id: &str, entity: Entity) -> Option<String> {
    let rest = rest(channel)?;
    Some(match entity {
        Entity::Lead => format!("{rest}/crm.lead.get.json?id={id}"),
        Entity::Deal => {
            let deal = format!("crm.deal.get?id={id}");
            let contact = "crm.contact.get?id=$result[deal][CONTACT_ID]";
            format!("{rest}/batch.json?{}", urlencoded::write(&[("cmd[deal]", &deal), ("cmd[contact]", contact)]))
        }
    })
}

/// The fields under a prefix, without it.
fn below<'p>(pairs: &Pairs<'p>, prefix: &str) -> Pairs<'p> {
    let inner = |(path, value): &(Cow<'p, str>, Cow<'p, str>)| {
        path.strip_prefix(prefix).map(|path| (Cow::Owned(path.to_owned()), value.clone()))
    };
    pairs.iter().filter_map(inner).collect()
}

/// Of a deal's contact only who it is: a known customer has many fields that this form did not fill.
fn person<'p>(told: &Pairs<'p>) -> Pairs<'p> {
    let of_person = |path: &str| ["NAME", "SECOND_NAME", "LAST_NAME"].contains(&path) || is_contact(path);
    below(told, "result.result.contact.").into_iter().filter(|(path, _)| of_person(path)).collect()
}

/// `PHONE.0.VALUE`; the id and the kind beside it are no phone.
fn is_contact(path: &str) -> bool {
    let known = ["PHONE", "EMAIL"].iter().any(|kind| path.split('.').next() == Some(kind));
    known && ![".ID", ".VALUE_TYPE", ".TYPE_ID"].iter().any(|end| path.ends_with(end))
}

fn touch(pairs: Pairs<'_>, id: &str, entity: Entity, channel: &Channel) -> Reading {
    let crm = Said(pairs);
    if is_ours(&crm) {
        return Reading::ignored("bitrix24_form.own_lead");
    }
    if !is_form(&crm, channel) {
        return Reading::ignored("bitrix24_form.not_a_form");
    }
    let told = crm.0.into_iter().filter(|(path, _)| is_contact(path) || !path.contains('.'));
    let mut touch = Touch::new(Kind::Form);
    fields::fill(&mut touch, renamed::rename(told.collect(), &NAMES, channel), channel);
    let own = |path: &String| path.starts_with("UF_");
    let nobody = touch.name.is_none() && touch.phones.is_empty() && touch.emails.is_empty();
    if nobody && touch.text.is_none() && !touch.attributes.keys().any(own) {
        return Reading::ignored("bitrix24_form.empty_form");
    }
    fields::hear(&mut touch, channel);
    Reading::of([Read::touch(Some(id.to_owned()), entity.word(), touch)])
}

/// A form made it, and we did not write it ourselves.
pub(super) fn concerns_us(crm: &Said<'_>, channel: &Channel) -> bool {
    is_form(crm, channel) && !is_ours(crm)
}

fn is_ours(crm: &Said<'_>) -> bool {
    crm.get("ORIGINATOR_ID").is_some_and(|origin| origin.eq_ignore_ascii_case(OURS))
}

fn is_form(crm: &Said<'_>, channel: &Channel) -> bool {
    let made_by = |source: &str| {
        let mut ours = channel.each_setting(SOURCES.name).peekable();
        if ours.peek().is_none() { source == "WEBFORM" } else { ours.any(|one| one == source) }
    };
    crm.get("WEBFORM_ID").is_some_and(|id| id != "0") || crm.get("SOURCE_ID").is_some_and(made_by)
}

/// Bitrix24 reads only the status.
fn answer(_: &Request, _: &Channel, _: Option<&str>) -> Answer {
    Answer::Text("ok")
}

/// It carries the fields themselves, because no portal knows its id.
fn sample(channel: &Channel, sample: &Sample, now: At) -> SampleRequest {
    let id = sample.number().to_string();
    let ts = (now.millis() / 1000).to_string();
    let mut fields = vec![
        ("event", "ONCRMLEADADD"),
        ("data[FIELDS][ID]", &id),
        ("data[FIELDS][SOURCE_ID]", channel.each_setting(SOURCES.name).next().unwrap_or("WEBFORM")),
        ("data[FIELDS][TITLE]", "Test"),
        ("ts", &ts),
    ];
    let told = [
        ("data[FIELDS][NAME]", &sample.name),
        ("data[FIELDS][PHONE]", &sample.phone),
        ("data[FIELDS][EMAIL]", &sample.email),
        ("data[FIELDS][COMMENTS]", &sample.text),
    ];
    fields.extend(told.iter().filter_map(|(name, value)| Some((*name, value.as_deref()?))));
    fields.extend(signature::current(&channel.secrets).map(|secret| ("auth[application_token]", secret)));
    SampleRequest::form(&fields)
}
