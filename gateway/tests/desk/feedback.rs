//! What consumers say of leads.

use crate::house::{House, NOON};
use http::StatusCode;
use lead::entry::Signal;
use lead::ids::Uid;

async fn told(house: &House, id: &str, lines: &[(&str, &str)], body: &str) -> crate::house::Heard {
    house.post_with(&format!("/v1/workspaces/demo/leads/{id}/feedback"), lines, body).await
}

#[tokio::test]
async fn a_contact_that_is_reported_stops_the_clock() {
    let house = House::open();
    let id = house.lead("Ann").await;
    let heard = told(&house, &id, &[], r#"{"type": "contact", "by": "ivan"}"#).await;
    assert_eq!(heard.status, StatusCode::ACCEPTED);
    let entry = house.journalled().pop().unwrap();
    assert_eq!(heard.json()["id"], entry.uid.to_string());
    assert_eq!((entry.channel.as_str(), entry.source.as_str(), entry.received_at), ("site", "desk", NOON));
    assert!(matches!(&entry.signal, Signal::Feedback(said) if said.at == NOON && said.by.as_deref() == Some("ivan")));
    house.decide().await;
    let lead = &house.get(&format!("/v1/workspaces/demo/leads/{id}")).await.json()["lead"];
    assert_eq!((lead["stage"].as_str(), lead["contacted_by"].as_str()), (Some("contacted"), Some("ivan")));
}

#[tokio::test]
async fn the_same_key_is_the_same_report_for_the_same_lead_only() {
    let house = House::open();
    let (ann, bob) = (house.lead("Ann").await, house.lead("Bob").await);
    let say = async |id: &str, key| {
        let heard = told(&house, id, &[("idempotency-key", key)], r#"{"type": "attempt"}"#).await;
        heard.json()["id"].as_str().unwrap().to_owned()
    };
    let first = say(&ann, "k1").await;
    assert_eq!(first, Uid::derived("site", "feedback:k1", &ann).to_string());
    assert_eq!(first, say(&ann, "k1").await);
    assert_ne!(first, say(&ann, "k2").await);
    assert_ne!(first, say(&bob, "k1").await);
    let plain = [
        told(&house, &ann, &[], r#"{"type": "attempt"}"#).await,
        told(&house, &ann, &[], r#"{"type": "attempt"}"#).await,
    ];
    assert_ne!(plain[0].body, plain[1].body);
}

#[tokio::test]
async fn feedback_that_makes_no_sense_is_refused_and_leaves_nothing() {
    let house = House::open();
    let id = house.lead("Ann").await;
    let before = house.journalled().len();
    let long = "x".repeat(256);
    for (lines, body, status, says) in [
        (&[][..], r#"{"type": "stage"}"#, 422, "`stage` is missing"),
        (&[], r#"{"type": "stage", "stage": "+79161234567"}"#, 422, "expected one of `new`"),
        (&[], "not json", 400, "at line 1 column 2"),
        (&[("idempotency-key", "")], r#"{"type": "attempt"}"#, 422, "`Idempotency-Key`: expected one value"),
        (&[("idempotency-key", &long)], r#"{"type": "attempt"}"#, 422, "`Idempotency-Key`: expected one value"),
        (&[("idempotency-key", "a"), ("idempotency-key", "b")], r#"{"type": "attempt"}"#, 422, "`Idempotency-Key`"),
    ] {
        let (found, detail) = told(&house, &id, lines, body).await.problem();
        assert_eq!((found, detail.starts_with(says)), (status, true), "{body}: {detail}");
        assert!(!detail.contains("7916"));
    }
    let unknown = lead::ids::Uid::derived("a", "b", "c").lead().to_string();
    for id in [unknown.as_str(), "nonsense"] {
        assert_eq!(told(&house, id, &[], r#"{"type": "attempt"}"#).await.problem().0, 404);
    }
    assert_eq!(house.journalled().len(), before);
}

#[tokio::test]
async fn a_journal_that_is_closed_answers_503_with_a_time_to_come_back() {
    let house = House::open();
    let id = house.lead("Ann").await;
    house.journal.close().await;
    let heard = told(&house, &id, &[], r#"{"type": "attempt"}"#).await;
    assert_eq!(heard.problem().0, 503);
    assert!(heard.headers.contains_key("retry-after"));
}
