//! Leads, entrances and the books, as they are read.

use crate::house::{House, NOON, touch};
use gateway::desk::{Limits, Scope, Token};
use http::StatusCode;
use secrecy::SecretString;
use std::time::Duration;

const PATH: &str = "/v1/workspaces/demo/leads";

fn names(page: &serde_json::Value) -> Vec<String> {
    let leads = page["leads"].as_array().unwrap();
    leads.iter().map(|lead| lead["contact"]["name"].as_str().unwrap().to_owned()).collect()
}

async fn three(house: &House) {
    for (minute, name) in ["Ann", "Bob", "Eve"].into_iter().enumerate() {
        house.store(touch(name, NOON.plus(Duration::from_mins(minute as u64))), None).await;
    }
    house.decide().await;
}

#[tokio::test]
async fn leads_come_newest_first_and_page_by_page() {
    let house = House::open();
    three(&house).await;
    let first = house.get(&format!("{PATH}?limit=2")).await.json();
    let second = house.get(&format!("{PATH}?limit=2&before={}", first["next"].as_str().unwrap())).await.json();
    assert_eq!((names(&first), names(&second)), (vec!["Eve".into(), "Bob".into()], vec!["Ann".to_owned()]));
    assert!(second["next"].is_null());
}

#[tokio::test]
async fn leads_are_filtered_by_what_staff_ask_for() {
    let house = House::open();
    three(&house).await;
    for (query, count) in [
        ("open=true", 3),
        ("open=false", 0),
        ("channel=site", 3),
        ("channel=bot", 0),
        ("stage=new", 3),
        ("stage=converted", 0),
        ("owner=nobody", 0),
    ] {
        assert_eq!(names(&house.get(&format!("{PATH}?{query}")).await.json()).len(), count, "{query}");
    }
    let of = |who| names_of(&house, who);
    assert_eq!(of("ivan").await + of("anna").await, 3);
    for (query, says) in [("open=1", "`open`: expected true or false"), ("before=x", "this cursor")] {
        assert!(house.get(&format!("{PATH}?{query}")).await.problem().1.starts_with(says), "{query}");
    }
    assert!(house.get(&format!("{PATH}?stage=gone")).await.problem().1.starts_with("`stage`: expected one of `new`"));
}

async fn names_of(house: &House, owner: &str) -> usize {
    names(&house.get(&format!("{PATH}?owner={owner}")).await.json()).len()
}

#[tokio::test]
async fn one_lead_is_shown_and_explained() {
    let house = House::open();
    let id = house.lead("Ann").await;
    let shown = house.get(&format!("{PATH}/{id}")).await.json();
    assert_eq!((shown["lead"]["id"].as_str(), shown.get("trail")), (Some(id.as_str()), None));
    let why = house.get(&format!("{PATH}/{id}/why")).await.json();
    assert_eq!(why["lead"], shown["lead"]);
    let steps: Vec<&str> = why["trail"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| step["what"].as_object().unwrap().keys().next().unwrap().as_str())
        .collect();
    assert_eq!(steps, ["born", "clock", "assigned"]);
    assert_eq!(why["trail"][0]["rules"], "v1");
    let stranger = lead::ids::Uid::derived("a", "b", "c").lead();
    for unknown in [stranger.to_string().as_str(), "nonsense", "%00"] {
        assert_eq!(house.get(&format!("{PATH}/{unknown}")).await.problem().0, 404, "{unknown}");
        assert_eq!(house.get(&format!("{PATH}/{unknown}/why")).await.problem().0, 404, "{unknown}");
    }
}

#[tokio::test]
async fn a_lead_of_one_workspace_is_not_found_in_another() {
    let house = House::open();
    let id = house.lead("Ann").await;
    assert_eq!(house.get(&format!("/v1/workspaces/other/leads/{id}")).await.problem().0, 404);
}

#[tokio::test]
async fn channels_say_who_waits_and_keep_the_key_of_an_address_for_managers() {
    let tokens = [("r", Scope::Read), ("m", Scope::Manage)].map(|(name, scope)| {
        Token::new(name, &SecretString::from(format!("{name}-0123456789abcdef")), vec![scope], None)
    });
    let house = House::with(tokens.into(), Limits::default());
    three(&house).await;
    let path = "/v1/workspaces/demo/channels";
    let read = house.get_as("r-0123456789abcdef", path).await.json();
    let channels = read["channels"].as_array().unwrap();
    assert_eq!(channels[0]["waiting"], serde_json::json!({"leads": 3, "oldest_at": NOON.to_string()}));
    assert_eq!((&channels[0]["responsible"], &channels[1]["secret"]), (&"ivan".into(), &true.into()));
    assert_eq!(channels[0]["url"], "http://127.0.0.1:8080/in/site");
    assert!(channels[3]["url"].is_null() && !read.to_string().contains("k3y"));
    let managed = house.get_as("m-0123456789abcdef", path).await.json();
    assert_eq!(managed["channels"][3]["url"], "http://127.0.0.1:8080/in/keyed.k3y");
    assert!(!managed.to_string().contains("bot-secret"));
}

#[tokio::test]
async fn the_books_count_what_is_under_way_until_it_is_decided() {
    let house = House::open();
    house.lead("Ann").await;
    house.store(touch("Bob", NOON), None).await;
    let path = "/v1/workspaces/demo/books";
    let line = |books: &serde_json::Value| books["channels"][0].clone();
    let before = house.get(path).await.json();
    assert_eq!((line(&before)["accepted"].as_u64(), line(&before)["in_flight"].as_u64()), (Some(2), Some(1)));
    assert_eq!(before["balanced"], true);
    house.decide().await;
    let after = house.get(path).await.json();
    assert_eq!((line(&after)["verdicts"]["lead"].as_i64(), line(&after)["in_flight"].as_u64()), (Some(2), Some(0)));
    assert_eq!((after["balanced"].as_bool(), line(&after)["difference"].as_i64()), (Some(true), Some(0)));
}

#[tokio::test]
async fn presence_and_owners_are_orders_that_the_engine_follows() {
    let house = House::open();
    let away = house.post("/v1/workspaces/demo/people/ivan/presence", r#"{"present": false}"#).await;
    assert_eq!(away.status, StatusCode::ACCEPTED);
    let id = house.lead("Ann").await;
    let owner = async || house.get(&format!("{PATH}/{id}")).await.json()["lead"]["owner"].clone();
    assert_eq!(owner().await, "anna");
    let give = |person: &str| format!(r#"{{"person": "{person}", "reason": "knows her"}}"#);
    assert_eq!(house.post(&format!("{PATH}/{id}/owner"), &give("ivan")).await.status, StatusCode::ACCEPTED);
    house.decide().await;
    assert_eq!(owner().await, "ivan");
    let nobody = house.post(&format!("{PATH}/{id}/owner"), &give("nobody")).await;
    assert_eq!(nobody.problem(), (422, "`person`: nobody of this workspace has this id".to_owned()));
    assert_eq!(house.post("/v1/workspaces/demo/people/nobody/presence", r#"{"present": true}"#).await.problem().0, 404);
    assert_eq!(house.post(&format!("{PATH}/nonsense/owner"), &give("ivan")).await.problem().0, 404);
    house.post(&format!("{PATH}/{id}/feedback"), r#"{"type": "outcome", "outcome": "rejected"}"#).await;
    house.decide().await;
    assert_eq!(house.post(&format!("{PATH}/{id}/owner"), &give("anna")).await.problem().0, 409);
    let commands: Vec<_> = house.journalled().into_iter().filter(|entry| entry.channel.as_str() == "desk").collect();
    assert_eq!(commands.len(), 2);
    assert!(commands.iter().all(|entry| entry.source == "desk" && entry.received_at == NOON));
}
