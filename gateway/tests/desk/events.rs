//! The clean stream: pages, waiting, kept positions, and as it comes.

use crate::house::{Heard, House, NOON, demo, request, touch};
use axum::body::Body;
use gateway::desk::Limits;
use http::{Method, StatusCode};
use http_body_util::BodyExt;
use ledger::Position;
use serde_json::Value;
use std::time::{Duration, Instant};
use tower::ServiceExt;

const PATH: &str = "/v1/workspaces/demo/events";

fn subjects(heard: &Heard) -> Vec<String> {
    assert_eq!(heard.status, StatusCode::OK, "{heard:?}");
    let page = heard.json();
    page["events"].as_array().unwrap().iter().map(|event| event["subject"].as_str().unwrap().to_owned()).collect()
}

fn next(heard: &Heard) -> String {
    heard.json()["next"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_reader_pages_through_every_event_once_and_in_order() {
    let house = House::open();
    let mut born = Vec::new();
    for name in ["Ann", "Bob", "Eve"] {
        born.push(house.lead(name).await);
    }
    let (mut seen, mut path) = (Vec::new(), format!("{PATH}?limit=2"));
    for _ in 0..4 {
        let page = house.get(&path).await;
        seen.extend(subjects(&page));
        path = format!("{PATH}?limit=2&after={}", next(&page));
    }
    assert_eq!(seen, born);
    let event = &house.get(PATH).await.json()["events"][0];
    assert_eq!((event["type"].as_str(), event["specversion"].as_str()), (Some("lead.created"), Some("1.0")));
    assert_eq!(event["data"]["lead"]["contact"]["name"], "Ann");
}

#[tokio::test]
async fn an_event_is_passed_on_byte_for_byte() {
    let house = House::open();
    house.lead("Ann").await;
    let stored = house.ledger.events(&demo(), Position::default(), 1, Duration::ZERO).await.unwrap();
    let body = house.get(PATH).await.body;
    assert!(String::from_utf8(body.to_vec()).unwrap().contains(&stored[0].json));
}

#[tokio::test]
async fn an_empty_page_says_where_to_go_on() {
    let house = House::open();
    let before = house.get(PATH).await;
    assert!(subjects(&before).is_empty());
    let lead = house.lead("Ann").await;
    let after = house.get(&format!("{PATH}?after={}", next(&before))).await;
    assert_eq!(subjects(&after), [lead]);
    let end = house.get(&format!("{PATH}?after={}", next(&after))).await;
    assert_eq!((subjects(&end).len(), next(&end)), (0, next(&after)));
    let newest = house.get(&format!("{PATH}?after=newest")).await;
    assert_eq!((subjects(&newest).len(), next(&newest)), (0, next(&after)));
}

#[tokio::test]
async fn a_page_holds_what_fits_it_and_at_least_one_event() {
    let house = House::with(Vec::new(), Limits { page: 1, ..Limits::default() });
    let (ann, bob) = (house.lead("Ann").await, house.lead("Bob").await);
    let first = house.get(PATH).await;
    let second = house.get(&format!("{PATH}?after={}", next(&first))).await;
    assert_eq!((subjects(&first), subjects(&second)), (vec![ann], vec![bob]));
}

#[tokio::test]
async fn waiting_ends_with_the_first_event_or_in_time() {
    let house = House::open();
    let begun = Instant::now();
    assert!(subjects(&house.get(&format!("{PATH}?wait=100ms")).await).is_empty());
    assert!(begun.elapsed() >= Duration::from_millis(100));
    let path = format!("{PATH}?wait=30s");
    let (page, lead) = tokio::join!(house.get(&path), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.lead("Ann").await
    });
    assert_eq!(subjects(&page), [lead]);
    assert!(begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn stopping_frees_those_who_wait() {
    let house = House::open();
    let path = format!("{PATH}?wait=60s");
    let begun = Instant::now();
    let (page, ()) = tokio::join!(house.get(&path), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.desk.stop.cancel();
    });
    assert!(subjects(&page).is_empty() && begun.elapsed() < Duration::from_secs(20));
}

#[tokio::test]
async fn only_so_many_may_wait_and_stream() {
    let house = House::with(Vec::new(), Limits { waits: 0, streams: 0, ..Limits::default() });
    let waiting = house.get(&format!("{PATH}?wait=1s")).await;
    assert_eq!(waiting.problem().0, 503);
    assert!(waiting.headers.contains_key("retry-after"));
    let stream = request(Method::GET, PATH, &[("accept", "text/event-stream")], Body::empty());
    assert_eq!(house.send(stream).await.problem().0, 503);
    assert_eq!(house.get(PATH).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_wrong_question_hears_what_was_expected() {
    let house = House::open();
    let foreign = next(&house.get("/v1/workspaces/other/events").await);
    for (query, says) in [
        ("after=7", "this cursor is not one of this list's"),
        (format!("after={foreign}").as_str(), "this cursor is not one of this list's"),
        ("limit=0", "`limit`: expected a number from 1 to 1000"),
        ("wait=30", "`wait`: expected a duration up to 1m"),
        ("wait=61s", "`wait`: expected a duration up to 1m"),
        ("consumer=../x", "a consumer's name has a-z, 0-9, - and _, up to 64"),
        ("lmit=1", "an unknown parameter; expected `after`, `limit`, `wait`, `consumer`"),
        ("limit=1&limit=2", "`limit` is given twice"),
    ] {
        assert_eq!(house.get(&format!("{PATH}?{query}")).await.problem(), (422, says.to_owned()), "{query}");
    }
    let resumed = [("accept", "text/event-stream"), ("last-event-id", "7")];
    assert_eq!(house.send(request(Method::GET, PATH, &resumed, Body::empty())).await.problem().0, 422);
}

#[tokio::test]
async fn a_consumers_position_is_moved_by_its_word_only() {
    let house = House::open();
    let (ann, bob) = (house.lead("Ann").await, house.lead("Bob").await);
    let path = format!("{PATH}?consumer=crm&limit=1");
    let ack = "/v1/workspaces/demo/consumers/crm/ack";
    let first = house.get(&path).await;
    assert_eq!(subjects(&first), [ann.as_str()]);
    assert_eq!(subjects(&house.get(&path).await), [ann.as_str()], "reading moves nothing");
    let to = |cursor: &str, more: &str| format!(r#"{{"cursor": "{cursor}"{more}}}"#);
    let moved = house.post(ack, &to(&next(&first), "")).await;
    assert_eq!((moved.status, next(&moved)), (StatusCode::OK, next(&first)));
    let second = house.get(&path).await;
    assert_eq!(subjects(&second), [bob.as_str()]);
    house.post(ack, &to(&next(&second), "")).await;
    let back = house.post(ack, &to(&next(&first), "")).await;
    assert_eq!(next(&back), next(&second), "it never moves back");
    assert!(subjects(&house.get(&path).await).is_empty());
    house.post(ack, &to(&next(&first), r#", "rewind": true"#)).await;
    assert_eq!(subjects(&house.get(&path).await), [bob]);
    assert_eq!(subjects(&house.get(&format!("{path}&after={}", next(&first))).await).len(), 1);
    assert_eq!(house.post(ack, &to("7", "")).await.problem().0, 422);
}

#[tokio::test]
async fn names_of_consumers_cannot_be_made_up_without_end() {
    let house = House::with(Vec::new(), Limits { consumers: 2, ..Limits::default() });
    house.lead("Ann").await;
    let body = format!(r#"{{"cursor": "{}"}}"#, next(&house.get(PATH).await));
    let mut heard = Vec::new();
    for name in ["one", "two", "three", "crm", "one"] {
        heard.push(house.post(&format!("/v1/workspaces/demo/consumers/{name}/ack"), &body).await.status.as_u16());
    }
    assert_eq!(heard, [200, 200, 409, 200, 200]);
}

/// Reads a stream until `count` events have come; their ids and types.
async fn stream(house: &House, lines: &[(&str, &str)], count: usize) -> Vec<(String, String, Value)> {
    let mut all = vec![("accept", "text/event-stream")];
    all.extend(lines);
    let asked = request(Method::GET, PATH, &all, Body::empty());
    let mut body = house.router.clone().oneshot(asked).await.unwrap().into_body();
    let (mut text, mut seen) = (String::new(), Vec::new());
    while seen.len() < count {
        let frame = tokio::time::timeout(Duration::from_secs(10), body.frame()).await.expect("it comes in time");
        text.push_str(std::str::from_utf8(&frame.unwrap().unwrap().into_data().unwrap()).unwrap());
        let Some((whole, rest)) = text.rsplit_once("\n\n") else { continue };
        for block in whole.split("\n\n") {
            let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
            if let (Some(id), Some(kind), Some(data)) = (field("id: "), field("event: "), field("data: ")) {
                seen.push((id, kind, serde_json::from_str(&data).unwrap()));
            }
        }
        text = rest.to_owned();
    }
    seen
}

#[tokio::test]
async fn a_stream_tells_as_it_happens_and_resumes_where_it_broke() {
    let house = House::open();
    let ann = house.lead("Ann").await;
    let (seen, bob) = tokio::join!(stream(&house, &[], 2), async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        house.lead("Bob").await
    });
    let leads: Vec<&str> = seen.iter().map(|(_, _, event)| event["subject"].as_str().unwrap()).collect();
    assert_eq!((leads, seen[0].1.as_str()), (vec![ann.as_str(), bob.as_str()], "lead.created"));
    let again = stream(&house, &[("last-event-id", &seen[0].0)], 1).await;
    assert_eq!(again[0], seen[1]);
    assert_eq!(next(&house.get(&format!("{PATH}?limit=1")).await), seen[0].0, "one kind of cursor for both");
}

#[tokio::test]
async fn a_silent_stream_says_that_it_lives_and_ends_with_the_desk() {
    let limits = Limits { keep_alive: Duration::from_millis(20), streams: 1, ..Limits::default() };
    let house = House::with(Vec::new(), limits);
    let asked = || request(Method::GET, PATH, &[("accept", "text/html, text/event-stream;q=0.9")], Body::empty());
    let response = house.router.clone().oneshot(asked()).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body();
    let mut said = Vec::new();
    for _ in 0..3 {
        said.extend(body.frame().await.unwrap().unwrap().into_data().unwrap());
    }
    assert_eq!(String::from_utf8(said).unwrap(), "retry: 2000\n: open\n\n: alive\n\n: alive\n\n");
    house.desk.stop.cancel();
    let rest = tokio::time::timeout(Duration::from_secs(5), body.collect()).await.expect("it ends").unwrap();
    assert!(rest.to_bytes().len() <= ": alive\n\n".len());
    let entry = touch("Ann", NOON);
    house.store(entry, None).await;
}
