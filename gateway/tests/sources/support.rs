//! How does a test make a request and a channel?

use crate::recorded;
pub(crate) use crate::recorded::{channel, fixtures, now, the};
use bytes::Bytes;
use gateway::channel::Channel;
use gateway::sources::{Denied, Reading, Refusal, Request, Source};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use lead::entry::{Call, Signal, Touch};
use std::collections::BTreeMap;

pub(crate) const SECRET: &str = "12345";

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

/// Reads a request as the gateway does. What it needs besides is answered from beside the recorded requests; where
/// nothing is there the need is what it says.
pub(crate) fn read_asking(
    source: &Source,
    channel: &Channel,
    mut request: Request,
    name: &str,
) -> Result<Reading, Refusal> {
    let Err(Refusal::Needs(needed)) = (source.read)(&request, channel) else { return (source.read)(&request, channel) };
    let Some(document) = recorded::document(source.name, name) else { return Err(Refusal::Needs(needed)) };
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

/// A request that is kept in a file.
pub(crate) fn recorded(source: &str, name: &str) -> Request {
    recorded::parse(&recorded::raw(source, name)).unwrap_or_else(|| panic!("{source}/{name} is no request"))
}
