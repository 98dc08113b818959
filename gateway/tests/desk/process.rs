//! Health, metrics, samples and backups.

use crate::house::{House, NOON};
use gateway::sources::{self, Request};
use gateway::synthetic;
use http::{HeaderMap, HeaderName, StatusCode};
use lead::entry::{Signal, Synthetic};
use lead::identity::Pepper;
use serde_json::json;

#[tokio::test]
async fn ready_is_what_the_parts_last_said() {
    let house = House::open();
    assert_eq!(house.get("/live").await.status, StatusCode::OK);
    let starting = house.get("/ready").await;
    assert_eq!((starting.status, &starting.json()["ready"]), (StatusCode::SERVICE_UNAVAILABLE, &json!(false)));
    house.ready.started();
    house.ready.note("rules of demo", false);
    let ready = house.get("/ready").await;
    assert_eq!((ready.status, &ready.json()["ready"]), (StatusCode::OK, &json!(true)));
    assert_eq!(ready.json()["parts"]["rules of demo"], json!({"up": false, "needed": false}));
    house.ready.need("engine", false);
    assert_eq!(house.get("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    house.ready.need("engine", true);
    house.desk.stop.cancel();
    let stopping = house.get("/ready").await;
    assert_eq!(
        (stopping.status, &stopping.json()["parts"]["serving"]["up"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!(false))
    );
    assert_eq!(house.get("/live").await.status, StatusCode::OK);
}

#[tokio::test]
async fn asking_for_health_and_metrics_writes_nothing() {
    let house = House::open();
    let before = *house.journal.newest().borrow();
    for path in ["/live", "/ready", "/metrics"] {
        house.get(path).await;
    }
    assert_eq!((*house.journal.newest().borrow(), house.journalled().len()), (before, 0));
}

#[tokio::test]
async fn metrics_count_requests_by_pattern() {
    let house = House::open();
    for path in ["/v1/workspaces/demo/leads/one", "/v1/workspaces/demo/leads/two", "/wp-login.php", "/live"] {
        house.get(path).await;
    }
    let heard = house.get("/metrics").await;
    assert!(heard.headers["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let text = String::from_utf8(heard.body.to_vec()).unwrap();
    let line = |path: &str, class: &str, count: u32| {
        let line = format!("leadgate_desk_requests_total{{path=\"{path}\",status=\"{class}\"}} {count}\n");
        assert!(text.contains(&line), "{line}{text}");
    };
    line("/v1/workspaces/{w}/leads/{id}", "4xx", 2);
    line("other", "4xx", 1);
    line("/live", "2xx", 1);
}

#[tokio::test]
async fn a_sample_is_what_the_provider_would_send_and_carries_our_mark() {
    let house = House::open();
    let body = r#"{"name": "Ann", "phone": "+79161234567", "text": "hello", "synthetic": "shopper"}"#;
    for id in ["bot", "site"] {
        let made = house.post(&format!("/v1/workspaces/demo/channels/{id}/sample"), body).await.json();
        let mut headers = HeaderMap::new();
        for line in made["headers"].as_array().unwrap() {
            let (name, value) = (line[0].as_str().unwrap(), line[1].as_str().unwrap());
            headers.insert(HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let request = Request {
            method: made["method"].as_str().unwrap().parse().unwrap(),
            url: made["url"].as_str().unwrap().to_owned(),
            rest: String::new(),
            query: String::new(),
            headers,
            body: data_encoding::BASE64.decode(made["body_base64"].as_str().unwrap().as_bytes()).unwrap().into(),
            documents: std::collections::BTreeMap::new(),
            received_at: NOON,
        };
        let view = house.desk.workspaces.load()["demo"].clone();
        let channel = view.channels.iter().find(|channel| channel.id.as_str() == id).unwrap();
        let source = sources::source(channel.source).unwrap();
        assert_eq!((source.verify)(&request, channel), Ok(()), "{id}");
        let read = (source.read)(&request, channel).unwrap().signals;
        assert!(matches!(&read[0].signal, Signal::Touch(touch) if touch.text.as_deref() == Some("hello")), "{id}");
        let mark = request.header(synthetic::HEADER).unwrap();
        assert_eq!(synthetic::verify(&Pepper::new(b"pepper"), mark, id, NOON), Some(Synthetic::Shopper), "{id}");
        assert!(made["url"].as_str().unwrap().starts_with(&format!("http://127.0.0.1:8080/in/{id}")));
    }
    assert!(house.journalled().is_empty(), "making a sample sends nothing");
}

#[tokio::test]
async fn a_sample_needs_a_channel_that_can_sign() {
    let house = House::open();
    let sample = async |id: &str, body| house.post(&format!("/v1/workspaces/demo/channels/{id}/sample"), body).await;
    assert_eq!(sample("mute", "{}").await.problem(), (422, "the channel has no secret to sign with".to_owned()));
    assert_eq!(sample("inbox", "{}").await.problem().0, 422, "it is fetched");
    assert_eq!(sample("nothing", "{}").await.problem().0, 404);
    assert_eq!(sample("other-site", "{}").await.problem().0, 404, "of another workspace");
    assert_eq!(sample("site", r#"{"synthetic": "real"}"#).await.problem().0, 422);
}

#[tokio::test]
async fn a_backup_goes_into_a_new_folder_only() {
    let house = House::open();
    house.lead("Ann").await;
    let to = house.data.path().join("copies/first");
    let body = |folder: &str| json!({ "folder": folder }).to_string();
    let made = house.post("/v1/backup", &body(to.to_str().unwrap())).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    for file in ["journal.db", "ledger.db"] {
        assert!(to.join(file).metadata().unwrap().len() > 0, "{file}");
    }
    use std::os::unix::fs::PermissionsExt;
    assert_eq!(to.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    assert_eq!(house.post("/v1/backup", &body(to.to_str().unwrap())).await.problem().0, 422);
    for wrong in ["relative/path", "", "/tmp/../etc", "/dev/null/x", "/a\u{0}b"] {
        assert_eq!(house.post("/v1/backup", &body(wrong)).await.problem().0, 422, "{wrong}");
    }
}
