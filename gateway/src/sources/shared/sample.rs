//! What would a provider send? A request that `leadgate send` and the tests knock with, as short as a source can say it.

use super::urlencoded;
use crate::sources::{FORM_TYPE, JSON_TYPE};
use data_encoding::HEXLOWER;
use http::{Method, StatusCode};
use lead::ids::digest;
use serde_json::Value;

/// Who a sample request is about.
#[derive(Clone, Debug, Default)]
pub struct Sample {
    pub name: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
    pub text: Option<String>,
    /// Makes this sample's provider id its own.
    pub nonce: String,
}

#[derive(Debug)]
pub struct SampleRequest {
    pub method: Method,
    /// Below the channel's URL: `""`, `"/voice"`, `"?a=b"`.
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// What a successful answer looks like.
    pub expect: StatusCode,
}

impl Sample {
    /// Somebody is there even if nobody was named.
    pub(crate) fn name(&self) -> &str {
        self.name.as_deref().unwrap_or("Test")
    }

    /// A caller's number, where there must be one.
    pub(crate) fn caller(&self) -> &str {
        self.phone.as_deref().unwrap_or("+15005550006")
    }

    pub(crate) fn email(&self) -> &str {
        self.email.as_deref().unwrap_or("test@customer.example")
    }

    /// An id of this sample alone, as hex digits.
    pub(crate) fn id(&self) -> String {
        HEXLOWER.encode(&self.bytes())
    }

    /// A number of this sample alone that every reader of JSON takes.
    pub(crate) fn number(&self) -> u64 {
        self.bytes()[..8].iter().fold(0, |number, byte| (number << 8) | u64::from(*byte)) >> 12
    }

    fn bytes(&self) -> [u8; 16] {
        digest("sample", &[self.nonce.as_bytes()])
    }

    /// What it says, under a provider's names for name, phone, mail and words.
    pub(crate) fn said(&self, names: [&'static str; 4]) -> impl Iterator<Item = (&'static str, &str)> {
        let rest = [&self.phone, &self.email, &self.text].map(Option::as_deref);
        let all = [Some(self.name())].into_iter().chain(rest);
        names.into_iter().zip(all).filter_map(|(name, value)| Some((name, value?)))
    }

    /// What a person would write where the provider has no field for it.
    pub(crate) fn words(&self, also: &[&Option<String>]) -> String {
        let parts = [&self.text].into_iter().chain(also.iter().copied()).flatten().map(String::as_str);
        let parts: Vec<&str> = parts.collect();
        if parts.is_empty() { "Test".to_owned() } else { parts.join("\n") }
    }
}

impl SampleRequest {
    /// As most providers do it: by POST, answered 200.
    pub(crate) fn post(media_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            method: Method::POST,
            path: String::new(),
            headers: vec![("content-type".to_owned(), media_type.to_owned())],
            body: body.into(),
            expect: StatusCode::OK,
        }
    }

    pub(crate) fn json(body: &Value) -> Self {
        Self::post(JSON_TYPE, body.to_string())
    }

    pub(crate) fn form(fields: &[(&str, &str)]) -> Self {
        Self::post(FORM_TYPE, urlencoded::write(fields))
    }

    pub(crate) fn multipart(fields: &[(&str, &str)]) -> Self {
        let part = |(name, value): &(&str, &str)| {
            format!("--leadgate\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let parts: String = fields.iter().map(part).collect();
        Self::post("multipart/form-data; boundary=leadgate", parts + "--leadgate--\r\n")
    }

    pub(crate) fn below(self, path: impl Into<String>) -> Self {
        Self { path: path.into(), ..self }
    }

    pub(crate) fn with(mut self, headers: impl IntoIterator<Item = (String, String)>) -> Self {
        self.headers.extend(headers);
        self
    }

    /// With what proves the body.
    pub(crate) fn signed<H: IntoIterator<Item = (String, String)>>(self, sign: impl FnOnce(&[u8]) -> H) -> Self {
        let headers = sign(&self.body);
        self.with(headers)
    }

    pub(crate) fn answered(self, expect: StatusCode) -> Self {
        Self { expect, ..self }
    }
}
