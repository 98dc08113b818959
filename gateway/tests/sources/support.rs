//! How does a test make a request and a channel?

use bytes::Bytes;
use gateway::channel::Channel;
use gateway::sources::{Denied, Reading, Refusal, Request, Source, source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lead::entry::{Call, Signal, Touch};
use lead::phone::Region;
use lead::time::At;
use std::collections::BTreeMap;
use std::path::PathBuf;

pub(crate) const SECRET: &str = "12345";

pub(crate) fn now() -> At {
    At::parse("2026-11-21T10:01:00Z").unwrap()
}

pub(crate) fn the(name: &str) -> &'static Source {
    source(name).unwrap()
}

/// A channel of the source as a workspace would configure it. Mail stands open, as behind a `url_key`.
pub(crate) fn channel(source: &'static str) -> Channel {
    let id = match source {
        "twilio" => "line-1",
        "telegram" => "bot",
        "mail" => "mailbox",
        _ => "spring",
    };
    let signed = matches!(source, "twilio" | "telegram");
    Channel {
        id: id.into(),
        workspace: "cottages".into(),
        source,
        address: Some(if source == "mail" { "sales@company.example" } else { "+74951234567" }.to_owned()),
        region: Region::RU,
        url: format!("https://leads.example.com/in/{id}"),
        secrets: if signed { vec![SECRET.to_owned().into()] } else { Vec::new() },
        url_key: None,
        redirect: None,
        redirect_hosts: Vec::new(),
        origins: Vec::new(),
        fields: BTreeMap::new(),
        thanks: None,
        own_emails: vec!["ivan@company.example".to_owned(), "forms@site.example".to_owned()],
    }
}

pub(crate) fn request(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    let query = url.split_once('?').map(|(_, query)| query.to_owned()).unwrap_or_default();
    Request { method, url: url.to_owned(), rest: String::new(), query, headers: map, body: body.into(), received_at: now() }
}

pub(crate) fn post(media_type: &str, body: impl Into<Bytes>) -> Request {
    request(Method::POST, "https://leads.example.com/in/spring", &[("content-type", media_type)], body)
}

pub(crate) fn read(source: &'static str, request: &Request) -> Result<Reading, Refusal> {
    (the(source).read)(request, &channel(source))
}

pub(crate) fn verify(source: &'static str, request: &Request) -> Result<(), Denied> {
    (the(source).verify)(request, &channel(source))
}

pub(crate) fn touch(reading: &Reading) -> &Touch {
    match &reading.signals[..] {
        [one] => match &one.signal {
            Signal::Touch(touch) => touch,
            other => panic!("expected a touch, got {other:?}"),
        },
        other => panic!("expected one signal, got {other:?}"),
    }
}

pub(crate) fn calls(reading: &Reading) -> Vec<&Call> {
    let call = |signal: &'_ Signal| matches!(signal, Signal::Call(_));
    assert!(reading.signals.iter().all(|read| call(&read.signal)));
    reading.signals.iter().filter_map(|read| if let Signal::Call(call) = &read.signal { Some(&**call) } else { None }).collect()
}

pub(crate) fn fixtures() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures")
}

/// A request kept in a file as it was sent: request line, headers, an empty line, the body.
pub(crate) fn recorded(source: &str, name: &str) -> Request {
    let raw = std::fs::read(fixtures().join("sources").join(source).join(name).with_extension("http")).unwrap();
    let end = raw.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = std::str::from_utf8(&raw[..end]).unwrap();
    let mut lines = head.lines();
    let mut first = lines.next().unwrap().split(' ');
    let method = first.next().unwrap().parse().unwrap();
    let url = format!("https://leads.example.com{}", first.next().unwrap());
    let headers: Vec<(&str, &str)> = lines.map(|line| line.split_once(": ").unwrap()).collect();
    request(method, &url, &headers, raw[end + 2..].to_vec())
}
