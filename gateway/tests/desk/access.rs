//! Who comes in, and what does a browser hear?

use crate::house::{House, request};
use axum::body::Body;
use gateway::desk::{Limits, Peer, Scope, Token};
use http::{Method, StatusCode};
use secrecy::SecretString;
use std::net::IpAddr;

const READER: &str = "reader-0123456789";
const REPORTER: &str = "reporter-0123456789";
const MANAGER: &str = "manager-0123456789";
const GUEST: &str = "guest-0123456789";

fn house() -> House {
    let token = |name, secret: &str, scope, only: Option<&str>| {
        Token::new(name, &SecretString::from(secret), vec![scope], only.map(|one| vec![one.into()]))
    };
    let tokens = vec![
        token("reader", READER, Scope::Read, None),
        token("reporter", REPORTER, Scope::Feedback, None),
        token("manager", MANAGER, Scope::Manage, None),
        token("guest", GUEST, Scope::Manage, Some("other")),
    ];
    House::with(tokens, Limits::default())
}

#[tokio::test]
async fn without_tokens_a_stranger_and_a_strange_name_get_nothing() {
    let house = House::open();
    for path in ["/v1/workspaces", "/metrics", "/", "/openapi.json", "/v1/workspaces/demo/leads"] {
        let mut far = request(Method::GET, path, &[], Body::empty());
        far.extensions_mut().insert(Peer(IpAddr::from([192, 0, 2, 7])));
        assert_eq!(house.send(far).await.status, StatusCode::FORBIDDEN, "{path}");
        let mut unknown = request(Method::GET, path, &[], Body::empty());
        unknown.extensions_mut().remove::<Peer>();
        assert_eq!(house.send(unknown).await.status, StatusCode::FORBIDDEN, "{path}");
        let rebound = request(Method::GET, path, &[("host", "evil.example:8090")], Body::empty());
        assert_eq!(house.send(rebound).await.status, StatusCode::MISDIRECTED_REQUEST, "{path}");
        assert_eq!(house.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_page_of_another_site_cannot_write() {
    let house = House::open();
    let path = "/v1/workspaces/demo/people/ivan/presence";
    for line in [("origin", "https://evil.example"), ("sec-fetch-site", "cross-site"), ("origin", "null")] {
        assert_eq!(house.post_with(path, &[line], r#"{"present": false}"#).await.status, StatusCode::FORBIDDEN);
    }
    assert!(house.journalled().is_empty());
    let own = [("origin", "http://localhost:8090"), ("sec-fetch-site", "same-origin")];
    assert_eq!(house.post_with(path, &own, r#"{"present": false}"#).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn a_wrong_token_and_none_hear_the_same() {
    let house = house();
    let none = house.get("/v1/workspaces/demo/leads").await;
    let wrong = house.get_as("reader-012345678", "/v1/workspaces/demo/leads").await;
    assert_eq!((none.status, &none.body), (StatusCode::UNAUTHORIZED, &wrong.body));
    for heard in [none, wrong] {
        assert_eq!(heard.headers["www-authenticate"], "Bearer realm=\"leadgate\"");
    }
    for open in ["/live", "/", "/console.js", "/console.css", "/openapi.json"] {
        assert_eq!(house.get(open).await.status, StatusCode::OK, "{open}");
    }
}

#[tokio::test]
async fn each_scope_opens_its_own_doors() {
    let house = house();
    let presence = ("POST", "/v1/workspaces/demo/people/ivan/presence", r#"{"present": true}"#);
    let feedback = ("POST", "/v1/workspaces/demo/leads/x/feedback", r#"{"type": "attempt"}"#);
    let leads = ("GET", "/v1/workspaces/demo/leads", "");
    let metrics = ("GET", "/metrics", "");
    for (token, expected) in [
        (READER, [403, 403, 200, 200]),
        (REPORTER, [403, 404, 403, 403]),
        (MANAGER, [202, 404, 200, 200]),
        // Of another workspace only: this one does not exist for it, and sums over all are not for it.
        (GUEST, [404, 404, 404, 403]),
    ] {
        let mut heard = Vec::new();
        for (method, path, body) in [presence, feedback, leads, metrics] {
            let bearer = format!("Bearer {token}");
            let lines = [("authorization", bearer.as_str()), ("content-type", "application/json")];
            let asked = request(method.parse().unwrap(), path, &lines, Body::from(body));
            heard.push(house.send(asked).await.status.as_u16());
        }
        assert_eq!(heard, expected, "{token}");
    }
}

#[tokio::test]
async fn a_caller_sees_the_workspaces_of_its_token() {
    let house = house();
    let ids = |heard: crate::house::Heard| -> Vec<String> {
        let all = heard.json()["workspaces"].as_array().unwrap().clone();
        all.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids(house.get_as(GUEST, "/v1/workspaces").await), ["other"]);
    assert_eq!(ids(house.get_as(READER, "/v1/workspaces").await), ["demo", "other"]);
}

#[tokio::test]
async fn an_unknown_path_is_404_and_a_wrong_method_405_with_what_would_do() {
    let house = House::open();
    for path in
        ["/nothing", "/v1", "/v1/workspaces/nobody/leads", "/v1/workspaces/demo/elephants", "/v1/workspaces/%ff/leads"]
    {
        assert_eq!(house.get(path).await.problem().0, 404, "{path}");
    }
    for (path, allow) in [("/v1/workspaces/demo/leads", "GET,HEAD"), ("/live", "GET,HEAD"), ("/v1/backup", "POST")] {
        let heard = house.delete(path).await;
        assert_eq!((heard.problem().0, heard.headers["allow"].to_str().unwrap()), (405, allow), "{path}");
    }
}

#[tokio::test]
async fn every_answer_is_sealed() {
    let house = House::open();
    for path in ["/", "/live", "/v1/workspaces", "/nothing", "/console.js", "/v1/workspaces/demo/leads?x=1"] {
        let headers = house.get(path).await.headers;
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        let policy = headers["content-security-policy"].to_str().unwrap();
        for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
            assert!(policy.contains(part), "{path}: {part}");
        }
        assert!(!policy.contains("unsafe"), "{path}");
        assert!(!headers.contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn the_console_holds_no_data_and_no_script_of_its_own() {
    let house = House::open();
    house.lead("<script>alert(1)</script>").await;
    let page = String::from_utf8(house.get("/").await.body.to_vec()).unwrap();
    assert!(page.contains(r#"<script src="/console.js" defer></script>"#) && !page.contains("alert"), "{page}");
    assert_eq!(page.matches("<script").count(), 1);
    let script = String::from_utf8(house.get("/console.js").await.body.to_vec()).unwrap();
    for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"] {
        assert!(!script.contains(markup), "{markup}");
    }
    assert!(!page.contains("data-needs-token"));
    let page = String::from_utf8(self::house().get("/").await.body.to_vec()).unwrap();
    assert!(page.contains("data-needs-token"));
}

#[tokio::test]
async fn a_body_is_bounded_and_must_be_json() {
    let house = House::open();
    let path = "/v1/workspaces/demo/people/ivan/presence";
    let large = format!(r#"{{"present": true{}}}"#, " ".repeat(64 << 10));
    assert_eq!(house.post(path, &large).await.problem().0, 413);
    let long = request(
        Method::POST,
        path,
        &[("content-type", "application/json"), ("content-length", "99999999")],
        Body::empty(),
    );
    assert_eq!(house.send(long).await.problem().0, 413);
    for (lines, status) in [
        (&[][..], 415),
        (&[("content-type", "text/plain")], 415),
        (&[("content-type", "application/json"), ("content-encoding", "gzip")], 415),
        (&[("content-type", "application/JSON; charset=utf-8")], 202),
    ] {
        let asked = request(Method::POST, path, lines, Body::from(r#"{"present": true}"#));
        assert_eq!(house.send(asked).await.status.as_u16(), status, "{lines:?}");
    }
    let nested = "[".repeat(60 << 10);
    for (body, status) in [("", 400), ("{", 400), (nested.as_str(), 422), ("{}", 422), ("null", 422)] {
        assert_eq!(house.post(path, body).await.problem().0, status, "{:.20}", body);
    }
    assert_eq!(house.journalled().len(), 1);
}
