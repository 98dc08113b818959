//! What exactly was asked? Query, path and body, bounded and read strictly: a misspelt name is an error with its
//! reason, never silently nothing.

use super::Desk;
use super::error::{Failure, Kind, Result};
use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http_body_util::{BodyExt, Limited};
use lead::units::Span;
use serde::de::DeserializeOwned;
use serde_json::error::Category;
use std::convert::Infallible;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Asked(Vec<(String, String)>);

impl Asked {
    fn read(query: &str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Every parameter must be one of these, and come once.
    pub(super) fn only(self, known: &[&str]) -> Result<Self> {
        for (index, (name, _)) in self.0.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(Failure::invalid(format!("an unknown parameter; expected {}", list(known))));
            }
            if self.0[..index].iter().any(|(other, _)| other == name) {
                return Err(Failure::invalid(format!("`{name}` is given twice")));
            }
        }
        Ok(self)
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    pub(super) fn number(&self, name: &str, within: RangeInclusive<usize>, default: usize) -> Result<usize> {
        let Some(text) = self.text(name) else { return Ok(default) };
        let number = text.parse().ok().filter(|number| within.contains(number));
        number.ok_or_else(|| {
            Failure::invalid(format!("`{name}`: expected a number from {} to {}", within.start(), within.end()))
        })
    }

    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Failure::invalid(format!("`{name}`: expected true or false"))),
        }
    }

    pub(super) fn span(&self, name: &str, most: Duration) -> Result<Duration> {
        let Some(text) = self.text(name) else { return Ok(Duration::ZERO) };
        let span = Span::parse(text).map(|span| span.0).filter(|span| *span <= most);
        span.ok_or_else(|| Failure::invalid(format!("`{name}`: expected a duration up to {}", Span(most))))
    }

    /// One of a closed set of words, as JSON spells them.
    pub(super) fn word<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>> {
        let Some(text) = self.text(name) else { return Ok(None) };
        match serde_json::from_value(text.into()) {
            Ok(word) => Ok(Some(word)),
            Err(error) => Err(Failure::invalid(format!("`{name}`: {}", expectation(&error.to_string())))),
        }
    }
}

fn list(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { format!("`{}`", names.join("`, `")) }
}

impl FromRequestParts<Arc<Desk>> for Asked {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Desk>) -> std::result::Result<Self, Infallible> {
        Ok(Self::read(parts.uri.query().unwrap_or_default()))
    }
}

/// The part of the path that names something below the workspace.
#[derive(Debug)]
pub(super) struct Named(pub(super) String);

impl FromRequestParts<Arc<Desk>> for Named {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, desk: &Arc<Desk>) -> Result<Self> {
        let params = RawPathParams::from_request_parts(parts, desk).await.map_err(|_| Kind::NotFound)?;
        let name = params.iter().find(|(name, _)| *name != "w").map(|(_, value)| value.to_owned());
        name.map(Self).ok_or_else(|| Kind::NotFound.into())
    }
}

/// A JSON body.
#[derive(Debug)]
pub(super) struct Told<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Desk>> for Told<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self> {
        let bytes = collect(request, desk.limits.body, desk.limits.body_time).await?;
        parse(&bytes).map(Self)
    }
}

/// A long list as a JSON body: few at a time.
#[derive(Debug)]
pub(super) struct Long<T>(pub(super) T);

impl<T: DeserializeOwned + Send + 'static> FromRequest<Arc<Desk>> for Long<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, desk: &Arc<Desk>) -> Result<Self> {
        let _place = desk.bounds.imports.try_acquire().map_err(|_| Kind::Busy)?;
        let bytes = collect(request, desk.limits.import, desk.limits.body_time).await?;
        let parsed = tokio::task::spawn_blocking(move || parse(&bytes)).await;
        parsed.unwrap_or_else(|_| Err(Kind::Broken.into())).map(Self)
    }
}

async fn collect(request: Request, limit: usize, time: Duration) -> Result<Bytes> {
    let (parts, body) = request.into_parts();
    check_head(&parts.headers, limit)?;
    let whole = Limited::new(body, limit).collect();
    match tokio::time::timeout(time, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large(limit)),
        Ok(Err(_)) | Err(_) => Err(Kind::Slow.into()),
    }
}

fn check_head(headers: &HeaderMap, limit: usize) -> Result<()> {
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let plain = kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json");
    let encoded = headers.get(CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
    if !plain || encoded {
        return Err(Kind::MediaType.into());
    }
    let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
    if length.is_some_and(|length| length > limit) { Err(too_large(limit)) } else { Ok(()) }
}

fn too_large(limit: usize) -> Failure {
    Failure::new(Kind::TooLarge, format!("the body may have up to {limit} bytes"))
}

/// Reads strictly; what is wrong is told without what was sent.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    // serde would take a list for an object whose fields come in the order of the list.
    if bytes.trim_ascii_start().first() == Some(&b'[') {
        return Err(Failure::invalid("expected a JSON object"));
    }
    serde_json::from_slice(bytes).map_err(|error| {
        let place = format!("at line {} column {}", error.line(), error.column());
        match error.classify() {
            Category::Data => Failure::invalid(format!("{} {place}", expectation(&error.to_string()))),
            Category::Io | Category::Syntax | Category::Eof => Failure::new(Kind::Json, place),
        }
    })
}

/// serde says what it found and what it expected; what it found is the sender's.
fn expectation(said: &str) -> String {
    let said = said.rsplit_once(" at line ").map_or(said, |(said, _)| said);
    if said.starts_with("missing field") || said.starts_with("duplicate field") {
        return said.to_owned();
    }
    let of_what = if said.starts_with("unknown field") { "unknown field, " } else { "" };
    said.rfind("expected ").map_or_else(|| "does not fit".to_owned(), |from| format!("{of_what}{}", &said[from..]))
}

/// A body in JSON.
pub(super) fn json(status: http::StatusCode, body: &impl serde::Serialize) -> Result<http::Response<Body>> {
    let bytes = serde_json::to_vec(body).map_err(|_| Kind::Broken)?;
    let mut response = http::Response::new(Body::from(bytes));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Small {
        #[expect(dead_code, reason = "only its reading is tested")]
        present: bool,
    }

    fn told(body: &[u8]) -> String {
        let failure = parse::<Small>(body).unwrap_err();
        let text = format!("{failure:?}");
        let detail = text.split("Some(\"").nth(1).and_then(|rest| rest.split("\")").next()).unwrap_or_default();
        format!("{} {detail}", failure.kind().status().as_u16())
    }

    #[test]
    fn a_wrong_body_hears_what_was_expected_and_never_what_it_said() {
        for (body, says) in [
            (r#"{"present": "+79161234567"}"#, "422 expected a boolean at line 1 column 26"),
            (r#"{"present": "expected mail a@b.c"}"#, "422 expected a boolean at line 1 column 33"),
            (r#"{}"#, "422 missing field `present` at line 1 column 2"),
            (r#"{"present": true, "present": false}"#, "422 duplicate field `present` at line 1 column 27"),
            (r#"{"+79161234567": true}"#, "422 unknown field, expected `present` at line 1 column 15"),
            (r#"{"present": true} x"#, "400 at line 1 column 19"),
            ("", "400 at line 1 column 0"),
            ("[[[[", "422 expected a JSON object"),
            (" [true]", "422 expected a JSON object"),
        ] {
            assert_eq!(told(body.as_bytes()), says, "{body}");
        }
        assert!(told(b"{\"present\": \"\xff\"}").starts_with("4"));
        assert!(parse::<Small>(b"\xef\xbb\xbf{\"present\":true}").is_ok());
    }

    #[test]
    fn a_parameter_that_is_unknown_doubled_or_out_of_range_is_refused() {
        let asked = |query| Asked::read(query).only(&["limit", "wait", "open"]);
        for bad in ["limt=1", "limit=1&limit=2", "+79161234567"] {
            assert_eq!(asked(bad).unwrap_err().kind(), Kind::Invalid, "{bad}");
        }
        let number = |query| asked(query).unwrap().number("limit", 1..=1000, 100).ok();
        assert_eq!(["", "limit=1", "limit=1000"].map(number), [Some(100), Some(1), Some(1000)]);
        assert_eq!(["limit=0", "limit=1001", "limit=-1", "limit=", "limit=1e2"].map(number), [None; 5]);
        let span = |query| asked(query).unwrap().span("wait", Duration::from_secs(60)).ok();
        assert_eq!(["", "wait=30s", "wait=1m"].map(span), [0, 30, 60].map(|s| Some(Duration::from_secs(s))));
        assert_eq!(["wait=30", "wait=61s", "wait=99999999999999999999d"].map(span), [None; 3]);
        assert_eq!(asked("open=true").unwrap().flag("open").unwrap(), Some(true));
        assert!(asked("open=yes").unwrap().flag("open").is_err());
    }
}
