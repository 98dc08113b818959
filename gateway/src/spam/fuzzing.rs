//! How does `tests/fuzz` show proofs that nobody made? Each entry is the reader itself, without the post around it.

use super::evidence::Evidence;
use super::service::{Said, Service};
use bytes::Bytes;
use lead::entry::Attributes;
use lead::time::At;

/// The nonce of a solved challenge that this key signed.
#[doc(hidden)]
pub fn altcha(key: &[u8], payload: &str, now: At) -> Option<String> {
    super::altcha::check(key, payload, now).ok()
}

/// Whether a captcha's service calls the visitor a person; none where there is no such service.
#[doc(hidden)]
pub fn person(service: &str, answer: &Bytes) -> Option<bool> {
    Service::named(service).map(|service| service.read(answer) == Said::Person)
}

/// Takes the proofs out of a form's fields.
#[doc(hidden)]
pub fn without_proofs(mut fields: Attributes) -> Attributes {
    let _ = Evidence::take(&mut fields);
    fields
}
