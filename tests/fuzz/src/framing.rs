//! What is promised of a request before any source sees it? The cuts of the network change nothing of where its head
//! ends, and only a proxy that we trust can say who the client is.

use crate::wire::CUT;
use gateway::client;
use gateway::wire::framing::Framing;
use http::{HeaderMap, HeaderName, HeaderValue};
use ipnet::IpNet;
use std::net::IpAddr;

pub(crate) fn http_head(bytes: &[u8]) {
    let mut whole: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != CUT).collect();
    let (mut one, mut other) = (Framing::default(), Framing::default());
    one.see(&mut whole);
    let mut pieces = Vec::new();
    for piece in bytes.split(|byte| *byte == CUT) {
        let mut piece = piece.to_vec();
        other.see(&mut piece);
        pieces.extend(piece);
    }
    assert_eq!(one.position(), other.position());
    assert!(whole == pieces, "a cut changed what was spoiled");
}

/// Lines of headers, from a client or from our proxy.
pub(crate) fn forwarded(bytes: &[u8]) {
    let mut headers = HeaderMap::new();
    for line in bytes.split(|byte| *byte == b'\n') {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { continue };
        let name = HeaderName::from_bytes(&line[..colon]);
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii())) {
            headers.append(name, value);
        }
    }
    let address = |text: &str| -> IpAddr { text.parse().expect("this is an address") };
    let proxies: [IpNet; 2] = ["10.0.0.0/8", "::1/128"].map(|net| net.parse().expect("this is a network"));
    let stranger = address("192.0.2.9");
    assert_eq!(client::address(stranger, &headers, &proxies), stranger, "a client says who it is");
    let found = client::address(address("10.0.0.1"), &headers, &proxies);
    assert_eq!(found, found.to_canonical());
    let _ = client::ClientKey::of(found);
}
