//! Is every row of the table complete?

use crate::recorded::names;
use crate::support;
use crate::support::{channel, now, request};
use gateway::channel::Channel;
use gateway::sources::{Answer, Reading, Refusal, Request, SOURCES, Sample, Source, source};
use http::{Method, StatusCode};
use lead::entry::Signal;

fn sample(nonce: &str) -> Sample {
    Sample {
        name: Some("Анна \"A\" Иванова".to_owned()),
        phone: Some("+79161234567".to_owned()),
        email: Some("anna@example.com".to_owned()),
        text: Some("Добрый день".to_owned()),
        nonce: nonce.to_owned(),
    }
}

/// The sample as it would arrive.
fn arriving(source: &Source, channel: &Channel, sample: &Sample) -> (Request, StatusCode) {
    let made = (source.sample)(channel, sample, now());
    let headers: Vec<(&str, &str)> = made.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    (request(made.method, &format!("{}{}", channel.url, made.path), &headers, made.body), made.expect)
}

fn read(source: &Source, channel: &Channel, sample: &Sample) -> Result<Reading, Refusal> {
    let (request, _) = arriving(source, channel, sample);
    assert_eq!((source.verify)(&request, channel), Ok(()), "{}", source.name);
    support::read_asking(source, channel, request, "sample")
}

/// We open the connection ourselves (a test beside the feeds holds that one of them does), so there is no address to
/// paste anywhere, and no request to be proven.
fn is_fetched(row: &Source) -> bool {
    ["asterisk", "imap"].contains(&row.name)
}

#[test]
fn every_source_is_found_by_its_name_and_takes_a_method() {
    for row in SOURCES.iter().copied() {
        assert_eq!(source(row.name).unwrap().name, row.name);
        assert!(!row.methods.is_empty() || is_fetched(row));
    }
    assert!(source("fax").is_none());
}

#[test]
fn every_source_has_a_row_in_the_table_of_providers() {
    let table = std::fs::read_to_string(support::fixtures().join("../../docs/providers.md")).unwrap();
    for row in SOURCES.iter().copied() {
        let name = format!("| [`{0}`](../gateway/src/sources/{0}.md) |", row.name);
        let rows = table.lines().filter(|line| line.starts_with(&name));
        assert_eq!(rows.map(|line| line.matches('|').count()).collect::<Vec<_>>(), [6], "{}", row.name);
    }
}

#[test]
fn every_source_has_help_and_recorded_requests_of_every_outcome() {
    for row in SOURCES.iter().copied() {
        assert!(row.help.starts_with("# ") && row.help.contains("{url}") != is_fetched(row), "{}", row.name);
        let outcomes: String = names(row.name)
            .iter()
            .map(|name| {
                let file = support::fixtures().join("sources").join(row.name).join(name).with_extension("json");
                std::fs::read_to_string(file).unwrap_or_default()
            })
            .collect();
        for outcome in ["\"signal\":", "\"refused\":", &format!("\"{}.", row.name)] {
            assert!(outcomes.contains(outcome), "{} has no recorded request that gives {outcome}", row.name);
        }
    }
}

#[test]
fn every_sample_is_genuine_and_holds_who_it_is_about() {
    for row in SOURCES.iter().copied() {
        let channel = channel(row.name);
        let reading = read(row, &channel, &sample("one")).unwrap();
        let said = format!("{:?}", reading.signals[0].signal);
        assert!(said.contains("79161234567") && said.contains("Анна"), "{}: {said}", row.name);
        let (request, expect) = arriving(row, &channel, &sample("one"));
        let answered = match (row.answer)(&request, &channel, Some("uid")) {
            Answer::Empty => StatusCode::NO_CONTENT,
            Answer::SeeOther(_) => StatusCode::SEE_OTHER,
            Answer::Found(_) => StatusCode::FOUND,
            Answer::Accepted | Answer::Text(_) | Answer::Body(..) => StatusCode::OK,
        };
        assert_eq!(answered, expect, "{}", row.name);
    }
}

#[test]
fn a_sample_needs_nothing_but_its_nonce_and_is_its_own_event() {
    for row in SOURCES.iter().copied() {
        let channel = channel(row.name);
        let bare = |nonce: &str| Sample { text: Some("Test".to_owned()), nonce: nonce.to_owned(), ..Sample::default() };
        let id = |nonce: &str| read(row, &channel, &bare(nonce)).unwrap().signals[0].id.clone().unwrap();
        assert_eq!(id("one"), id("one"), "{}", row.name);
        assert_ne!(id("one"), id("two"), "{}", row.name);
    }
}

#[test]
fn a_sample_is_signed_with_the_current_secret() {
    for row in SOURCES.iter().copied().filter(|row| !row.anonymous && !is_fetched(row)) {
        let mut channel = channel(row.name);
        channel.secrets = vec!["new".to_owned().into(), "old".to_owned().into()];
        let (request, _) = arriving(row, &channel, &sample("one"));
        channel.secrets.pop();
        assert_eq!((row.verify)(&request, &channel), Ok(()), "{}", row.name);
        channel.secrets = vec!["other".to_owned().into()];
        assert!((row.verify)(&request, &channel).is_err(), "{}", row.name);
    }
}

#[test]
fn no_source_panics_on_garbage() {
    let bodies: [&[u8]; 9] =
        [b"", b"\0", b"\xff\xfe\xfd", b"[[[[[[", b"{\"a\":", b"=&=&%", b"--\r\n--", b"\r\n\r\n", b"<xml/>"];
    let types = [
        "",
        "application/json",
        "application/x-www-form-urlencoded; charset=ÿ",
        "multipart/form-data; boundary=-",
        "message/rfc822",
        ";;;",
    ];
    for row in SOURCES.iter().copied() {
        for (media_type, body) in types.iter().flat_map(|kind| bodies.iter().map(move |body| (kind, body))) {
            let methods = if is_fetched(row) { &[Method::POST] } else { row.methods };
            for method in methods {
                let headers = [("content-type", *media_type), ("authorization", "Basic !"), ("accept", "text/html")];
                let request = request(method.clone(), "https://leads.example.com/in/x?%&=", &headers, body.to_vec());
                let _ = (row.verify)(&request, &channel(row.name));
                let _ = (row.answer)(&request, &channel(row.name), None);
                if let Ok(reading) = (row.read)(&request, &channel(row.name)) {
                    assert!(reading.signals.iter().all(|read| !matches!(read.signal, Signal::Command(_))));
                }
            }
        }
    }
}
