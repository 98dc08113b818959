//! Who reads the clean stream by delivery? `[[consumer]]`.

use super::read::Section;
use super::workspace::Context;
use lead::ids::is_name;
use secrecy::SecretString;
use std::net::IpAddr;
use url::{Host, Url};

/// One system that gets every event.
#[derive(Clone, Debug)]
pub(crate) struct Consumer {
    pub(crate) id: String,
    #[expect(dead_code, reason = "checked already, read by the delivery to come")]
    pub(crate) kind: ConsumerKind,
    #[expect(dead_code, reason = "checked already, read by the delivery to come")]
    pub(crate) url: Url,
    #[expect(dead_code, reason = "checked already, read by the delivery to come")]
    pub(crate) secret: SecretString,
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum ConsumerKind {
    /// Our own form: the event as JSON, signed.
    Webhook,
}

const SECRET: usize = 8;

pub(crate) fn read(root: &Section<'_>, context: &Context<'_>) -> Vec<Consumer> {
    let mut consumers: Vec<Consumer> = Vec::new();
    for section in root.sections("consumer") {
        let one = consumer(&section, context);
        section.end();
        let Some(one) = one else { continue };
        if consumers.iter().any(|other| other.id == one.id) {
            root.wrong(section.spot("id").wrong("an id no other [[consumer]] of this file has"));
        }
        consumers.push(one);
    }
    consumers
}

fn consumer(section: &Section<'_>, context: &Context<'_>) -> Option<Consumer> {
    let id = section.need("id", super::A_NAME, |value| value.text().filter(|text| is_name(text)).map(str::to_owned));
    let webhook = |text: &str| (text == "webhook").then_some(ConsumerKind::Webhook);
    let kind = section.need("kind", "\"webhook\"", |value| value.text().and_then(webhook));
    let expected = "an http or https address of a public host, without a user in it";
    let url = section.need("url", expected, |value| value.text().and_then(target));
    if !section.has("secret") {
        section.wrong(section.spot("secret").wrong("the secret that deliveries are signed with"));
    }
    let secret = section.secret("secret", SECRET, context.env, context.place);
    Some(Consumer { id: id?, kind: kind?, url: url?, secret: secret? })
}

/// Where a delivery may go: never into this machine or to its cloud's metadata, however the address is spelt.
fn target(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"))?;
    let bare = url.username().is_empty() && url.password().is_none();
    let public = match url.host()? {
        Host::Domain(name) => !is_here(name.trim_end_matches('.')),
        Host::Ipv4(address) => is_outside(IpAddr::V4(address)),
        Host::Ipv6(address) => is_outside(address.to_canonical()),
    };
    (bare && public).then_some(url)
}

fn is_here(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_outside(address: IpAddr) -> bool {
    let inside = match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unicast_link_local(),
    };
    !inside && !address.is_loopback() && !address.is_unspecified()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delivery_never_goes_into_this_machine() {
        for good in ["https://crm.example.com/hook", "http://10.1.2.3:8000/hook", "https://пример.рф/"] {
            assert!(target(good).is_some(), "{good}");
        }
        for bad in [
            "http://169.254.169.254/latest",
            "http://[::ffff:127.0.0.1]/",
            "http://[::1]/",
            "http://0x7f000001/",
            "http://2130706433/",
            "http://localhost./",
            "http://crm.localhost/",
            "http://0.0.0.0/",
            "http://user@crm.example.com/",
            "http://:word@crm.example.com/",
            "file:///etc/passwd",
            "crm.example.com/hook",
        ] {
            assert!(target(bad).is_none(), "{bad}");
        }
    }
}
