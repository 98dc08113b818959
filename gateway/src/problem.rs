//! How does the entrance say no? Every refusal there is, its status, its one word for metrics, and its body as RFC
//! 9457 writes it. Nothing of the request is repeated in any of them.

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Response, StatusCode};
use http_body_util::Full;

/// Why a request was not taken.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// No such path, channel or key; which of them is nobody's business.
    NotFound,
    Method,
    Host,
    UriTooLong,
    /// Doubled or contradicting headers.
    Framing,
    /// A page of another site posts to a form that lists its origins.
    Origin,
    /// A compressed body.
    Encoding,
    MediaType,
    TooLarge(&'static str),
    /// The body came too slowly, or not whole.
    Slow,
    PerAddress,
    PerChannel,
    Overloaded,
    /// The journal does not take rows.
    Journal,
    Paused,
    /// What a provider would have to tell us besides cannot be had.
    Upstream,
    /// Missing, wrong and stale proofs look alike from outside.
    Unauthorized,
    Malformed,
    /// Our configuration holds no secret to check with.
    Misconfigured,
    Bad(&'static str),
    Unreadable(&'static str),
    /// No answer in time; what was read may yet be stored, and its id protects a retry.
    Late,
    /// A bug of ours.
    Broken,
}

/// Which back-off a refusal asks for.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Back {
    Never,
    Soon,
    Later,
}

impl Refused {
    /// Status, word, sentence and back-off of each refusal.
    const fn row(self) -> (StatusCode, &'static str, &'static str, Back) {
        use Back::{Later, Never, Soon};
        type S = StatusCode;
        match self {
            Self::NotFound => (S::NOT_FOUND, "not_found", "nothing is here", Never),
            Self::Method => (S::METHOD_NOT_ALLOWED, "method", "this method is not taken here", Never),
            Self::Host => (S::MISDIRECTED_REQUEST, "host", "this host is not served here", Never),
            Self::UriTooLong => (S::URI_TOO_LONG, "uri_too_long", "the address is too long", Never),
            Self::Framing => (S::BAD_REQUEST, "framing", "the request's head contradicts itself", Never),
            Self::Origin => (S::FORBIDDEN, "origin", "this page may not post here", Never),
            Self::Encoding => (S::UNSUPPORTED_MEDIA_TYPE, "encoding", "send the body uncompressed", Never),
            Self::MediaType => (S::UNSUPPORTED_MEDIA_TYPE, "media_type", "this content type is not read here", Never),
            Self::TooLarge(_) => (S::PAYLOAD_TOO_LARGE, "too_large", "the request holds too much", Never),
            Self::Slow => (S::REQUEST_TIMEOUT, "slow", "the body did not arrive in time", Never),
            Self::PerAddress => (S::TOO_MANY_REQUESTS, "per_address", "too many requests from this address", Soon),
            Self::PerChannel => (S::TOO_MANY_REQUESTS, "per_channel", "too many requests to this channel", Soon),
            Self::Overloaded => (S::SERVICE_UNAVAILABLE, "overloaded", "too much is being handled; come back", Soon),
            Self::Journal => (S::SERVICE_UNAVAILABLE, "journal", "nothing can be stored right now; come back", Later),
            Self::Paused => (S::SERVICE_UNAVAILABLE, "paused", "this entrance is closed for now; come back", Later),
            Self::Upstream => (S::SERVICE_UNAVAILABLE, "upstream", "the provider cannot be asked; come back", Later),
            Self::Unauthorized => (S::UNAUTHORIZED, "unauthorized", "the request is not proven genuine", Never),
            Self::Malformed => (S::BAD_REQUEST, "malformed_proof", "the proof cannot be read", Never),
            Self::Misconfigured => {
                (S::SERVICE_UNAVAILABLE, "misconfigured", "this entrance is not ready; come back", Later)
            }
            Self::Bad(_) => (S::BAD_REQUEST, "bad", "the request cannot be read", Never),
            Self::Unreadable(_) => (S::BAD_REQUEST, "unreadable", "the request cannot be read", Never),
            Self::Late => (S::SERVICE_UNAVAILABLE, "late", "no answer in time; come back", Soon),
            Self::Broken => (S::INTERNAL_SERVER_ERROR, "broken", "this failed on our side", Never),
        }
    }

    pub const fn status(self) -> StatusCode {
        self.row().0
    }

    /// The label of metrics and the end of the problem's type.
    pub const fn word(self) -> &'static str {
        self.row().1
    }

    fn detail(self) -> Option<&'static str> {
        match self {
            Self::TooLarge(why) | Self::Bad(why) | Self::Unreadable(why) => Some(why),
            _ => None,
        }
    }

    pub fn response(self) -> Response<Full<Bytes>> {
        let (status, word, title, back) = self.row();
        let mut problem = serde_json::json!({
            "type": format!("urn:leadgate:problem:{word}"),
            "title": title,
            "status": status.as_u16(),
        });
        if let Some(detail) = self.detail() {
            problem["detail"] = detail.into();
        }
        let mut response = Response::new(Full::from(problem.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = back.seconds(rand::random()) {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl Back {
    /// Whole seconds, spread so that those who were sent away do not come back as one crowd.
    fn seconds(self, luck: u16) -> Option<u16> {
        match self {
            Self::Never => None,
            Self::Soon => Some(1 + luck % 5),
            Self::Later => Some(5 + luck % 26),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;

    async fn text(refused: Refused) -> String {
        let body = refused.response().into_body().collect().await.unwrap().to_bytes();
        String::from_utf8(body.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn a_refusal_is_a_problem_document_with_a_reason_of_ours() {
        insta::assert_snapshot!(
            text(Refused::Bad("the body is empty")).await,
            @r#"{"detail":"the body is empty","status":400,"title":"the request cannot be read","type":"urn:leadgate:problem:bad"}"#
        );
    }

    #[test]
    fn whoever_is_told_to_come_back_is_told_when() {
        for refused in [Refused::PerAddress, Refused::PerChannel, Refused::Overloaded, Refused::Journal, Refused::Late]
        {
            let response = refused.response();
            let seconds: u16 = response.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
            assert!((1..=30).contains(&seconds), "{refused:?} {seconds}");
        }
        assert!(!Refused::NotFound.response().headers().contains_key(RETRY_AFTER));
    }

    #[test]
    fn the_crowd_is_spread_over_the_whole_back_off() {
        let drawn: std::collections::BTreeSet<_> = (0..1000).filter_map(|luck| Back::Later.seconds(luck)).collect();
        assert_eq!((drawn.first(), drawn.last(), drawn.len()), (Some(&5), Some(&30), 26));
    }
}
