//! What does a landing page load? The script that sends plain forms in the background, see `embed.js` beside this file
//! and `docs/landing-pages.md`. It is the same for everybody and tells nothing, so browsers may keep it, and every page
//! may load it.

use crate::reply::{self, Reply};
use bytes::Bytes;
use data_encoding::HEXLOWER;
use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, CACHE_CONTROL, ETAG, HeaderName, HeaderValue, IF_NONE_MATCH};
use http::{HeaderMap, StatusCode};
use sha2::{Digest, Sha256};
use std::sync::LazyLock;

const WRITTEN: &str = include_str!("embed.js");

/// A page may go on with an old script for an hour, and for a week while the gateway cannot be reached.
const KEPT: HeaderValue =
    HeaderValue::from_static("public, max-age=3600, stale-while-revalidate=86400, stale-if-error=604800");
const EVERY_PAGE: HeaderValue = HeaderValue::from_static("cross-origin");
const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

static SCRIPT: LazyLock<Bytes> = LazyLock::new(|| Bytes::from(served(WRITTEN)));
static TAG: LazyLock<HeaderValue> = LazyLock::new(|| {
    let hash = HEXLOWER.encode(&Sha256::digest(&*SCRIPT)[..12]);
    HeaderValue::try_from(format!("\"{hash}\"")).expect("hexadecimal digits are header text")
});

/// Without comments and indentation; every line stays a line.
fn served(written: &str) -> String {
    let code = written.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"));
    code.flat_map(|line| [line, "\n"]).collect()
}

/// The script, or that the browser's own copy is still right.
pub fn script(headers: &HeaderMap) -> Reply {
    let mut reply = if is_known(headers) { unchanged() } else { reply::body(SCRIPT.clone(), "text/javascript") };
    let headers = reply.headers_mut();
    headers.insert(ETAG, TAG.clone());
    headers.insert(CACHE_CONTROL, KEPT);
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    headers.insert(RESOURCE_POLICY, EVERY_PAGE);
    reply
}

fn unchanged() -> Reply {
    let mut reply = Reply::default();
    *reply.status_mut() = StatusCode::NOT_MODIFIED;
    reply
}

/// RFC 9110, 13.1.2. A proxy that compresses the script weakens its tag.
fn is_known(headers: &HeaderMap) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|line| line.to_str().ok());
    let known = |tag: &str| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag).as_bytes() == TAG.as_bytes();
    tags.flat_map(|line| line.split(',')).any(|tag| known(tag.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(tag: Option<&str>) -> Reply {
        let mut headers = HeaderMap::new();
        headers.extend(tag.map(|tag| (IF_NONE_MATCH, HeaderValue::from_str(tag).unwrap())));
        script(&headers)
    }

    #[test]
    fn a_browser_with_the_same_script_is_not_sent_it_again() {
        let first = asked(None);
        let tag = first.headers()[ETAG].to_str().unwrap().to_owned();
        for (given, expected) in [
            (tag.as_str(), 304),
            (&format!("W/{tag}"), 304),
            (&format!("\"old\", {tag}"), 304),
            ("*", 304),
            ("\"old\"", 200),
            (tag.trim_matches('"'), 200),
        ] {
            let reply = asked(Some(given));
            assert_eq!(reply.status(), expected, "{given}");
            assert_eq!(reply.headers()[ETAG], tag);
        }
    }

    #[test]
    fn the_served_script_is_the_written_one_without_comments() {
        assert_eq!(served("// a\n  let x = 'b // c';\n\n    // d\n  y();\n"), "let x = 'b // c';\ny();\n");
        let multiline = WRITTEN.lines().filter(|line| line.matches('`').count() % 2 == 1);
        assert_eq!(multiline.count(), 0, "a text over several lines would lose its indentation");
    }
}
