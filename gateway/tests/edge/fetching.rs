//! Is a lead behind an id fetched as its provider wants to be asked, and is nothing lost while it cannot be?

use crate::house::{House, channel, config, header, limits, status};
use data_encoding::HEXLOWER;
use gateway::channel::Channel;
use gateway::channels::{ChannelTable, Entrance, State};
use gateway::config::{Config, Limits};
use gateway::sources::{meta_leads, ses};
use hmac::{Hmac, KeyInit, Mac};
use lead::entry::Signal;
use lead::units::{Rate, Size, Span};
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What Graph does with a question.
#[derive(Copy, Clone, Debug)]
enum Says {
    Lead,
    Status(u16),
    TooMuch,
    Nothing,
}

/// A stand-in for the Graph API: every question is noted, and lead 12 is answered as the test says.
struct Graph {
    address: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
    of_12: Arc<Mutex<Says>>,
}

impl Graph {
    async fn open(of_12: Says) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let graph =
            Self { address: listener.local_addr().unwrap(), heads: Arc::default(), of_12: Arc::new(Mutex::new(of_12)) };
        let (heads, of_12) = (Arc::clone(&graph.heads), Arc::clone(&graph.of_12));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&heads), Arc::clone(&of_12)));
            }
        });
        graph
    }

    fn heads(&self) -> Vec<String> {
        let mut heads = self.heads.lock().unwrap().clone();
        heads.sort();
        heads
    }
}

async fn answer(mut stream: TcpStream, heads: Arc<Mutex<Vec<String>>>, of_12: Arc<Mutex<Says>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let Ok(byte) = stream.read_u8().await else { return };
        head.push(byte);
    }
    let head = String::from_utf8(head).unwrap();
    let id = head.split(['/', '?']).nth(2).unwrap().to_owned();
    let says = if id == "12" { *of_12.lock().unwrap() } else { Says::Lead };
    heads.lock().unwrap().push(head);
    let (status, body) = match says {
        Says::Lead => {
            (200, format!("{{\"id\":\"{id}\",\"field_data\":[{{\"name\":\"full_name\",\"values\":[\"Ann {id}\"]}}]}}"))
        }
        Says::Status(status) => (status, "{\"error\":{\"code\":190}}".to_owned()),
        Says::TooMuch => (200, " ".repeat(70_000)),
        Says::Nothing => return tokio::time::sleep(Duration::from_secs(20)).await,
    };
    let length = body.len();
    let place = "http://127.0.0.1:1/";
    let text = format!(
        "HTTP/1.1 {status} x\r\nlocation: {place}\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    let _ = stream.write_all(text.as_bytes()).await;
}

async fn house(graph: &Graph) -> House {
    let settings = [("page_token", "page-token".to_owned()), ("graph_url", format!("http://{}", graph.address))];
    let channel = Channel {
        secrets: vec!["app-secret".to_owned().into()],
        settings: settings.map(|(name, value)| (name, vec![value.into()])).into(),
        ..channel("page", &meta_leads::SOURCE)
    };
    let entrance = Entrance { channel, source: &meta_leads::SOURCE, state: State::Open };
    let limits = Limits { fetch_time: Span(Duration::from_millis(500)), fetched: Size(64 << 10), ..limits() };
    House::serving(Config { limits, ..config() }, ChannelTable::new([entrance], [])).await
}

async fn knock(house: &House, leads: &[&str]) -> String {
    let change = |id: &&str| format!("{{\"field\":\"leadgen\",\"value\":{{\"leadgen_id\":\"{id}\"}}}}");
    let changes: Vec<String> = leads.iter().map(change).collect();
    let body = format!("{{\"object\":\"page\",\"entry\":[{{\"changes\":[{}]}}]}}", changes.join(","));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(b"app-secret").unwrap();
    mac.update(body.as_bytes());
    let proof = HEXLOWER.encode(&mac.finalize().into_bytes());
    let length = body.len();
    house
        .say(format!(
            "POST /in/page HTTP/1.1\r\nhost: leads.example\r\nconnection: close\r\ncontent-type: application/json\r\n\
             x-hub-signature-256: sha256={proof}\r\ncontent-length: {length}\r\n\r\n{body}"
        ))
        .await
}

fn names(house: &House) -> Vec<String> {
    let name = |signal: &Signal| match signal {
        Signal::Touch(touch) => touch.name.clone().unwrap_or_default(),
        other => format!("{other:?}"),
    };
    let mut names: Vec<String> = house.rows().iter().map(|row| name(&row.entry.signal)).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_lead_behind_an_id_is_asked_for_with_the_pages_token() {
    let graph = Graph::open(Says::Lead).await;
    let house = house(&graph).await;
    let answer = knock(&house, &["11", "12"]).await;
    assert_eq!(status(&answer), 200, "{answer}");
    assert_eq!(names(&house), ["Ann 11", "Ann 12"]);
    let heads = graph.heads();
    assert_eq!(heads.len(), 2, "each lead is asked for once");
    for (head, id) in heads.iter().zip(["11", "12"]) {
        let lower = head.to_lowercase();
        assert!(head.starts_with(&format!("GET /v24.0/{id}?fields=")) && head.contains("field_data"), "{head}");
        assert!(head.contains("Bearer page-token") && lower.contains("authorization: "), "{head}");
        assert!(lower.contains("user-agent: leadgate/") && !head.lines().next().unwrap().contains("token"), "{head}");
    }
}

#[tokio::test]
async fn a_lead_that_cannot_be_had_keeps_back_no_other_and_comes_with_the_redelivery() {
    for refusal in
        [Says::Status(500), Says::Status(400), Says::Status(401), Says::Status(302), Says::TooMuch, Says::Nothing]
    {
        let graph = Graph::open(refusal).await;
        let house = house(&graph).await;
        let answer = knock(&house, &["11", "12", "13"]).await;
        assert_eq!(status(&answer), 503, "{refusal:?} {answer}");
        assert!(header(&answer, "retry-after").is_some());
        assert_eq!(names(&house), ["Ann 11", "Ann 13"], "{refusal:?}");

        *graph.of_12.lock().unwrap() = Says::Lead;
        assert_eq!(status(&knock(&house, &["11", "12", "13"]).await), 200, "{refusal:?}");
        let rows = house.rows();
        let uids: std::collections::BTreeSet<_> = rows.iter().map(|row| row.entry.uid).collect();
        assert_eq!((rows.len(), uids.len()), (5, 3), "what came twice is known by its id");
    }
}

#[tokio::test]
async fn while_no_lead_can_be_had_nothing_is_stored() {
    let graph = Graph::open(Says::Status(500)).await;
    let house = house(&graph).await;
    assert_eq!(status(&knock(&house, &["12"]).await), 503);
    assert_eq!((house.rows().len(), house.accepted("page")), (0, 0));
    let forged = house.post("/in/page", "x-hub-signature-256: sha256=00\r\n", "{}").await;
    assert_eq!((status(&forged), graph.heads().len()), (401, 1), "who is not believed makes us ask nobody");
}

#[tokio::test]
async fn a_stranger_makes_us_ask_for_certificates_only_so_often() {
    let settings = [("topics", "arn:aws:sns:eu-west-1:123456789012:mail"), ("sns_hosts", "127.0.0.1")];
    let settings = settings.map(|(name, value)| (name, vec![value.to_owned().into()])).into();
    let channel = Channel { settings, ..channel("mails", &ses::SOURCE) };
    let entrance = Entrance { channel, source: &ses::SOURCE, state: State::Open };
    let few = Rate::parse("2/h burst 2").unwrap();
    let limits = Limits { unproven_fetches: few, ..limits() };
    let house = House::serving(Config { limits, ..config() }, ChannelTable::new([entrance], [])).await;
    let now = house.gateway.clock.now();
    let mut statuses = Vec::new();
    for number in 0..4 {
        let forged = json!({"Type": "Notification", "MessageId": "1", "Message": "hello", "Timestamp": now.to_string(),
            "TopicArn": "arn:aws:sns:eu-west-1:123456789012:mail", "SignatureVersion": "2", "Signature": "AAAA",
            "SigningCertURL": format!("https://127.0.0.1/{number}.pem")});
        let kind = "x-amz-sns-message-type: Notification\r\ncontent-type: text/plain\r\n";
        statuses.push(status(&house.post("/in/mails", kind, &forged.to_string()).await));
    }
    assert_eq!(statuses, [503, 503, 429, 429], "nobody answers at that address");
    assert_eq!(house.refused("mails", "per_channel"), 2);
}
