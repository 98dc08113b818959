//! How does the desk say no? One error type: what the caller is told, and what only the log hears.
//!
//! The outside text holds nothing of what was sent and nothing of a lead. The inside text is logged once, here, when
//! the answer is made.

use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use std::borrow::Cow;

/// Why a request to the desk failed.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// No such path, workspace, lead or entry; also one that this caller may not see.
    NotFound,
    Method,
    /// A name that is not ours, on a desk that only this machine may ask.
    Host,
    Unauthorized,
    Scope,
    /// A page of another site asks.
    Origin,
    MediaType,
    TooLarge,
    Slow,
    Json,
    Invalid,
    Conflict,
    /// A bound is reached; come back soon.
    Busy,
    /// The store does not work; come back later.
    Store,
    Late,
    /// A bug of ours, or a store that cannot be read.
    Broken,
}

impl Kind {
    const fn row(self) -> (StatusCode, &'static str, &'static str) {
        type S = StatusCode;
        match self {
            Self::NotFound => (S::NOT_FOUND, "not_found", "nothing is here"),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method", "this method is not taken here"),
            Self::Host => (S::MISDIRECTED_REQUEST, "host", "this host is not served here"),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "a valid token is needed"),
            Self::Scope => (S::FORBIDDEN, "scope", "the token's scopes do not cover this"),
            Self::Origin => (S::FORBIDDEN, "origin", "this page may not ask here"),
            Self::MediaType => (S::UNSUPPORTED_MEDIA_TYPE, "media_type", "send plain application/json"),
            Self::TooLarge => (S::PAYLOAD_TOO_LARGE, "too_large", "the request holds too much"),
            Self::Slow => (S::REQUEST_TIMEOUT, "slow", "the body did not arrive in time"),
            Self::Json => (S::BAD_REQUEST, "json", "the body is not JSON"),
            Self::Invalid => (S::UNPROCESSABLE_ENTITY, "invalid", "the request does not make sense"),
            Self::Conflict => (S::CONFLICT, "conflict", "this cannot be done as things stand"),
            Self::Busy => (S::SERVICE_UNAVAILABLE, "busy", "too much is being handled; come back"),
            Self::Store => (S::SERVICE_UNAVAILABLE, "store", "the store does not answer right now; come back"),
            Self::Late => (S::SERVICE_UNAVAILABLE, "late", "no answer in time; come back"),
            Self::Broken => (S::INTERNAL_SERVER_ERROR, "broken", "this failed on our side"),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// Whole seconds to stay away, spread by `luck`.
    fn back_off(self, luck: u16) -> Option<u16> {
        match self {
            Self::Busy | Self::Late => Some(1 + luck % 5),
            Self::Store => Some(5 + luck % 26),
            _ => None,
        }
    }
}

/// A line of a list that was not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct WrongLine {
    /// Counted from one.
    pub line: usize,
    pub error: Cow<'static, str>,
}

/// A refusal on its way out.
#[derive(Debug)]
pub struct Failure {
    kind: Kind,
    detail: Option<Cow<'static, str>>,
    lines: Vec<WrongLine>,
    inside: Option<String>,
}

pub type Result<T> = std::result::Result<T, Failure>;

impl Failure {
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { kind, detail: Some(detail.into()), lines: Vec::new(), inside: None }
    }

    /// 422 with the reason.
    pub fn invalid(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Kind::Invalid, detail)
    }

    /// 422 with the reason of every wrong line.
    pub fn lines(detail: impl Into<Cow<'static, str>>, lines: Vec<WrongLine>) -> Self {
        Self { lines, ..Self::invalid(detail) }
    }

    pub const fn kind(&self) -> Kind {
        self.kind
    }

    fn inside(kind: Kind, why: String) -> Self {
        Self { inside: Some(why), ..Self::from(kind) }
    }

    fn body(&self) -> serde_json::Value {
        let (status, word, title) = self.kind.row();
        let mut problem = serde_json::json!({
            "type": format!("urn:leadgate:problem:{word}"),
            "title": title,
            "status": status.as_u16(),
        });
        if let Some(detail) = &self.detail {
            problem["detail"] = detail.as_ref().into();
        }
        if !self.lines.is_empty() {
            problem["errors"] = serde_json::json!(self.lines);
        }
        problem
    }
}

impl From<Kind> for Failure {
    fn from(kind: Kind) -> Self {
        Self { kind, detail: None, lines: Vec::new(), inside: None }
    }
}

impl From<ledger::Error> for Failure {
    fn from(error: ledger::Error) -> Self {
        use ledger::Error as E;
        let kind = match error {
            E::Busy => Kind::Busy,
            E::Full | E::Closed | E::Fenced | E::Locked(_) | E::Away(_) | E::Refused(_) => Kind::Store,
            E::Newer { .. } | E::Setup(_) | E::Corrupt(_) | E::Sqlite(_) | E::File { .. } => Kind::Broken,
        };
        Self::inside(kind, error.to_string())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        if let Some(why) = &self.inside {
            tracing::warn!(name: "desk.failed", status = status.as_u16(), error = %why, "desk.failed: a request to the desk failed");
        }
        let mut response = (status, self.body().to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.kind == Kind::Unauthorized {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"leadgate\""));
        }
        if let Some(seconds) = self.kind.back_off(rand::random()) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_store_tells_the_log_why_and_the_caller_nothing() {
        let failure = Failure::from(ledger::Error::Corrupt("lead"));
        assert_eq!(failure.inside.as_deref(), Some("a stored lead cannot be read"));
        insta::assert_snapshot!(
            failure.body(),
            @r#"{"status":500,"title":"this failed on our side","type":"urn:leadgate:problem:broken"}"#
        );
    }

    #[test]
    fn wrong_lines_are_listed_by_number() {
        let failure = Failure::lines("1 of 2 lines", vec![WrongLine { line: 2, error: "not a domain".into() }]);
        insta::assert_snapshot!(
            failure.body(),
            @r#"{"detail":"1 of 2 lines","errors":[{"error":"not a domain","line":2}],"status":422,"title":"the request does not make sense","type":"urn:leadgate:problem:invalid"}"#
        );
    }

    #[test]
    fn whoever_is_told_to_come_back_is_told_when() {
        for kind in [Kind::Busy, Kind::Late, Kind::Store] {
            let response = Failure::from(kind).into_response();
            let seconds: u16 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=30).contains(&seconds), "{kind:?} {seconds}");
        }
        assert!(!Failure::from(Kind::NotFound).into_response().headers().contains_key(RETRY_AFTER));
    }
}
