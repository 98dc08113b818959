//! What was set aside, and its way back.

use crate::house::{House, NOON, touch, unreadable};
use data_encoding::BASE64;
use http::StatusCode;
use lead::entry::Signal;
use serde_json::json;

const DEAD: &str = "/v1/workspaces/demo/dead";
const QUARANTINE: &str = "/v1/workspaces/demo/quarantine";

#[tokio::test]
async fn a_dead_letter_is_shown_tried_again_and_gone_from_the_list() {
    let house = House::open();
    let entry = touch("Ann", NOON);
    house.store(entry.clone(), Some(b"name=Ann")).await;
    house.bury().await;
    let list = house.get(DEAD).await.json();
    assert_eq!(list["entries"][0]["uid"], entry.uid.to_string());
    assert_eq!((&list["entries"][0]["reason"], &list["entries"][0]["bytes"]), (&json!("deciding failed"), &json!(8)));
    let path = format!("{DEAD}/{}", entry.uid);
    let shown = house.get(&path).await.json();
    assert_eq!((&shown["raw_base64"], &shown["attempts"]), (&json!(BASE64.encode(b"name=Ann")), &json!(4)));
    assert_eq!(shown["entry"]["uid"], entry.uid.to_string());

    let retried = house.post(&format!("{path}/retry"), "").await;
    assert_eq!(retried.status, StatusCode::ACCEPTED);
    let again = house.journalled().pop().unwrap();
    assert_eq!(retried.json()["id"], again.uid.to_string());
    assert_ne!(again.uid, entry.uid);
    assert_eq!((again.received_at, &again.signal), (entry.received_at, &entry.signal));
    assert!(house.get(DEAD).await.json()["entries"].as_array().unwrap().is_empty());
    assert_eq!(house.post(&format!("{path}/retry"), "").await.problem().0, 404);

    house.decide().await;
    assert_eq!(house.get(&format!("/v1/workspaces/demo/leads/{}", again.uid.lead())).await.status, StatusCode::OK);
    assert_eq!(house.get("/v1/workspaces/demo/books").await.json()["balanced"], true);
}

#[tokio::test]
async fn a_retry_that_dies_again_can_be_retried_again() {
    let house = House::open();
    house.store(touch("Ann", NOON), None).await;
    house.bury().await;
    let mut uids = Vec::new();
    for _ in 0..3 {
        let uid = house.get(DEAD).await.json()["entries"][0]["uid"].as_str().unwrap().to_owned();
        assert_eq!(house.post(&format!("{DEAD}/{uid}/retry"), "").await.status, StatusCode::ACCEPTED);
        house.bury().await;
        assert!(!uids.contains(&uid));
        uids.push(uid);
    }
}

#[tokio::test]
async fn a_long_list_pages_newest_first() {
    let house = House::open();
    let names: Vec<String> = (0..25).map(|n| format!("P{n}")).collect();
    for name in &names {
        house.store(touch(name, NOON), None).await;
    }
    house.bury().await;
    let (mut seen, mut path, mut pages) = (Vec::new(), format!("{DEAD}?limit=12"), 0);
    loop {
        let page = house.get(&path).await.json();
        seen.extend(page["entries"].as_array().unwrap().iter().map(|one| one["uid"].as_str().unwrap().to_owned()));
        pages += 1;
        let Some(next) = page["next"].as_str() else { break };
        path = format!("{DEAD}?limit=12&before={next}");
    }
    let newest_first: Vec<String> = names.iter().rev().map(|name| touch(name, NOON).uid.to_string()).collect();
    assert_eq!((seen, pages), (newest_first, 3));
}

#[tokio::test]
async fn what_can_be_read_now_leaves_quarantine() {
    let house = House::open();
    let update = json!({
        "update_id": 7,
        "message": {"date": 1_795_262_400, "chat": {"id": 5, "type": "private"}, "from": {"id": 5, "first_name": "Ann"}, "text": "hello"},
    });
    let raw = update.to_string();
    let entry = unreadable("bot", "one", "application/json");
    house.store(entry.clone(), Some(raw.as_bytes())).await;
    house.decide().await;
    let path = format!("{QUARANTINE}/{}", entry.uid);
    let shown = house.get(&path).await.json();
    assert_eq!((&shown["content_type"], &shown["entry"]), (&json!("application/json"), &json!(null)));
    let released = house.post(&format!("{path}/release"), "").await;
    assert_eq!(released.status, StatusCode::ACCEPTED, "{released:?}");
    let read = house.journalled().pop().unwrap();
    assert_eq!((read.channel.as_str(), read.received_at), ("bot", NOON));
    assert!(matches!(&read.signal, Signal::Touch(touch) if touch.text.as_deref() == Some("hello")));
    assert_eq!(released.json()["ids"], json!([read.uid.to_string()]));
    assert_eq!(house.get(&path).await.problem().0, 404);
    house.decide().await;
    let books = house.get("/v1/workspaces/demo/books").await.json();
    assert_eq!((&books["balanced"], &books["channels"][0]["verdicts"]["lead"]), (&json!(true), &json!(1)));
}

#[tokio::test]
async fn what_still_cannot_be_read_stays_with_the_reason() {
    let house = House::open();
    let before = async |entry: &lead::entry::Entry, raw: Option<&[u8]>| {
        house.store(entry.clone(), raw).await;
        house.decide().await;
        house.post(&format!("{QUARANTINE}/{}/release", entry.uid), "").await.problem()
    };
    let broken = unreadable("bot", "broken", "application/json");
    assert_eq!(
        before(&broken, Some(b"{")).await,
        (422, "it still cannot be read: the JSON has not the expected shape".to_owned())
    );
    let bare = unreadable("bot", "bare", "application/json");
    assert_eq!(before(&bare, None).await.1, "its bytes are not kept any more");
    let gone = unreadable("gone", "gone", "application/json");
    assert_eq!(before(&gone, Some(b"{}")).await.1, "its channel is not configured any more");
    assert_eq!(house.get(QUARANTINE).await.json()["entries"].as_array().unwrap().len(), 3);
    assert_eq!(house.journalled().len(), 3);
}

#[tokio::test]
async fn a_dead_letter_is_not_found_in_quarantine_nor_the_other_way_round() {
    let house = House::open();
    let (dead, quarantined) = (touch("Ann", NOON), unreadable("bot", "one", "application/json"));
    house.store(dead.clone(), None).await;
    house.bury().await;
    house.store(quarantined.clone(), Some(b"{")).await;
    house.decide().await;
    for path in [format!("{QUARANTINE}/{}", dead.uid), format!("{DEAD}/{}", quarantined.uid), format!("{DEAD}/x")] {
        assert_eq!(house.get(&path).await.problem().0, 404, "{path}");
    }
}
