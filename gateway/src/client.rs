//! Who is at the other end? The client's address, through the proxies we trust, and the key it is limited by.

use http::HeaderMap;
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// One client for limits: an IPv4 address, or the /64 an IPv6 customer gets whole.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Hash)]
pub struct ClientKey(IpAddr);

impl ClientKey {
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let mut segments = v6.segments();
                segments[4..].fill(0);
                Self(IpAddr::V6(Ipv6Addr::from(segments)))
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

pub fn is_trusted(address: IpAddr, proxies: &[IpNet]) -> bool {
    let address = address.to_canonical();
    proxies.iter().any(|net| net.contains(&address))
}

/// The nearest address that is not one of our proxies. A hop is believed only when a trusted one wrote it down, so a
/// client that invents a header in front of them changes nothing. Whoever came by a proxy that does not say from where
/// is one of a crowd, which has one address: none.
pub fn address(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> IpAddr {
    let mut nearest = peer.to_canonical();
    if !is_trusted(nearest, proxies) {
        return nearest;
    }
    for hop in hops(headers).into_iter().rev() {
        let Some(hop) = hop else { return IpAddr::V4(Ipv4Addr::UNSPECIFIED) };
        nearest = hop;
        if !is_trusted(hop, proxies) {
            break;
        }
    }
    nearest
}

/// Farthest first; a hop that names no address is `None`.
fn hops(headers: &HeaderMap) -> Vec<Option<IpAddr>> {
    let (name, read): (_, fn(&str) -> Option<IpAddr>) =
        if headers.contains_key("x-forwarded-for") { ("x-forwarded-for", bare) } else { ("forwarded", forwarded) };
    let lines = headers.get_all(name).iter().flat_map(|line| line.as_bytes().split(|byte| *byte == b','));
    let said = lines.map(<[u8]>::trim_ascii).filter(|hop| !hop.is_empty());
    said.map(|hop| std::str::from_utf8(hop).ok().and_then(read)).collect()
}

/// `for=192.0.2.1;proto=https`, RFC 7239.
fn forwarded(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let (_, node) = pairs.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("for"))?;
    bare(node.trim_matches('"'))
}

/// An address, with or without a port and brackets.
fn bare(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    let host = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?.0,
        None if text.matches(':').count() == 1 => text.split_once(':')?.0,
        None => text,
    };
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::{HeaderName, HeaderValue};

    fn seen(peer: &str, lines: &[(&'static str, &str)]) -> String {
        let proxies: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        address(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn the_client_is_the_nearest_hop_that_is_not_ours() {
        const XFF: &str = "x-forwarded-for";
        for (peer, lines, client) in [
            ("192.0.2.9", vec![], "192.0.2.9"),
            ("192.0.2.9", vec![(XFF, "1.1.1.1")], "192.0.2.9"),
            ("10.0.0.1", vec![(XFF, "1.1.1.1")], "1.1.1.1"),
            ("::ffff:10.0.0.1", vec![(XFF, "1.1.1.1")], "1.1.1.1"),
            ("10.0.0.1", vec![(XFF, "6.6.6.6, 1.1.1.1, 10.0.0.2")], "1.1.1.1"),
            ("10.0.0.1", vec![(XFF, "6.6.6.6"), (XFF, "1.1.1.1")], "1.1.1.1"),
            ("10.0.0.1", vec![(XFF, "6.6.6.6, unknown")], "0.0.0.0"),
            ("10.0.0.1", vec![(XFF, "\u{e9}, 1.1.1.1")], "1.1.1.1"),
            ("10.0.0.1", vec![(XFF, "")], "10.0.0.1"),
            ("10.0.0.1", vec![(XFF, "10.0.0.7")], "10.0.0.7"),
            ("::1", vec![(XFF, "[2001:db8::5]:443")], "2001:db8::5"),
            ("10.0.0.1", vec![("forwarded", "for=6.6.6.6, For=\"[2001:db8::5]:443\";proto=https")], "2001:db8::5"),
            ("10.0.0.1", vec![("forwarded", "for=_hidden")], "0.0.0.0"),
            ("10.0.0.1", vec![("forwarded", "for=6.6.6.6"), (XFF, "1.1.1.1:5000")], "1.1.1.1"),
        ] {
            assert_eq!(seen(peer, &lines), client, "{peer} {lines:?}");
        }
    }

    #[test]
    fn an_ipv6_customer_is_one_client_with_all_his_addresses() {
        let key = |text: &str| ClientKey::of(text.parse().unwrap());
        assert_eq!(key("2001:db8:1:2::5"), key("2001:db8:1:2:ffff::6"));
        assert_ne!(key("2001:db8:1:2::5"), key("2001:db8:1:3::5"));
        assert_eq!(key("::ffff:1.2.3.4"), key("1.2.3.4"));
        assert_ne!(key("1.2.3.4"), key("1.2.3.5"));
    }
}
