//! Who knocks? People with numbers of their own, in posts as a landing page sends them.

use bytes::Bytes;
use gateway::channel::Channel;
use gateway::rows;
use gateway::sources::{self, Request};
use lead::calendar::Calendar;
use lead::entry::Kind;
use lead::identity::Pepper;
use lead::phone::Region;
use lead::rules::{self, Rules};
use lead::time::At;
use ledger::journal::Row;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

pub(crate) const WORKSPACE: &str = "demo";
pub(crate) const CHANNEL: &str = "demo-form";
/// Under which the bench knows people.
pub(crate) const PEPPER: &str = "the pepper of the bench";

/// Mobile prefixes with 10^7 numbers each.
const PREFIXES: [&str; 8] = ["903", "905", "906", "909", "916", "917", "926", "929"];

/// The `n`-th person's number; staff numbers of the rules are not among them.
pub(crate) fn phone(n: u64) -> String {
    let prefix = PREFIXES[usize::try_from(n / 10_000_000).unwrap_or(0) % PREFIXES.len()];
    format!("+7{prefix}{:07}", n % 10_000_000)
}

/// About 600 bytes of JSON, another person for each `n`.
pub(crate) fn post(n: u64) -> Bytes {
    let body = json!({
        "name": format!("Customer {n}"),
        "phone": phone(n),
        "message": "A cottage for four people near the lake, please; we would come on Friday evening and stay until Sunday. Is there a sauna, and may we bring a dog?",
        "utm_source": "yandex",
        "utm_medium": "cpc",
        "utm_campaign": "cottages-spring-2027",
        "utm_term": "cottage by the lake",
        "yclid": format!("{:019}", 1_700_000_000_000_000_000 + n),
        "ym_client_id": format!("{}", 1_690_000_000_000_000_000 + n),
        "page": "https://cottages.example/lake?utm_source=yandex&utm_medium=cpc&utm_campaign=cottages-spring-2027",
        "referrer": "https://yandex.ru/",
        "consent": "I agree to the processing of my data",
        "guests": "4",
        "nights": "2",
    });
    Bytes::from(body.to_string())
}

/// What the gateway would write into the journal for [`post`], by its own functions.
pub(crate) fn row(channel: &Channel, n: u64, received_at: At) -> Row {
    let mut headers = hyper::HeaderMap::new();
    headers.insert("content-type", hyper::header::HeaderValue::from_static("application/json"));
    let request = Request {
        method: hyper::Method::POST,
        url: String::new(),
        rest: String::new(),
        query: String::new(),
        headers,
        body: post(n),
        documents: std::collections::BTreeMap::new(),
        received_at,
    };
    let reading = (sources::form::SOURCE.read)(&request, channel).expect("the bench writes posts that can be read");
    let mut luck = [0; 10];
    luck[..8].copy_from_slice(&n.wrapping_mul(0x9E37_79B9_7F4A_7C15).to_le_bytes());
    let mut rows = rows::rows(channel, &request, reading.signals, None, luck);
    rows.pop().expect("a post is one signal")
}

/// An entrance for a source, with something under each key that it cannot do without.
pub(crate) fn channel(source: &'static str) -> Channel {
    let own = sources::source(source).map(|source| source.settings).unwrap_or_default();
    let needed = own.iter().filter(|setting| setting.required);
    Channel {
        settings: needed.map(|setting| (setting.name, vec!["12345".to_owned().into()])).collect(),
        address: Some(if source == "mail" { "sales@demo.example" } else { "+74951234567" }.to_owned()),
        url: format!("https://leads.example.com/in/{CHANNEL}"),
        secrets: vec!["a secret of sixteen or more".to_owned().into()],
        ..Channel::new(CHANNEL.into(), WORKSPACE.into(), source)
    }
}

/// The rules of the demo: two people, working hours, a deadline of fifteen minutes.
pub(crate) fn rules() -> Rules {
    let week = ["mon-fri 09:00-13:00 14:00-19:00".to_owned(), "sat 10:00-16:00".to_owned()];
    let channel = rules::Channel {
        skill: Some("cottages".to_owned()),
        ..rules::Channel::new(CHANNEL.into(), "form", Kind::Form, "anna".into())
    };
    Rules {
        workspace: WORKSPACE.into(),
        version: "bench00000000000".to_owned(),
        name: "Demo cottages".to_owned(),
        region: Region::RU,
        calendar: Calendar::parse("Europe/Moscow", &week, &[]).expect("the bench writes hours that can be read"),
        duplicate_window: Duration::from_hours(24),
        same_post_window: Duration::from_mins(10),
        close_after: Duration::from_hours(30 * 24),
        active_for: Duration::from_hours(24),
        unmatched_for: Duration::from_hours(48),
        first_contact: Duration::from_mins(15),
        min_talk: Duration::from_secs(10),
        repeats: true,
        channels: BTreeMap::from([(channel.id.clone(), channel)]),
        people: vec![person("ivan", Some(10), 2), person("anna", None, 1)],
        exclusions: Vec::new(),
        own: BTreeSet::new(),
        pepper: Pepper::new(PEPPER.as_bytes()),
    }
}

fn person(id: &str, capacity: Option<u32>, weight: u32) -> rules::Person {
    rules::Person {
        regions: vec!["RU".to_owned()],
        skills: vec!["cottages".to_owned()],
        capacity,
        weight,
        ..rules::Person::new(id.into(), id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_post_is_some_600_bytes_and_names_another_valid_phone() {
        for n in [0, 9_999_999, 10_000_000, 79_999_999] {
            assert!((560..700).contains(&post(n).len()), "{}", post(n).len());
            let found = lead::phone::parse(&phone(n), Region::RU);
            assert!(found.len() == 1 && found[0].valid && found[0].number == phone(n), "{n}");
        }
        assert_ne!(phone(1), phone(10_000_001));
    }
}
