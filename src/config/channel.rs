//! What does a `[[channel]]` say? Each becomes two halves: what the domain decides by and what the gateway serves.

use super::hint::one_of;
use super::read::{A_DURATION, Section, Spot};
use super::workspace::{Context, one_phone};
use gateway::sources::{Proof, SOURCES, Setting, Source, Value, telegram};
use lead::entry::Kind;
use lead::ids::{ChannelId, PersonId, WorkspaceId, is_name};
use lead::phone::Region;
use lead::rules::Person;
use lead::units::Span;
use secrecy::{ExposeSecret as _, SecretString};
use std::collections::{BTreeMap, BTreeSet};
use url::Url;

/// All channels of one file, by who needs them.
pub(crate) struct ChannelParts {
    pub(crate) technical: Vec<gateway::channel::Channel>,
    pub(crate) domain: BTreeMap<ChannelId, lead::rules::Channel>,
    pub(crate) spots: Vec<(ChannelId, Spot)>,
}

/// What a channel may refer to.
pub(crate) struct Entrance<'a> {
    pub(crate) workspace: &'a WorkspaceId,
    pub(crate) region: Region,
    pub(crate) people: &'a [Person],
    pub(crate) abilities: &'a BTreeSet<&'a str>,
    pub(crate) context: &'a Context<'a>,
}

/// Shorter secrets and keys can be guessed.
const SECRET: usize = 8;
const A_URL: &str = "an address like \"https://www.example.com/thanks\"";

pub(crate) fn read(root: &Section<'_>, entrance: &Entrance<'_>) -> ChannelParts {
    let mut parts = ChannelParts { technical: Vec::new(), domain: BTreeMap::new(), spots: Vec::new() };
    for section in root.sections("channel") {
        let (id, spot) = (identified(&section), section.spot("id"));
        let one = channel(&section, entrance, id.clone().unwrap_or_else(|| ChannelId::new("")));
        section.end();
        let (Some(id), Some((technical, domain))) = (id, one) else { continue };
        if parts.domain.insert(id.clone(), domain).is_some() {
            root.wrong(spot.wrong("an id no other channel has, in any workspace"));
            continue;
        }
        parts.technical.push(technical);
        parts.spots.push((id, spot));
    }
    parts
}

fn identified(section: &Section<'_>) -> Option<ChannelId> {
    // Commands are booked under `desk`.
    let own = |text: &&str| is_name(text) && *text != "desk";
    let expected = format!("{}; `desk` is taken", super::A_NAME);
    section.need("id", &expected, |value| value.text().filter(own).map(ChannelId::new))
}

type Halves = (gateway::channel::Channel, lead::rules::Channel);

fn channel(section: &Section<'_>, entrance: &Entrance<'_>, id: ChannelId) -> Option<Halves> {
    let source = source(section);
    let address = address(section, source.map(|source| source.kind), entrance.region);
    let responsible = responsible(section, entrance.people);
    let (skill, language) = (ability(section, "skill", entrance), ability(section, "language", entrance));
    let campaign = section.text("campaign");
    let secrets = secrets(section, source, entrance.context);
    let url_key = url_key(section, entrance.context);
    money(section);
    let name = source.map_or("", |source| source.name);
    let mut technical = gateway::channel::Channel {
        url: address_of(entrance.context, &id, url_key.as_ref()),
        address: address.clone(),
        region: entrance.region,
        secrets,
        url_key,
        fields: fields(section),
        thanks: section.text("thanks"),
        settings: settings(section, source, entrance.context),
        ..gateway::channel::Channel::new(id.clone(), entrance.workspace.clone(), name)
    };
    pages(section, &mut technical);
    let (source, responsible) = (source?, responsible?);
    let name = source.name.to_owned();
    let domain =
        lead::rules::Channel { id, source: name, kind: source.kind, address, responsible, skill, language, campaign };
    Some((technical, domain))
}

fn source(section: &Section<'_>) -> Option<&'static Source> {
    let mut names: Vec<String> = SOURCES.iter().map(|source| format!("{:?}", source.name)).collect();
    names.sort_unstable();
    section.need("source", &one_of(&names), |value| value.text().and_then(gateway::sources::source))
}

/// A phone line's address is a phone, a mailbox's a mail address; others are free text.
fn address(section: &Section<'_>, kind: Option<Kind>, region: Region) -> Option<String> {
    match kind {
        Some(Kind::Call) => section.parsed("address", "a phone number like \"+74951234567\"", |text| {
            one_phone(text, region).map(|number| number.normal())
        }),
        Some(Kind::Mail) => {
            section.parsed("address", "a mail address like \"sales@example.com\"", lead::email::normalise)
        }
        _ => section.text("address"),
    }
}

fn responsible(section: &Section<'_>, people: &[Person]) -> Option<PersonId> {
    let expected = "the id of a [[person]] of this file";
    let find = |text: &str| people.iter().find(|person| person.id.as_str() == text).map(|person| person.id.clone());
    section.need("responsible", expected, |value| value.text().and_then(find))
}

/// What nobody can do would leave every lead of the channel in the queue.
fn ability(section: &Section<'_>, key: &'static str, entrance: &Entrance<'_>) -> Option<String> {
    let text = section.text(key)?;
    if !entrance.abilities.contains(text.as_str()) {
        section.wrong(section.spot(key).wrong(format!("a {key} that at least one [[person]] has")));
    }
    Some(text)
}

fn secrets(section: &Section<'_>, source: Option<&'static Source>, context: &Context<'_>) -> Vec<SecretString> {
    let one = section.secret("secret", SECRET, context.env, context.place);
    let several = section.secrets("secrets", SECRET, context.env, context.place);
    let neither = !section.has("secret") && section.is_blank("secrets");
    if section.has("secret") && section.has("secrets") {
        section.wrong(section.spot("secrets").untold().wrong("either secret or secrets, not both"));
    }
    let expected = source.filter(|_| neither).and_then(|source| match source.proof {
        Proof::Secret => Some(format!("the secret that {} signs with", source.name)),
        Proof::SecretOrKey if !section.has("url_key") => {
            Some(format!("the secret that {} shows, or url_key: the address itself is secret then", source.name))
        }
        Proof::Open | Proof::SecretOrKey => None,
    });
    if let Some(expected) = expected {
        section.wrong(section.spot("secret").wrong(expected));
    }
    let is_telegram = source.is_some_and(|source| source.name == telegram::SOURCE.name);
    let refused = |secret: &SecretString| telegram::refuses(secret.expose_secret()).filter(|_| is_telegram);
    for (key, secrets) in [("secret", one.as_slice()), ("secrets", &several)] {
        if let Some(expected) = secrets.iter().find_map(refused) {
            section.wrong(section.spot(key).untold().wrong(expected));
        }
    }
    one.into_iter().chain(several).collect()
}

/// The keys that only this source has.
fn settings(
    section: &Section<'_>,
    source: Option<&'static Source>,
    context: &Context<'_>,
) -> BTreeMap<&'static str, Vec<SecretString>> {
    let own = source.map(|source| source.settings).unwrap_or_default();
    captcha(section, own);
    own.iter().map(|setting| (setting.name, setting_of(section, setting, context))).collect()
}

fn setting_of(section: &Section<'_>, setting: &'static Setting, context: &Context<'_>) -> Vec<SecretString> {
    let Setting { name, value, required, expected } = setting;
    if *required && !section.has(name) {
        section.wrong(section.spot(name).wrong(*expected));
    }
    let text = match value {
        Value::Text => section.text(name),
        Value::Secret => return section.secret(name, 1, context.env, context.place).into_iter().collect(),
        Value::Port => section.whole(name, 1..=65_535).map(|port| port.to_string()),
        Value::Url => section.parsed(name, expected, page),
        Value::Span => section.parsed(name, A_DURATION, |text| span(text).then(|| text.to_owned())),
        Value::Texts => return section.words(name).into_iter().map(SecretString::from).collect(),
        Value::Word(words) => {
            let names: Vec<String> = words.iter().map(|word| format!("{word:?}")).collect();
            let find = |text: &str| words.iter().find(|word| **word == text).map(|word| (*word).to_owned());
            section.parsed(name, &one_of(&names), find).or_else(|| words.first().map(|first| (*first).to_owned()))
        }
    };
    text.into_iter().map(SecretString::from).collect()
}

/// Where our fields stand, or what they are computed from.
fn fields(section: &Section<'_>) -> BTreeMap<String, String> {
    let fields = section.map("fields");
    for (ours, written) in &fields {
        if let Err(why) = gateway::sources::expression::check(written) {
            let key = format!("fields.{ours}");
            section.wrong(
                section.spot("fields").untold().wrong(format!("an expression for {key} that can be read: {why}")),
            );
        }
    }
    fields
}

/// A captcha's service answers nobody without its secret, and then every post would be taken unverified.
fn captcha(section: &Section<'_>, own: &[Setting]) {
    let named = own.iter().any(|setting| setting.name == "captcha") && section.has("captcha");
    let asks = |word: &str| matches!(word, "turnstile" | "smartcaptcha" | "hcaptcha");
    if named && !section.has("captcha_secret") && section.text("captcha").is_some_and(|word| asks(&word)) {
        section
            .wrong(section.spot("captcha_secret").wrong("the secret that the captcha's service gave for the server"));
    }
}

fn span(text: &str) -> bool {
    Span::parse(text).is_some_and(|span| !span.0.is_zero())
}

fn url_key(section: &Section<'_>, context: &Context<'_>) -> Option<SecretString> {
    let key = section.secret("url_key", SECRET, context.env, context.place)?;
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if !key.expose_secret().chars().all(fits) {
        section
            .wrong(section.spot("url_key").untold().wrong("letters, digits, - and _ only: it is part of an address"));
    }
    Some(key)
}

/// What the provider is given.
fn address_of(context: &Context<'_>, id: &ChannelId, url_key: Option<&SecretString>) -> String {
    let key = url_key.map(|key| format!(".{}", key.expose_secret())).unwrap_or_default();
    format!("{}/in/{id}{key}", context.machine.gateway.public_url)
}

/// What the browser of somebody who fills in a form may do.
fn pages(section: &Section<'_>, channel: &mut gateway::channel::Channel) {
    channel.redirect = section.parsed("redirect", A_URL, page);
    let hosts = section.all("redirect_hosts", "a host name like \"www.example.com\"", host);
    channel.redirect_hosts = hosts.into_iter().map(|(_, host)| host).collect();
    let origins = section.all("origins", "an origin like \"https://www.example.com\", without a path", origin);
    channel.origins = origins.into_iter().map(|(_, origin)| origin).collect();
}

fn page(text: &str) -> Option<String> {
    let url = Url::parse(text).ok()?;
    (matches!(url.scheme(), "http" | "https") && url.username().is_empty()).then(|| text.to_owned())
}

fn host(text: &str) -> Option<String> {
    let host = url::Host::parse(text).ok()?.to_string();
    host.eq_ignore_ascii_case(text).then_some(host)
}

fn origin(text: &str) -> Option<String> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let origin = url.origin().ascii_serialization();
    origin.eq_ignore_ascii_case(text).then_some(origin)
}

/// What the entrance costs and until when it is paid: checked now, for those who will watch over it.
fn money(section: &Section<'_>) {
    let not_negative = |number: &f64| number.is_finite() && *number >= 0.0;
    let date = |text: &str| text.parse::<chrono::NaiveDate>().ok();
    let _ = section.read("cost", "a number not below zero", |value| value.number().filter(not_negative));
    let _ = section.read("paid_until", "a date like 2027-03-31", |value| value.date().and_then(date));
}
