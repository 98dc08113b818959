//! Does every kind of knock hear what it should?

use crate::house::{House, body, config, header, status};
use gateway::config::Config;
use gateway::synthetic;
use lead::entry::{Signal, Synthetic};
use lead::ids::Uid;

fn uid(answer: &str) -> Uid {
    let json: serde_json::Value = serde_json::from_str(body(answer)).unwrap();
    assert_eq!(json["status"], "accepted");
    Uid::parse(json["id"].as_str().unwrap()).unwrap()
}

#[tokio::test]
async fn a_taken_knock_hears_its_id_and_a_redelivery_hears_the_same() {
    let house = House::open(config()).await;
    let first = house.post("/in/form", "", "Ann").await;
    assert_eq!((status(&first), header(&first, "content-type")), (200, Some("application/json")));
    assert_ne!(uid(&first), uid(&house.post("/in/form", "", "Ann").await));

    let lines = "x-proof: good\r\nx-id: E1\r\n";
    let (one, two) = (house.post("/in/hook", lines, "Ann").await, house.post("/in/hook", lines, "Ann").await);
    assert_eq!(uid(&one), uid(&two));
    assert_eq!((house.accepted("form"), house.accepted("hook")), (2, 2));

    let rows = house.rows();
    assert_eq!(rows.len(), 4);
    assert_eq!(rows[0].entry.uid, uid(&first), "what was said is what was stored");
    assert_eq!((rows[0].entry.channel.as_str(), rows[0].entry.source.as_str()), ("form", "test-form"));
    assert_eq!(house.raw(&rows[0]).as_deref(), Some(b"Ann".as_slice()));
    assert!(rows.is_sorted_by_key(|row| row.entry.received_at));
}

#[tokio::test]
async fn what_is_not_believed_looks_alike_from_outside() {
    let house = House::open(config()).await;
    let mut bodies = Vec::new();
    for (lines, expected) in [
        ("", 401),
        ("x-proof: wrong\r\n", 401),
        ("x-proof: stale\r\n", 401),
        ("x-proof: good\r\nx-proof: wrong\r\n", 401),
        ("x-proof: malformed\r\n", 400),
        ("x-proof: no-secret\r\n", 503),
        ("x-proof: good\r\n", 200),
    ] {
        let answer = house.post("/in/hook", lines, "Ann").await;
        assert_eq!(status(&answer), expected, "{lines:?} {answer}");
        if expected == 401 {
            bodies.push(body(&answer).to_owned());
        }
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!((house.refused("hook", "unauthorized"), house.accepted("hook")), (4, 1));
}

#[tokio::test]
async fn a_request_that_cannot_be_read_is_refused_or_kept_by_who_sent_it() {
    let house = House::open(config()).await;
    let good = "x-proof: good\r\n";
    for (path, lines, text, expected) in [
        ("/in/form", "", "", 400),
        ("/in/form", "", "unreadable", 400),
        ("/in/form", "", "parts", 413),
        ("/in/form", "content-type: text/odd\r\n", "Ann", 415),
        ("/in/hook", good, "", 400),
        ("/in/hook", good, "boring", 200),
        ("/in/hook", good, "unreadable", 200),
    ] {
        let answer = house.post(path, lines, text).await;
        assert_eq!(status(&answer), expected, "{path} {text} {answer}");
        if expected >= 400 {
            assert_eq!(header(&answer, "content-type"), Some("application/problem+json"), "{answer}");
        }
    }
    let rows = house.rows();
    let [kept] = rows.as_slice() else { panic!("only the unreadable one is kept, not {}", rows.len()) };
    let Signal::Unreadable(why) = &kept.entry.signal else { panic!("it is kept as unreadable") };
    assert_eq!((why.reason.as_str(), why.content_type.as_deref()), ("depth", Some("text/plain")));
    assert_eq!(house.raw(kept).as_deref(), Some(b"unreadable".as_slice()));
    assert_eq!(house.gateway.metrics.ignored.with_label_values(&["demo", "hook"]).get(), 1);
}

#[tokio::test]
async fn a_bug_in_a_reader_costs_one_request_and_nothing_else() {
    let house = House::open(config()).await;
    assert_eq!(status(&house.post("/in/form", "", "bug").await), 500);
    assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200);
    assert_eq!(house.gateway.admission.requests.used(), 0);
}

#[tokio::test]
async fn a_path_leads_to_its_channel_or_nowhere() {
    let house = House::open(config()).await;
    for (path, expected) in [
        ("/in/form", 200),
        ("/in/form/", 200),
        ("/in/form/events/call", 200),
        ("/in/keyed.k3y", 200),
        ("/in/keyed", 404),
        ("/in/keyed.", 404),
        ("/in/keyed.k3x", 404),
        ("/in/form.k3y", 404),
        ("/in/nobody", 404),
        ("/in/", 404),
        ("/in/gone", 503),
        ("/in/paused", 503),
        ("/", 404),
        ("/metrics", 404),
        ("/in/..;/form", 404),
        ("/in/form/..;/x", 404),
        ("/in/../in/form", 404),
        ("/in/form%00", 404),
        ("/in/%2566orm", 404),
        ("/in/f%6Frm", 404),
        ("//in/form", 404),
    ] {
        let answer = house.post(path, "", "Ann").await;
        assert_eq!(status(&answer), expected, "{path} {answer}");
        assert_eq!(header(&answer, "retry-after").is_some(), expected == 503, "{path}");
    }
    assert_eq!(house.refused("keyed", "not_found"), 3);
    assert!(house.refused("", "not_found") >= 10);
    assert_eq!(house.refused("nobody", "not_found"), 0, "an unknown channel makes no series");
}

#[tokio::test]
async fn another_method_is_told_which_are_taken() {
    let house = House::open(config()).await;
    for (method, path, expected, allow) in [
        ("GET", "/in/form", 405, Some("POST")),
        ("PUT", "/in/hook", 405, Some("POST")),
        ("OPTIONS", "/in/hook", 405, Some("POST")),
        ("HEAD", "/in/form", 405, Some("POST")),
        ("POST", "/live", 405, Some("GET, HEAD")),
        ("GET", "/live", 200, None),
        ("HEAD", "/live", 200, None),
    ] {
        let answer = house.say(format!("{method} {path} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")).await;
        assert_eq!((status(&answer), header(&answer, "allow")), (expected, allow), "{method} {path}");
    }
}

#[tokio::test]
async fn only_configured_hosts_are_served_and_a_load_balancer_may_ask_by_address() {
    let house = House::open(Config { hosts: vec!["leads.example".into()], ..config() }).await;
    let get = |line: &str| format!("GET /live HTTP/1.1\r\n{line}connection: close\r\n\r\n");
    let post = |host: &str| format!("POST /in/form HTTP/1.1\r\n{host}connection: close\r\ncontent-length: 0\r\n\r\n");
    for (request, expected) in [
        (post("host: leads.example\r\n"), 415),
        (post("host: LEADS.example:8080\r\n"), 415),
        (post("host: other.example\r\n"), 421),
        (post(""), 421),
        (post("host: leads.example\r\nhost: other.example\r\n"), 400),
        (get("host: 10.0.0.1\r\n"), 200),
    ] {
        assert_eq!(status(&house.say(&request).await), expected, "{request}");
    }
}

#[tokio::test]
async fn a_form_answers_the_pages_it_knows() {
    let house = House::open(config()).await;
    let ask = |channel: &str, origin: &str| {
        format!(
            "OPTIONS /in/{channel} HTTP/1.1\r\nhost: a\r\nconnection: close\r\norigin: {origin}\r\n\
             access-control-request-method: POST\r\n\r\n"
        )
    };
    let allowed = "access-control-allow-origin";
    for (channel, origin, expected) in [
        ("form", "https://any.example", Some("*")),
        ("listed", "https://shop.example", Some("https://shop.example")),
        ("listed", "https://evil.example", None),
    ] {
        let preflight = house.say(ask(channel, origin)).await;
        assert_eq!((status(&preflight), header(&preflight, allowed)), (204, expected), "{origin}");
        let posted = house.post(&format!("/in/{channel}"), &format!("origin: {origin}\r\n"), "Ann").await;
        let answered = if expected.is_some() { 200 } else { 403 };
        assert_eq!((status(&posted), header(&posted, allowed)), (answered, expected), "{origin}");
    }
    let refused = house.post("/in/form", "origin: https://a.example\r\n", "").await;
    assert_eq!((status(&refused), header(&refused, allowed)), (400, Some("*")), "a page can read why");
    assert_eq!(status(&house.post("/in/listed", "", "Ann").await), 200, "a plain post names no origin");
}

#[tokio::test]
async fn the_demo_page_is_served_sealed() {
    let house = House::open(config()).await;
    let page = house.say("GET /demo?utm_source=spring HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&page), 200);
    assert!(body(&page).contains(r#"value="spring""#), "{page}");
    assert!(header(&page, "content-security-policy").unwrap().starts_with("default-src 'none'"));
    assert_eq!(header(&page, "x-content-type-options"), Some("nosniff"));
    house.gateway.channels.store(Default::default());
    let page = house.say("GET /demo HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n").await;
    assert_eq!(status(&page), 404, "without the demo workspace there is no demo page");
}

#[tokio::test]
async fn a_mark_of_ours_is_kept_and_a_wrong_one_is_no_reason_to_refuse() {
    let house = House::open(config()).await;
    let now = house.gateway.clock.now();
    let good = synthetic::mark(&house.gateway.pepper, Synthetic::Technical, "form", now);
    for mark in [good.as_str(), "technical.1.00", "nonsense", ""] {
        let answer = house.post("/in/form", &format!("{}: {mark}\r\n", synthetic::HEADER), "Ann").await;
        assert_eq!(status(&answer), 200, "{mark}");
    }
    let marks: Vec<_> = house.rows().iter().map(|row| row.entry.synthetic).collect();
    assert_eq!(marks, [Some(Synthetic::Technical), None, None, None]);
}

#[tokio::test]
async fn a_journal_that_does_not_take_rows_is_never_answered_2xx() {
    let house = House::open(config()).await;
    assert_eq!(status(&house.post("/in/form", "", "Ann").await), 200);
    house.gateway.journal.close().await;
    for (path, lines) in [("/in/form", ""), ("/in/hook", "x-proof: good\r\n")] {
        let answer = house.post(path, lines, "Bob").await;
        assert_eq!((status(&answer), header(&answer, "retry-after").is_some()), (503, true), "{answer}");
    }
    assert_eq!((house.refused("form", "journal"), house.refused("hook", "journal")), (1, 1));
    assert_eq!((house.accepted("form"), house.accepted("hook")), (1, 0));
}
