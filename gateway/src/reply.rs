//! What does a sender hear? Answers and refusals as HTTP responses, with the headers every response carries.

use crate::problem::Refused;
use crate::sources::Answer;
use bytes::Bytes;
use http::header::{self, HeaderValue};
use http::{HeaderMap, Method, Response, StatusCode};
use http_body_util::Full;
use lead::ids::Uid;

pub type Reply = Response<Full<Bytes>>;

const JSON: &str = "application/json";

/// A page may look like something and post to us; it may load, run and embed nothing.
const PAGE_POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// What the source wants the provider to hear.
pub fn answer(answer: Answer, uid: Option<Uid>) -> Reply {
    match answer {
        Answer::Accepted => accepted(uid),
        Answer::Empty => with_status(StatusCode::NO_CONTENT),
        Answer::Text(text) => body(text, "text/plain; charset=utf-8"),
        Answer::Body(text, kind) => body(text, kind),
        Answer::SeeOther(target) => redirect(StatusCode::SEE_OTHER, target, uid),
        Answer::Found(target) => redirect(StatusCode::FOUND, target, uid),
    }
}

fn redirect(status: StatusCode, target: String, uid: Option<Uid>) -> Reply {
    let Ok(target) = HeaderValue::try_from(target) else { return accepted(uid) };
    let mut reply = with_status(status);
    reply.headers_mut().insert(header::LOCATION, target);
    reply
}

fn accepted(uid: Option<Uid>) -> Reply {
    let id = uid.map(|uid| uid.to_string());
    body(serde_json::json!({"id": id, "status": "accepted"}).to_string(), JSON)
}

pub fn body(content: impl Into<Bytes>, kind: &'static str) -> Reply {
    let mut reply = Response::new(Full::new(content.into()));
    reply.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    if kind.starts_with("text/html") {
        reply.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    }
    reply
}

fn with_status(status: StatusCode) -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = status;
    reply
}

/// 405 with what would have been taken.
pub fn method_not_allowed(methods: &[Method]) -> Reply {
    let mut reply = Refused::Method.response();
    reply.headers_mut().insert(header::ALLOW, list(methods));
    reply
}

fn list(methods: &[Method]) -> HeaderValue {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    HeaderValue::try_from(names.join(", ")).expect("method names are header text")
}

/// Nothing here is to be cached unless it says so itself, guessed at or told to the next site.
pub fn seal(mut reply: Reply) -> Reply {
    let headers = reply.headers_mut();
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    reply
}

/// Which pages may read our answers, and whether this one may post.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cors {
    /// Not a browser on another page's behalf.
    None,
    Any,
    Only(HeaderValue),
    Foreign,
}

impl Cors {
    pub fn of(headers: &HeaderMap, origins: &[String]) -> Self {
        match headers.get(header::ORIGIN) {
            None => Self::None,
            Some(_) if origins.is_empty() => Self::Any,
            Some(origin) if origins.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(origin.as_bytes())) => {
                Self::Only(origin.clone())
            }
            Some(_) => Self::Foreign,
        }
    }

    /// The answer to a browser that asks first.
    pub fn preflight(&self, methods: &[Method]) -> Reply {
        let mut reply = with_status(StatusCode::NO_CONTENT);
        let headers = reply.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, list(methods));
        let taken = HeaderValue::from_static("content-type, idempotency-key, x-requested-with");
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, taken);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
        self.stamp(reply)
    }

    /// Lets the page read this reply, also when it is a refusal.
    pub fn stamp(&self, mut reply: Reply) -> Reply {
        let headers = reply.headers_mut();
        let origin = match self {
            Self::None | Self::Foreign => return reply,
            Self::Any => HeaderValue::from_static("*"),
            Self::Only(origin) => {
                headers.insert(header::VARY, HeaderValue::from_static("origin"));
                origin.clone()
            }
        };
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static("retry-after"));
        reply
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_that_is_no_header_text_becomes_the_plain_answer() {
        let good = answer(Answer::SeeOther("https://a.example/thanks".into()), None);
        assert_eq!(
            (good.status(), &good.headers()["location"]),
            (StatusCode::SEE_OTHER, &"https://a.example/thanks".parse().unwrap())
        );
        let split = answer(Answer::SeeOther("https://a.example/\r\nset-cookie: a=b".into()), None);
        assert_eq!(split.status(), StatusCode::OK);
    }

    #[test]
    fn only_pages_get_a_page_policy() {
        let page = answer(Answer::Body("<p>".into(), "text/html; charset=utf-8"), None);
        assert!(page.headers().contains_key("content-security-policy"));
        let xml = answer(Answer::Body("<Response/>".into(), "text/xml"), None);
        assert!(!xml.headers().contains_key("content-security-policy"));
    }

    #[test]
    fn a_form_with_listed_origins_knows_its_own_pages() {
        let mut headers = HeaderMap::new();
        let listed = ["https://a.example".to_owned()];
        assert_eq!(Cors::of(&headers, &listed), Cors::None);
        headers.insert("origin", "https://A.example".parse().unwrap());
        assert_eq!(Cors::of(&headers, &[]), Cors::Any);
        assert!(matches!(Cors::of(&headers, &listed), Cors::Only(_)));
        headers.insert("origin", "null".parse().unwrap());
        assert_eq!(Cors::of(&headers, &listed), Cors::Foreign);
    }
}
