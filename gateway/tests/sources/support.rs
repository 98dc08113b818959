//! How does a test make a request and a channel?

use bytes::Bytes;
use gateway::channel::Channel;
use gateway::sources::{Denied, Reading, Refusal, Request, Source, source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lead::entry::{Call, Signal, Touch};
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

/// A channel of the source as a workspace would configure it: what `channel.json` beside its recorded requests says,
/// over a channel without secrets.
pub(crate) fn channel(source: &'static str) -> Channel {
    #[derive(Default, serde::Deserialize)]
    #[serde(default, deny_unknown_fields)]
    struct Written {
        id: Option<String>,
        address: Option<String>,
        secret: Option<String>,
        redirect_hosts: Vec<String>,
        fields: BTreeMap<String, String>,
        settings: BTreeMap<String, Vec<String>>,
    }
    let file = fixtures().join("sources").join(source).join("channel.json");
    let text = std::fs::read(&file).unwrap_or_else(|_| b"{}".to_vec());
    let written: Written = serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{source}: {error}"));
    let id = written.id.as_deref().unwrap_or("spring");
    let own = |name: &str| the(source).settings.iter().find(|own| own.name == name).map(|own| own.name);
    let setting = |(name, values): (String, Vec<String>)| {
        let name = own(&name).unwrap_or_else(|| panic!("{source} has no setting {name}"));
        (name, values.into_iter().map(Into::into).collect())
    };
    Channel {
        address: Some(written.address.unwrap_or_else(|| "+74951234567".to_owned())),
        url: format!("https://leads.example.com/in/{id}"),
        secrets: written.secret.into_iter().map(Into::into).collect(),
        redirect_hosts: written.redirect_hosts,
        fields: written.fields,
        own_emails: vec!["ivan@company.example".to_owned(), "forms@site.example".to_owned()],
        settings: written.settings.into_iter().map(setting).collect(),
        ..Channel::new(id.into(), "cottages".into(), source)
    }
}

pub(crate) fn request(method: Method, url: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Request {
    let mut map = HeaderMap::new();
    for (name, value) in headers {
        map.append(
            HeaderName::from_bytes(name.as_bytes()).unwrap(),
            HeaderValue::from_bytes(value.as_bytes()).unwrap(),
        );
    }
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let below = path.split_once("/in/").and_then(|(_, path)| path.split_once('/'));
    Request {
        method,
        url: url.to_owned(),
        rest: below.map(|(_, rest)| rest.to_owned()).unwrap_or_default(),
        query: query.to_owned(),
        headers: map,
        body: body.into(),
        documents: BTreeMap::new(),
        received_at: now(),
    }
}

pub(crate) fn post(media_type: &str, body: impl Into<Bytes>) -> Request {
    request(Method::POST, "https://leads.example.com/in/spring", &[("content-type", media_type)], body)
}

pub(crate) fn read(source: &'static str, request: &Request) -> Result<Reading, Refusal> {
    (the(source).read)(request, &channel(source))
}

/// Reads a request as the gateway does. What it needs besides is answered from beside the recorded requests: by
/// `<name>.document.json`, else by `document.json`; where neither is there the need is what it says.
pub(crate) fn read_asking(
    source: &Source,
    channel: &Channel,
    mut request: Request,
    name: &str,
) -> Result<Reading, Refusal> {
    let Err(Refusal::Needs(needed)) = (source.read)(&request, channel) else { return (source.read)(&request, channel) };
    let folder = fixtures().join("sources").join(source.name);
    let own = folder.join(format!("{name}.document.json"));
    let document = std::fs::read(own).or_else(|_| std::fs::read(folder.join("document.json")));
    let Ok(document) = document else { return Err(Refusal::Needs(needed)) };
    request.documents = needed.into_iter().map(|one| (one.url, document.clone().into())).collect();
    (source.read)(&request, channel)
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
    reading
        .signals
        .iter()
        .filter_map(|read| if let Signal::Call(call) = &read.signal { Some(&**call) } else { None })
        .collect()
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
