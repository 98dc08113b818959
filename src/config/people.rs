//! Who works here, and who is no customer? `[[person]]` and `[[exclude]]`.

use super::read::{Section, Spot};
use super::workspace::one_phone;
use jiff::civil::Date;
use lead::identity::{Identity, Matcher};
use lead::ids::{PersonId, is_name};
use lead::phone::{self, Region};
use lead::rules::{Exclusion, Person};
use lead::time::At;
use std::collections::{BTreeMap, BTreeSet};

/// The people of one file. Without a region their phones are not judged.
pub(crate) fn read(root: &Section<'_>, region: Option<Region>) -> Vec<Person> {
    let mut people: Vec<Person> = Vec::new();
    let mut marks = Marks::default();
    for section in root.sections("person") {
        let one = person(&section, region, &mut marks);
        section.end();
        let Some(one) = one else { continue };
        if people.iter().any(|other| other.id == one.id) {
            root.wrong(section.spot("id").wrong("an id no other [[person]] of this file has"));
        }
        people.push(one);
    }
    people
}

/// What somebody can do, by skill or language.
pub(crate) fn abilities(people: &[Person]) -> BTreeSet<&str> {
    people.iter().flat_map(|person| person.skills.iter().chain(&person.languages)).map(String::as_str).collect()
}

/// By what a provider names a person; each must mean one.
#[derive(Default)]
struct Marks(BTreeMap<String, PersonId>);

impl Marks {
    fn check(&mut self, section: &Section<'_>, person: &PersonId, kind: &str, spot: &Spot, mark: &str) {
        let owner = self.0.entry(format!("{kind}:{mark}")).or_insert_with(|| person.clone());
        if owner != person {
            section.wrong(spot.wrong(format!("{kind} of one person: {owner} has the same")));
        }
    }
}

fn person(section: &Section<'_>, region: Option<Region>, marks: &mut Marks) -> Option<Person> {
    let named = |text: &str| is_name(text).then(|| PersonId::new(text));
    let id = section.need("id", super::A_NAME, |value| value.text().and_then(named));
    let phones = phones(section, region);
    let email = section.parsed("email", "a mail address like \"ivan@example.com\"", lead::email::normalise);
    let email = email.map(|address| (section.spot("email"), Identity::Email(address)));
    let extensions = section.texts("extensions");
    let handles = section.all("handles", "a handle like \"telegram:777\"", handle);
    if let Some(id) = &id {
        for (spot, ext) in &extensions {
            marks.check(section, id, "an extension", spot, ext);
        }
        for (spot, identity) in phones.iter().chain(&email).chain(&handles) {
            marks.check(section, id, of_one(identity), spot, &identity.normal());
        }
    }
    let regions = section.all("regions", "a country like \"RU\" or a region like \"RU-MOW\"", region_code);
    let (skills, languages) = (section.words("skills"), section.words("languages"));
    let capacity = section.whole("capacity", 1..=1_000_000);
    let weight = section.whole("weight", 1..=1_000).unwrap_or(1);
    let name = section.text("name");
    let id = id?;
    Some(Person {
        name: name.unwrap_or_else(|| id.to_string()),
        id,
        phones: values(phones),
        emails: email.into_iter().map(|(_, identity)| identity).collect(),
        extensions: extensions.into_iter().map(|(_, text)| text.to_owned()).collect(),
        handles: values(handles),
        regions: values(regions),
        skills,
        languages,
        capacity,
        weight,
    })
}

fn values<T>(placed: Vec<(Spot, T)>) -> Vec<T> {
    placed.into_iter().map(|(_, value)| value).collect()
}

const fn of_one(identity: &Identity) -> &'static str {
    match identity {
        Identity::Phone(_) => "a phone",
        Identity::Email(_) => "a mail address",
        Identity::Handle(..) => "a handle",
    }
}

fn phones(section: &Section<'_>, region: Option<Region>) -> Vec<(Spot, Identity)> {
    let Some(region) = region else {
        section.texts("phones");
        return Vec::new();
    };
    section.all("phones", "a phone number like \"+79161234567\"", |text| one_phone(text, region))
}

fn handle(text: &str) -> Option<Identity> {
    match Matcher::parse(&format!("handle:{text}"), Region::RU) {
        Ok(Matcher::One(identity)) => Some(identity),
        _ => None,
    }
}

/// ISO 3166: a country, or a country and up to three letters or digits.
fn region_code(text: &str) -> Option<String> {
    let (country, rest) = text.split_once('-').map_or((text, None), |(country, rest)| (country, Some(rest)));
    let part = |rest: &str| {
        (1..=3).contains(&rest.len()) && rest.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
    };
    (phone::region(country).is_some() && rest.is_none_or(part)).then(|| text.to_owned())
}

/// The exclusions of one file.
pub(crate) fn exclusions(root: &Section<'_>, region: Region, zone: Option<&str>) -> Vec<Exclusion> {
    let read = |section: Section<'_>| {
        let matcher = matcher(&section, region);
        let reason = section.need("reason", "a text that says why", |value| {
            value.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        });
        let expected = "the last day it holds, like 2027-12-31";
        let expires = section.read("expires", expected, |value| value.date().and_then(|day| end_of(day, zone)));
        section.end();
        Some(Exclusion { matcher: matcher?, reason: reason?, expires })
    };
    root.sections("exclude").into_iter().filter_map(read).collect()
}

fn matcher(section: &Section<'_>, region: Region) -> Option<Matcher> {
    let text = section
        .need("match", "`phone:`, `email:`, `domain:`, `prefix:` or `handle:` and a value", |value| value.text())?;
    let wrong = |why: &str| {
        let expected = why.trim_start_matches("expected ").trim_start_matches("this is not ");
        section.wrong(section.spot("match").wrong(expected));
    };
    Matcher::parse(text, region).map_err(wrong).ok()
}

/// The midnight that ends a day where the company is.
fn end_of(day: &str, zone: Option<&str>) -> Option<At> {
    let day: Date = day.parse().ok()?;
    let zone = jiff::tz::TimeZoneDatabase::bundled().get(zone.unwrap_or("UTC")).ok()?;
    let midnight = day.tomorrow().ok()?.to_zoned(zone).ok()?;
    Some(At::from_millis(midnight.timestamp().as_millisecond()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_a_country_or_a_part_of_one() {
        for good in ["RU", "RU-MOW", "US-CA", "FR-75"] {
            assert_eq!(region_code(good).as_deref(), Some(good));
        }
        for bad in ["ru", "Russia", "RU-", "RU-MOSK", "RU-mow", "QQ", "-MOW", "RU-MOW-1"] {
            assert_eq!(region_code(bad), None, "{bad}");
        }
    }

    #[test]
    fn the_last_day_ends_at_midnight_where_the_company_is() {
        assert_eq!(end_of("2027-12-31", Some("Europe/Moscow")), At::parse("2028-01-01T00:00:00+03:00"));
        assert_eq!(end_of("2027-02-30", None), None);
        assert_eq!(end_of("soon", None), None);
    }
}
