//! How do the fields of a request become a touch? In their order; what has no meaning to us is kept as it came.

use super::aliases::{self, Field};
use super::expression;
use super::urlencoded::path;
use crate::channel::Channel;
use lead::entry::{Consent, Touch};
use lead::phone::{self, Region};
use lead::text::cut;
use lead::time::At;
use serde_json::Value;
use std::borrow::Cow;

/// Paths and values in the order of the request.
pub(crate) type Pairs<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// The flag of a touch of which an expression of the channel computed nothing.
pub(crate) const EXPRESSION_FAILED: &str = "expression_failed";

/// Keys and values of one request.
pub(crate) const MOST_FIELDS: usize = 1000;
/// Levels of nesting.
/// Advertisers' words and ids, and the address of a page.
const LONGEST_CAMPAIGN: usize = 2 * 1024;
/// A path longer than this means nothing to anybody; the rest is cut.
pub(crate) const LONGEST_PATH: usize = 512;
pub(crate) const DEEPEST: usize = 32;
pub(crate) const TOO_MANY: &str = "the request has more than 1000 fields";

/// Phones or mail addresses of one touch; more are kept as attributes.
const MOST_CONTACTS: usize = 8;
const MOST_CAMPAIGN: usize = 64;
const LONGEST_NAME: usize = 1024;
const LONGEST_PHONE: usize = 256;
const LONGEST_EMAIL: usize = 320;
const LONGEST_KEY: usize = 128;
const LONGEST_VALUE: usize = 8 * 1024;
pub(crate) const LONGEST_TEXT: usize = 64 * 1024;

/// What a form says to the gateway rather than to people.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Service {
    pub post_id: Option<String>,
    pub redirect: Option<String>,
    pub honeypot: bool,
}

/// Puts every field where it belongs.
pub(crate) fn fill(touch: &mut Touch, pairs: Pairs<'_>, channel: &Channel) -> Service {
    let mapped = Mapped::new(&pairs, channel);
    let computed = mapped.compute(&pairs);
    let mut filling =
        Filling { touch, first: None, middle: None, last: None, consent: None, service: Service::default() };
    for (ours, field, value) in computed {
        match (field, value) {
            (Some(field), Ok(Some(value))) => filling.put(field, ours, &value),
            (None, Ok(Some(value))) => attribute(filling.touch, ours, &value),
            (_, Ok(None)) => {}
            (_, Err(_)) => {
                filling.touch.flags.insert(EXPRESSION_FAILED.to_owned());
            }
        }
    }
    for (path, value) in pairs {
        if value.trim().is_empty() {
            continue;
        }
        let (field, ours) = mapped.meaning(&path);
        let key = ours.unwrap_or(&path);
        match field {
            Some(field) => filling.put(field, key, &value),
            None => attribute(filling.touch, key, &value),
        }
    }
    filling.finish()
}

/// Puts what tells of the way a person came where it belongs, without touching anything else.
pub(crate) fn fill_campaign(touch: &mut Touch, pairs: &Pairs<'_>) {
    for (path, value) in pairs.iter().filter(|(_, value)| !value.trim().is_empty()) {
        match aliases::of_path(path) {
            Some(Field::Campaign(name)) => campaign(touch, name, client_id(name, value.trim())),
            Some(Field::Utm) => campaign(touch, &utm_name(path), value.trim()),
            _ => {}
        }
    }
}

/// The channel's own mapping, as far as this request has the mapped fields.
struct Mapped<'a> {
    /// The sender's path, our name, and what it means.
    present: Vec<(String, &'a str, Option<Field>)>,
    /// Our name, what it means, and the expression that computes it.
    computed: Vec<(&'a str, Option<Field>, &'a str)>,
}

/// Our name, what it means, and what came out.
type Computed<'a> = (&'a str, Option<Field>, Result<Option<String>, minijinja::Error>);

impl<'a> Mapped<'a> {
    fn new(pairs: &Pairs<'_>, channel: &'a Channel) -> Self {
        let mapped =
            channel.fields.iter().filter(|(_, theirs)| expression::of(theirs).is_none()).map(|(ours, theirs)| {
                (path(Cow::Borrowed(theirs)).to_lowercase(), ours.as_str(), aliases::named(ours))
            });
        let is_there = |theirs: &str| pairs.iter().any(|(path, _)| path.to_lowercase() == theirs);
        let computed = channel.fields.iter().filter_map(|(ours, theirs)| {
            expression::of(theirs).map(|expression| (ours.as_str(), aliases::named(ours), expression))
        });
        Self { present: mapped.filter(|(theirs, ..)| is_there(theirs)).collect(), computed: computed.collect() }
    }

    fn compute(&self, pairs: &Pairs<'_>) -> Vec<Computed<'a>> {
        let one = |(ours, field, expression): &(&'a str, Option<Field>, &'a str)| {
            (*ours, *field, expression::compute(expression, pairs))
        };
        self.computed.iter().map(one).collect()
    }

    /// What the path means, and our name for it. A field that is mapped by hand is not guessed besides.
    fn meaning(&self, path: &str) -> (Option<Field>, Option<&'a str>) {
        if self.present.is_empty() && self.computed.is_empty() {
            return (aliases::of_path(path), None);
        }
        let lower = path.to_lowercase();
        if let Some((_, ours, field)) = self.present.iter().find(|(theirs, ..)| *theirs == lower) {
            return (*field, Some(ours));
        }
        let guessed = aliases::of_path(path);
        let by_hand =
            self.present.iter().map(|(_, _, field)| field).chain(self.computed.iter().map(|(_, field, _)| field));
        let taken = |field: &Field| *field != Field::Utm && by_hand.clone().any(|by_hand| *by_hand == Some(*field));
        (guessed.filter(|field| !taken(field)), None)
    }
}

struct Filling<'t> {
    touch: &'t mut Touch,
    first: Option<String>,
    middle: Option<String>,
    last: Option<String>,
    consent: Option<Consent>,
    service: Service,
}

impl Filling<'_> {
    fn put(&mut self, field: Field, path: &str, value: &str) {
        let value = value.trim();
        match field {
            Field::Name => self.name(path, value),
            Field::FirstName => keep_first(&mut self.first, value, LONGEST_NAME),
            Field::MiddleName => keep_first(&mut self.middle, value, LONGEST_NAME),
            Field::LastName => keep_first(&mut self.last, value, LONGEST_NAME),
            Field::Phone => contact(self.touch, path, value, LONGEST_PHONE, |touch| &mut touch.phones),
            Field::Email => contact(self.touch, path, value, LONGEST_EMAIL, |touch| &mut touch.emails),
            Field::Text => text(self.touch, value),
            Field::Consent => self.consent(value),
            Field::ConsentText => keep_first(&mut self.consent_mut().text, value, LONGEST_VALUE),
            Field::ConsentAt => self.consent_mut().at = At::parse(value),
            Field::Country => keep_first(&mut self.touch.geo.country, value, LONGEST_KEY),
            Field::Region => keep_first(&mut self.touch.geo.region, value, LONGEST_KEY),
            Field::City => keep_first(&mut self.touch.geo.city, value, LONGEST_KEY),
            Field::Postcode => keep_first(&mut self.touch.geo.postcode, value, LONGEST_KEY),
            Field::OccurredAt => self.touch.occurred_at = At::parse(value),
            Field::Campaign(name) => campaign(self.touch, name, client_id(name, value)),
            Field::Utm => campaign(self.touch, &utm_name(path), value),
            Field::PostId => keep_first(&mut self.service.post_id, value, LONGEST_VALUE),
            Field::Honeypot => self.service.honeypot = true,
            Field::Redirect => keep_first(&mut self.service.redirect, value, LONGEST_VALUE),
            Field::Service => {}
        }
    }

    fn name(&mut self, path: &str, value: &str) {
        if self.touch.name.is_some() {
            attribute(self.touch, path, value);
            return;
        }
        if value.len() > LONGEST_NAME {
            self.touch.flags.insert("cut".to_owned());
        }
        self.touch.name = Some(cut(value, LONGEST_NAME).to_owned());
    }

    fn consent_mut(&mut self) -> &mut Consent {
        self.consent.get_or_insert(Consent { given: false, text: None, at: None })
    }

    /// A tick, or the words that were ticked.
    fn consent(&mut self, value: &str) {
        let said = tick(value);
        let consent = self.consent_mut();
        consent.given = said.unwrap_or(true);
        if said.is_none() {
            keep_first(&mut consent.text, value, LONGEST_VALUE);
        }
    }

    /// Parts of a name complete a name that lacks them.
    fn finish(self) -> Service {
        let given = self.touch.name.take().or(self.first);
        let whole = given.clone().unwrap_or_default();
        let missing = [self.middle, self.last].into_iter().flatten().filter(|part| !whole.contains(part.as_str()));
        let parts: Vec<String> = given.into_iter().chain(missing).collect();
        self.touch.name = (!parts.is_empty()).then(|| parts.join(" "));
        self.touch.consent = self.consent;
        self.service
    }
}

fn keep_first(place: &mut Option<String>, value: &str, most: usize) {
    place.get_or_insert_with(|| cut(value, most).to_owned());
}

fn contact(touch: &mut Touch, path: &str, value: &str, most: usize, list: fn(&mut Touch) -> &mut Vec<String>) {
    let value = cut(value, most);
    let known = list(touch);
    if known.len() == MOST_CONTACTS {
        attribute(touch, path, value);
    } else if !known.iter().any(|one| one == value) {
        known.push(value.to_owned());
    }
}

fn text(touch: &mut Touch, value: &str) {
    let mut whole = touch.text.take().unwrap_or_default();
    if !whole.is_empty() {
        whole.push('\n');
    }
    let room = LONGEST_TEXT.saturating_sub(whole.len());
    if value.len() > room {
        touch.flags.insert("cut".to_owned());
    }
    whole.push_str(cut(value, room));
    touch.text = Some(whole);
}

/// Keeps what we have no place for. A path that comes twice keeps both values, in a list.
pub(crate) fn attribute(touch: &mut Touch, path: &str, value: &str) {
    if value.len() > LONGEST_VALUE {
        touch.flags.insert("cut".to_owned());
    }
    let value = Value::from(cut(value, LONGEST_VALUE));
    match touch.attributes.entry(cut(path, LONGEST_KEY)) {
        serde_json::map::Entry::Vacant(place) => {
            place.insert(value);
        }
        serde_json::map::Entry::Occupied(mut place) => match place.get_mut() {
            Value::Array(list) => list.push(value),
            first => *first = Value::Array(vec![first.take(), value]),
        },
    }
}

pub(crate) fn campaign(touch: &mut Touch, name: &str, value: &str) {
    if touch.campaign.len() < MOST_CAMPAIGN && !touch.campaign.contains_key(name) {
        touch.campaign.insert(cut(name, LONGEST_KEY).to_owned(), cut(value, LONGEST_CAMPAIGN).to_owned());
    }
}

/// `tracking.utm.source`, `UTM-Source` and `utm_source` are one.
fn utm_name(path: &str) -> String {
    let leaf = path.rsplit('.').next().unwrap_or(path).to_lowercase().replace('-', "_");
    if leaf.starts_with("utm_") { leaf } else { format!("utm_{leaf}") }
}

/// The cookie `GA1.2.1234.5678` holds the client id `1234.5678`.
fn client_id<'a>(name: &str, value: &'a str) -> &'a str {
    let cookie = value.strip_prefix("GA1.").filter(|_| name == "ga_client_id");
    cookie.and_then(|rest| rest.split_once('.')).map_or(value, |(_, id)| id)
}

/// A tick box's yes or no; none for any other words.
fn tick(value: &str) -> Option<bool> {
    match value.to_lowercase().as_str() {
        "1" | "on" | "true" | "yes" | "y" | "checked" | "agree" | "agreed" | "да" | "согласен" | "согласна" => {
            Some(true)
        }
        "0" | "off" | "false" | "no" | "n" | "нет" => Some(false),
        _ => None,
    }
}

/// Phones in running text, for whoever wrote his number into the message.
/// Who gave no phone in a field may have written it.
pub(crate) fn hear(touch: &mut Touch, channel: &Channel) {
    if let Some(text) = touch.text.as_deref().filter(|_| touch.phones.is_empty()) {
        touch.text_phones = phones_in(text, channel.region);
    }
}

/// The first value at exactly this path that is not blank.
pub(crate) fn get<'p>(pairs: &'p Pairs<'_>, path: &str) -> Option<&'p str> {
    let mut values = pairs.iter().filter(|(known, _)| known == path).map(|(_, value)| value.trim());
    values.find(|value| !value.is_empty())
}

pub(crate) fn phones_in(text: &str, region: Region) -> Vec<String> {
    const SHORTEST: usize = 7;
    let text = cut(text, phone::SEARCHED);
    if text.chars().filter(|c| c.is_numeric()).take(SHORTEST).count() < SHORTEST {
        return Vec::new();
    }
    phone::in_text(text, region).into_iter().map(|found| found.number).collect()
}
