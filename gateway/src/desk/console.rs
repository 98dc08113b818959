//! What do staff see in a browser? One page without data; its script asks the API and writes what it hears as text,
//! never as markup. With tokens configured it asks for one and keeps it for as long as the tab is open.

use super::Desk;
use super::auth::Visitor;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use maud::{DOCTYPE, Markup, html};
use std::sync::Arc;

/// `GET /`
pub(super) async fn page(_: Visitor, State(desk): State<Arc<Desk>>) -> Response {
    let page = markup(!desk.tokens.is_empty()).into_string();
    ([(CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// `GET /console.js`
pub(super) async fn script(_: Visitor) -> Response {
    ([(CONTENT_TYPE, "text/javascript; charset=utf-8")], include_str!("console/console.js")).into_response()
}

/// `GET /console.css`
pub(super) async fn style(_: Visitor) -> Response {
    ([(CONTENT_TYPE, "text/css; charset=utf-8")], include_str!("console/console.css")).into_response()
}

fn markup(needs_token: bool) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "leadgate desk" }
                link rel="stylesheet" href="/console.css";
                script src="/console.js" defer {}
            }
            body data-needs-token[needs_token] {
                header {
                    h1 { "leadgate" }
                    p #state role="status" { "loading" }
                }
                noscript { p { "This page needs its script. The same data is under " a href="/openapi.json" { "/openapi.json" } "." } }
                form #entry hidden {
                    label for="token" { "Token with the scope read" }
                    input #token type="password" autocomplete="off" required;
                    button { "Enter" }
                }
                main #workspaces {}
                section #news hidden {
                    h2 { "Happening now" }
                    ol #ticker {}
                }
            }
        }
    }
}
