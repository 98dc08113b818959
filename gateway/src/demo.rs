//! What can a newcomer try in a browser? A landing page of an invented firm whose form posts to the workspace `demo`.
//! It is written as `docs/landing-pages.md` tells: our script sends it in the background, and without scripts it works
//! too and carries the campaign of its own address along.

use crate::reply::{self, Reply};
use bytes::Bytes;
use http::HeaderValue;
use http::header::CONTENT_SECURITY_POLICY;
use maud::{DOCTYPE, Markup, PreEscaped, html};

pub const WORKSPACE: &str = "demo";
pub const CHANNEL: &str = "demo-form";

/// Of the invented firm; shown when a request cannot be sent.
const PHONE: &str = "+7 495 123-45-67";
const THANKS: &str = "Thank you! We call you back within fifteen minutes.";

/// Parameters of an advertisement's link that a landing page passes on.
const CAMPAIGN: [&str; 8] =
    ["utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content", "gclid", "yclid", "fbclid"];

/// As strict as a page with our script can be.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'self'; connect-src 'self'; \
    form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The page for an address with this query.
pub fn page(query: &str) -> Reply {
    let mut reply = reply::body(Bytes::from(markup(query).into_string()), "text/html; charset=utf-8");
    reply.headers_mut().insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    reply
}

fn markup(query: &str) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "Pinewood Cottages: ask for a viewing" }
                style { (PreEscaped(STYLE)) }
                script src="/embed.js" defer {}
            }
            body {
                main {
                    p.mark { "Pinewood Cottages" }
                    h1 { "A house among pines, forty minutes from the city." }
                    p.lead { "Leave a phone number or an address. A person calls back, usually within a quarter of an hour." }
                    (form(query))
                    p.note {
                        "This is the demo page of leadgate. The firm is invented; what you send becomes a lead of the \
                         workspace \u{201c}demo\u{201d} on this machine and goes nowhere else."
                    }
                }
            }
        }
    }
}

fn form(query: &str) -> Markup {
    html! {
        form method="post" action={ "/in/" (CHANNEL) } accept-charset="utf-8" data-leadgate data-phone=(PHONE) data-success=(THANKS) {
            (field("name", "Your name", "text", "name", None))
            (field("phone", "Phone", "tel", "tel", Some("With the country code, or as you dial it at home.")))
            (field("email", "E-mail", "email", "email", None))
            div {
                label for="message" { "What are you looking for?" }
                textarea id="message" name="message" rows="3" maxlength="2000" {}
            }
            div.agree {
                input id="consent" type="checkbox" name="consent" value="yes" required;
                label for="consent" { "You may contact me about this request." }
            }
            @for (name, value) in campaign(query) {
                input type="hidden" name=(name) value=(value);
            }
            button { "Ask for a viewing" }
            p data-leadgate-status {}
        }
    }
}

fn field(name: &str, label: &str, kind: &str, fill: &str, hint: Option<&str>) -> Markup {
    let hint_id = hint.map(|_| format!("{name}-hint"));
    html! {
        div {
            label for=(name) { (label) }
            input id=(name) name=(name) type=(kind) autocomplete=(fill) maxlength="200" aria-describedby=[&hint_id];
            @if let (Some(id), Some(hint)) = (&hint_id, hint) {
                small id=(id) { (hint) }
            }
        }
    }
}

/// The advertisement's parameters of this page's own address, each once and no longer than a person would read.
fn campaign(query: &str) -> Vec<(&'static str, String)> {
    let pairs: Vec<_> = form_urlencoded::parse(query.as_bytes()).collect();
    let first = |name: &str| pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value);
    let cut = |value: &str| value.chars().take(200).collect();
    CAMPAIGN.into_iter().filter_map(|name| first(name).map(|value| (name, cut(value)))).collect()
}

const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1d2a24; --paper: #f6f5f0; --card: #fff; --line: #8b968f; --pine: #1f5c43; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ece9; --paper: #141a17; --card: #1d2521; --line: #76827b; --pine: #7fc4a3; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 1.0625rem/1.5 system-ui, sans-serif; }
main { max-width: 34rem; margin: 0 auto; padding: 3rem 1.25rem; }
.mark { margin: 0; color: var(--pine); font-weight: 600; letter-spacing: .02em; }
h1 { margin: .5rem 0 1rem; font: 600 2rem/1.2 Georgia, serif; text-wrap: balance; }
form { display: grid; gap: 1.1rem; margin: 2rem 0; padding: 1.5rem; background: var(--card); border-radius: .75rem; }
label { display: block; font-weight: 600; }
input, textarea { width: 100%; margin-top: .3rem; padding: .6rem .7rem; border: 1px solid var(--line);
  border-radius: .4rem; background: transparent; color: inherit; font: inherit; }
.agree { display: flex; gap: .6rem; align-items: baseline; }
.agree input { width: auto; margin: 0; }
.agree label { font-weight: 400; }
[data-leadgate-status] { margin: 0; }
[data-leadgate-status] a { color: var(--pine); font-weight: 600; white-space: nowrap; }
button:disabled { opacity: .6; cursor: progress; }
button { padding: .75rem 1rem; border: 0; border-radius: .4rem; background: var(--pine); color: var(--card);
  font: inherit; font-weight: 600; cursor: pointer; }
:focus-visible { outline: 3px solid var(--pine); outline-offset: 2px; }
small, .note { color: inherit; opacity: .8; font-size: .9rem; }
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_posts_to_the_demo_form_also_without_scripts() {
        let page = markup("").into_string();
        assert!(page.contains(r#"<form method="post" action="/in/demo-form""#), "{page}");
        assert_eq!(page.matches("<script").count(), 1, "{page}");
        assert!(page.contains(r#"<script src="/embed.js" defer></script>"#) && !page.contains("type=\"hidden\""));
    }

    #[test]
    fn every_field_has_a_label_of_its_own() {
        let page = markup("").into_string();
        for id in ["name", "phone", "email", "message", "consent"] {
            assert_eq!(page.matches(&format!("<label for=\"{id}\">")).count(), 1, "{id}");
            assert_eq!(page.matches(&format!(" id=\"{id}\"")).count(), 1, "{id}");
        }
    }

    #[test]
    fn the_campaign_travels_with_the_form_and_cannot_break_out_of_it() {
        let page = markup("utm_source=spring%22%3E%3Cscript%3E&utm_source=second&evil=1&gclid=G1").into_string();
        assert!(page.contains(r#"name="utm_source" value="spring&quot;&gt;&lt;script&gt;""#), "{page}");
        assert!(page.contains(r#"name="gclid" value="G1""#));
        assert!(!page.contains("evil") && !page.contains("second"));
    }
}
