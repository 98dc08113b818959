//! Whom we keep out: one by one, many at once, and how the list shows it.

use crate::house::{House, NOON};
use http::StatusCode;
use lead::entry::{Order, Signal};

const PATH: &str = "/v1/workspaces/demo/exclusions";

fn lines(page: &serde_json::Value) -> Vec<(String, String)> {
    let text = |one: &serde_json::Value, name: &str| one[name].as_str().unwrap().to_owned();
    page["exclusions"].as_array().unwrap().iter().map(|one| (text(one, "match"), text(one, "origin"))).collect()
}

fn pair(matcher: &str, origin: &str) -> (String, String) {
    (matcher.to_owned(), origin.to_owned())
}

#[tokio::test]
async fn a_line_is_stored_in_its_normal_form_and_removed_in_any_spelling() {
    let house = House::open();
    let body = r#"{"match": "phone:8 (495) 000-00-00", "reason": "supplier", "expires_at": "2027-01-01T00:00:00Z"}"#;
    assert_eq!(house.post(PATH, body).await.status, StatusCode::ACCEPTED);
    house.decide().await;
    let page = house.get(PATH).await.json();
    assert_eq!(lines(&page), [pair("domain:spam.example", "file"), pair("phone:+74950000000", "desk")]);
    let line = &page["exclusions"][1];
    assert_eq!((line["by"].as_str(), line["reason"].as_str()), (Some("desk"), Some("supplier")));
    assert_eq!(line["expires_at"], "2027-01-01T00:00:00.000Z");
    let removed = house.delete(&format!("{PATH}?match=phone:%2B7%20495%20000%2000%2000")).await;
    assert_eq!(removed.status, StatusCode::ACCEPTED);
    house.decide().await;
    assert_eq!(lines(&house.get(PATH).await.json()), [pair("domain:spam.example", "file")]);
}

#[tokio::test]
async fn the_list_pages_over_both_of_its_sources() {
    let house = House::open();
    for matcher in ["email:a@b.example", "domain:spam.example", "email:c@d.example", "domain:a.example"] {
        house.post(PATH, &format!(r#"{{"match": "{matcher}", "reason": "x"}}"#)).await;
    }
    house.decide().await;
    let (mut seen, mut path) = (Vec::new(), format!("{PATH}?limit=1"));
    for _ in 0..4 {
        let page = house.get(&path).await.json();
        seen.extend(lines(&page));
        path = format!("{PATH}?limit=1&after={}", page["next"].as_str().unwrap());
    }
    let all = [
        pair("domain:a.example", "desk"),
        pair("domain:spam.example", "file"),
        pair("email:a@b.example", "desk"),
        pair("email:c@d.example", "desk"),
    ];
    assert_eq!(seen, all);
    let end = house.get(&path).await.json();
    assert!(lines(&end).is_empty() && end["next"].is_null());
}

#[tokio::test]
async fn what_the_file_says_is_removed_in_the_file() {
    let house = House::open();
    let path = format!("{PATH}?match=domain:SPAM.example");
    assert_eq!(house.delete(&path).await.problem().0, 409);
    house.post(PATH, r#"{"match": "domain:spam.example", "reason": "again"}"#).await;
    house.decide().await;
    assert_eq!(house.delete(&path).await.status, StatusCode::ACCEPTED);
}

#[tokio::test]
async fn what_was_never_listed_is_not_removed_and_no_order_is_given() {
    let house = House::open();
    let path = format!("{PATH}?match=domain:stranger.example");
    assert_eq!(house.delete(&path).await.problem(), (404, "this is not excluded".to_owned()));
    assert!(house.journalled().is_empty());
}

#[tokio::test]
async fn a_last_day_ends_at_midnight_where_the_company_is() {
    let house = House::open();
    for body in [
        r#"{"match": "domain:a.example", "reason": "x", "expires": "2027-01-01"}"#.to_owned(),
        r#"{"entries": [{"match": "domain:b.example", "reason": "x", "expires": "2027-01-01"}]}"#.to_owned(),
    ] {
        let path = if body.contains("entries") { format!("{PATH}/import") } else { PATH.to_owned() };
        assert_eq!(house.post(&path, &body).await.status, StatusCode::ACCEPTED);
    }
    let ends = house.journalled().into_iter().map(|entry| match entry.signal {
        Signal::Command(command) => match command.order {
            Order::Exclude { expires_at, .. } => expires_at.map(|at| at.to_string()).unwrap_or_default(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    });
    // The house of these tests lives in Moscow's hours.
    assert_eq!(ends.collect::<Vec<_>>(), ["2027-01-01T21:00:00.000Z"; 2]);
}

#[tokio::test]
async fn a_wrong_line_is_refused_with_the_reason() {
    let house = House::open();
    for (body, says) in [
        (r#"{"match": "phone:abc", "reason": "x"}"#, "this is not a phone number"),
        (r#"{"match": "ip:1.2.3.4", "reason": "x"}"#, "expected `phone:`, `email:`"),
        (r#"{"match": "domain:a.example", "reason": " "}"#, "`reason`: expected 1 to 500"),
        (
            r#"{"match": "domain:a.example", "reason": "x", "expires_at": "2020-01-01T00:00:00Z"}"#,
            "`expires_at` is past",
        ),
        (r#"{"match": "domain:a.example"}"#, "missing field `reason`"),
    ] {
        let (status, detail) = house.post(PATH, body).await.problem();
        assert_eq!((status, detail.starts_with(says)), (422, true), "{body}: {detail}");
    }
    for (expires, says) in [
        (r#""expires": "soon""#, "`expires`: expected a day like 2027-12-31"),
        (r#""expires": "2020-01-01""#, "`expires` is past"),
        (
            r#""expires": "2099-01-01", "expires_at": "2099-01-01T00:00:00Z""#,
            "either `expires` or `expires_at`, not both",
        ),
    ] {
        let body = format!(r#"{{"match": "domain:a.example", "reason": "x", {expires}}}"#);
        assert_eq!(house.post(PATH, &body).await.problem(), (422, says.to_owned()));
    }
    assert_eq!(house.delete(PATH).await.problem().1, "`match` is missing");
    assert_eq!(house.delete(&format!("{PATH}?match=x")).await.problem().0, 422);
    assert!(house.journalled().is_empty());
}

#[tokio::test]
async fn an_import_is_all_or_nothing() {
    let house = House::open();
    let path = format!("{PATH}/import");
    let good: Vec<String> =
        (0..500).map(|n| format!(r#"{{"match": "email:a{n}@b.example", "reason": "bought list"}}"#)).collect();
    let list = |lines: &[String]| format!(r#"{{"entries": [{}]}}"#, lines.join(","));
    let mut bad = good.clone();
    bad[6] = r#"{"match": "email:nobody", "reason": "x"}"#.to_owned();
    bad[499] = r#"{"match": "domain:a.example", "reason": ""}"#.to_owned();
    let refused = house.post(&path, &list(&bad)).await;
    assert_eq!(refused.problem(), (422, "2 of 500 lines are wrong; nothing was imported".to_owned()));
    let told: Vec<u64> =
        refused.json()["errors"].as_array().unwrap().iter().map(|one| one["line"].as_u64().unwrap()).collect();
    assert_eq!((told, house.journalled().len()), (vec![7, 500], 0));
    let taken = house.post(&path, &list(&good)).await;
    assert_eq!((taken.status, taken.json()["accepted"].as_u64()), (StatusCode::ACCEPTED, Some(500)));
    let entries = house.journalled();
    assert_eq!(entries.len(), 500);
    assert!(entries.iter().all(|entry| entry.received_at == NOON
        && matches!(&entry.signal, Signal::Command(command)
        if matches!(&command.order, Order::Exclude { reason, .. } if reason == "bought list"))));
    assert_eq!(house.post(&path, r#"{"entries": []}"#).await.problem().0, 422);
}
