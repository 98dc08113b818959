//! Is this notification really from Amazon SNS, and from a topic of ours?
//!
//! SNS signs chosen fields with a key whose certificate lies at an address that the notification names. So the address
//! is believed only where its host is Amazon's (`sns.<region>.amazonaws.com`, or what `sns_hosts` lists), over HTTPS,
//! whose own certificate vouches for the host; and the topic must be one that the channel lists, because anybody can
//! have SNS sign something of a topic of his own.
//!
//! From the vendor's guide to verifying signatures of SNS messages, versions 1 (SHA-1) and 2 (SHA-256).

use super::shared::fields::Pairs;
use super::shared::{json, signature};
use super::{Denied, Needed, Refusal, Request, Setting, Value};
use crate::channel::Channel;
use data_encoding::{BASE64, Specification};
use lead::time::At;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey, VerificationAlgorithm,
};
use std::sync::LazyLock;
use std::time::Duration;
use url::Url;
use x509_parser::oid_registry::OID_PKCS1_RSAENCRYPTION;
use x509_parser::pem::parse_x509_pem;
use x509_parser::time::ASN1Time;

pub(super) const TOPICS: Setting = Setting::required(
    "topics",
    Value::Texts,
    "the topics that are ours, like [\"arn:aws:sns:eu-west-1:123456789012:mail\"]",
);
pub(super) const HOSTS: Setting = Setting::optional(
    "sns_hosts",
    Value::Texts,
    "the hosts of Amazon SNS, where they are not sns.<region>.amazonaws.com",
);

const KIND: &str = "x-amz-sns-message-type";
/// The timestamp is that of the publication. SNS tries for an hour; what comes later is an old request sent again.
const OLDEST: Duration = Duration::from_secs(8 * 60 * 60);

/// The fields of one message of SNS, as it signs them.
pub(super) struct Envelope<'a> {
    pairs: Pairs<'a>,
}

impl<'a> Envelope<'a> {
    pub(super) fn of(request: &'a Request) -> Result<Self, Refusal> {
        Ok(Self { pairs: json::read(&request.body)? })
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(path, _)| path == name).map(|(_, value)| &**value)
    }

    /// What is signed: each name and value on a line of its own, names in order.
    fn signed(&self) -> Option<String> {
        let names: &[&str] = match self.get("Type")? {
            "Notification" => &["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
            "SubscriptionConfirmation" | "UnsubscribeConfirmation" => {
                &["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
            }
            _ => return None,
        };
        let mut text = String::new();
        for name in names {
            match self.get(name) {
                Some(value) => text.extend([name, "\n", value, "\n"]),
                None if *name == "Subject" => {}
                None => return None,
            }
        }
        Some(text)
    }
}

/// Everything that needs no certificate comes first, so that a stranger makes us fetch nothing.
pub(super) fn verify(request: &Request, channel: &Channel) -> Result<(), Denied> {
    if request.header(KIND).is_none() {
        return Err(Denied::Missing);
    }
    let envelope = Envelope::of(request).map_err(|_| Denied::Wrong)?;
    let ours = |topic: &str| channel.each_setting(TOPICS.name).any(|known| known == topic);
    let text = envelope.signed().filter(|_| envelope.get("TopicArn").is_some_and(ours)).ok_or(Denied::Wrong)?;
    let signature = envelope.get("Signature").and_then(|said| LINES.decode(said.as_bytes()).ok());
    let (signature, algorithm) = (signature.ok_or(Denied::Wrong)?, algorithm(&envelope).ok_or(Denied::Wrong)?);
    let at = envelope.get("SigningCertURL").filter(|url| is_certificate(url, channel)).ok_or(Denied::Wrong)?;
    let signed_at = envelope.get("Timestamp").and_then(At::parse).ok_or(Denied::Wrong)?;
    signature::fresh(signed_at, request, OLDEST)?;
    let Some(certificate) = request.documents.get(at) else {
        return Err(Denied::Needs(Needed { url: at.to_owned(), shown: None, lasting: true }));
    };
    let key = key(certificate, request.received_at).ok_or(Denied::Misconfigured)?;
    UnparsedPublicKey::new(algorithm, key).verify(text.as_bytes(), &signature).map_err(|_| Denied::Wrong)
}

/// Base64 that may be broken into lines.
static LINES: LazyLock<data_encoding::Encoding> = LazyLock::new(|| {
    let mut lines: Specification = BASE64.specification();
    lines.ignore.push_str("\r\n ");
    lines.encoding().expect("characters that are no base64 can be ignored")
});

fn algorithm(envelope: &Envelope<'_>) -> Option<&'static dyn VerificationAlgorithm> {
    match envelope.get("SignatureVersion")? {
        "1" => Some(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY),
        "2" => Some(&RSA_PKCS1_2048_8192_SHA256),
        _ => None,
    }
}

fn is_certificate(url: &str, channel: &Channel) -> bool {
    is_amazons(url, channel) && Url::parse(url).is_ok_and(|url| url.path().ends_with(".pem"))
}

/// May this be asked for? HTTPS, no user, the usual port, a host of Amazon's.
pub(super) fn is_amazons(url: &str, channel: &Channel) -> bool {
    let Ok(url) = Url::parse(url) else { return false };
    let plain = url.scheme() == "https" && url.username().is_empty() && url.password().is_none();
    let Some(host) = url.host_str().filter(|_| plain && url.port().is_none()) else { return false };
    let mut listed = channel.each_setting(HOSTS.name).peekable();
    if listed.peek().is_some() {
        return listed.any(|known| known.eq_ignore_ascii_case(host));
    }
    let end = host.strip_suffix(".cn").unwrap_or(host).strip_suffix(".amazonaws.com");
    let region = end.and_then(|start| start.strip_prefix("sns."));
    region.is_some_and(|region| region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'))
}

/// The RSA key of a certificate that is valid now.
fn key(certificate: &[u8], now: At) -> Option<Vec<u8>> {
    let (_, pem) = parse_x509_pem(certificate).ok()?;
    let certificate = pem.parse_x509().ok()?;
    let now = ASN1Time::from_timestamp(now.millis() / 1000).ok()?;
    let key = certificate.public_key();
    let usable = certificate.validity().is_valid_at(now) && key.algorithm.algorithm == OID_PKCS1_RSAENCRYPTION;
    usable.then(|| key.subject_public_key.data.to_vec())
}
