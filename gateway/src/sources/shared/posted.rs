//! Which fields does a provider's post of a mail hold, as they came? Urlencoded or multipart, each field still bytes,
//! because a mail has its own letters.

use super::{multipart, urlencoded};
use crate::sources::{FORM_TYPE, Refusal, Request};
use encoding_rs::{UTF_8, WINDOWS_1251};
use serde_json::Value;
use std::borrow::Cow;

/// One post.
pub(crate) struct Posted<'a> {
    fields: Vec<(String, Cow<'a, [u8]>)>,
    pub files: Vec<Value>,
}

impl<'a> Posted<'a> {
    pub(crate) fn of(request: &'a Request) -> Result<Self, Refusal> {
        if request.is(FORM_TYPE) {
            let name = |name: Cow<'_, [u8]>| String::from_utf8_lossy(&name).into_owned();
            let fields = urlencoded::split(&request.body)?.into_iter().map(|(key, value)| (name(key), value));
            return Ok(Self { fields: fields.collect(), files: Vec::new() });
        }
        if !request.is("multipart/form-data") {
            return Err(Refusal::MediaType);
        }
        let parts = multipart::mail(&request.body, request.content_type())?;
        let fields = parts.values.into_iter().map(|(name, _, value)| (name, Cow::Borrowed(value)));
        Ok(Self { fields: fields.collect(), files: parts.files })
    }

    /// The last of that name: those before may come from the head of the mail, which its sender wrote.
    pub(crate) fn bytes(&self, name: &str) -> Option<&[u8]> {
        self.fields.iter().rfind(|(known, _)| known == name).map(|(_, value)| &**value)
    }

    pub(crate) fn text(&self, name: &str) -> Option<Cow<'_, str>> {
        self.bytes(name).map(|bytes| text(bytes, None))
    }

    /// Moves the bytes out.
    pub(crate) fn take(&mut self, name: &str) -> Option<Cow<'a, [u8]>> {
        let at = self.fields.iter().rposition(|(known, _)| known == name)?;
        Some(self.fields.swap_remove(at).1)
    }
}

/// In the letters that were named, else UTF-8; what is not that comes from an old Russian mailer.
pub(crate) fn text<'a>(bytes: &'a [u8], charset: Option<&str>) -> Cow<'a, str> {
    let said = charset.and_then(urlencoded::known_charset).unwrap_or(UTF_8);
    let letters = if said == UTF_8 && std::str::from_utf8(bytes).is_err() { WINDOWS_1251 } else { said };
    letters.decode_without_bom_handling(bytes).0
}
